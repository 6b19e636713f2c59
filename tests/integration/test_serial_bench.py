"""`shareboxctl` at a running module's serial line: phone and console on one wire, also behind a network."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from host_tools.bench.line import SerialLine
from host_tools.cli.exits import Exit
from host_tools.phone.keyring import write_replacing
from tests.support.command import Ran, in_loop
from tests.support.programs import Program, free_port
from tests.support.serial_server import served

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.req("BEN-1", "BEN-2")]


class Desk:
    """A directory as `module init` makes it, with its module at work, and `shareboxctl` in it."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._directory = directory
        self._capsys = capsys
        self.module: Program

    async def ctl(self, *tokens: str) -> Ran:
        return await in_loop(self._capsys, *tokens)

    async def says(self, text: str, *tokens: str) -> Ran:
        ran = await self.ctl(*tokens)
        assert ran.code == 0, ran.err
        assert text in ran.out
        return ran

    @property
    def line(self) -> Path:
        (line,) = (self._directory / "state" / "run").glob("console-*")
        return line

    def alter(self) -> None:
        """No broker, and a password for whatever changes something."""
        file = self._directory / "sharebox.toml"
        before, _, after = file.read_text().partition("[broker]")
        text = before + after[after.index("[vehicle]") :]
        text = text.replace('level = "service"', 'level = "observe"')
        file.write_text(text.replace("enabled = true", 'enabled = true\npassword_file = "password"'))
        write_replacing(self._directory / "password", b"open-sesame\n", 0o600)


@pytest.fixture
async def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    made = Desk(tmp_path, capsys)
    await made.says("module", "module", "init", ".", "--hub-port", str(free_port()))
    await made.says("driver", "issuer", "booking", "--for", "2h")
    made.alter()
    made.module = await Program.start("firmware", "run", "--config", "sharebox.toml", "--json", directory=tmp_path)
    try:
        await made.module.said("on the air")
        yield made
    finally:
        await made.module.kill()


async def test_phone_and_console_share_the_line_of_a_running_module(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    low = await desk.ctl("module", "time", "move", "1s")
    assert (low.code, "level operate" in low.err) == (Exit.REFUSED, True)
    monkeypatch.setenv("SHAREBOXCTL_LEVEL", "service")
    monkeypatch.setenv("SHAREBOXCTL_PASSWORD_FILE", "password")
    link = ("--link", f"serial:{desk.line.name}")
    await desk.says("protocol version 1", "phone", "scan", *link)
    await desk.says("Unlocked.", "phone", "unlock", *link)
    await desk.says("Unlocked", "module", "do", "vehicle")
    await desk.says("have passed", "module", "time", "move", "2h10m")
    await desk.says("cut-off in", "phone", "status", *link)
    (answer,) = (await desk.ctl("console", "time", "--json")).objects()
    assert (answer["type"], answer["kind"]) == ("answer", "time")
    await desk.says("open", "module", "do", "door", "open")
    refused = await desk.ctl("phone", "end", "--yes", *link)
    assert (refused.code, "DOORS_OPEN" in refused.err or "END_NOT_POSSIBLE" in refused.err) == (Exit.REFUSED, True)
    why = await desk.says("", "module", "why")
    assert "door" in why.out.lower()
    wrong = await desk.ctl("module", "do", "dor", "open")
    assert wrong.code == Exit.REFUSED
    assert "door" in wrong.err
    for rfc2217 in (False, True):
        with served(desk.line, rfc2217=rfc2217) as url:
            await desk.says("cut-off in", "phone", "status", "--link", url)
            await desk.says("World:", "module", "time", "--link", url)
    async with SerialLine(str(desk.line)):
        taken = await desk.ctl("phone", "status", *link)
    assert taken.code == Exit.NOT_FOUND
    assert "another program has it" in taken.err
    checked = await desk.ctl("bench", "doctor", "--only", "console", "--only", "link", "--only", "booking")
    assert "level observe" in checked.out
    desk.module.signal(signal.SIGTERM)
    assert (await desk.module.ended()).code == 0
    gone = await desk.ctl("module", "why")
    assert gone.code == Exit.NOT_FOUND
    assert "no module with a console runs here" in gone.err
