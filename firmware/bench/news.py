"""What happens on the bench, told as it happens and remembered for a while: for `follow`, `log` and `why`.

Decides what of a step is worth telling, and in which words. Never a key or a token.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from firmware.bench.overheard import Overheard
from firmware.bench.results import Data, Happening
from firmware.bench.stand import Stand
from firmware.bench.taps import Taps
from firmware.bench.words import phase_word
from firmware.core import effects as do
from firmware.core import events as ev
from firmware.core.reports import Record
from firmware.core.state import State
from protocol.errors import Code, Refusal, refuse
from protocol.explain import announce, sentence
from protocol.messages import Access, Notice, Phase, Status
from protocol.telemetry import Channel

KEPT: Final = 500


class Refused(msgspec.Struct, frozen=True):
    """A refusal that somebody was given. `to`: "link 3" or "the backend"; `asked`: what for; `booking`: whose, hex."""

    at_ms: int
    to: str
    asked: str
    refusal: Refusal
    booking: str = ""


class _News(NamedTuple):
    kind: str
    data: Data
    line: str


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
        for news in (*_of_event(event), *self._of_phase(state)):
            self.tell(*news)
        for effect in effects:
            found = self._refusal(event, state, effect)
            if found is not None:
                self.refused, told = found
                if told:
                    self._refuse(self.refused)
            for news in _of_effect(effect):
                self.tell(*news)

    def _of_phase(self, state: State) -> Iterator[_News]:
        phase = state.durable.trip.phase
        if phase is not self._phase:
            self._phase = phase
            yield _News("phase", {"phase": phase_word(state)}, f"Booking: {phase_word(state)}.")

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


def _of_event(event: ev.Event) -> Iterator[_News]:
    match event:
        case ev.LinkOpened(link):
            yield _News("link", {"link": link, "is": "open"}, f"Link {link} is open.")
        case ev.LinkLost(link):
            yield _News("link", {"link": link, "is": "gone"}, f"Link {link} is gone.")
        case ev.TokenPresented(link, booking):
            user, role = booking.user.hex(), booking.role.name.lower()
            data: Data = {"link": link, "is": "authenticated", "user": user, "role": role}
            yield _News("link", data | {"booking": booking.booking_id.hex()}, f"Link {link} is {role} {user}.")
        case ev.HandshakeFailed(link):
            yield _News(
                "link", {"link": link, "is": "not authenticated"}, f"Link {link} could not authenticate itself."
            )
        case ev.RequestReceived(link, request):
            operation = request.operation.name.lower()
            yield _News("asked", {"link": link, "operation": operation}, f"Link {link} asks: {operation}.")
        case ev.ActuationFinished(action, confirmed):
            done = "is confirmed" if confirmed else "is not confirmed"
            yield _News("car", {"action": action.value, "confirmed": confirmed}, f"The car: {action.value} {done}.")
        case ev.BrokerConnected():
            yield _News("broker", {"connected": True}, "The broker is connected.")
        case ev.BrokerLost():
            yield _News("broker", {"connected": False}, "The broker is lost.")
        case ev.TimeOffered(source, utc_ms):
            yield _News("clock", {"source": source.value, "utc_ms": utc_ms}, f"A time was offered by {source.value}.")
        case ev.OrderReceived() | ev.OrderUnreadable():
            readable = isinstance(event, ev.OrderReceived)
            yield _News("order", {"readable": readable}, "An order came." if readable else "An order can not be read.")
        case ev.StorageFailed():
            yield _News("disk", {"failed": True}, "The disk did not take a step: it was undone.")
        case _:
            pass


def _of_effect(effect: do.Effect) -> Iterator[_News]:
    match effect:
        case do.Actuate(action):
            yield _News("car", {"action": action.value}, f"The module: {action.value}.")
        case do.Answer(link, reply) if not isinstance(reply.body, Refusal):
            yield _News(
                "answered", {"link": link, "code": reply.code.name}, f"Link {link} is answered: {reply.code.name}."
            )
        case do.AnswerEnded(link, _, code):
            yield _News("answered", {"link": link, "code": code.name}, f"Link {link} is answered: {code.name}.")
        case do.Tell(link, push) if isinstance(push.body, Notice):
            notice = push.body
            data: Data = {"link": link, "notice": notice.kind.name.lower(), "left_ms": notice.left_ms}
            yield _News("notice", data, f"Link {link} is told: {announce(notice)}")
        case do.Tell(link, push) if isinstance(push.body, Access):
            granted = push.body.granted
            word = "granted" if granted else "denied"
            yield _News("access", {"link": link, "granted": granted}, f"Link {link} is told: access {word}.")
        case do.HangUp(link):
            yield _News("link", {"link": link, "is": "hung up"}, f"Link {link} is hung up.")
        case do.Report(record) if record.kind is not None:
            numbers = dict(record.numbers)
            data = {"report": record.kind.value, "booking": record.booking, "reason": record.reason, "numbers": numbers}
            yield _News("report", data, f"Report: {record.kind.value}{f' ({record.reason})' if record.reason else ''}.")
        case _:
            pass
