"""The core's values as JSON, and back."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.bench.notation import MOST_DEPTH, Json, NotationError, read, written
from firmware.core.events import OrderReceived, RecordsDropped, RequestReceived, Ticked, VehicleSampled
from firmware.core.state import State
from protocol.messages import Operation, Permission, Phase, Request
from protocol.telemetry import Channel
from tests.support import core
from tests.support.credentials import BOOKING, ORDER

pytestmark = pytest.mark.req("BEN-4")


def through_json(value: object) -> object:
    json: Json = msgspec.json.decode(msgspec.json.encode(written(value)))
    return read(json)


@pytest.mark.parametrize(
    "value",
    [
        Ticked(),
        core.STANDING,
        core.DRIVING,
        VehicleSampled(),
        core.request(Operation.UNLOCK),
        RequestReceived(1, Request(7, Operation.PUT, body=b"\x00"), ORDER, bytes(16)),
        OrderReceived(ORDER, b"ask"),
        RecordsDropped(3, ((Channel.TRACK, 2), (Channel.EVENT, 1))),
        core.linked(core.running(), BOOKING, None),
        Permission.UNLOCK | Permission.DRIVE,
        Phase.NONE,
        None,
        (),
        (b"", "", 0, 0.0, False),
    ],
)
def test_what_was_written_is_read_as_the_same(value: object) -> None:
    again = through_json(value)
    assert again == value
    assert type(again) is type(value)


@given(st.floats(), st.binary(), st.text(), st.integers(-(2**62), 2**62))
def test_every_number_text_and_byte_survives(number: float, data: bytes, text: str, whole: int) -> None:
    again = through_json((number, data, text, whole))
    assert isinstance(again, tuple)
    assert again[1:] == (data, text, whole)
    assert again[0] == number or (math.isnan(again[0]) and math.isnan(number))


def test_false_is_not_left_out_where_unknown_is_what_is_meant_by_nothing() -> None:
    assert written(VehicleSampled(ignition_on=False)) == {"is": "VehicleSampled", "ignition_on": False}
    assert written(VehicleSampled(speed_kmh=0.0)) == {"is": "VehicleSampled", "speed_kmh": 0.0}


def test_a_state_says_what_everything_in_it_is() -> None:
    json = written(core.running())
    assert isinstance(json, dict)
    assert json["is"] == State.__name__
    durable = json["durable"]
    assert isinstance(durable, dict)
    trip = durable["trip"]
    assert isinstance(trip, dict)
    assert trip["phase"] == {"is": "Phase", "value": "ACTIVE"}


def test_what_the_core_does_not_have_has_no_written_form() -> None:
    with pytest.raises(AssertionError, match="list"):
        written([1])


DEEP: Json = None
for _ in range(MOST_DEPTH + 2):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("json", "said"),
    [
        ({"hex": "0g"}, "not hexadecimal"),
        ({"number": "one"}, "no number"),
        ({"is": "Submarine"}, "knows no 'Submarine'"),
        ({"is": "Phase", "value": "FLYING"}, "Phase"),
        ({"is": "Phase"}, "Phase"),
        ({"is": "Permission", "value": "x"}, "Permission"),
        ({"is": "LinkOpened"}, "LinkOpened"),
        ({"is": "Ticked", "colour": "red"}, "Ticked"),
        ({"colour": "red"}, "does not say what it is: colour"),
        (DEEP, "too deeply"),
    ],
)
def test_what_can_not_be_read_is_told_in_one_line(json: Json, said: str) -> None:
    with pytest.raises(NotationError, match=said) as caught:
        read(json)
    assert "\n" not in str(caught.value)
