"""The minimum set of data: other people's bytes, our own bits one by one, and what is none."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import msd
from protocol.errors import Code, ProtocolError
from protocol.msd import NO_VIN, Msd, Storage, decode, encode

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "msd.json").read_text("utf-8"))
CRASH = Msd(1, True, True, "WMWXU71090TU12345", 1_792_924_200, 481_375_000, 115_755_000)
VIN = st.text("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", min_size=17, max_size=17)
DELTA = st.integers(-512, 511)
MESSAGES = st.builds(
    Msd,
    st.integers(0, 255),
    st.booleans(),
    st.booleans(),
    VIN,
    st.integers(0, 2**32 - 1),
    st.none() | st.integers(-900_000_000, 900_000_000),
    st.none() | st.integers(-1_800_000_000, 1_800_000_000),
    st.booleans(),
    st.integers(0, 255),
    st.sets(st.sampled_from(Storage)).map(lambda some: tuple(each for each in Storage if each in some)),
    st.lists(st.tuples(DELTA, DELTA), max_size=2).map(tuple),
    st.none() | st.integers(0, 255),
)


def refused(data: bytes) -> bool:
    try:
        decode(data)
    except ProtocolError as error:
        return error.code is Code.MALFORMED
    return False


@pytest.mark.req("SVC-8")
def test_a_message_that_others_have_encoded_is_read() -> None:
    values = VECTOR["values"]
    found = decode(bytes.fromhex(VECTOR["bytes"]))
    assert found.latitude_e7 == round(values.pop("latitude_arc") / 3_600_000 * 1e7)
    assert found.longitude_e7 == round(values.pop("longitude_arc") / 3_600_000 * 1e7)
    assert found.latitude_e7 == 52_387_000
    assert {name: value for name, value in json.loads(msgspec.json.encode(found)).items() if name in values} == values


@pytest.mark.req("SVC-8")
def test_every_bit_has_its_place() -> None:
    """By hand, after X.691: extension and presence bits, then each field in as many bits as its range needs."""
    bits = "".join(
        (
            f"{2:08b}",  # version
            f"{30:08b}",  # so many octets follow
            "0" "0",  # MSDMessage: not extended, no additional data
            "0" "000",  # MSDStructure: not extended; no recent positions, no passengers
            f"{1:08b}",  # messageIdentifier
            "1" "0" "1",  # automatic, no test, position can be trusted
            "0" "0000",  # vehicle type: within the root, passengerVehicleClassM1
            *(f"{'0123456789ABCDEFGHJKLMNPRSTUVWXYZ'.index(each):06b}" for each in CRASH.vin),
            "0" "0000000",  # propulsion: not extended, all as by default
            f"{1_792_924_200:032b}",  # timestamp
            f"{173_295_000 + 2**31:032b}",  # latitude, thousandths of a second of arc
            f"{41_671_800 + 2**31:032b}",  # longitude
            f"{255:08b}",  # direction: unknown
        )
    )  # fmt: skip
    whole = bits + "0" * (-len(bits) % 8)
    assert encode(CRASH) == int(whole, 2).to_bytes(len(whole) // 8, "big")


@pytest.mark.req("SVC-8")
@given(MESSAGES)
def test_what_is_encoded_is_decoded_again(message: Msd) -> None:
    data = encode(message)
    assert len(data) <= msd.MAX_BYTES
    found = decode(data)
    # A thousandth of a second of arc is three centimetres, and less than three units of ours.
    for ours, theirs in ((message.latitude_e7, found.latitude_e7), (message.longitude_e7, found.longitude_e7)):
        assert (ours is None) == (theirs is None)
        assert abs((ours or 0) - (theirs or 0)) <= 2
    exact = {"latitude_e7": None, "longitude_e7": None}
    assert msgspec.structs.replace(found, **exact) == msgspec.structs.replace(message, **exact)
    assert encode(found) == data


@pytest.mark.req("SVC-8")
def test_a_position_that_nobody_knows_is_said_to_be_unknown() -> None:
    lost = msgspec.structs.replace(CRASH, latitude_e7=None, longitude_e7=None, trusted=False)
    assert decode(encode(lost)) == lost


@pytest.mark.parametrize(
    "change",
    [
        {"message": 256},
        {"message": -1},
        {"vin": "WMWXU71090TU1234I"},
        {"vin": ""},
        {"vin": "wmwxu71090tu12345"},
        {"at_s": -1},
        {"at_s": 2**32},
        {"latitude_e7": 10_000_000_000},
        {"direction": 256},
        {"recent": ((512, 0),)},
        {"passengers": 256},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolError, match="minimum set of data"):
        encode(msgspec.structs.replace(CRASH, **change))


@pytest.mark.req("SEC-1")
@given(st.binary(max_size=160))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    if not refused(data):
        assert isinstance(decode(data), Msd)


@pytest.mark.req("SEC-1")
@given(st.lists(st.integers(0, 38 * 8 - 1), min_size=1, max_size=4))
def test_a_message_with_flipped_bits_is_a_message_or_refused(flips: list[int]) -> None:
    data = int.from_bytes(bytes.fromhex(VECTOR["bytes"]), "big")
    for flip in flips:
        data ^= 1 << flip
    broken = data.to_bytes(39, "big")
    if not refused(broken):
        assert isinstance(decode(broken), Msd)


def test_other_versions_and_what_is_too_long_are_refused() -> None:
    good = encode(CRASH)
    assert refused(b"\x01" + good[1:])
    assert refused(good[:-1])
    assert refused(good + bytes(msd.MAX_BYTES))


@pytest.mark.req("SVC-8")
def test_the_first_message_need_not_wait() -> None:
    msd.load()
    msd.prepare()
    assert decode(encode(CRASH)).vin == CRASH.vin


def test_which_vin_fits() -> None:
    assert msd.is_vin(CRASH.vin)
    assert msd.is_vin(NO_VIN)
    assert not msd.is_vin("")
    assert not msd.is_vin(CRASH.vin + "\n")


def test_the_schema_is_compiled_when_it_is_needed_and_not_before() -> None:
    asked = (
        "import sys, protocol.msd as msd; import firmware.core.ecall; print('asn1tools' in sys.modules);"
        "msd.load(); print('asn1tools' in sys.modules, msd._codec.cache_info().currsize);"
        "msd.prepare(); print(msd._codec.cache_info().currsize)"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "True", "0", "1"]
