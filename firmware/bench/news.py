"""What happens on the bench, told as it happens and remembered for a while: for `follow`, `log` and `why`.

Decides which refusal was the last one, and to whom. What else of a step is worth telling: `telling`.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from firmware.bench.overheard import Overheard
from firmware.bench.results import Data, Happening
from firmware.bench.stand import Stand
from firmware.bench.taps import Taps
from firmware.bench.telling import Told, of_effect, of_event
from firmware.bench.words import phase_word
from firmware.core import effects as do
from firmware.core import events as ev
from firmware.core.reports import Record
from firmware.core.state import State
from protocol.errors import Code, Refusal, refuse
from protocol.explain import sentence
from protocol.messages import Access, Phase, Status
from protocol.telemetry import Channel

KEPT: Final = 500


class Refused(msgspec.Struct, frozen=True):
    """A refusal that somebody was given. `to`: "link 3" or "the backend"; `asked`: what for; `booking`: whose, hex."""

    at_ms: int
    to: str
    asked: str
    refusal: Refusal
    booking: str = ""


class News:
    """Listens to the stand from now on. `taps` hear each happening; `log` keeps the last KEPT, oldest first."""

    def __init__(self, stand: Stand) -> None:
        self.taps: Taps[Happening] = Taps()
        self.log: deque[Happening] = deque(maxlen=KEPT)
        self.refused: Refused | None = None
        self._stand = stand
        self._phase: Phase | None = None
        stand.steps.add(self._stepped)
        stand.radio.taps.add(Overheard(stand.time.monotonic_ms, self._overheard))
        stand.powered.add(self._powered)

    def tell(self, kind: str, data: Data, line: str) -> None:
        """Something has happened now."""
        happening = Happening(self._stand.time.utc_ms(), kind, data, line)
        self.log.append(happening)
        self.taps(happening)

    def _powered(self, how: str) -> None:
        lines = {"on": "The module has power.", "off": "The module was switched off.", "cut": "The power was cut."}
        self.tell("power", {"power": how}, lines[how])

    def _overheard(self, link: int, refusal: Refusal) -> None:
        self._refuse(Refused(self._stand.time.utc_ms(), f"link {link}", "a session", refusal))

    def _refuse(self, refused: Refused) -> None:
        self.refused = refused
        self.tell("refused", refused_data(refused), _refused_line(refused))

    def _stepped(self, event: ev.Event, state: State, effects: tuple[do.Effect, ...]) -> None:
        for news in (*of_event(event), *self._of_phase(state)):
            self.tell(*news)
        for effect in effects:
            found = self._refusal(event, state, effect)
            if found is not None:
                self.refused, told = found
                if told:
                    self._refuse(self.refused)
            for news in of_effect(effect):
                self.tell(*news)

    def _of_phase(self, state: State) -> Iterator[Told]:
        phase = state.durable.trip.phase
        if phase is not self._phase:
            self._phase = phase
            yield Told("phase", {"phase": phase_word(state)}, f"Booking: {phase_word(state)}.")

    def _refusal(self, event: ev.Event, state: State, effect: do.Effect) -> tuple[Refused, bool] | None:
        """A refusal in what the module does, and whether it is news: a grey slider is not."""
        at_ms = self._stand.time.utc_ms()

        def on(link: int, refusal: Refusal, asked: str) -> Refused:
            known = state.link(link)
            booking = "" if known is None or known.booking is None else known.booking.booking_id.hex()
            return Refused(at_ms, f"link {link}", asked, refusal, booking)

        match effect:
            case do.Answer(link, reply) if isinstance(reply.body, Refusal):
                return on(link, reply.body, _asked(event)), True
            case do.Answer(link, reply) if isinstance(reply.body, Status) and reply.body.access.refusal is not None:
                return on(link, reply.body.access.refusal, "access"), False
            case do.Tell(link, push) if isinstance(push.body, Access) and push.body.refusal is not None:
                return on(link, push.body.refusal, "access"), True
            case do.Report(record) | do.Say(record) if record.channel is Channel.ORDER_RESULT:
                refusal_ = _of_order(record)
                return None if refusal_ is None else (Refused(at_ms, "the backend", "an order", refusal_), True)
            case do.AnswerMenu(_, refusal) if refusal is not None:
                asked = "a code" if isinstance(event, ev.CodeEntered | ev.CodeTried) else "to deactivate a key"
                return Refused(at_ms, "the vehicle's menu", asked, refusal), True
            case _:
                return None


def refusal_data(refusal: Refusal) -> Data:
    """A refusal for programs."""
    return {
        "code": refusal.code.name,
        "rule": refusal.rule,
        "numbers": dict(refusal.numbers),
        "temporary": refusal.temporary,
        "may_have_succeeded": refusal.may_have_succeeded,
        "reason": sentence(refusal),
        "remedy": refusal.remedy,
    }


def refused_data(refused: Refused) -> Data:
    """The same with when, to whom and what for."""
    who: Data = {"at_ms": refused.at_ms, "to": refused.to, "asked": refused.asked, "booking": refused.booking}
    return who | refusal_data(refused.refusal)


def _refused_line(refused: Refused) -> str:
    return f"Refused to {refused.to}, {refused.asked}: {sentence(refused.refusal)} ({refused.refusal.code.name})."


def _asked(event: ev.Event) -> str:
    return event.request.operation.name.lower() if isinstance(event, ev.RequestReceived) else "a command"


def _of_order(record: Record) -> Refusal | None:
    code = Code.__members__.get(record.reason)
    if code is None or code is Code.OK:
        return None
    return refuse(code, numbers=tuple(each for each in record.numbers if each[0] not in ("code", "pending")))
