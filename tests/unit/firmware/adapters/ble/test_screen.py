"""What a stranger may say below the session, byte by byte; numbers are those of the Core Specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.adapters.ble.screen import (
    Answer,
    Drop,
    Pass,
    long_type,
    screen_att,
    screen_pairing,
    screen_signalling,
)

SERVICE = bytes.fromhex("4778c2fb96d49ab2df4e25d400008070")
KNOWN = frozenset(long_type(t) for t in (b"\x00\x28", b"\x03\x28", b"\x02\x29", SERVICE))


def att(pdu: str, mtu: int = 23) -> str:
    """`pass`, `drop`, or the answer in hex."""
    match screen_att(bytes.fromhex(pdu), mtu=mtu, known_types=KNOWN):
        case Pass():
            return "pass"
        case Drop():
            return "drop"
        case Answer(answer):
            return answer.hex(" ")


@pytest.mark.parametrize(
    "pdu",
    [
        "02 1700",  # exchange MTU
        "04 0100 ffff",  # find information
        "06 0100 ffff 0028 0018",  # find by type value: primary service 0x1800
        "08 0100 ffff 0328",  # read by type: characteristic declarations
        "08 0100 ffff fb349b5f8000008000100000 0328 0000",  # the same, in 128 bits
        "0a 0300",  # read
        "0c 0300 1600",  # read blob
        "10 0100 ffff 0028",  # read by group type: primary services
        "12 0e00 aa",  # write request
        "12 0e00",  # an empty write is a write
        "52 0e00 aa",  # write command
    ],
)
def test_what_a_client_needs_passes(pdu: str) -> None:
    assert att(pdu) == "pass"


@pytest.mark.parametrize(
    ("pdu", "answer"),
    [
        ("16 0e00 0000 aa", "01 16 00 00 06"),  # prepare write: no long writes
        ("18 01", "01 18 00 00 06"),  # execute write
        ("0e 0300 0500", "01 0e 00 00 06"),  # read multiple
        ("20 0300 0500", "01 20 00 00 06"),  # read multiple variable
        ("24 00", "01 24 00 00 06"),  # an opcode nobody has defined
        ("02", "01 02 00 00 04"),  # too short
        ("02 1700 00", "01 02 00 00 04"),  # too long
        ("0a 03", "01 0a 00 00 04"),
        ("12 0e", "01 12 00 00 04"),
        ("06 0100 ffff 00", "01 06 00 00 04"),
        ("08 0100 ffff 032800", "01 08 00 00 04"),  # a type is 2 or 16 bytes
        ("04 0000 ffff", "01 04 00 00 01"),  # handle 0
        ("08 0500 0400 0328", "01 08 05 00 01"),  # from 5 to 4
        ("10 0000 ffff 0028", "01 10 00 00 01"),
        ("06 0000 ffff 0028 0018", "01 06 00 00 01"),
        ("06 0100 ffff 0328 0018", "01 06 01 00 0a"),  # values of anything but services are not searched
        ("08 0100 ffff 0a2a", "01 08 01 00 0a"),  # a type nobody here has
        ("10 0100 ffff 0328", "01 10 01 00 10"),  # not a grouping type
    ],
)
@pytest.mark.req("BLE-1")
def test_what_is_not_served_is_refused_at_once(pdu: str, answer: str) -> None:
    assert att(pdu) == answer


@pytest.mark.parametrize(
    "pdu",
    [
        "",
        "1e",  # a confirmation: nothing was indicated
        "0b 00",  # a response to nothing
        "01 0a 0300 02",  # an error to nothing
        "1b 0e00 aa",  # a notification to the module
        "d2 0e00 aa 000000000000000000000000",  # signed write
        "42 00",  # an unknown command
        "52 0e",  # a write command without a handle
    ],
)
def test_what_is_owed_no_answer_is_dropped(pdu: str) -> None:
    assert att(pdu) == "drop"


@pytest.mark.req("BLE-1")
def test_a_write_longer_than_the_mtu_allows_is_refused() -> None:
    assert att("12 0e00" + "aa" * 20) == "pass"
    assert att("12 0e00" + "aa" * 21) == "01 12 0e 00 0d"
    assert att("52 0e00" + "aa" * 20) == "pass"
    assert att("52 0e00" + "aa" * 21) == "drop"
    assert att("12 0e00" + "aa" * 21, mtu=247) == "pass"


def test_unknown_long_types_never_get_through_however_many_there_are() -> None:
    for number in range(1000):
        assert att("08 0100 ffff" + number.to_bytes(16, "big").hex()) == "01 08 01 00 0a"


def test_a_short_type_and_its_long_form_are_the_same() -> None:
    assert long_type(b"\x03\x28") == bytes.fromhex("fb349b5f8000008000100000 0328 0000")
    assert long_type(SERVICE) == SERVICE


@given(st.binary(max_size=600), st.integers(23, 517))
@pytest.mark.req("SEC-1")
def test_any_bytes_get_a_verdict_and_answers_are_errors(pdu: bytes, mtu: int) -> None:
    verdict = screen_att(pdu, mtu=mtu, known_types=KNOWN)
    if isinstance(verdict, Answer):
        assert len(verdict.pdu) == 5
        assert verdict.pdu[:2] == bytes((0x01, pdu[0]))
    if isinstance(verdict, Pass):
        assert pdu[0] in {0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x10, 0x12, 0x52}
        assert len(pdu) <= mtu


# ---------------------------------------------------------------- pairing and channels
@pytest.mark.parametrize(
    "request_pdu",
    [
        "01 03 00 01 10 00 00",  # legacy Just Works
        "01 03 00 09 10 01 01",  # Secure Connections, Just Works
        "01 04 00 0d 10 01 01",  # Secure Connections with MITM, keyboard and display
        "01",  # cut off
    ],
)
@pytest.mark.req("SEC-2")
def test_pairing_of_any_kind_is_refused_as_not_supported(request_pdu: str) -> None:
    assert screen_pairing(bytes.fromhex(request_pdu)) == Answer(b"\x05\x05")


@given(st.binary(max_size=70).filter(lambda pdu: pdu[:1] != b"\x01"))
def test_no_other_pairing_message_gets_any_answer(pdu: bytes) -> None:
    assert screen_pairing(pdu) == Drop()


@pytest.mark.parametrize("code", [0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x0E, 0x10, 0x12, 0x14, 0x17, 0x19])
def test_every_signalling_request_is_rejected_as_not_understood(code: int) -> None:
    assert screen_signalling(bytes((code, 7, 0, 0))) == Answer(bytes.fromhex("01 07 0200 0000"))


@pytest.mark.parametrize("pdu", ["", "14", "140700", "01070200 0000", "13070200 0000", "16070400 00000000", "14000000"])
def test_signalling_responses_and_scraps_are_dropped(pdu: str) -> None:
    assert screen_signalling(bytes.fromhex(pdu)) == Drop()
