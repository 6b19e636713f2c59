"""The console of a running module in a terminal program that knows nothing of it, on the screen of tmux."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.test_sharebox_run import FILE, Bench
from tests.support.programs import Program
from tests.support.tmux import Tmux

pytestmark = [
    pytest.mark.asyncio(loop_factories=["real"]),
    pytest.mark.needs("tmux"),
    pytest.mark.req("BEN-1"),
]

NONE, OFF = "sharebox none>", "sharebox off>"
TABLES = """
[bench]
enabled = true
uplink = "recorded"

[[serial]]
device = "pty"
level = "service"
"""


class Desk:
    """A module with a console, and a terminal program at it."""

    def __init__(self, directory: Path, module: Program) -> None:
        self.module = module
        self.console = directory / "run" / "sharebox" / "console"
        self.tmux = Tmux(directory, *self.program())

    def program(self) -> list[str]:
        """pySerial's own terminal, which passes on every key but Ctrl-]."""
        return [sys.executable, "-m", "serial.tools.miniterm", "--raw", "--eol", "CR", str(self.console), "115200"]

    async def does(self, line: str, *last: str) -> None:
        """Type a command, and wait for the last lines of the screen."""
        self.tmux.text(line)
        self.tmux.keys("Enter")
        await self.tmux.shows(*last)


@pytest.fixture
async def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    bench = await Bench(tmp_path, capsys, monkeypatch).made()
    file = bench.directory / FILE
    file.write_text(file.read_text().partition("[bench]")[0] + TABLES)
    module = await Program.start(
        "firmware", "run", "--config", FILE, directory=bench.directory, XDG_RUNTIME_DIR=str(bench.directory / "run")
    )
    try:
        await module.said("on the air")
        made = Desk(bench.directory, module)
        with made.tmux:
            await made.tmux.shows(NONE)
            yield made
    finally:
        await module.kill()


async def test_a_person_works_at_the_console_in_a_foreign_terminal_program(desk: Desk) -> None:
    tmux = desk.tmux
    assert any(line.startswith("Sharebox 0.1.0, module ") for line in tmux.screen())
    # Completion: what is certain is put in, the rest is shown.
    tmux.text("versi")
    tmux.keys("Tab")
    await tmux.shows(f"{NONE} version")
    tmux.keys("C-c")
    await tmux.shows(NONE)
    tmux.text("time fr")
    tmux.keys("Tab", "Enter")
    await tmux.shows("Time is frozen.", NONE)
    tmux.text("time ")
    tmux.keys("Tab")
    shown = await tmux.until(lambda lines: lines[-1] == f"{NONE} time" and "freeze" in lines[-2])
    assert "until" in shown[-2]
    # Ctrl-C clears the line, Ctrl-D does no harm.
    tmux.keys("C-c", "C-d", "C-d")
    await tmux.shows(NONE)
    # The middle of a line is edited, and what was typed comes back.
    tmux.text("move 1m")
    tmux.keys("Home")
    tmux.text("time ")
    tmux.keys("Enter")
    await tmux.until(lambda lines: lines[-1] == NONE and "1 min 00 s have passed." in lines)
    tmux.keys("Up", "Up")
    await tmux.shows(f"{NONE} time freeze")
    tmux.keys("Down")
    await tmux.shows(f"{NONE} time move 1m")
    tmux.keys("C-c")
    # A typing error is told in one line, with the way out.
    tmux.text("stat")
    tmux.keys("Enter")
    await tmux.until(lambda lines: lines[-1] == NONE and "Did you mean `state`?" in lines[-2])


async def test_news_come_above_what_is_being_typed_and_the_prompt_tells_the_state(desk: Desk) -> None:
    tmux = desk.tmux
    await desk.does("time freeze", "Time is frozen.", NONE)
    await desk.does("follow on", "News are shown as they come.", NONE)
    tmux.text("fault gnss lost --for 2s")
    tmux.keys("Enter")
    await tmux.until(lambda lines: lines[-1] == NONE and len(lines) > 8)
    tmux.text("time go")
    tmux.keys("Enter")
    tmux.text("half a li")
    shown = await tmux.until(
        lambda lines: lines[-1] == f"{NONE} half a li" and any("gnss" in line and "over" in line for line in lines)
    )
    assert [line for line in shown if "half a li" in line] == [f"{NONE} half a li"], "the line is typed once"
    tmux.keys("C-c")
    await desk.does("follow off", "News are not shown.", NONE)
    tmux.text("power cut")
    tmux.keys("Enter")
    await tmux.shows(OFF)
    tmux.text("power on")
    tmux.keys("Enter")
    await tmux.until(lambda lines: lines[-1] == NONE)


async def test_machine_mode_and_back_and_the_next_program_has_the_history(desk: Desk) -> None:
    tmux = desk.tmux
    await desk.does("time freeze", "Time is frozen.", NONE)
    tmux.keys("C-a")
    await tmux.until(lambda lines: any('{"type":"hello"' in line for line in lines))
    tmux.text('{"id": 7, "do": "level"}')
    tmux.keys("Enter")
    tmux.keys("C-b")
    shown = await tmux.until(lambda lines: lines[-1] == NONE and '"id":7' in "".join(lines))
    assert '{"id": 7, "do"' not in "".join(shown), "machine mode has no echo"
    tmux.keys("C-]")
    await tmux.until(lambda lines: "--- exit ---" in lines or "Pane is dead" in lines[-1])
    tmux.start(*desk.program())
    await tmux.until(lambda lines: bool(lines) and lines[0].startswith("--- Miniterm"))
    tmux.keys("Enter")  # while time stands still, the greeting waits for a key
    await tmux.until(lambda lines: lines[-1] == NONE and not any("frozen" in line for line in lines))
    tmux.keys("Up")
    await tmux.shows(f"{NONE} time freeze")
    desk.module.process.terminate()
    assert (await desk.module.ended()).code == 0
    assert not desk.console.is_symlink()
