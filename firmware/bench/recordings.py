"""Commands that record the module, and that play a trace of another drive to it."""

import asyncio
import re
from pathlib import Path
from typing import Final

from firmware.bench import kinds
from firmware.bench.grammar import Command, Kind, Option, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.recorder import Recorder, named
from firmware.bench.recordfile import RecordingFailed
from firmware.bench.results import Data, DeskCode, DeskError, Result
from firmware.bench.room import Room
from firmware.simulated.player import LEAST_SPEED, MOST_SPEED, Player, TraceFailed

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _name(word: str) -> str:
    if not _NAME.fullmatch(word):
        raise ValueError("it is no name of a file; use letters, digits, dots, dashes, and no directory")
    return word


# ---------------------------------------------------------------- recorder
async def record(room: Room, _: Words) -> Result:
    """Whether a recording is under way."""
    return _recorded(_recorder(room))


async def record_start(room: Room, words: Words) -> Result:
    """Into a file of that name, or one of its own, in the directory for recordings."""
    recorder = _recorder(room)
    directory = recorder.directory
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = words.text("NAME")
        at = room.stand.time.utc_ms()
        recorder.start(directory / name if name else named(directory, room.stand.profile.module_id, at))
    except OSError as error:
        raise DeskError(DeskCode.FAILED, f"`record start`: {directory}: {error.strerror}. Give it room.") from None
    except RecordingFailed as error:
        raise DeskError(DeskCode.FAILED, f"`record start`: {error}.") from None
    return _recorded(recorder)


async def record_stop(room: Room, _: Words) -> Result:
    """The file is whole from now on."""
    recorder = _recorder(room)
    file = recorder.end()
    path, lines = recorder.path, recorder.lines
    if file is None:
        raise DeskError(DeskCode.FAILED, "`record stop`: nothing is recorded. Type `record start`.")
    # The module works on while the disk takes its time.
    await asyncio.to_thread(file.close)
    words = f"{lines} lines are in {path}. Replay them: sharebox replay {path}"
    return Result("record", {"recording": False, "file": str(path), "lines": lines}, (words,))


def _recorder(room: Room) -> Recorder:
    if room.stand.recorder is None:
        raise DeskError(DeskCode.NOT_HERE, "this module has no recorder. Start it with `sharebox run --record FILE`.")
    return room.stand.recorder


def _recorded(recorder: Recorder) -> Result:
    on, path = recorder.records, recorder.path
    data: Data = {"recording": on, "file": str(path) if on else None, "lines": recorder.lines if on else 0}
    line = f"Recorded into {path}: {recorder.lines} lines so far." if on else "Nothing is recorded."
    return Result("record", data, (line,))


# ---------------------------------------------------------------- traces
async def trace(room: Room, _: Words) -> Result:
    """Which trace is played."""
    return _played(room)


async def trace_play(room: Room, words: Words) -> Result:
    """From now on the module is told what the trace tells."""
    path, speed = Path(words.text("FILE")), words.number("speed", 1.0)
    try:
        # Its beginning is read, and a disk may take its time.
        player = await asyncio.to_thread(Player, path, speed=speed, loop=words.has("loop"))
    except TraceFailed as error:
        raise DeskError(DeskCode.FAILED, f"`trace play`: {error}.") from None
    room.vehicle.play(player)
    return _played(room)


async def trace_stop(room: Room, _: Words) -> Result:
    """The simulated car tells what it does again."""
    room.vehicle.play(None)
    return _played(room)


def _played(room: Room) -> Result:
    player = room.vehicle.player
    if player is None:
        return Result("trace", {"file": None}, ("No trace is played: the simulated car tells what it does.",))
    data: Data = {"file": str(player.path), "form": player.form.value, "ended": player.ended}
    end = "It has ended, and the car says nothing. Type `trace stop`." if player.ended else "`trace stop` ends it."
    return Result("trace", data, (f"{player.form.value} trace {player.path} takes the car's place. {end}",))


COMMANDS: Final = (
    Command(("record",), Level.OBSERVE, "whether all that the module is told and does is recorded", record),
    Command(
        ("record", "start"),
        Level.OPERATE,
        "record it, for `sharebox replay`",
        record_start,
        (Parameter("NAME", Kind[object]("NAME", _name), optional=True),),
    ),
    Command(("record", "stop"), Level.OPERATE, "end the recording", record_stop),
    Command(("trace",), Level.OBSERVE, "which trace of a drive takes the car's place", trace),
    Command(
        ("trace", "play"),
        Level.OPERATE,
        "tell the module what an OpenXC trace or an NMEA recording tells",
        trace_play,
        (Parameter("FILE", kinds.text("FILE")),),
        (
            Option("speed", (Parameter("X", Kind[object]("X", kinds.number(LEAST_SPEED, MOST_SPEED))),)),
            Option("loop"),
        ),
    ),
    Command(("trace", "stop"), Level.OPERATE, "the simulated car tells what it does again", trace_stop),
)
