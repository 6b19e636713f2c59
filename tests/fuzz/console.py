"""Lines of garbage at a module's console: `python -m tests.fuzz.console --lines 1000000`; `make fuzz-console`.

A whole module with its car, on virtual time, and the console of its serial line: what is typed crosses the line's
decoder, both modes, both editors, the grammar and the desk. Whoever types may look and no more, so nothing may
change, whatever they type: also each command that there is.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Final

import msgspec

from firmware.adapters.serial.line import SerialLine
from firmware.adapters.serial.outbox import MOST_FRAME_BYTES, MOST_TEXT_BYTES, Outbox
from firmware.adapters.serial.wire import WireUser
from firmware.bench.console import Terminal
from firmware.bench.desk import Desk
from firmware.bench.front import Front, Manner
from firmware.bench.keystrokes import LAST_CHARACTER
from firmware.bench.levels import Level
from firmware.bench.results import Result
from firmware.demo.rig import Rig
from host_tools.virtual_time import VirtualTimeLoop
from protocol import msd
from protocol.serial import Frame, Kind, encode
from tests.fuzz.engine import MOST_GROWTH_BYTES, MOST_OBJECTS, memory, quiet

CHUNK: Final = 25_000
"""Lines to one module. Every tenth module has the editor that moves the cursor, which takes ten times as long."""
WARM_UP: Final = 2_000
"""Lines after which caches and histories are full. Growth is judged when at least as many follow."""
MOST_LINE_S: Final = 0.25
"""CPU time that one line may take, with whatever it leads to."""
_ESCAPES: Final = (
    b"\x1b[A",
    b"\x1b[B",
    b"\x1b[3~",
    b"\x1b[1;5C",
    b"\x1b[24;80R",
    b"\x1b[9999",
    b"\x1bOP",
    b"\x1b",
    b"\x1b[200~",
)
_KEYS: Final = b"\x03\x04\x05\x06\x08\t\x0b\x0c\x0e\x10\x12\x14\x15\x17\x19\x7f"


class Report(msgspec.Struct, frozen=True):
    """What came of some lines."""

    lines: int
    cpu_s: float
    slowest_s: float
    grown_bytes: int
    grown_objects: int
    commands: int
    """How many of them were commands that the desk carried out."""
    troubles: tuple[str, ...]


class _Sink:
    """A `Device` that takes everything at once."""

    def __init__(self) -> None:
        self.line: SerialLine
        self.most = 0

    def open(self) -> None:
        """As Device."""

    async def run(self, outbox: Outbox, user: WireUser) -> None:
        """As Device."""
        user.attached()
        await asyncio.get_running_loop().create_future()

    def wake(self) -> None:
        self.most = max(self.most, len(self.line.outbox))
        self.line.outbox.clear()

    def close(self) -> None:
        """As Device."""


class Garbage:
    """Lines, the same for the same seed."""

    def __init__(self, rng: Random, commands: Sequence[str]) -> None:
        self._rng = rng
        self.in_json = False
        self._commands = [command.encode() for command in commands]

    def line(self) -> bytes:
        """One line with its end, in which anything may stand."""
        made = self._made()
        if self._rng.random() < 0.3:
            made = self._mangled(made)
        return made + self._rng.choice((b"\r", b"\r", b"\n", b"\r\n"))

    def _made(self) -> bytes:
        rng = self._rng
        match rng.randrange(20):
            case 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 if rng.random() < 0.9:
                return self._command() if not self.in_json else self._request()
            case 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9:
                return self._command() if self.in_json else self._request()
            case 10 | 11 | 12:
                return rng.randbytes(rng.randrange(60))
            case 13 | 14:
                return bytes(rng.randrange(32, 127) for _ in range(rng.randrange(90)))
            case 15 | 16:
                return b"".join(rng.choice(_ESCAPES) + rng.randbytes(2) for _ in range(rng.randrange(8)))
            case 17:
                return bytes(rng.choice(_KEYS) for _ in range(rng.randrange(30)))
            case 18:
                kind = rng.choice(list(Kind))
                return encode(Frame(kind, rng.randrange(8), rng.randbytes(rng.randrange(40))))
            case _:
                return rng.choice((b"[", b"{", b'"', b"x", b" ", b"9")) * rng.choice((200, 2_000, 6_000))

    def _request(self) -> bytes:
        return json.dumps({"id": self._rng.randrange(99), "do": self._command().decode("latin-1")}).encode()

    def _command(self) -> bytes:
        words = self._rng.choice(self._commands).split()
        more = self._rng.choices(
            (b"on", b"1", b"-1", b"30s", b"1e999", b"--json", b"'", b"SIGNAL", b"\xff", b"..", b"x" * 99), k=2
        )
        return b" ".join([*words, *more[: max(0, self._rng.randrange(6) - 3)]])

    def _mangled(self, made: bytes) -> bytes:
        rng = self._rng
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(made) + 1)
            made = made[:at] + rng.randbytes(rng.randrange(3)) + made[at + rng.randrange(3) :]
        return made


class _Counted(Desk):
    """The same desk; what it carries out is counted."""

    def __init__(self, bench: "Bench", desk: Desk) -> None:
        self.__dict__ |= desk.__dict__
        self._bench = bench

    async def do(self, line: str, level: Level) -> Result:
        result = await super().do(line, level)
        self._bench.carried_out += 1
        return result


class Bench:
    """A console at a module, and what must stay as it is."""

    def __init__(self, rig: Rig, desk: Desk, manner: Manner) -> None:
        self.rig = rig
        self.desk = desk
        self.sink = _Sink()
        self.line = self.sink.line = SerialLine("console", self.sink)
        self.carried_out = 0
        self.slowest_s = 0.0
        self.front = Front(self.line, _Counted(self, desk), manner)

    async def takes(self, line: bytes) -> None:
        """Type a line, and wait until it is dealt with."""
        turns, began, cpu_s = 0, time.perf_counter(), time.thread_time()
        self.line.heard(line)
        while self.front.backlog:
            turns += 1
            assert turns < 20_000, "a line is never done with"
            await asyncio.sleep(0)
        if time.perf_counter() - began > self.slowest_s:  # asking for CPU time takes longer than many a line
            self.slowest_s = max(self.slowest_s, time.thread_time() - cpu_s)

    async def facts(self) -> dict[str, object]:
        """What nobody who only looks may change."""
        pump = self.rig.rack.pump
        if pump is None:
            return {"power": False}
        told = {
            name: await self._told(name) for name in ("state", "booking", "links", "credentials", "fault", "record")
        }
        return {**told, "trip": repr(pump.state.durable.trip), "pump": id(pump), "rate": self.desk.room.stand.time.rate}

    async def _told(self, command: str) -> object:
        return (await self.desk.do(command, Level.OBSERVE)).data


def warming() -> Iterator[bytes]:
    """Every character, typed and searched for: the editor remembers for good what each looks like in its places."""
    yield b"\x1b[24;80R\r"
    taken = [chr(code) for code in range(ord(LAST_CHARACTER) + 1) if chr(code).isprintable()]
    for start in range(0, len(taken), 50):
        text = "".join(taken[start : start + 50]).encode()
        yield text + b"\r"
        yield text + b"\x12" + text + b"\r\x03"
        yield b"x" * 60 + text + text + b"\r"


async def _chunk(seed: int, number: int, count: int, level: Level, commands: tuple[str, ...]) -> Report:
    msd.load()
    msd.prepare()  # as a module with an emergency line does at its start
    rng = Random(f"{seed} console {number}")
    troubles: list[str] = []
    warm = (0, 0)
    async with Rig(f"console {number}") as rig:
        desk = rig.desk()
        known = [*(each.name for each in desk.grammar.commands), "level service", "follow on", "follow off"]
        garbage = Garbage(rng, commands or known)
        terminal: Terminal = "plain" if number % 10 else "auto"
        bench = Bench(rig, desk, Manner(level, "open sesame", "a1b2", "0.1", terminal))
        tasks = [asyncio.create_task(bench.line.run()), asyncio.create_task(bench.front.run())]
        await asyncio.sleep(1)
        for line in warming() if count >= 2 * WARM_UP else ():
            await bench.takes(line)
        before = await bench.facts()
        begun = time.thread_time()
        for done in range(count):
            if done == WARM_UP:
                warm = memory()
            if rng.random() < 0.02:
                garbage.in_json = not garbage.in_json
                bench.line.heard(b"\x01" if garbage.in_json else b"\x02")
            line = garbage.line()
            try:
                await bench.takes(line)
            except Exception as error:  # broad: whatever comes out is what we are looking for
                troubles.append(f"{error!r} on {line.hex()}")
                break
        cpu_s = time.thread_time() - begun
        troubles += [f"the line stopped: {task.exception()!r}" for task in tasks if task.done()]
        after = await bench.facts()
        troubles += [
            f"{name} changed: {before[name]} -> {after.get(name)}" for name in before if before[name] != after.get(name)
        ]
        if bench.sink.most > MOST_TEXT_BYTES + MOST_FRAME_BYTES:
            troubles.append(f"{bench.sink.most} bytes waited to be written")
        carried_out = bench.carried_out
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        size, objects = memory()
    grown = (size - warm[0], objects - warm[1]) if count >= 2 * WARM_UP else (0, 0)
    if bench.slowest_s > MOST_LINE_S:
        troubles.append(f"a line took {bench.slowest_s:.3f} s")
    if grown[0] > MOST_GROWTH_BYTES or grown[1] > MOST_OBJECTS:
        troubles.append(f"memory grew by {grown[0]} bytes, {grown[1]} objects")
    return Report(count, cpu_s, bench.slowest_s, *grown, carried_out, tuple(troubles))


def run_chunk(
    seed: int, number: int, count: int, level: Level = Level.OBSERVE, commands: tuple[str, ...] = ()
) -> Report:
    """`count` lines at a console in this process, by somebody at `level`; the same for the same seed and number.
    `commands`: those that are tried, all by default."""
    quiet()
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_chunk(seed, number, count, level, commands))


def campaign(lines: int, seed: int, workers: int) -> Iterator[Report]:
    """`lines` in all, over `workers` processes."""
    jobs = [(seed, number, min(CHUNK, lines - number * CHUNK)) for number in range(-(-lines // CHUNK))]
    with ProcessPoolExecutor(workers, max_tasks_per_child=None) as pool:
        yield from pool.map(run_chunk, *zip(*jobs, strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    done, cpu_s, slowest, commands, troubled = 0, 0.0, 0.0, 0, False
    for report in campaign(options.lines, options.seed, options.workers):
        done += report.lines
        cpu_s += report.cpu_s
        commands += report.commands
        slowest = max(slowest, report.slowest_s)
        print(
            f"{done:>10,} lines, {commands:,} commands among them, {cpu_s:.0f} CPU s, slowest {slowest * 1000:.0f} ms, "
            f"{report.grown_bytes // 1024:,} KiB and {report.grown_objects:,} objects more",
            flush=True,
        )
        for trouble in report.troubles:
            print(f"  {trouble}")
            troubled = True
    return int(troubled)


if __name__ == "__main__":
    sys.exit(main())
