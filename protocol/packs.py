"""Packs of connected services, as they are sold: versioned data by market (SVC-1).

The table of Belgium and Luxembourg is that of the vendor's page "Services MINI Connected", revision of 10 May 2021, as
it stands there. Its oddities are kept, for the table is what was sold:

- `6UM` is two packs: "606/6UM", the map updates, and "Système Navigation (6UM)". Whoever has 6UM has both.
- "MINI eDrive Services (6AG)" last five years, which is none of the durations that the page explains.
- Of the durations that it explains, one year and three months, no pack makes use.
- "On-Street Parking Information" is in 6AM and is not in the page's list of services.
- "Roadside Assistance" and the repair information for independent workshops are in the list, and in no pack.
- "Send to Car" lasts three years in 6AK, and has no end in 7GH and 7GK.

Decides nothing: how long a service lasts that several packs contain is in `durations`.
"""

from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

import msgspec

from protocol.durations import UNLIMITED, Months


@unique
class Service(StrEnum):
    """A connected service; the values are what orders carry."""

    APPS = "apps"
    CONCIERGE = "concierge"
    EDRIVE = "edrive"
    HOTLINE = "customer-hotline"
    INTELLIGENT_ECALL = "intelligent-emergency-call"
    LEGAL_ECALL = "legal-emergency-call"
    MAP_UPDATES = "usb-map-updates"
    MY_INFO = "my-info"
    ONLINE_ROUTING = "online-routing"
    PARKING = "on-street-parking"
    REMOTE = "remote-services"
    REPAIR_INFORMATION = "repair-information"
    ROADSIDE_ASSISTANCE = "roadside-assistance"
    SEND_TO_CAR = "send-to-car"
    TELESERVICES = "teleservices"
    TRAFFIC = "real-time-traffic"
    VOICE_CONTROL = "intelligent-voice-control"


class Pack(msgspec.Struct, frozen=True, gc=False):
    """What is sold under `codes`, as the page names it, and for how long each of its services lasts."""

    name: str
    codes: tuple[str, ...]
    services: tuple[tuple[Service, Months], ...]


class Table(msgspec.Struct, frozen=True, gc=False):
    """The packs of one revision. `home`: the countries in which they were sold and work in full, as codes of mobile
    networks (ITU-T E.212)."""

    revision: str
    home: frozenset[int]
    packs: tuple[Pack, ...]

    def packs_of(self, code: str) -> tuple[Pack, ...]:
        """All that is sold under `code`; nothing when it is not known."""
        return tuple(pack for pack in self.packs if code in pack.codes)


_YEARS_3: Final[Months] = 36
_YEARS_5: Final[Months] = 60

_BELGIUM_LUXEMBOURG: Final = Table(
    "2021-05-10",
    frozenset({206, 270}),
    (
        Pack(
            "ConnectedDrive Services",
            ("6AK",),
            (
                (Service.HOTLINE, UNLIMITED),
                (Service.VOICE_CONTROL, _YEARS_3),
                (Service.MY_INFO, UNLIMITED),
                (Service.APPS, _YEARS_3),
                (Service.SEND_TO_CAR, _YEARS_3),
            ),
        ),
        Pack("MINI eDrive Services", ("6AG",), ((Service.EDRIVE, _YEARS_5),)),
        Pack("Intelligent Emergency Call", ("6AC",), ((Service.INTELLIGENT_ECALL, UNLIMITED),)),
        Pack("Legal Emergency Call", ("6AF",), ((Service.LEGAL_ECALL, UNLIMITED),)),
        Pack("USB Mises à jour des cartes", ("606", "6UM"), ((Service.MAP_UPDATES, _YEARS_3),)),
        Pack(
            "Real Time Traffic Information",
            ("6AM",),
            (
                (Service.ONLINE_ROUTING, _YEARS_3),
                (Service.TRAFFIC, _YEARS_3),
                (Service.PARKING, _YEARS_3),
            ),
        ),
        Pack("Service Conciergerie", ("6AN",), ((Service.CONCIERGE, _YEARS_3),)),
        Pack("Remote Services", ("6AP",), ((Service.REMOTE, UNLIMITED),)),
        Pack(
            "Connected Media",
            ("7GG",),
            ((Service.MY_INFO, UNLIMITED), (Service.REMOTE, UNLIMITED), (Service.APPS, _YEARS_3)),
        ),
        Pack(
            "Connected Navigation",
            ("7GH",),
            (
                (Service.MY_INFO, UNLIMITED),
                (Service.ONLINE_ROUTING, _YEARS_3),
                (Service.REMOTE, UNLIMITED),
                (Service.TRAFFIC, _YEARS_3),
                (Service.SEND_TO_CAR, UNLIMITED),
                (Service.APPS, _YEARS_3),
            ),
        ),
        Pack(
            "Connected Navigation Plus",
            ("7GK",),
            (
                (Service.CONCIERGE, _YEARS_3),
                (Service.MY_INFO, UNLIMITED),
                (Service.ONLINE_ROUTING, _YEARS_3),
                (Service.REMOTE, UNLIMITED),
                (Service.TRAFFIC, _YEARS_3),
                (Service.SEND_TO_CAR, UNLIMITED),
                (Service.APPS, _YEARS_3),
            ),
        ),
        Pack(
            "Radio MINI Visual Boost",
            ("6FP",),
            (
                (Service.HOTLINE, UNLIMITED),
                (Service.INTELLIGENT_ECALL, UNLIMITED),
                (Service.LEGAL_ECALL, UNLIMITED),
                (Service.TELESERVICES, UNLIMITED),
            ),
        ),
        Pack(
            "Système Navigation",
            ("6UM",),
            (
                (Service.HOTLINE, UNLIMITED),
                (Service.INTELLIGENT_ECALL, UNLIMITED),
                (Service.LEGAL_ECALL, UNLIMITED),
                (Service.MAP_UPDATES, _YEARS_3),
                (Service.TELESERVICES, UNLIMITED),
            ),
        ),
    ),
)

TABLES: Final = MappingProxyType(
    {(market, _BELGIUM_LUXEMBOURG.revision): _BELGIUM_LUXEMBOURG for market in ("BE", "LU")}
)
"""By market (ISO 3166-1) and revision."""
