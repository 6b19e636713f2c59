"""The usage log in words."""

import msgspec
import pytest

from firmware import logbook
from firmware.core import usage
from firmware.core.state import Durable
from firmware.core.usage import Chained, Entry, Fault, Head, Use
from firmware.keeper import encode
from firmware.logbook import Book
from firmware.ports import StoreFailed

MODULE = bytes.fromhex("0011223344556677")
T0 = 1_793_354_400_000
STARTED = Entry(0, "", T0, "synced", Use.STARTED, "61", "driver", "0a")
CUT_OFF = Entry(0, "", T0 + 3_600_000, "holdover", Use.CUT_OFF, "61", "driver", "0a", "cut off")
ENDED = msgspec.structs.replace(CUT_OFF, use=Use.ENDED, reason="order")
RECOVERED = Entry(0, "", T0 + 60_000, "floor", Use.RECOVERED, reason="rebuilt")


def written(*entries: Entry) -> tuple[Durable, tuple[Chained, ...]]:
    """A state whose log has these entries, and the entries as they are kept."""
    head, links = Head(), []
    for entry in entries:
        head, link = usage.chain(MODULE, head, entry)
        links.append(link)
    return Durable(T0, 1, log=head), tuple(links)


def book(*entries: Entry) -> Book:
    durable, links = written(*entries)
    return logbook.opened(MODULE, links, *encode(durable))


@pytest.mark.req("BKG-7")
def test_a_whole_log_is_one_line() -> None:
    assert logbook.verdict(book(STARTED)) == "The usage log is whole: 1 entry."
    assert logbook.verdict(book(STARTED, CUT_OFF)) == "The usage log is whole: 2 entries."
    assert logbook.verdict(logbook.opened(MODULE, (), None, None)) == "The usage log is whole: 0 entries."
    assert logbook.verdict_object(book()) == {"type": "verdict", "whole": True, "entries": 0, "faults": []}


@pytest.mark.req("BKG-7")
def test_a_log_that_ends_too_early_is_found_by_the_state_or_by_the_critical_record_alone() -> None:
    durable, links = written(STARTED, CUT_OFF)
    state, vital = encode(durable)
    for known in ((state, None), (None, vital), (encode(written(STARTED)[0])[0], vital)):
        assert logbook.opened(MODULE, links[:1], *known).faults == (Fault(2, "is missing"),)
    found = logbook.opened(MODULE, links[:1], state, vital)
    assert logbook.verdict(found) == "The usage log is not whole:\nEntry 2 is missing."
    assert logbook.verdict_object(found)["faults"] == [{"number": 2, "what": "is missing"}]


@pytest.mark.req("BKG-7")
def test_a_log_that_was_lost_with_the_state_says_so() -> None:
    durable, links = written(STARTED, CUT_OFF, RECOVERED, STARTED)
    found = logbook.opened(MODULE, links[2:], *encode(durable))
    assert logbook.verdict(found).splitlines() == [
        "The usage log is not whole:",
        "Entry 1 and all up to 2 are missing.",
        "Entry 3: the stored state was recovered: rebuilt at 2026-10-30T10:01:00.000Z; entries before it may lie in a "
        "file that was moved aside.",
    ]


def test_a_record_that_can_not_be_read_is_one_line() -> None:
    with pytest.raises(StoreFailed, match="the critical record can not be read"):
        logbook.opened(MODULE, (), None, b"junk")


@pytest.mark.req("BKG-7")
@pytest.mark.parametrize(
    ("end", "words"),
    [
        ((), "still has the car."),
        ((CUT_OFF,), "until 2026-10-30T11:00:00.000Z (cut off)."),
        ((ENDED,), "until 2026-10-30T11:00:00.000Z (ended: order)."),
    ],
)
def test_who_had_the_car_is_one_sentence(end: tuple[Entry, ...], words: str) -> None:
    start = "User 61 (driver), booking 0a: from 2026-10-30T10:00:00.000Z (time synced), "
    assert logbook.answer(book(STARTED, *end), T0 + 1) == start + words


@pytest.mark.req("BKG-7")
def test_nobody_is_an_answer_and_a_log_that_is_not_whole_a_warning() -> None:
    assert logbook.answer(book(STARTED), T0 - 1) == "Nobody had the car at 2026-10-30T09:59:59.999Z, by this log."
    durable, links = written(STARTED, CUT_OFF)
    assert "so this may be wrong" in logbook.answer(logbook.opened(MODULE, links[:1], *encode(durable)), T0)


@pytest.mark.req("BKG-7")
def test_programs_get_the_same_as_an_object() -> None:
    found = logbook.answer_object(book(STARTED, ENDED), T0)
    assert found == {
        "type": "who",
        "at": "2026-10-30T10:00:00.000Z",
        "whole": True,
        "stays": [
            {
                "user": "61",
                "role": "driver",
                "booking": "0a",
                "from": "2026-10-30T10:00:00.000Z",
                "from_quality": "synced",
                "until": "2026-10-30T11:00:00.000Z",
                "until_quality": "holdover",
                "how": "ended",
                "reason": "order",
            }
        ],
    }
    still = logbook.answer_object(book(STARTED), T0)["stays"]
    assert isinstance(still, list)
    assert still[0]["until"] is None


@pytest.mark.parametrize(
    "text", ["2026-10-30T10:00:00Z", "2026-10-30 10:00:00", "2026-10-30T12:00:00+02:00", "2026-10-30T10"]
)
def test_times_are_utc_unless_they_say_otherwise(text: str) -> None:
    assert logbook.moment(text) == T0


def test_what_is_no_time_is_one_line() -> None:
    with pytest.raises(ValueError, match="'noon' is no time; write it like"):
        logbook.moment("noon")
