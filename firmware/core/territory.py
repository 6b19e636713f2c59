"""How far services reach abroad: in full, in part, or not at all (SVC-7).

Decides what a country does to a service. The source promises full quality in the country in which the services were
sold, and elsewhere says no more than that they may be disturbed or not work. Here that means: within the countries
that roam like home, what goes on between the owner, the vendor and the car works on; what lives on local content does
not. Further away nothing does. Emergency calls ask for no territory, and access over Bluetooth never comes here.
"""

from enum import Enum, unique
from typing import Final

from protocol.packs import Service, Table


@unique
class Territory(Enum):
    """How well services work where the car is."""

    FULL = "full"
    DEGRADED = "degraded"
    NONE = "none"


ROAMING: Final = frozenset(
    {202, 204, 206, 208, 212, 213, 214, 216, 219, 222, 226, 228, 230, 231, 232, 234, 235, 238, 240, 242, 244, 246, 247}
    | {248, 260, 262, 268, 270, 272, 274, 278, 280, 284, 292, 293, 295}
)
"""European Economic Area, Switzerland, the United Kingdom and the small states between them, as mobile country codes
(ITU-T E.212)."""

ABROAD: Final = frozenset({Service.HOTLINE, Service.REMOTE, Service.SEND_TO_CAR, Service.TELESERVICES})
"""What works where services are degraded."""

ANYWHERE: Final = frozenset({Service.INTELLIGENT_ECALL, Service.LEGAL_ECALL})

_WORKING: Final = {
    Territory.FULL: frozenset(Service),
    Territory.DEGRADED: ABROAD | ANYWHERE,
    Territory.NONE: ANYWHERE,
}


def territory(table: Table, serving_mcc: int | None) -> Territory:
    """Where a network of that country is. As long as nobody has said which one serves the car, it is at home."""
    if serving_mcc is None or serving_mcc in table.home:
        return Territory.FULL
    return Territory.DEGRADED if serving_mcc in ROAMING else Territory.NONE


def works(service: Service, where: Territory) -> bool:
    """Whether `service` works there."""
    return service in _WORKING[where]
