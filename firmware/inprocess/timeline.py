"""What a module did, line by line, for the report of a failing test. Never a key, token or position."""

from collections import deque
from typing import Final

from firmware.core.effects import (
    Actuate,
    Answer,
    AnswerEnded,
    AnswerMenu,
    AnswerTested,
    Effect,
    HangUp,
    RefuseHandshake,
    Report,
    Tell,
)
from firmware.core.events import (
    ActuationFinished,
    CodeEntered,
    Event,
    KeyPresented,
    LinkLost,
    LinkOpened,
    RequestReceived,
    Ticked,
    VehicleKeyUsed,
    VehicleSampled,
)
from firmware.core.reporting import iso_time
from firmware.core.state import State
from protocol.errors import Code
from protocol.messages import Access

LINES_KEPT: Final = 400


class Timeline:
    """The last lines. `observe` is for a `Rig`; `note` for whatever else belongs between them."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._told = 0

    def note(self, utc_ms: int, line: str) -> None:
        """One line."""
        self._told += 1
        self._lines.append(f"{iso_time(utc_ms)[11:23]}  {line}")

    def observe(self, utc_ms: int, event: Event, state: State, effects: tuple[Effect, ...]) -> None:
        """One step of the module."""
        happened = _happened(event)
        if happened:
            self.note(utc_ms, f"{happened}  [{state.durable.trip.phase.name.lower().replace('_', ' ')}]")
        for effect in effects:
            if line := _done(effect):
                self.note(utc_ms, f"    {line}")

    def text(self) -> str:
        """All that is kept."""
        left_out = self._told - len(self._lines)
        head = [f"... {left_out} earlier lines are not kept"] if left_out else []
        return "\n".join([*head, *self._lines])


def _happened(event: Event) -> str:
    match event:
        case Ticked() | VehicleSampled():
            return ""
        case RequestReceived(link, request):
            return f"link {link}: {request.operation.name}"
        case LinkOpened(link):
            return f"link {link}: a phone has connected"
        case LinkLost(link):
            return f"link {link}: the phone is gone"
        case ActuationFinished():
            return "the car has answered"
        case KeyPresented(link, key):
            return f"link {link}: a key of {key.name or key.role.name.lower()}"
        case VehicleKeyUsed(button):
            return f"the vehicle key: {button.value}"
        case CodeEntered():
            return "the menu: a code"
        case _:
            return type(event).__name__


def _done(effect: Effect) -> str:
    match effect:
        case Actuate(action):
            return f"to the car: {action.value}"
        case Answer(link, reply):
            return f"link {link}: {_code(reply.code)}"
        case AnswerEnded(link, _, code):
            return f"link {link}: {_code(code)}, the booking has ended"
        case AnswerTested(link, _, report):
            return f"link {link}: self-test {'passed' if report.passed else 'not passed'}"
        case RefuseHandshake(link, refusal):
            return f"link {link}: handshake refused, {refusal.code.name} ({refusal.rule})"
        case Tell(link, push):
            body = push.body
            if isinstance(body, Access):
                why = "" if body.refusal is None else f", {body.refusal.code.name} ({body.refusal.rule})"
                return f"link {link}: told that access is {'granted' if body.granted else 'denied'}{why}"
            return f"link {link}: told {body.kind.name.lower().replace('_', ' ')}"
        case AnswerMenu(_, no):
            return "the menu: done" if no is None else f"the menu: {no.code.name} ({no.rule})"
        case HangUp(link):
            return f"link {link}: hung up"
        case Report(record) if record.kind is not None:
            return f"reported: {record.kind.value}"
        case _:
            return ""


def _code(code: Code) -> str:
    return "done" if code is Code.OK else code.name
