"""What is kept in a file, and what its history tells."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.backend.archive import Archive, ArchiveError, Kept
from host_tools.backend.reading import Received
from protocol.telemetry import Channel, Health, Online, Stamp, StateReport
from tests.support.reports import (
    MODULE_ID,
    OTHER_ID,
    dropped,
    event,
    health,
    position,
    received,
    state,
)

EIGHT_MS = 1_800_000_000_000
"""2027-01-15 08:00 UTC."""
MINUTE_MS = 60_000


def states(*seqs: int, minute: int = 0) -> list[Received]:
    return [received(Channel.STATE, state(seq, minute=minute)) for seq in seqs]


def told(path: Path, **wanted: object) -> list[Kept]:
    with Archive(path) as archive:
        return list(archive.history(**wanted))  # type: ignore[arg-type]  # any of its filters


def gaps(path: Path) -> list[tuple[str, int, int, int, bool]]:
    """Channel and number of each record after a gap: missing, explained, unheard."""
    found = []
    for kept in told(path):
        one = kept.received
        if one.missing:
            seq = one.value.stamp.seq  # type: ignore[union-attr]  # a record has one
            found.append((one.channel.value, seq, one.missing, one.explained, one.unheard))
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved.db"


@pytest.mark.req("TEL-3")
def test_what_was_kept_comes_back_as_it_came(path: Path) -> None:
    came = [
        received(Channel.ONLINE, Online(online=True)),
        received(Channel.STATE, state(1)),
        received(Channel.EVENT, event(1)),
        received(Channel.HEALTH, health()),
        received(Channel.POSITION, position(2)),
        received(Channel.POSITION, None),
        Received(MODULE_ID, Channel.TRACK, None, error="unreadable"),
    ]
    with Archive(path, keep=100) as archive:
        archive.add(came, EIGHT_MS)
    kept = told(path)
    numbered = [one for one in came if one.channel in (Channel.STATE, Channel.EVENT)]
    assert [one.received for one in kept] == [one for one in came if one not in numbered] + numbered
    assert {one.heard_ms for one in kept} == {EIGHT_MS}
    assert {one.made_ms for one in kept} == {EIGHT_MS}


@pytest.mark.req("TEL-3")
def test_history_is_in_the_order_in_which_things_were_made(path: Path) -> None:
    with Archive(path, keep=100) as archive:
        archive.add(states(3, minute=30), EIGHT_MS)
        archive.add(states(1, minute=10) + states(2, minute=20), EIGHT_MS + 1)
    kept = told(path)
    assert [one.made_ms for one in kept] == [EIGHT_MS + minute * MINUTE_MS for minute in (10, 20, 30)]
    assert [one.heard_ms - EIGHT_MS for one in kept] == [1, 1, 0]
    assert gaps(path) == []


@pytest.mark.req("TEL-5")
def test_a_repetition_is_kept_once_also_by_another_run(path: Path) -> None:
    for _ in range(2):
        with Archive(path, keep=100) as archive:
            archive.add(states(1, 2, 2, 1), EIGHT_MS)
    assert len(told(path)) == 2


def test_what_a_broker_retains_is_kept_once_and_again_when_it_has_changed(path: Path) -> None:
    def retained(value: Online | Health) -> Received:
        channel = Channel.ONLINE if isinstance(value, Online) else Channel.HEALTH
        return Received(MODULE_ID, channel, value, retained=True)

    with Archive(path, keep=100) as archive:
        for online in (True, True, False, False, True):
            archive.add([retained(Online(online=online))], EIGHT_MS)
        archive.add([received(Channel.ONLINE, Online(online=True))], EIGHT_MS)
    assert [one.received.value for one in told(path)] == [
        Online(online=online) for online in (True, False, True, True)
    ], "what was sent just now is news"


@pytest.mark.req("TEL-3", "TEL-4")
def test_gaps_stand_in_their_place_explained_or_not(path: Path) -> None:
    with Archive(path, keep=100) as archive:
        archive.listening(EIGHT_MS)
        archive.add(states(1, 5, 7, minute=1), EIGHT_MS)
        archive.add([received(Channel.TRACK, position(seq, 2)) for seq in (1, 3)], EIGHT_MS)
        archive.add([received(Channel.EVENT, dropped(1, 3, state=1, total=1))], EIGHT_MS)
        archive.add([received(Channel.EVENT, dropped(2, 4, state=4, total=4))], EIGHT_MS)
    assert gaps(path) == [
        ("state", 5, 3, 3, False),
        ("state", 7, 1, 1, False),
        ("track", 3, 1, 0, False),
    ]


@pytest.mark.req("TEL-4")
def test_a_statement_explains_so_many_and_no_more(path: Path) -> None:
    with Archive(path, keep=100) as archive:
        archive.add([received(Channel.EVENT, dropped(1, state=4))], EIGHT_MS)
        archive.add(states(1, 4, 8), EIGHT_MS)
        archive.add([received(Channel.STATE, state(9), OTHER_ID), received(Channel.STATE, state(11), OTHER_ID)], 1)
    assert [(missing, explained) for _, _, missing, explained, _ in gaps(path)] == [(1, 0), (2, 2), (3, 2)]


@pytest.mark.req("TEL-3")
def test_a_gap_over_a_time_in_which_nobody_listened_is_our_own(path: Path) -> None:
    with Archive(path, keep=100) as archive:
        archive.listening(EIGHT_MS)
        archive.add(states(1, 3), EIGHT_MS + 1)
    with Archive(path, keep=100) as archive:
        archive.listening(EIGHT_MS + 10)
        archive.add([*states(6), received(Channel.EVENT, dropped(1, state=9))], EIGHT_MS + 11)
        archive.add(states(8), EIGHT_MS + 12)
    assert gaps(path) == [
        ("state", 3, 1, 1, False),
        ("state", 6, 2, 0, True),
        ("state", 8, 1, 1, False),
    ]


@pytest.mark.req("TEL-5")
def test_a_module_that_counts_anew_has_no_gap_and_no_repetition(path: Path) -> None:
    with Archive(path, keep=100) as archive:
        archive.add([received(Channel.STATE, state(seq, boot=7, minute=1)) for seq in (50, 51)], EIGHT_MS)
        archive.add([received(Channel.STATE, state(seq, boot=1, minute=2)) for seq in (1, 2, 51)], EIGHT_MS)
        archive.add([received(Channel.STATE, state(51, boot=8, minute=2))], EIGHT_MS)
        archive.add([received(Channel.STATE, state(49, boot=8, minute=2))], EIGHT_MS)
    assert len(told(path)) == 7
    assert gaps(path) == [("state", 51, 48, 0, False), ("state", 51, 1, 0, False)]


def test_history_can_be_of_one_module_of_some_channels_and_from_some_time_on(path: Path) -> None:
    with Archive(path, keep=100) as archive:
        archive.add([*states(1, minute=1), *states(4, minute=9)], EIGHT_MS)
        archive.add(
            [received(Channel.EVENT, event(1, minute=5)), received(Channel.STATE, state(1), OTHER_ID)], EIGHT_MS
        )
    assert [one.received.module_id for one in told(path, modules=[OTHER_ID])] == [OTHER_ID]
    assert [one.received.channel for one in told(path, channels=[Channel.EVENT])] == [Channel.EVENT]
    late = told(path, since_ms=EIGHT_MS + 5 * MINUTE_MS)
    assert [one.received.channel for one in late] == [Channel.EVENT, Channel.STATE]
    assert late[-1].received.missing == 2, "a gap does not go because its beginning is not shown"


def test_so_many_records_are_kept_and_the_oldest_go(path: Path) -> None:
    with Archive(path, keep=5) as archive:
        for seq in range(1, 21):
            archive.listening(EIGHT_MS + seq)
            archive.add(states(seq), EIGHT_MS + seq)
    assert [one.received.value for one in told(path)] == [state(seq) for seq in range(16, 21)]
    assert gaps(path) == []
    with sqlite3.connect(path) as database:
        (marks,) = database.execute("SELECT count(*) FROM listened").fetchone()
    database.close()
    assert marks == 5


def test_half_a_message_is_never_kept(path: Path) -> None:
    class Broken(Exception):
        pass

    def breaking_off() -> Iterator[Received]:
        yield from states(1)
        raise Broken

    with Archive(path, keep=5) as archive:
        with pytest.raises(Broken):
            archive.add(breaking_off(), EIGHT_MS)
        archive.add(states(2), EIGHT_MS)
    assert [one.received.value for one in told(path)] == [state(2)]


def test_a_record_is_there_for_others_at_once_and_after_a_kill(path: Path) -> None:
    with Archive(path, keep=5) as archive:
        archive.add(states(1), EIGHT_MS)
        assert len(told(path)) == 1, "while it is being written"


@pytest.mark.req("SEC-1")
def test_what_no_module_would_send_is_kept_and_breaks_nothing(path: Path) -> None:
    strange = [Stamp(10**30, 1, "never", ""), Stamp(-1, 1, "", ""), Stamp(1, 1 << 70, "0001-01-01T00:00:00+23:59", "")]
    with Archive(path, keep=100) as archive:
        archive.add([received(Channel.STATE, StateReport(one, {})) for one in strange], EIGHT_MS)
        archive.add([received(Channel.STATE, StateReport(Stamp(1, 1, "2027-01-15", ""), {}))], EIGHT_MS)
    kept = told(path, since_ms=-(10**15))
    assert len(kept) == 4
    assert {one.made_ms for one in kept} >= {EIGHT_MS, EIGHT_MS - 8 * 3_600_000}


def test_files_that_are_none_of_ours_are_refused_in_one_line(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="there is no file"):
        Archive(path)
    path.write_text("a text file, and a rather long one, so that nobody takes it for an empty database" * 20)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE mine (x)")
    database.close()
    for keep in (None, 5):
        with pytest.raises(ArchiveError, match="cannot be used"):
            Archive(path, keep=keep)
        with pytest.raises(ArchiveError, match="is no archive") as refused:
            Archive(foreign, keep=keep)
        assert "\n" not in str(refused.value)
    with pytest.raises(ArchiveError, match="cannot be used"):
        Archive(tmp_path / "nowhere" / "x.db", keep=5)


def test_a_file_that_is_damaged_later_is_told_in_one_line(path: Path) -> None:
    with Archive(path, keep=5) as archive:
        archive.add(states(1), EIGHT_MS)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE reports SET report = '{'")
    database.close()
    with pytest.raises(ArchiveError, match="cannot be used"):
        told(path)
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE reports")
        database.execute("DROP TABLE listened")
    database.close()
    with Archive(path, keep=5) as archive:
        with pytest.raises(ArchiveError, match="cannot be used"):
            archive.add(states(2), EIGHT_MS)
        with pytest.raises(ArchiveError, match="cannot be used"):
            archive.listening(EIGHT_MS)
