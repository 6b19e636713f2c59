"""The usage log: what is altered shows, and who had the car can be asked."""

import hashlib
import json

import msgspec
import pytest

from firmware.core import usage
from firmware.core.usage import Chained, Entry, Fault, Head, Use

MODULE = bytes.fromhex("0011223344556677")
replace = msgspec.structs.replace


def entry(at_ms: int, use: Use, user: str = "61", **more: str) -> Entry:
    return replace(Entry(0, "", at_ms, "synced", use, user, "driver", "0a"), **more)


def log(*entries: Entry) -> tuple[Head, list[Chained]]:
    head, links = Head(), []
    for each in entries:
        head, link = usage.chain(MODULE, head, each)
        links.append(link)
    return head, links


FOUR = (
    entry(1_000, Use.STARTED),
    entry(2_000, Use.CUT_OFF),
    entry(3_000, Use.STARTED, "62"),
    entry(4_000, Use.SUPERSEDED, "62"),
)


def faults(links: list[Chained], *heads: Head, module: bytes = MODULE) -> list[Fault]:
    return usage.verify(module, links, *heads)[1]


@pytest.mark.req("BKG-7")
def test_an_entry_is_json_that_names_the_digest_before_it() -> None:
    head, (first, second) = log(*FOUR[:2])
    assert json.loads(first.body) == {
        "number": 1,
        "previous": hashlib.sha256(b"sharebox usage log 1 " + MODULE).hexdigest(),
        "at_ms": 1_000,
        "quality": "synced",
        "use": "started",
        "user": "61",
        "role": "driver",
        "booking": "0a",
        "reason": "",
    }
    assert json.loads(second.body)["previous"] == hashlib.sha256(first.body).hexdigest()
    assert head == Head(2, hashlib.sha256(second.body).digest())


@pytest.mark.req("BKG-7")
def test_a_whole_log_verifies_against_every_head_that_was_noted() -> None:
    head, links = log(*FOUR)
    entries, wrong = usage.verify(MODULE, links, head, Head(3, links[2].digest), Head())
    assert [each.use for each in entries] == [Use.STARTED, Use.CUT_OFF, Use.STARTED, Use.SUPERSEDED]
    assert wrong == []
    assert faults([]) == faults([], Head()) == []
    assert faults(links) == []


@pytest.mark.req("BKG-7")
def test_an_altered_entry_shows_even_with_its_own_digest_made_anew() -> None:
    head, links = log(*FOUR)
    body = links[1].body.replace(b"2000", b"2900")
    assert faults([links[0], replace(links[1], body=body), *links[2:]], head) == [Fault(2, "has been altered")]
    forged = Chained(2, body, hashlib.sha256(body).digest())
    assert faults([links[0], forged, *links[2:]], head) == [Fault(3, "does not follow from the one before it")]


@pytest.mark.req("BKG-7")
def test_an_unreadable_or_misplaced_entry_shows() -> None:
    head, links = log(*FOUR)
    junk = Chained(4, b"junk", hashlib.sha256(b"junk").digest())
    assert faults([*links[:3], junk], head) == [
        Fault(4, "has been altered"),
        Fault(4, "is not the one that the module noted"),
    ]
    not_text = links[3].body.replace(b':"', b':"\xff')
    assert not_text != links[3].body
    assert len(faults([*links[:3], Chained(4, not_text, hashlib.sha256(not_text).digest())], head)) == 2
    moved = replace(links[1], number=3)
    assert Fault(3, "has been altered") in faults([*links[:2], moved, links[3]], head)


@pytest.mark.req("BKG-7")
def test_entries_that_were_taken_out_or_cut_off_show() -> None:
    head, links = log(*FOUR)
    assert faults([links[0], links[2], links[3]], head) == [Fault(2, "is missing")]
    assert faults([links[0], links[3]], head) == [Fault(2, "and all up to 3 are missing")]
    assert faults(links[:2], head) == [Fault(3, "and all up to 4 are missing")]
    assert faults([], head) == [Fault(1, "and all up to 4 are missing")]


@pytest.mark.req("BKG-7")
def test_entries_beyond_the_head_and_logs_of_another_module_show() -> None:
    head, links = log(*FOUR)
    assert faults(links, Head(3, links[2].digest)) == [Fault(4, "was not written by this module")]
    assert faults(links, head, module=bytes(8)) == [Fault(1, "does not follow from the one before it")]


@pytest.mark.req("BKG-7")
@pytest.mark.parametrize(
    ("at_ms", "users"), [(999, []), (1_000, ["61"]), (1_999, ["61"]), (2_000, []), (3_500, ["62"]), (4_000, [])]
)
def test_who_had_the_car_is_answered_for_any_time(at_ms: int, users: list[str]) -> None:
    entries, _ = usage.verify(MODULE, log(*FOUR)[1])
    assert [stay.started.user for stay in usage.who(entries, at_ms)] == users


@pytest.mark.req("BKG-7")
def test_a_booking_that_has_not_ended_has_the_car_and_a_lost_state_ends_what_is_known() -> None:
    entries, _ = usage.verify(MODULE, log(*FOUR[:3])[1])
    assert usage.who(entries, 9_000)[0].ended is None
    again = (*FOUR[:3], entry(5_000, Use.RECOVERED, ""), FOUR[2])
    entries, _ = usage.verify(MODULE, log(*again)[1])
    known = [(stay.started.number, stay.ended.use if stay.ended else None) for stay in usage.stays(entries)]
    assert known == [(1, Use.CUT_OFF), (3, Use.RECOVERED), (5, None)]
