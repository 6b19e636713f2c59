"""A recording played again through the real gateway and the real core, and where it first comes out otherwise.

Everything happens in the order of the file, so that the answer does not depend on how fast anything was. Decides what
is compared with what. Where the private keys are missing, or a link is older than the recording, what the gateway made
of it is taken from the recording.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from firmware import keeper
from firmware.answers import Spoken, acknowledges, spoken, turns, unacknowledged
from firmware.bench import recording
from firmware.bench.compared import Diverged, Field, compare, diverge
from firmware.bench.difference import differences
from firmware.bench.notation import Json, NotationError, read, written
from firmware.bench.outgoing import Outgoing
from firmware.bench.recordfile import RecordingFailed
from firmware.bench.recording import (
    AnyLine,
    Begun,
    Booted,
    Closed,
    Did,
    Ended,
    Fragment,
    Header,
    Opened,
    Order,
    Payload,
    Published,
    Reference,
    Said,
    Saved,
    Stepped,
    Told,
)
from firmware.core import clock, module, reporting
from firmware.core.effects import (
    Actuate,
    AnswerMenu,
    CallEmergency,
    Effect,
    EndEmergency,
    HangUp,
    Persist,
    Report,
    Say,
    TryCode,
)
from firmware.core.events import Event, StorageFailed, Ticked, Trouble
from firmware.core.state import Profile, State
from firmware.gateway import Gateway, Heard
from firmware.ports import LinkId, StoreFailed
from protocol import keys
from protocol.errors import one_line
from protocol.provisioning import Provisioning
from protocol.tokens import Trust

T = TypeVar("T")

MOST_EVENTS: Final = 4096
_SAME: Final = "as before"


class Divergence(msgspec.Struct, frozen=True):
    """The first difference: the line of the recording, what it is about, and what was expected and came there."""

    line: int
    about: str
    boot: int
    at: str
    fields: tuple[Field, ...]


class Replay:
    """Feed it the lines in order. `provisioning` None: without the module's keys; nothing is compared on its links."""

    def __init__(self, header: Header, provisioning: Provisioning | None) -> None:
        self._version = header.version
        self._provisioning = provisioning
        self._gateway: Gateway | None = None
        self._older: set[LinkId] = set()
        self._events: OrderedDict[Reference, Event] = OrderedDict()
        self._outgoing = Outgoing(header.version)
        self._entropy: list[bytes] = []
        self._todo: deque[int] = deque()
        self._effects: tuple[Effect, ...] = ()
        self._adopted: State | None = None
        self._made: State | None = None
        self._event: Event = Ticked()
        self._of: Reference | None = None
        self._durable, self._owes_state, self._required = False, False, False
        self._now = 0
        self.n = 0
        self.boots = self.steps = self.compared = self.not_compared = 0

    @property
    def state(self) -> State:
        """What the module knows at this place. Raises RecordingFailed before it does."""
        if self._adopted is None:
            raise RecordingFailed("the recording does not begin with a boot: it is not whole; take another copy")
        return self._adopted

    def feed(self, line: AnyLine) -> Divergence | None:
        """Play one line. What comes is the end: nothing after it means anything. Raises RecordingFailed."""
        try:
            if line.n != self.n + 1:
                diverge("the number of the line", self.n + 1, line.n)
            self.n = line.n
            self._play(line)
        except Diverged as found:
            boot = 0 if self._adopted is None else self._adopted.durable.counters.boot
            return Divergence(line.n, found.about, boot, self._moment(), found.fields)
        except NotationError as error:
            raise RecordingFailed(f"line {line.n}: {error}; use the version that made it ({self._version})") from None
        return None

    def _play(self, line: AnyLine) -> None:
        match line:
            case Begun():
                self._begin(line)
            case Booted():
                self._boot(line)
            case Opened(link=link, payload=payload):
                if self._gateway is not None:
                    self._gateway.opened(link, payload)
            case Payload(link=link, payload=payload):
                if self._gateway is not None:
                    self._gateway.payload_changed(link, payload)
            case Closed(link=link):
                self._close(link)
            case Fragment():
                self._now = line.now
                data = _bytes(line.data)
                made = self._asked(line.link, line.said, lambda it: it.received(line.link, data, line.now))
                self._heard(line.link, line.said, made, f"what the gateway makes of a fragment on link {line.link}")
            case Order():
                self._order(line)
            case Told(event=event):
                self._post((line.n, 0), _event(event))
            case Stepped():
                self._step(line)
            case Saved(worked=worked, owes_state=owes_state):
                self._durable, self._owes_state = worked, owes_state
                if worked and self._required:
                    self._adopt()
            case Did():
                self._did(line)
            case Published():
                if self._outgoing.check(line, self.state):
                    self.compared += 1
                else:
                    self.not_compared += 1
            case Ended():
                pass

    def _moment(self) -> str:
        """The module's time; empty where it has none, or one that is none."""
        if self._adopted is None:
            return ""
        try:
            return reporting.iso_time(clock.utc(self._adopted.clock, self._now))
        except (ValueError, OverflowError, OSError, TypeError):
            return ""

    # ------------------------------------------------------------ beginnings
    def _begin(self, line: Begun) -> None:
        state = read(line.state)
        if not isinstance(state, State):
            raise RecordingFailed(f"line {line.n}: it holds no state; use the version that made it ({self._version})")
        self._adopted = self._made = state
        self._gateway = self._new_gateway()
        self._older = set(line.links)
        self.not_compared += len(line.links)

    def _boot(self, line: Booted) -> None:
        profile, trouble, expected = read(line.profile), read(line.trouble), read(line.state)
        if not isinstance(profile, Profile) or not isinstance(trouble, Trouble | None):
            raise RecordingFailed(f"line {line.n}: it holds no profile; use the version that made it")
        try:
            found = None if line.found is None else keeper.decode_durable(_bytes(line.found))
        except StoreFailed as error:
            raise RecordingFailed(f"line {line.n}: {error}; use the version that made it") from None
        self.boots += 1
        self._now = line.now
        self._older.clear()
        self._events.clear()
        self._gateway = self._new_gateway()
        self._owes_state = False
        state, effects = self._called(lambda: module.boot(found, profile, line.now, trouble))
        fields = [Field(each.path, each.before, each.after) for each in differences(expected, state)]
        if fields:
            raise Diverged("the state after a boot", *fields)
        self._made, self._effects, self._event, self._of = state, effects, Ticked(), None
        self._report()
        self._compare_effects(line.effects, "the boot")
        self._adopt()

    def _new_gateway(self) -> Gateway | None:
        if self._provisioning is None:
            return None
        it = self._provisioning
        issuers = [keys.public_from_bytes(issuer) for issuer in it.issuers]
        return Gateway(
            keys.private_from_bytes(it.handshake_private),
            keys.private_from_bytes(it.signing_private),
            Trust(it.module_id, {keys.key_id(issuer): issuer for issuer in issuers}),
            self._draw,
        )

    def _draw(self, count: int) -> bytes:
        if not self._entropy or len(self._entropy[0]) != count:
            diverge("the random bytes that the gateway draws", len(self._entropy[0]) if self._entropy else 0, count)
        return self._entropy.pop(0)

    # ------------------------------------------------------------ told
    def _close(self, link: LinkId) -> None:
        self._older.discard(link)
        if self._gateway is not None:
            self._gateway.closed(link)

    def _post(self, reference: Reference, event: Event) -> None:
        self._events[reference] = event
        if len(self._events) > MOST_EVENTS:
            self._events.popitem(last=False)

    def _asked(self, link: LinkId, said: Said, ask: Callable[[Gateway], Heard]) -> Heard | None:
        """What the gateway says to that; None: it is not asked."""
        if self._gateway is None or link in self._older:
            return None
        self._entropy = [_bytes(each) for each in said.drawn]
        gateway = self._gateway
        return self._called(lambda: ask(gateway))

    def _heard(self, link: LinkId, said: Said, made: Heard | None, about: str) -> None:
        """Compare, and put what came of it into the queue."""
        if made is None:
            events = [_event(each) for each in said.events]
        else:
            self.compared += 1
            events = made.events
            compare(f"{about}: events", list(said.events), [written(each) for each in events])
            compare(f"{about}: fragments sent", list(said.sent), [each.hex() for each in made.fragments])
            compare(f"{about}: whether it hangs up", said.hang_up, made.hang_up)
            compare(f"{about}: random bytes left", 0, len(self._entropy))
        if said.flooded:
            self._close(link)
            return
        for at, event in enumerate(events):
            self._post((self.n, at), event)

    def _order(self, line: Order) -> None:
        event = _event(line.event)
        if self._gateway is not None:
            gateway, payload, correlation = self._gateway, _bytes(line.payload), _bytes(line.correlation)
            made = self._called(lambda: gateway.order(line.topic, payload, correlation))
            compare("what the gateway makes of an order", written(event), written(made))
            event = made
        self._post((line.n, 0), event)

    # ------------------------------------------------------------ done
    def _step(self, line: Stepped) -> None:
        event = self._taken(line)
        if not line.undone and self._todo:
            diverge(f"an effect of the step before: {_name(self._effects[self._todo[0]])}", "carried out", None)
        if not line.undone and self._required:
            self._adopt()
        self.steps += 1
        self._now = line.now
        before = self.state
        name = type(event).__name__ if line.of is None else f"{type(event).__name__} of line {line.of[0]}"
        made = StorageFailed(event) if line.undone else event
        self._made, self._effects = self._called(lambda: module.step(before, made, line.now))
        self._event, self._of = event, line.of
        self._report()
        came = {each.path: each.after for each in differences(before, self._made)}
        if came != line.changed:
            raise Diverged(f"the state after the step of {name}", *_changes(line.changed, came))
        self._compare_effects(line.effects, f"the step of {name}")
        compare(f"the digest of the state after the step of {name}", line.state, recording.digest(self._made))
        self._todo.clear()
        self._durable = False
        self._required = any(isinstance(effect, Persist) and effect.required for effect in self._effects)
        if not self._required:
            self._adopt()

    def _taken(self, line: Stepped) -> Event:
        if line.undone:
            compare("the step that was undone", _reference(line.of), _reference(self._of))
            return self._event
        if line.of is None:
            return Ticked()
        event = self._events.pop(line.of, None)
        if event is None:
            diverge("the event of a step", _reference(line.of), None)
        return event

    def _adopt(self) -> None:
        """The state counts from now on, and what was ordered is to be done: acknowledgements last."""
        self._adopted, self._required = self._made, False
        at_once, later = turns(self._effects)
        self._todo = deque(at for at in (*at_once, *later) if _is_done(self._effects[at]))

    def _report(self) -> None:
        for effect in self._effects:
            if isinstance(effect, Report):
                self._outgoing.reported(effect.record)

    def _did(self, line: Did) -> None:
        if not self._todo:
            diverge("an effect that is carried out", line.what, None)
        place = self._todo.popleft()
        effect = self._effects[place]
        if place != line.effect:
            diverge("the effect that is carried out next", f"{line.what}, the {line.effect}.", _name(effect))
        if acknowledges(effect):
            unsure = not (self._durable or not self._owes_state)
            compare(f"whether {_name(effect)} may be acknowledged", not line.unsure, not unsure)
            effect = unacknowledged(effect) if unsure else effect
        if isinstance(effect, Say):
            self._outgoing.said(effect.record)
        if isinstance(effect, Spoken):
            made = self._asked(effect.link, line.said, lambda it: spoken(it, effect))
            self._heard(effect.link, line.said, made, f"{_name(effect)} on link {effect.link}")

    # ------------------------------------------------------------ inside
    def _compare_effects(self, expected: tuple[Json, ...], of: str) -> None:
        came = [written(effect) for effect in self._effects]
        for at in range(max(len(expected), len(came))):
            one = expected[at] if at < len(expected) else None
            other = came[at] if at < len(came) else None
            compare(f"effect {at + 1} of {of}", one, other)

    def _called(self, what: Callable[[], T]) -> T:
        try:
            return what()
        except (Diverged, RecordingFailed):
            raise
        except Exception as error:  # broad: a core that fails is what is looked for
            diverge("a call of core or gateway", "an answer", f"{type(error).__name__}: {one_line(str(error))}")


def _changes(expected: dict[str, Json], came: dict[str, Json]) -> list[Field]:
    paths = [path for path in {**expected, **came} if expected.get(path, _SAME) != came.get(path, _SAME)]
    return [Field(path, expected.get(path, _SAME), came.get(path, _SAME)) for path in paths]


def _is_done(effect: Effect) -> bool:
    return isinstance(effect, Actuate | AnswerMenu | CallEmergency | EndEmergency | HangUp | Say | Spoken | TryCode)


def _name(effect: Effect) -> str:
    return type(effect).__name__


def _reference(of: Reference | None) -> Json:
    return None if of is None else f"line {of[0]}, event {of[1] + 1}"


def _event(json: Json) -> Event:
    found = read(json)
    if not isinstance(found, Event):
        raise NotationError(f"{str(json)[:80]} is no event")
    return found


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise NotationError(f"{text[:40]!r} is not hexadecimal") from None
