"""What must hold of the location privacy, whatever the day was like (PRV-1 to PRV-6): from the recording at the broker,
and from what a life says of itself: who had the car when, and where it stood.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import pytest

from host_tools.backend.ingest import Raw
from protocol.telemetry import LATITUDE, LONGITUDE, Channel
from tests.privacy.life import Life, Turn
from tests.privacy.told import Said, told, utc_ms
from tests.support.coordinates import leaks

FIX_EVERY_MS: Final = 2_000
"""So old a fix may be that is the newest."""
LONG_MS: Final = 180_000
"""A turn of the owner's that is so long has at least one point of its way told, every 30 s of driving."""


class Proof(NamedTuple):
    """What a day has shown."""

    hidden: int
    positions: int
    withdrawals: int
    parked: int
    messages: int
    outages: int
    power_cuts: int


def judge(life: Life) -> Proof:
    """Raises AssertionError."""
    view = life.view
    messages = list(view.recorder.messages)
    assert view.recorder.left_out == 0
    reports = list(told(messages))
    withdrawals = parked = 0
    for number, turn in enumerate(life.turns):
        later = life.turns[number + 1 :]
        _seen(turn, reports)
        if not turn.hidden:
            continue
        _not_a_coordinate(messages[turn.since : turn.until], life)
        withdrawals += _withdrawn(turn, reports, life.returns)
        parked += _parking_position(turn, later, reports, life.returns)
    _nothing_from_inside(life.turns, reports)
    _nothing_missing(reports)
    hidden = [turn for turn in life.turns if turn.hidden]
    positions = sum(said.is_position for said in reports)
    return Proof(len(hidden), positions, withdrawals, parked, len(messages), life.outages, life.power_cuts)


def _not_a_coordinate(messages: Sequence[Raw], life: Life) -> None:
    """PRV-1, PRV-6."""
    found = [
        leak
        for raw in messages
        if raw.topic.startswith("sharebox/")
        for leak in leaks(raw.topic, raw.payload, life.view.area)
    ]
    assert found == [], found


def _seen(turn: Turn, reports: list[Said]) -> None:
    """PRV-4: an owner's turn can be seen, if late."""
    if turn.hidden or turn.ends_ms - turn.begins_ms < LONG_MS:
        return
    seen = [said for said in reports if said.channel is Channel.TRACK and said.is_position]
    assert any(turn.begins_ms <= said.fixed_ms <= turn.ends_ms + FIX_EVERY_MS for said in seen), turn


def _withdrawn(turn: Turn, reports: list[Said], returns: list[int]) -> int:
    """PRV-3: what the broker retains is cleared at the start, or first thing on reconnection."""
    if not _retained(reports, turn.since):
        return 0
    chances = [turn.since] if turn.begins_online else [at for at in returns if turn.since <= at < turn.until]
    for since, until in pairwise([*chances, turn.until]):
        first = _first(reports, since, until)
        if first is not None:
            assert first.withdraws, f"the withdrawal comes first: {first}"
            return 1
    return 0


def _parking_position(turn: Turn, later: Sequence[Turn], reports: list[Said], returns: list[int]) -> int:
    """PRV-2: it is reported at once, or first thing on reconnection, with the fix's own time."""
    if turn.superseded and later[0].hidden:
        return 0  # somebody else has the car at once
    begins = next((one.since for one in later if one.hidden), len(reports) and reports[-1].at + 1)
    chances = [turn.until] if turn.ends_online else [at for at in returns if turn.until <= at < begins]
    for since, until in pairwise([*chances, begins]):
        first = _first(reports, since, until)
        if first is not None:
            if any(not one.hidden and one.since < since for one in later) and not _is_left(turn, first):
                # The owner has moved it since. Where it was left is told all the same.
                assert first.channel is Channel.POSITION, first
                assert any(_is_left(turn, said) for said in reports if said.at > since), turn
                return 1
            _parks(turn, first)
            return 1
    return 0


def _is_left(turn: Turn, said: Said) -> bool:
    """Whether this is where the car was left at the end of that turn."""
    if said.fields is None or not said.is_position or not said.fields["parking"]:
        return False
    return (
        _place(said.fields) == pytest.approx(turn.place, abs=1e-6) and abs(said.fixed_ms - turn.ends_ms) <= FIX_EVERY_MS
    )


def _place(fields: dict[str, Any]) -> tuple[float, float]:
    return fields[LATITUDE], fields[LONGITUDE]


def _parks(turn: Turn, first: Said) -> None:
    """That `first` says where the car was left."""
    assert first.channel is Channel.POSITION, f"the parking position comes first: {first}"
    assert first.fields is not None, f"the parking position comes first: {first}"
    age_s = (utc_ms(first.fields["stamp"]["time"]) - first.fixed_ms) / 1000
    assert first.fields["fix_age_s"] == pytest.approx(age_s, abs=0.002)
    assert _is_left(turn, first), first


def _first(reports: list[Said], since: int, until: int | None) -> Said | None:
    """The first thing that is said of the car in there; that the module is connected and well says nothing of it."""
    within = (said for said in reports if since <= said.at and (until is None or said.at < until))
    return next((said for said in within if said.channel not in (Channel.ONLINE, Channel.HEALTH)), None)


def _retained(reports: list[Said], at: int) -> bool:
    """Whether the broker holds a position at that place of the recording."""
    slot = [said for said in reports if said.channel is Channel.POSITION and said.at < at]
    return bool(slot) and not slot[-1].withdraws


def _nothing_from_inside(turns: Sequence[Turn], reports: list[Said]) -> None:
    """Nor later: no position was fixed while somebody else had the car, save the one where it was left."""
    for said in reports:
        if said.is_position:
            inside = [
                turn for turn in turns if turn.hidden and turn.begins_ms < said.fixed_ms < turn.ends_ms - FIX_EVERY_MS
            ]
            assert not inside, said


def _nothing_missing(reports: list[Said]) -> None:
    """TEL-3, TEL-5: nothing is lost, and all comes in order; what was on its way when the network went may repeat."""
    for channel in (Channel.STATE, Channel.TRACK, Channel.EVENT, Channel.ALERT):
        said = [one.fields["stamp"]["seq"] for one in reports if one.channel is channel and one.fields is not None]
        first = list(dict.fromkeys(said))
        assert first == list(range(1, len(first) + 1)), channel
