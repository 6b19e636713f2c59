"""What the owner and the backend have been told, as the desk's `owner` shows it.

Decides how the desk's answer is read, and what counts as news. It does not know the module.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from protocol.errors import Role
from protocol.telemetry import Channel, EventKind

COMMAND: Final = "owner 256"
PARKED: Final = "parked"
DRIVEN: Final = "driven"
_EVENTS: Final = (Channel.EVENT.value, Channel.ALERT.value)


class Report(msgspec.Struct, frozen=True):
    """One that has arrived. `number`: which of its channel it is, over boots; empty for an answer that is no record.
    `name`: the kind of an event, the code of an answer, what a position of the track is. `role`: whose booking."""

    channel: str
    number: str
    name: str
    order: str = ""
    role: str = ""


class OwnerView(msgspec.Struct, frozen=True):
    """At one moment. `position`: the broker holds one; `parking`: it is where a driver's booking ended. `reports`: the
    last events, alerts, answers to orders and positions of the track, in the order of their arrival; `story`: those of
    one story, for a module that was put back counts anew, and what it says may be like what it said before."""

    position: bool = False
    parking: bool = False
    reports: tuple[Report, ...] = ()
    story: tuple[Report, ...] = ()

    def since(self, before: "OwnerView") -> list[str]:
        """Kinds of events that have come since."""
        return [each.name for each in self.news(before) if each.channel in _EVENTS]

    @property
    def followed(self) -> bool:
        """Whether the track has told where the car was while a driver had it. What is told again keeps its place."""
        driven = False
        for each in dict.fromkeys(self.story):
            if each.name == EventKind.BOOKING_STARTED:
                driven = each.role != Role.OWNER.name.lower()
            elif each.name in (EventKind.BOOKING_ENDED, EventKind.BOOKING_CUT_OFF):
                driven = False
            elif driven and each.name == DRIVEN:
                return True
        return False

    def answers_since(self, before: "OwnerView", order: str) -> list[str]:
        """Codes of answers that have come since to that order, hexadecimal; empty: to a list."""
        news = self.news(before)
        return [each.name for each in news if each.channel == Channel.ORDER_RESULT.value and each.order == order]

    def news(self, before: "OwnerView") -> list[Report]:
        """What has come since. Each report counts as often as it came more often than before."""
        known = list(before.reports)
        news = []
        for each in self.reports:
            if each in known:
                known.remove(each)
            else:
                news.append(each)
        return news


def owner_view(data: dict[str, object]) -> OwnerView:
    """The answer to `owner`, read. What is missing is not there."""
    position = data.get("position")
    parking = isinstance(position, dict) and position.get("parking") is True
    reports = tuple(_reports(data.get("reports")))
    return OwnerView(isinstance(position, dict), parking, reports, reports)


def _reports(told: object) -> Iterator[Report]:
    for each in told if isinstance(told, list) else ():
        match each:
            case {"channel": str(channel), "body": {"kind": str(kind), **body}} if channel in _EVENTS:
                yield Report(channel, _number(body), kind, role=str(body.get("role", "")))
            case {"channel": Channel.ORDER_RESULT.value, "body": {"name": str(name), **body}}:
                yield Report(Channel.ORDER_RESULT.value, _number(body), name, str(body.get("order", "")))
            case {"channel": Channel.TRACK.value, "body": {**body}}:
                yield Report(Channel.TRACK.value, _number(body), PARKED if body.get("parking") is True else DRIVEN)
            case _:
                pass


def _number(body: Mapping[object, object]) -> str:
    match body.get("stamp"):
        case {"boot": int(boot), "seq": int(seq)}:
            return f"{boot}-{seq}"
        case _:
            return ""
