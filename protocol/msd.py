"""The minimum set of data of an emergency call: EN 15722, version 2 of the message, ASN.1 unaligned PER (SVC-8).

Decides which bytes a call is. Refuses to know when one is made, and how it travels.

The schema is written from the field lists that makers of modems and in-vehicle systems publish, and was compared with
messages that others have encoded (`tests/vectors/msd.json`): the order of the fields, their ranges, the alphabet of the
VIN, the optional parts, and the length before the inner message. The text of the norm was not at hand. What could not
be checked against it: the form of the optional additional data (never sent here, skipped when it comes), what its
edition of 2020 (version 3 of the message) has changed, and whether a value that is the default may be written out:
others do so, asn1tools leaves it out; both are read.
"""

import re
from collections.abc import Callable
from enum import StrEnum, unique
from functools import cache
from typing import Final, Protocol

import msgspec

from protocol.errors import Code, ProtocolError

CONTENT_TYPE: Final = "application/EmergencyCallData.eCall.MSD"
"""RFC 8147."""
VERSION: Final = 2
MAX_BYTES: Final = 140
"""What the in-band modem of a telephone call takes; a message that is longer is none."""
UNKNOWN_DEGREES: Final = 2**31 - 1
UNKNOWN_DIRECTION: Final = 255
MOST_MESSAGES: Final = 255
NO_VIN: Final = "0" * 17
"""In place of a VIN that nobody knows."""

_M1: Final = "passengerVehicleClassM1"
_RECENT: Final = ("recentVehicleLocationN1", "recentVehicleLocationN2")
_VIN: Final = re.compile("[A-HJ-NPR-Z0-9]{17}")

_ASN1: Final = """
MSD DEFINITIONS AUTOMATIC TAGS ::= BEGIN

ECallMessage ::= SEQUENCE {
  msdVersion INTEGER (0..255),
  msd OCTET STRING
}

MSDMessage ::= SEQUENCE {
  msdStructure MSDStructure,
  optionalAdditionalData AdditionalData OPTIONAL,
  ...
}

MSDStructure ::= SEQUENCE {
  messageIdentifier INTEGER (0..255),
  control ControlType,
  vehicleIdentificationNumber VIN,
  vehiclePropulsionStorageType VehiclePropulsionStorageType,
  timestamp INTEGER (0..4294967295),
  vehicleLocation VehicleLocation,
  vehicleDirection INTEGER (0..255),
  recentVehicleLocationN1 VehicleLocationDelta OPTIONAL,
  recentVehicleLocationN2 VehicleLocationDelta OPTIONAL,
  numberOfPassengers INTEGER (0..255) OPTIONAL,
  ...
}

ControlType ::= SEQUENCE {
  automaticActivation BOOLEAN,
  testCall BOOLEAN,
  positionCanBeTrusted BOOLEAN,
  vehicleType VehicleType
}

VehicleType ::= ENUMERATED {
  passengerVehicleClassM1 (1),
  busesAndCoachesClassM2 (2),
  busesAndCoachesClassM3 (3),
  lightCommercialVehiclesClassN1 (4),
  heavyDutyVehiclesClassN2 (5),
  heavyDutyVehiclesClassN3 (6),
  motorcyclesClassL1e (7),
  motorcyclesClassL2e (8),
  motorcyclesClassL3e (9),
  motorcyclesClassL4e (10),
  motorcyclesClassL5e (11),
  motorcyclesClassL6e (12),
  motorcyclesClassL7e (13),
  ...
}

VIN ::= SEQUENCE {
  isowmi PrintableString (SIZE (3)) (FROM ("A".."H" | "J".."N" | "P" | "R".."Z" | "0".."9")),
  isovds PrintableString (SIZE (6)) (FROM ("A".."H" | "J".."N" | "P" | "R".."Z" | "0".."9")),
  isovisModelyear PrintableString (SIZE (1)) (FROM ("A".."H" | "J".."N" | "P" | "R".."Z" | "0".."9")),
  isovisSeqPlant PrintableString (SIZE (7)) (FROM ("A".."H" | "J".."N" | "P" | "R".."Z" | "0".."9"))
}

VehiclePropulsionStorageType ::= SEQUENCE {
  gasolineTankPresent BOOLEAN DEFAULT FALSE,
  dieselTankPresent BOOLEAN DEFAULT FALSE,
  compressedNaturalGas BOOLEAN DEFAULT FALSE,
  liquidPropaneGas BOOLEAN DEFAULT FALSE,
  electricEnergyStorage BOOLEAN DEFAULT FALSE,
  hydrogenStorage BOOLEAN DEFAULT FALSE,
  otherStorage BOOLEAN DEFAULT FALSE,
  ...
}

VehicleLocation ::= SEQUENCE {
  positionLatitude INTEGER (-2147483648..2147483647),
  positionLongitude INTEGER (-2147483648..2147483647)
}

VehicleLocationDelta ::= SEQUENCE {
  latitudeDelta INTEGER (-512..511),
  longitudeDelta INTEGER (-512..511)
}

AdditionalData ::= SEQUENCE {
  oid OCTET STRING,
  data OCTET STRING
}

END
"""


@unique
class Storage(StrEnum):
    """What a vehicle is driven with, as the schema names it."""

    GASOLINE = "gasolineTankPresent"
    DIESEL = "dieselTankPresent"
    COMPRESSED_GAS = "compressedNaturalGas"
    LIQUID_GAS = "liquidPropaneGas"
    ELECTRIC = "electricEnergyStorage"
    HYDROGEN = "hydrogenStorage"
    OTHER = "otherStorage"


class Msd(msgspec.Struct, frozen=True, gc=False):
    """One message of a call. `message` counts from 1 and rises with each repetition; `vin`: NO_VIN when nobody knows
    it; `at_s`: when the call was raised, UTC, 0 when nobody knows; positions are degrees times 10^7, None when there is
    none; `trusted`: within 150 m; `direction`: in steps of two degrees from north; `recent`: the last positions before
    this one, at most two, each as a difference in tenths of a second of arc; `passengers`: fastened seat belts.
    `storage` is empty when nobody knows."""

    message: int
    automatic: bool
    trusted: bool
    vin: str
    at_s: int
    latitude_e7: int | None = None
    longitude_e7: int | None = None
    test: bool = False
    direction: int = UNKNOWN_DIRECTION
    storage: tuple[Storage, ...] = ()
    recent: tuple[tuple[int, int], ...] = ()
    passengers: int | None = None


class _Control(msgspec.Struct):
    automatic: bool = msgspec.field(name="automaticActivation")
    test: bool = msgspec.field(name="testCall")
    trusted: bool = msgspec.field(name="positionCanBeTrusted")


class _Vin(msgspec.Struct):
    isowmi: str
    isovds: str
    isovisModelyear: str
    isovisSeqPlant: str


class _Location(msgspec.Struct):
    latitude: int = msgspec.field(name="positionLatitude")
    longitude: int = msgspec.field(name="positionLongitude")


class _Delta(msgspec.Struct):
    latitude: int = msgspec.field(name="latitudeDelta")
    longitude: int = msgspec.field(name="longitudeDelta")


class _Message(msgspec.Struct):
    version: int = msgspec.field(name="msdVersion")
    inner: bytes = msgspec.field(name="msd")


class _Structure(msgspec.Struct):
    message: int = msgspec.field(name="messageIdentifier")
    control: _Control
    vin: _Vin = msgspec.field(name="vehicleIdentificationNumber")
    storage: dict[Storage, bool] = msgspec.field(name="vehiclePropulsionStorageType")
    timestamp: int
    location: _Location = msgspec.field(name="vehicleLocation")
    direction: int = msgspec.field(name="vehicleDirection")
    recent_1: _Delta | None = msgspec.field(name="recentVehicleLocationN1", default=None)
    recent_2: _Delta | None = msgspec.field(name="recentVehicleLocationN2", default=None)
    passengers: int | None = msgspec.field(name="numberOfPassengers", default=None)


def encode(msd: Msd) -> bytes:
    """The bytes of `msd`. Raises ProtocolError when a value is outside its range or the VIN has other characters."""
    if not is_vin(msd.vin):
        raise _bad("the VIN is none")
    structure: dict[str, object] = {
        "messageIdentifier": msd.message,
        "control": {
            "automaticActivation": msd.automatic,
            "testCall": msd.test,
            "positionCanBeTrusted": msd.trusted,
            "vehicleType": _M1,
        },
        "vehicleIdentificationNumber": {
            "isowmi": msd.vin[:3],
            "isovds": msd.vin[3:9],
            "isovisModelyear": msd.vin[9],
            "isovisSeqPlant": msd.vin[10:],
        },
        "vehiclePropulsionStorageType": dict.fromkeys(msd.storage, True),
        "timestamp": msd.at_s,
        "vehicleLocation": {
            "positionLatitude": _arc(msd.latitude_e7),
            "positionLongitude": _arc(msd.longitude_e7),
        },
        "vehicleDirection": msd.direction,
    }
    for name, (latitude, longitude) in zip(_RECENT, msd.recent, strict=False):
        structure[name] = {"latitudeDelta": latitude, "longitudeDelta": longitude}
    if msd.passengers is not None:
        structure["numberOfPassengers"] = msd.passengers
    codec = _codec()
    try:
        inner = codec.encode("MSDMessage", {"msdStructure": structure}, check_constraints=True)
    except Exception as error:  # broad: asn1tools has many words for a value out of range
        raise _bad(str(error)) from None
    return codec.encode("ECallMessage", {"msdVersion": VERSION, "msd": inner})


def decode(data: bytes) -> Msd:
    """The message that these bytes are. Raises ProtocolError."""
    if len(data) > MAX_BYTES:
        raise _bad(f"more than {MAX_BYTES} bytes")
    message = msgspec.convert(_decoded("ECallMessage", data), _Message)
    if message.version != VERSION:
        raise _bad(f"version {message.version} is not {VERSION}")
    read = msgspec.convert(_decoded("MSDMessage", message.inner)["msdStructure"], _Structure)
    recent = (read.recent_1, read.recent_2)
    return Msd(
        read.message,
        read.control.automatic,
        read.control.trusted,
        "".join(msgspec.structs.astuple(read.vin)),
        read.timestamp,
        _degrees(read.location.latitude),
        _degrees(read.location.longitude),
        read.control.test,
        read.direction,
        tuple(kind for kind in Storage if read.storage.get(kind)),
        tuple((delta.latitude, delta.longitude) for delta in recent if delta is not None),
        read.passengers,
    )


def is_vin(text: str) -> bool:
    """Whether a message can carry it."""
    return _VIN.fullmatch(text) is not None


def load() -> None:
    """Import what the first message needs. Not in one thread while another imports: what both of them import would be
    there in part for one of them."""
    _compiler()


def prepare() -> None:
    """Do now what the first message would have to wait for: a third of a second. In any thread, after `load`."""
    _codec()


class _Codec(Protocol):
    """What is used of asn1tools, which has no types."""

    def encode(self, name: str, data: dict[str, object], *, check_constraints: bool = False) -> bytes:
        """The bytes of a value of the type `name`."""

    def decode(self, name: str, data: bytes) -> dict[str, object]:
        """The value that these bytes are."""


@cache
def _compiler() -> Callable[[str, str], _Codec]:
    # Not at the top: it is slow to load, and most lives see no emergency.
    import asn1tools  # type: ignore[import-untyped]

    compiler: Callable[[str, str], _Codec] = asn1tools.compile_string
    return compiler


@cache
def _codec() -> _Codec:
    return _compiler()(_ASN1, "uper")


def _decoded(name: str, data: bytes) -> dict[str, object]:
    try:
        return _codec().decode(name, data)
    except Exception as error:  # broad: asn1tools raises whatever malformed bits lead it to
        raise _bad(str(error)) from None


def _arc(degrees_e7: int | None) -> int:
    """Thousandths of a second of arc."""
    return UNKNOWN_DEGREES if degrees_e7 is None else (degrees_e7 * 9 + 12) // 25


def _degrees(arc: int) -> int | None:
    return None if arc == UNKNOWN_DEGREES else (arc * 25 + 4) // 9


def _bad(what: str) -> ProtocolError:
    return ProtocolError(Code.MALFORMED, f"minimum set of data: {what}")
