"""Every reason for which a module, a phone or a backend says no (SPEC section 9).

A refusal is a value: a stable code, the rule behind it, the numbers that decided it, whether trying again
can help, whether the command may have been carried out all the same, and the remedy for the asking role.
This file holds the table; who refuses what is decided in `firmware.core`.
"""

from enum import IntEnum, unique
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec


@unique
class Role(IntEnum):
    """Who holds a booking or a key (claim `role`, wire.cddl)."""

    OWNER = 0
    VIP = 1
    DRIVER = 2
    GUEST = 3
    SERVICE = 4
    """A dealer: may test a module, and moves nothing else."""


@unique
class Code(IntEnum):
    """Status of a reply: 0 done, 1..127 refused, 128..255 done with a warning. Numbers never change meaning."""

    OK = 0
    MALFORMED = 1
    UNKNOWN_OPERATION = 2
    NOT_ADMITTED = 3
    PERMISSION_MISSING = 4
    UNKNOWN_ISSUER = 5
    SIGNATURE_INVALID = 6
    TOKEN_MALFORMED = 7
    WRONG_VEHICLE = 8
    HOLDER_KEY_MISMATCH = 9
    WRONG_KEY_EPOCH = 10
    NOT_YET_VALID = 11
    BOOKING_OVER = 12
    CLOCK_UNCERTAIN = 13
    VEHICLE_IN_USE = 14
    BOOKING_ENDED = 15
    BOOKING_CUT_OFF = 16
    BOOKING_SUPERSEDED = 17
    BOOKING_CANCELLED = 18
    TOKEN_REVOKED = 19
    DEVICE_REPLACED = 20
    NOT_PARKED = 21
    DOORS_OPEN = 22
    END_NOT_POSSIBLE = 23
    VEHICLE_NO_RESPONSE = 24
    OUTCOME_UNKNOWN = 25
    COMMAND_ID_REUSED = 26
    POSITION_UNKNOWN = 27
    STORAGE_FAILED = 28
    BUSY = 29
    HANDSHAKE_FAILED = 30
    TOO_MANY_HANDSHAKES = 31
    NONCE_UNKNOWN = 32
    ORDER_LATE = 33
    ORDER_UNSUPPORTED = 34
    LIST_OUTDATED = 35
    MESSAGE_TOO_LARGE = 36
    FRAMING = 37
    SESSION_OVER = 38
    SUBSCRIPTION_EXPIRED = 39
    REMOTE_INACTIVE = 40
    SUBSCRIPTION_OUTDATED = 41
    ACTIVATION_REQUIRED = 42
    CODE_WRONG = 43
    CODE_EXPIRED = 44
    CODE_DEAD = 45
    CODE_PAUSED = 46
    CODE_UNEXPECTED = 47
    KEY_DEACTIVATED = 48
    KEY_DELETED = 49
    KEY_LIST_FULL = 50
    SHARE_INVALID = 51
    OUTSIDE_HOURS = 52
    KEYS_UNAVAILABLE = 53
    NOT_COUPLED = 54
    NOT_PREPARED = 55
    NO_MODULE = 56
    ALREADY_OWNED = 57
    VIN_INVALID = 58
    KEYS_MISSING = 59
    NOT_CONNECTED = 60
    TAKEOVER_INTERRUPTED = 61
    DRIVER_LIST_FULL = 62
    SERVICE_INACTIVE = 63
    SIM_BLOCKED = 64
    OUT_OF_TERRITORY = 65
    ROLE_REQUIRED = 66
    ORDER_OUTDATED = 67
    OVERDUE = 128
    OUTSIDE_HOME_AREA = 129


FIRST_WARNING: Final = 128


class Refusal(msgspec.Struct, frozen=True):
    """A no with its reasons (ACC-8). `numbers` names end in their unit: `overdue_ms`, `distance_m`."""

    code: Code
    rule: str
    numbers: tuple[tuple[str, int], ...] = ()
    temporary: bool = False
    may_have_succeeded: bool = False
    remedy: str = ""

    def number(self, name: str) -> int | None:
        """The number called `name`, or None when it did not decide anything here."""
        return dict(self.numbers).get(name)


class ProtocolError(Exception):
    """The only exception that decoding and verifying may raise; anything else is a bug of ours."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"{code.name}: {detail}")
        self.code = code
        self.detail = detail


def one_line(text: str) -> str:
    """`text` as part of a message for people: what came from a file may hold line ends and a terminal's controls."""
    return "".join(each if each.isprintable() else " " for each in text)


class _Entry(NamedTuple):
    rule: str
    temporary: bool
    remedy: str


_NEW_BOOKING: Final = "Ask for a new booking."
_SHARE_ANEW: Final = "Ask the main user to share the key anew."
_FETCH_ANEW: Final = "Fetch the booking anew in the app while you have a connection."

CATALOGUE: Final = MappingProxyType(
    {
        Code.MALFORMED: _Entry("ACC-8", False, "Update the app: it sent a request that this module cannot read."),
        Code.UNKNOWN_OPERATION: _Entry(
            "ACC-8", False, "Update the app or the module: this operation is not known here."
        ),
        Code.NOT_ADMITTED: _Entry("ACC-3", False, "Present a booking that is running now."),
        Code.PERMISSION_MISSING: _Entry("ACC-2", False, "Ask the owner for a booking that carries this permission."),
        Code.UNKNOWN_ISSUER: _Entry("ACC-6", False, _FETCH_ANEW),
        Code.SIGNATURE_INVALID: _Entry("ACC-6", False, _FETCH_ANEW),
        Code.TOKEN_MALFORMED: _Entry("ACC-6", False, _FETCH_ANEW),
        Code.WRONG_VEHICLE: _Entry("ACC-6", False, "This booking is for another car: walk to that one."),
        Code.HOLDER_KEY_MISMATCH: _Entry("ACC-6", False, "Use the phone that the booking was made for."),
        Code.WRONG_KEY_EPOCH: _Entry(
            "ACC-6", False, "The car changed hands or its keys: ask the owner for a new booking."
        ),
        Code.NOT_YET_VALID: _Entry("ACC-6", True, "Wait until the booking begins."),
        Code.BOOKING_OVER: _Entry("ACC-6", False, _NEW_BOOKING),
        Code.CLOCK_UNCERTAIN: _Entry(
            "CLK-2", True, "Let the app fetch the time from the backend and carry it to the car."
        ),
        Code.VEHICLE_IN_USE: _Entry("ACC-4", True, "Wait until the running booking has ended and the car is parked."),
        Code.BOOKING_ENDED: _Entry("ACC-5", False, _NEW_BOOKING),
        Code.BOOKING_CUT_OFF: _Entry("CUT-2", False, _NEW_BOOKING),
        Code.BOOKING_SUPERSEDED: _Entry("ACC-4", False, _NEW_BOOKING),
        Code.BOOKING_CANCELLED: _Entry("ACC-5", False, _NEW_BOOKING),
        Code.TOKEN_REVOKED: _Entry("ACC-5", False, "The booking was withdrawn: ask the owner."),
        Code.DEVICE_REPLACED: _Entry("ACC-11", False, "Use your newer phone, or log in anew on this one."),
        Code.NOT_PARKED: _Entry(
            "CUT-3", True, "Stop the car and switch the ignition off; try again after five seconds."
        ),
        Code.DOORS_OPEN: _Entry("BKG-3", True, "Close what is open and try again."),
        Code.END_NOT_POSSIBLE: _Entry(
            "BKG-3", True, "Park with the ignition off for five seconds, close all doors and the boot, then end again."
        ),
        Code.VEHICLE_NO_RESPONSE: _Entry(
            "ACC-7", True, "Look at the car: the command may have been carried out. Then try again."
        ),
        Code.OUTCOME_UNKNOWN: _Entry("ACC-7", False, "Look at the car: only the last 64 commands are remembered."),
        Code.COMMAND_ID_REUSED: _Entry("ACC-7", False, "Send the command again with a new identifier."),
        Code.POSITION_UNKNOWN: _Entry("PRV-5", True, "Try again under the open sky."),
        Code.STORAGE_FAILED: _Entry(
            "PWR-2", True, "Try again; if it stays, use the vehicle key and call the service desk."
        ),
        Code.BUSY: _Entry("ACC-7", True, "Wait for the command that is being carried out."),
        Code.HANDSHAKE_FAILED: _Entry("SEC-2", True, "Connect again; if it stays, fetch the booking anew."),
        Code.TOO_MANY_HANDSHAKES: _Entry("SEC-2", True, "Wait a minute and connect again."),
        Code.NONCE_UNKNOWN: _Entry("CLK-2", True, "Ask the module for a new nonce and fetch the time again."),
        Code.ORDER_LATE: _Entry("BKG-2", False, "Ask the backend for a new order."),
        Code.ORDER_UNSUPPORTED: _Entry("BKG-2", False, "Update the module: it does not know this order."),
        Code.LIST_OUTDATED: _Entry("ACC-5", False, "Fetch the newest revocation list."),
        Code.MESSAGE_TOO_LARGE: _Entry("BLE-1", False, "Update the app: it sent a message above the limit."),
        Code.FRAMING: _Entry("BLE-1", True, "Send the message again."),
        Code.SESSION_OVER: _Entry("SEC-2", True, "Connect again."),
        Code.SUBSCRIPTION_EXPIRED: _Entry("SUB-2", False, "Ask the owner to renew or resume sharing."),
        Code.REMOTE_INACTIVE: _Entry("SVC-3", False, "Ask the owner to renew the remote services."),
        Code.SUBSCRIPTION_OUTDATED: _Entry("SUB-1", False, "Fetch the newest subscription."),
        Code.ACTIVATION_REQUIRED: _Entry(
            "KEY-3", True, "Enter the activation code in the vehicle: menu, Key, Activate; the main user has it."
        ),
        Code.CODE_WRONG: _Entry("KEY-4", True, "Check the code with the main user and enter it again."),
        Code.CODE_EXPIRED: _Entry("KEY-4", False, _SHARE_ANEW),
        Code.CODE_DEAD: _Entry("KEY-4", False, _SHARE_ANEW),
        Code.CODE_PAUSED: _Entry("KEY-4", True, "Wait until the pause is over, then enter the code."),
        Code.CODE_UNEXPECTED: _Entry(
            "KEY-4", True, "No shared key waits for a code: let its phone connect to the car first, then enter it."
        ),
        Code.KEY_DEACTIVATED: _Entry(
            "KEY-6", False, "It was deactivated in the vehicle: ask the main user for a new key."
        ),
        Code.KEY_DELETED: _Entry("KEY-6", False, "The main user deleted it: ask for a new key."),
        Code.KEY_LIST_FULL: _Entry("KEY-1", True, "Deactivate a shared key in the vehicle, then connect again."),
        Code.SHARE_INVALID: _Entry("KEY-1", False, _SHARE_ANEW),
        Code.OUTSIDE_HOURS: _Entry("KEY-2", True, "Come back at an hour at which this key is good."),
        Code.KEYS_UNAVAILABLE: _Entry("KEY-9", False, "Use a booking: this vehicle takes no digital keys."),
        Code.NOT_COUPLED: _Entry("OWN-3", False, "Let the owner add the car to an account first."),
        Code.NOT_PREPARED: _Entry("OWN-2", False, "Only a vehicle with the option 5GE can be coupled: ask the dealer."),
        Code.NO_MODULE: _Entry("OWN-2", False, "Let the dealer install the sharing module, then add the car."),
        Code.ALREADY_OWNED: _Entry(
            "OWN-3", False, "Ask the previous owner to remove the car, or take it over with both vehicle keys."
        ),
        Code.VIN_INVALID: _Entry("OWN-6", False, "Copy the VIN from the registration document again."),
        Code.KEYS_MISSING: _Entry("OWN-4", True, "Bring both vehicle keys into the car and begin again."),
        Code.NOT_CONNECTED: _Entry("OWN-4", True, "Park where there is a good connection and begin again."),
        Code.TAKEOVER_INTERRUPTED: _Entry("OWN-4", True, "Nothing has changed: begin the takeover again."),
        Code.DRIVER_LIST_FULL: _Entry("SUB-3", False, "Let the owner remove a driver first: ten share a car at most."),
        Code.SERVICE_INACTIVE: _Entry("SVC-2", False, "Renew the service, or have the base services reactivated."),
        Code.SIM_BLOCKED: _Entry("SVC-4", False, "Have the base services reactivated by a dealer."),
        Code.OUT_OF_TERRITORY: _Entry(
            "SVC-7", True, "This service does not work in this country; access by phone does."
        ),
        Code.ROLE_REQUIRED: _Entry("OWN-1", False, "Ask whoever has that role: this credential does not."),
        Code.ORDER_OUTDATED: _Entry("OWN-3", False, "Fetch the newest order."),
    }
)

# CUT-6: owner and VIP help themselves, a driver needs the owner first.
_SELF_HELP: Final = "End the current booking and start a new one."
_ASK_OWNER: Final = "End the current booking and request a new one; contact the owner to have it accepted."
_BOOKING_ROLES: Final = (Role.OWNER, Role.VIP, Role.DRIVER, Role.GUEST)
ROLE_REMEDY: Final = MappingProxyType[tuple[Code, Role], str](
    {
        (code, role): _ASK_OWNER if role in (Role.DRIVER, Role.GUEST) else _SELF_HELP
        for code in (Code.BOOKING_CUT_OFF, Code.BOOKING_OVER, Code.BOOKING_SUPERSEDED)
        for role in _BOOKING_ROLES
    }
    | {
        (Code.SUBSCRIPTION_EXPIRED, Role.OWNER): "Renew or resume the subscription.",
        (Code.WRONG_KEY_EPOCH, Role.GUEST): "The car changed hands or its keys: ask the main user for a new key.",
    }
)


def refuse(
    code: Code,
    *,
    role: Role | None = None,
    numbers: tuple[tuple[str, int], ...] = (),
    rule: str = "",
    remedy: str = "",
    may_have_succeeded: bool = False,
) -> Refusal:
    """The refusal `code` with rule, flags and remedy from the catalogue, the remedy for `role` where it differs."""
    entry = CATALOGUE[code]
    if not remedy:
        remedy = entry.remedy if role is None else ROLE_REMEDY.get((code, role), entry.remedy)
    return Refusal(code, rule or entry.rule, numbers, entry.temporary, may_have_succeeded, remedy)
