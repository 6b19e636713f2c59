"""The demonstration as somebody starts it: as JSON lines, into a pipe, on a terminal, and interrupted."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.support.command import ENVIRONMENT, Ran
from tests.support.programs import Program, alive

ACTS = [
    "A car with a sharing module",
    "Anna's booking opens the car",
    "The network goes away, and nothing changes",
    "Anna is late",
    "Anna parks",
    "The slider turns grey",
    "A new booking works at once",
    "What the owner saw of the drives",
]
RULES = ["ACC-1", "TEL-3", "CUT-3", "CUT-4", "CUT-2", "CUT-6", "PRV-2", "PRV-1"]
PROMPTLY_S = 5.0
"""A third of a second on an idle machine."""
STYLE = re.compile(r"\x1b\[([0-9;]*)m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

real = pytest.mark.asyncio(loop_factories=["real"])


async def demo(directory: Path, *tokens: str) -> Ran:
    return await (await Program.start("firmware", "demo", *tokens, directory=directory)).ended()


@real
@pytest.mark.req("ACC-8", "CUT-1", "CUT-2", "CUT-3", "CUT-4", "CUT-6", "CUT-7")
async def test_as_json_lines_it_plays_all_acts_and_every_claim_holds(tmp_path: Path) -> None:
    ran = await demo(tmp_path, "--json")
    assert (ran.code, ran.err) == (0, "")
    first, *lines, last = ran.objects()
    assert first == {"type": "begin", "format": "sharebox-demo/1"}
    assert [line["title"] for line in lines if line["type"] == "act"] == ACTS
    assert all(line["about"] for line in lines if line["type"] == "act")
    times = [str(line["time"]) for line in lines]
    assert times == sorted(times)
    assert last["type"] == "summary"
    claims = last["claims"]
    assert isinstance(claims, list)
    assert [claim["rule"] for claim in claims] == RULES
    assert all(claim["what"] and claim["figure"] for claim in claims)
    assert last["checks_failed"] == 0
    assert isinstance(last["checks"], int)
    assert last["checks"] >= len(claims)
    (refused,) = [line for line in lines if str(line.get("text")).startswith("open: refused")]
    assert (refused["code"], refused["rule"]) == ("BOOKING_CUT_OFF", "CUT-2")
    assert refused["remedy"]
    (cut,) = [line for line in lines if "took_ms" in line]
    assert isinstance(cut["took_ms"], int)
    assert 0 <= cut["took_ms"] <= 1000


@real
async def test_into_a_pipe_it_writes_plain_lines_of_at_most_100_columns(tmp_path: Path) -> None:
    ran = await demo(tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert [line[3:] for line in lines if line.startswith("== ")] == [*ACTS, "What was shown"]
    assert [line.split()[0] for line in lines if re.match(r" {3}[A-Z]{3}-\d  ", line)] == RULES
    assert re.fullmatch(r"All \d+ checks held\. 163 minutes of the car's time took \d+ s\.", lines[-1])


@real
@pytest.mark.parametrize(
    ("at", "number"),
    [
        ("begin", signal.SIGINT),
        ("lets the engine start", signal.SIGTERM),
        ("parks, locks, unlocks and starts", signal.SIGINT),
        ("Anna is late", signal.SIGHUP),
    ],
)
async def test_interrupted_it_stops_at_once_and_leaves_nothing(tmp_path: Path, at: str, number: signal.Signals) -> None:
    program = await Program.start("firmware", "demo", "--json", directory=tmp_path, TMPDIR=str(tmp_path))
    try:
        await program.said(at)
        children = program.children()
        program.signal(number)
        ran = await program.ended(PROMPTLY_S)
    finally:
        await program.kill()
    assert (ran.code, ran.err) == (130, "sharebox demo: stopped\n")
    assert not any(map(alive, children))
    assert os.listdir(tmp_path) == []


def test_a_reader_that_goes_away_ends_it_without_a_word(tmp_path: Path) -> None:
    command = f"{sys.executable} -m firmware demo | head -3; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "141"


# ---------------------------------------------------------------- on a terminal
def on_terminal(columns: int, rows: int, *, until: str = "", **environment: str) -> tuple[int, str]:
    """Exit code, and everything that was written to a terminal of that size. Interrupted when it has shown `until`."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    command = [sys.executable, "-m", "firmware", "demo", "--pace", "0"]
    unset = {name: value for name, value in ENVIRONMENT.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, env={**unset, "TERM": "xterm", **environment})
    os.close(theirs)
    written, interrupted = b"", not until
    with contextlib.suppress(OSError):  # so a terminal says that nobody has it open any more
        while more := os.read(ours, 65_536):
            written += more
            if not interrupted and until.encode() in written:
                process.send_signal(signal.SIGINT)
                interrupted = True
    os.close(ours)
    return process.wait(), written.decode()


def colours(written: str) -> set[int]:
    return {int(n) for style in STYLE.findall(written) for n in style.split(";") if n and 30 <= int(n) <= 107}


def test_on_a_terminal_there_is_a_live_screen_that_ends_with_what_was_shown() -> None:
    code, written = on_terminal(120, 40)
    assert code == 0
    assert colours(written)
    text = CONTROL.sub("", written)
    assert max(len(line) for line in text.splitlines()) <= 100
    for shown in (*ACTS, "the driver's phone", "time races", "access granted", "BOOKING_CUT_OFF", "hidden"):
        assert shown in text
    frame = text[text.rindex("Sharebox  ") :]
    assert "What was shown" in frame
    assert [word for word in frame.split() if word in RULES] == RULES
    assert "checks held" in frame
    assert written.rindex("\x1b[?25h") > written.rindex("checks held"), "the cursor is there again"


def test_on_a_small_terminal_without_colours_all_lines_fit() -> None:
    """Its end is `test_in_the_end_the_table_takes_the_place_of_the_log`, on a screen of the same size."""
    code, written = on_terminal(80, 24, until=ACTS[2], NO_COLOR="1")
    assert code == 130
    assert not colours(written)
    text = CONTROL.sub("", written)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "access granted" in text
