"""A step of the module in words: what happened, and what the module does about it.

Decides what is worth telling, and how. Never a key, a token, a code or where the car is.
"""

from collections.abc import Iterator
from typing import NamedTuple

from firmware.bench.results import Data
from firmware.core import effects as do
from firmware.core import events as ev
from protocol.errors import Refusal
from protocol.explain import announce
from protocol.messages import Access, Notice


class Told(NamedTuple):
    """What becomes a Happening."""

    kind: str
    data: Data
    line: str


def of_event(event: ev.Event) -> Iterator[Told]:
    """What the module was told; nothing of what comes all the time."""
    match event:
        case ev.LinkOpened() | ev.LinkLost() | ev.TokenPresented() | ev.KeyPresented() | ev.HandshakeFailed():
            yield _link(event)
        case ev.RequestReceived(link, request):
            operation = request.operation.name.lower()
            yield Told("asked", {"link": link, "operation": operation}, f"Link {link} asks: {operation}.")
        case ev.ActuationFinished(action, confirmed):
            done = "is confirmed" if confirmed else "is not confirmed"
            yield Told("car", {"action": action.value, "confirmed": confirmed}, f"The car: {action.value} {done}.")
        case ev.StorageFailed():
            yield Told("disk", {"failed": True}, "The disk did not take a step: it was undone.")
        case _:
            yield from _of_outside(event)
            yield from _of_car(event)


def _link(
    event: ev.LinkOpened | ev.LinkLost | ev.TokenPresented | ev.KeyPresented | ev.HandshakeFailed,
) -> Told:
    link = event.link
    data: Data = {"link": link, "is": "authenticated"}
    match event:
        case ev.LinkOpened():
            return Told("link", {"link": link, "is": "open"}, f"Link {link} is open.")
        case ev.LinkLost():
            return Told("link", {"link": link, "is": "gone"}, f"Link {link} is gone.")
        case ev.HandshakeFailed():
            return Told(
                "link", {"link": link, "is": "not authenticated"}, f"Link {link} could not authenticate itself."
            )
        case ev.TokenPresented(_, booking):
            user, role = booking.user.hex(), booking.role.name.lower()
            data |= {"user": user, "role": role, "booking": booking.booking_id.hex()}
            return Told("link", data, f"Link {link} is {role} {user}.")
        case ev.KeyPresented(_, key):
            user, role = key.user.hex(), key.role.name.lower()
            data |= {"user": user, "role": role, "key": key.token_id.hex(), "name": key.name}
            named = f" ({key.name})" if key.name else ""
            return Told("link", data, f"Link {link} is {role} {user}{named}, with a key.")


def _of_outside(event: ev.Event) -> Iterator[Told]:
    match event:
        case ev.BrokerConnected():
            yield Told("broker", {"connected": True}, "The broker is connected.")
        case ev.BrokerLost():
            yield Told("broker", {"connected": False}, "The broker is lost.")
        case ev.TimeOffered(source, utc_ms):
            yield Told("clock", {"source": source.value, "utc_ms": utc_ms}, f"A time was offered by {source.value}.")
        case ev.OrderReceived() | ev.OrderUnreadable():
            readable = isinstance(event, ev.OrderReceived)
            yield Told("order", {"readable": readable}, "An order came." if readable else "An order can not be read.")
        case ev.NetworkServing(mcc):
            served = (
                "No mobile network serves the car." if mcc is None else f"A mobile network of {mcc} serves the car."
            )
            yield Told("network", {"mcc": mcc}, served)
        case ev.EmergencyAcknowledged(call):
            yield Told("emergency", {"acknowledged": call}, "The emergency centre has the call.")
        case _:
            pass


def _of_car(event: ev.Event) -> Iterator[Told]:
    match event:
        case ev.VehicleKeyUsed(button):
            done = f"{button.value}ed"
            yield Told("key", {"button": button.value}, f"The car was {done} with a vehicle key.")
        case ev.CodeEntered():
            yield Told("menu", {"entered": True}, "A code was entered in the vehicle's menu.")
        case ev.KeyDeactivated(token_id):
            yield Told("menu", {"deactivated": token_id.hex()}, "A shared key was deactivated in the vehicle's menu.")
        case ev.CrashDetected():
            yield Told("emergency", {"crash": True}, "The crash sensors have spoken.")
        case ev.EmergencyPressed() | ev.EmergencyCancelled():
            pressed = isinstance(event, ev.EmergencyPressed)
            said = "was pressed" if pressed else "was taken back"
            yield Told("emergency", {"pressed": pressed}, f"The emergency button {said}.")
        case _:
            pass


def of_effect(effect: do.Effect) -> Iterator[Told]:
    """What the module does."""
    match effect:
        case do.Actuate(action):
            yield Told("car", {"action": action.value}, f"The module: {action.value}.")
        case do.Answer(link, reply) if not isinstance(reply.body, Refusal):
            yield Told(
                "answered", {"link": link, "code": reply.code.name}, f"Link {link} is answered: {reply.code.name}."
            )
        case do.AnswerEnded(link, _, code):
            yield Told("answered", {"link": link, "code": code.name}, f"Link {link} is answered: {code.name}.")
        case do.AnswerTested(link, _, report):
            said = "passed" if report.passed else "not passed"
            yield Told("answered", {"link": link, "passed": report.passed}, f"Link {link} is answered: test {said}.")
        case do.AnswerMenu(_, None):
            yield Told("menu", {"done": True}, "The vehicle's menu is answered: done.")
        case do.Tell(link, push) if isinstance(push.body, Notice):
            notice = push.body
            data: Data = {"link": link, "notice": notice.kind.name.lower(), "left_ms": notice.left_ms}
            yield Told("notice", data, f"Link {link} is told: {announce(notice)}")
        case do.Tell(link, push) if isinstance(push.body, Access):
            granted = push.body.granted
            word = "granted" if granted else "denied"
            yield Told("access", {"link": link, "granted": granted}, f"Link {link} is told: access {word}.")
        case do.HangUp(link):
            yield Told("link", {"link": link, "is": "hung up"}, f"Link {link} is hung up.")
        case do.Report(record) if record.kind is not None:
            numbers = dict(record.numbers)
            data = {"report": record.kind.value, "booking": record.booking, "reason": record.reason, "numbers": numbers}
            yield Told("report", data, f"Report: {record.kind.value}{f' ({record.reason})' if record.reason else ''}.")
        case _:
            pass
