"""What open pages are told, and what a page gets that was away."""

import asyncio
import json

import pytest

from firmware.dashboard.feed import BEAT_S, MOST_EVENTS, MOST_LINES, MOST_READERS, Feed, Line


def event(raw: bytes) -> tuple[str, str, object]:
    """Identifier, kind and data."""
    fields = dict(line.split(": ", 1) for line in raw.decode().strip().split("\n"))
    return fields.get("id", ""), fields["event"], json.loads(fields["data"])


def line(number: int) -> Line:
    return Line("10:00:00", "bench", f"line {number}")


async def test_a_page_gets_the_whole_picture_first_and_then_only_what_changes() -> None:
    feed = Feed("run")
    feed.show({"car": {"locked": True}, "time": 1})
    feed.say(line(1))
    reader = feed.read()
    number, kind, whole = event(await anext(reader))
    assert (number, kind) == ("run-2", "snapshot")
    assert whole == {
        "run": "run",
        "view": {"car": {"locked": True}, "time": 1},
        "log": [{"time": "10:00:00", "who": "bench", "text": "line 1", "weight": "plain"}],
    }
    feed.show({"car": {"locked": True}, "time": 1})
    feed.show({"car": {"locked": True}, "time": 2})
    assert event(await anext(reader)) == ("run-3", "change", {"time": 2})
    feed.say(line(2))
    assert event(await anext(reader))[1] == "news"
    await reader.aclose()


async def test_a_page_that_was_away_goes_on_where_it_was() -> None:
    feed = Feed("run")
    for number in range(5):
        feed.say(line(number))
    reader = feed.read("run-3")
    assert event(await anext(reader)) == ("run-3", "resumed", {})
    assert [event(await anext(reader))[0] for _ in range(2)] == ["run-4", "run-5"]
    await reader.aclose()


@pytest.mark.parametrize("after", ["", "run", "run-", "run-6", "run--1", "run-9999999999999", "other-3", "run-²"])
async def test_a_page_that_knows_nothing_of_this_run_gets_the_whole_picture(after: str) -> None:
    feed = Feed("run")
    for number in range(5):
        feed.say(line(number))
    reader = feed.read(after)
    assert event(await anext(reader))[1] == "snapshot"
    await reader.aclose()


async def test_a_page_that_is_too_slow_gets_the_whole_picture_again_and_costs_no_memory() -> None:
    feed = Feed("run")
    reader = feed.read()
    assert event(await anext(reader))[1] == "snapshot"
    for number in range(MOST_EVENTS + MOST_LINES):
        feed.say(line(number))
    _, kind, whole = event(await anext(reader))
    assert kind == "snapshot"
    assert isinstance(whole, dict)
    assert len(whole["log"]) == MOST_LINES
    feed.say(line(0))
    assert event(await anext(reader))[1] == "news"
    await reader.aclose()


async def test_silence_is_interrupted_by_beats_that_have_no_number() -> None:
    feed = Feed("run")
    reader = feed.read()
    await anext(reader)
    began = asyncio.get_running_loop().time()
    assert event(await anext(reader)) == ("", "beat", {})
    assert asyncio.get_running_loop().time() - began == pytest.approx(BEAT_S)
    await reader.aclose()


async def test_it_is_known_whether_somebody_looks_and_when_it_is_crowded() -> None:
    feed = Feed("run")
    assert not feed.someone.is_set()
    readers = [feed.read() for _ in range(MOST_READERS)]
    for reader in readers:
        await anext(reader)
    assert feed.someone.is_set()
    assert feed.crowded
    for reader in readers:
        await reader.aclose()
    assert not feed.someone.is_set()
    assert not feed.crowded


async def test_closing_ends_every_reader() -> None:
    feed = Feed("run")
    reader = feed.read()
    await anext(reader)
    asyncio.get_running_loop().call_later(1, feed.close)
    assert [event(each)[1] async for each in reader] == []
