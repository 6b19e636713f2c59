"""Recordings for tests: one of a whole life, made once; and the same with a line altered."""

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
from structlog.testing import capture_logs

from firmware.bench import replaying
from firmware.bench.notation import Json
from firmware.bench.recording import Recording
from firmware.bench.replaying import Outcome
from tests.support.recorded_life import record

Fields = dict[str, Json]


@cache
def a_life() -> bytes:
    """The recording of `recorded_life`."""
    with tempfile.TemporaryDirectory() as directory, capture_logs():
        path = Path(directory) / "life.jsonl"
        record(path)
        return path.read_bytes()


def lines_of(data: bytes) -> list[Fields]:
    """Its lines as data, the header included: the line with the number n is the n-th after it."""
    return [msgspec.json.decode(line) for line in data.splitlines()]


def stored(directory: Path, lines: list[Fields]) -> Path:
    """A file of these lines."""
    path = directory / "recording.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return path


def played(path: Path, *, with_keys: bool = True, until: int | None = None) -> Outcome:
    """What comes of it, with the keys that are in it."""
    found = Recording(path)
    return replaying.play(found, replaying.keys_in(found.header) if with_keys else None, until)


def first(lines: list[Fields], holds: Callable[[Fields], bool]) -> Fields:
    """The first line of which that is true."""
    return next(line for line in lines[1:] if holds(line))
