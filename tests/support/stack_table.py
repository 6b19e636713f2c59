"""The table "operation by stack" of docs/radio.md, made of the transcripts in docs/transcripts.

Each transcript is what `tests.support.whole_job` told over one stack: copy it there as STACK.jsonl, then run
`python -m tests.support.stack_table`. `--virtual` makes that of the virtual radio anew: full time on air with
connection events, at the parameters that the module asks for.
"""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from firmware.demo.rig import Rig
from host_tools.radio.air import VirtualAir
from host_tools.virtual_time import run
from tests.support.whole_job import AFTER, JOB, LEAD_S, Line, Shown, Transcript, bleak_link, cut_off_job, whole_job

PAGE: Final = Path("docs/radio.md")
TRANSCRIPTS: Final = Path("docs/transcripts")
STACKS: Final = {
    "virtual": "virtual radio",
    "bluez": "BlueZ, in the guest",
    "hci-socket": "the module on a kernel's adapter, too",
    "rootcanal": "RootCanal",
    "noble": "noble",
    "js": "phone in JavaScript",
}
"""In this order; one without a transcript has no column."""
BEGINS: Final = "<!-- operation by stack: python -m tests.support.stack_table -->\n"
ENDS: Final = "<!-- end of operation by stack -->\n"


def read(path: Path) -> list[Line]:
    """The lines of a transcript."""
    return [msgspec.json.decode(line, type=Line) for line in path.read_bytes().splitlines()]


def transcripts(directory: Path = TRANSCRIPTS) -> dict[str, list[Line]]:
    """Those that are there, by stack."""
    return {stack: read(path) for stack in STACKS if (path := directory / f"{stack}.jsonl").exists()}


def render(told: dict[str, list[Line]]) -> str:
    """The table."""
    rows = [["operation, ms", *(STACKS[stack] for stack in told)], ["---"] * (len(told) + 1)]
    rows += [[operation, *(_cell(operation, lines) for lines in told.values())] for operation in (*JOB, *AFTER)]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _cell(operation: str, lines: Iterable[Line]) -> str:
    line = next((each for each in lines if each.operation == operation), None)
    if line is None:
        return ""
    return f"{line.ms:.0f}" if line.outcome == "ok" else f"{line.ms:.0f} {line.outcome}"


def replaced(page: str, table: str) -> str:
    """The page with this table. Raises ValueError when it has no place for one."""
    before, begins, rest = page.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not begins or not ends:
        raise ValueError(f"no place for the table: {BEGINS.strip()} and {ENDS.strip()}")
    return before + BEGINS + table + ENDS + after


# ---------------------------------------------------------------- the virtual radio's own
async def virtual() -> Transcript:
    """Both jobs over the virtual radio."""
    told = Transcript("virtual")
    async with Rig("transcript", air=VirtualAir(connection_events=True)) as rig:
        await asyncio.sleep(6)
        await whole_job(bleak_link, _shown(rig, 3600), told.tell, lambda: _drive(rig))
    async with Rig("transcript", air=VirtualAir(connection_events=True)) as rig:
        due_s = rig.now_s + 60 + 1800
        await cut_off_job(bleak_link, _shown(rig, 60), told.tell, lambda: rig.until(due_s - LEAD_S))
    return told


def _shown(rig: Rig, lasts_s: int) -> Shown:
    anna = rig.holder("Anna")
    return Shown(rig.book(anna, lasts_s=lasts_s)[1], anna.key)


async def _drive(rig: Rig) -> None:
    assert rig.vehicle.turn_ignition(True)
    assert rig.vehicle.drive()
    await asyncio.sleep(10)
    rig.vehicle.park()
    await asyncio.sleep(20)


def main() -> None:
    """Write the table, and with `--virtual` the transcript of the virtual radio before."""
    if "--virtual" in sys.argv:
        made: list[Transcript] = []

        async def job() -> None:
            made.append(await virtual())

        run(job())
        TRANSCRIPTS.mkdir(exist_ok=True)
        made[0].write(TRANSCRIPTS / "virtual.jsonl")
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), render(transcripts())), "utf-8")


if __name__ == "__main__":
    main()
