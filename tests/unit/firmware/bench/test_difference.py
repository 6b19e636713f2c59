"""What is different between two states, under names that people can read."""

import msgspec
import pytest

from firmware.bench.difference import Difference, differences, fields, shown
from firmware.bench.notation import Json
from firmware.core.state import Executed
from protocol.messages import Operation, Phase
from tests.support import core
from tests.support.credentials import BOOKING

pytestmark = pytest.mark.req("BEN-4")


def told(before: object, after: object) -> list[str]:
    return [str(each) for each in differences(before, after)]


def test_the_same_has_no_differences() -> None:
    state = core.running()
    assert told(state, state) == []
    assert told(state, core.running()) == []
    assert told((1, 2), (1, 2)) == []


def test_each_place_is_named() -> None:
    before = core.running()
    after = core.durably(before, drive_enabled=True, trip=msgspec.structs.replace(before.durable.trip, warned=True))
    after = msgspec.structs.replace(after, nonce=b"\x01\x02", broker_connected=True)
    assert told(before, after) == [
        "durable.trip.warned: false -> true",
        "durable.drive_enabled: false -> true",
        "nonce:  -> 0102",
        "broker_connected: false -> true",
    ]
    ended = core.running(phase=Phase.OVERDUE)
    assert told(before, ended) == ["durable.trip.phase: active -> overdue"]


def test_a_whole_that_comes_or_goes_is_shown_as_one() -> None:
    before = core.a_state()
    found = list(differences(before.durable.trip, core.running().durable.trip, "trip"))
    assert [each.path for each in found] == ["trip.phase", "trip.booking", "trip.started_ms"]
    assert found[1].before is None
    assert shown(found[1].after).startswith("Booking(token_id=")


def executed(*numbers: int) -> tuple[Executed, ...]:
    return tuple(Executed(bytes([number]), b"user", Operation.LOCK, None) for number in numbers)


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ((), (1,), ["[0]"]),
        ((1, 2), (1,), ["[1]"]),
        ((1, 2, 3), (2, 3, 4), ["[0]", "[2]"]),
        ((1, 2, 3, 4), (3, 4), ["[0]", "[1]"]),
        ((1, 2, 3), (1, 9, 3), ["[1]"]),
        ((1, 2, 3), (1, 3), ["[1]"]),
        ((1, 3), (1, 2, 3), ["[1]"]),
        ((1, 2, 3, 4), (1, 8, 9, 7, 4), ["[1]", "[2]", "[1]", "[2]", "[3]"]),
    ],
)
def test_of_a_row_only_what_went_and_what_came_is_shown(
    before: tuple[int, ...], after: tuple[int, ...], paths: list[str]
) -> None:
    assert [each.path for each in differences(before, after)] == paths


def test_an_item_that_changed_is_looked_into() -> None:
    before = core.linked(core.running(), BOOKING, None)
    after = core.linked(core.running(), BOOKING, BOOKING)
    assert [each.path for each in differences(before, after)] == ["links[1].booking"]
    one, other = executed(1, 2), (executed(1)[0], msgspec.structs.replace(executed(2)[0], user=b"else"))
    assert told(one, other) == ["[1].user: 75736572 -> 656c7365"]


def test_every_place_with_something_in_it_can_be_listed() -> None:
    state = core.linked(core.running(), BOOKING)
    listed = dict(fields(state))
    assert listed["durable.trip.phase"] == {"is": "Phase", "value": "ACTIVE"}
    assert listed["links[0].booking.user"] == {"hex": BOOKING.user.hex()}
    assert listed["vehicle.sample.ignition_on"] is False
    assert "nonce" not in listed


@pytest.mark.parametrize(
    ("json", "text"),
    [
        (None, "-"),
        (1.5, "1.5"),
        (True, "true"),
        ("word", '"word"'),
        ({"hex": "0a"}, "0a"),
        ({"is": "Phase", "value": "CUT_OFF"}, "cut off"),
        ([1, None], "[1, -]"),
        ({"is": "Point", "utc_ms": 5}, "Point(utc_ms=5)"),
    ],
)
def test_a_value_is_short_for_people(json: Json, text: str) -> None:
    assert shown(json) == text
    assert str(Difference("there", json, None)) == f"there: {text} -> -"
