"""The report of a self-test: what a dealer's module could do when it was asked to show it (OWN-1, SPEC section 6).

Decides what a report looks like and whether it is genuine. How the tests are done: `firmware.core.selftest`.
"""

from enum import IntEnum, unique
from typing import Final

import msgspec

from protocol import cbor, claims, cose, keys
from protocol.errors import Code, ProtocolError
from protocol.tokens import Typ

MOST_DETAIL: Final = 2**32 - 1


@unique
class Part(IntEnum):
    """What is tested, and what the number beside it means."""

    RADIO = 1
    """Connections at that moment: the one that asks is one of them."""
    BROKER = 2
    """No number."""
    GNSS = 3
    """Age of the last fix, ms."""
    CLOCK = 4
    """How uncertain the time is, ms."""
    DOORS = 5
    """How many of lock, unlock and lock again the car confirmed."""
    IMMOBILISER = 6
    """How many of release and arm the car confirmed."""


class Result(msgspec.Struct, frozen=True, gc=False):
    """How one part did. `detail`: see `Part`; None when it is not known."""

    part: Part
    passed: bool
    detail: int | None = None


class Report(msgspec.Struct, frozen=True, gc=False):
    """All parts, each once. `tested_s`: UTC seconds, as the module knew them."""

    module_id: bytes
    tested_s: int
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether the module may be handed over."""
        return all(result.passed for result in self.results)


def mint(report: Report, private: keys.PrivateKey) -> bytes:
    """The signed form of `report`, by the module's signing key."""
    results: list[cbor.Value] = [[int(each.part), each.passed, each.detail] for each in report.results]
    found: claims.Claims = {1: report.module_id, 2: report.tested_s, 3: results}
    return cose.sign1(cbor.encode(found), private, Typ.SELF_TEST)


def verify(data: bytes, public: keys.PublicKey) -> Report:
    """The report that the module with the signing key `public` gave.

    Raises ProtocolError TOKEN_MALFORMED, UNKNOWN_ISSUER or SIGNATURE_INVALID.
    """
    parsed = cose.parse_sign1(data)
    if parsed.typ != Typ.SELF_TEST:
        raise claims.bad(f"typ {parsed.typ} is not a report of a self-test")
    if parsed.key_id != keys.key_id(public):
        raise ProtocolError(Code.UNKNOWN_ISSUER, "the report is of another module")
    found = claims.exactly(claims.decode(parsed.payload), 1, 2, 3)
    results = tuple(map(_result, claims.array(found[3])))
    if tuple(each.part for each in results) != tuple(Part):
        raise claims.bad("a report names each part once, in their order")
    report = Report(claims.bstr(found[1], claims.MODULE_ID_BYTES), claims.uint(found[2], claims.MAX_TIME_S), results)
    cose.verify_sign1(parsed, public)
    return report


def _result(value: cbor.Value) -> Result:
    items = claims.array(value)
    if len(items) != 3:
        raise claims.bad("a result is not a part, whether it passed, and a number")
    part, passed, detail = items
    return Result(
        Part(claims.uint(part, max(Part), min(Part))),
        claims.flag(passed),
        None if detail is None else claims.uint(detail, MOST_DETAIL),
    )
