"""The same scenario through four links, against a module in this process and against a running one: one transcript."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from host_tools.cli import main
from tests.support.programs import Program, free_port
from tests.support.serial_server import served

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.req("BEN-3", "BEN-2")]

SCENARIOS = ("early-end", "shared-key")
RACE = "5000"


class Bench:
    """A directory as `module init` makes it, with its module at work."""

    def __init__(self, directory: Path, hub_port: int) -> None:
        self.directory = directory
        self.hub_port = hub_port

    @property
    def line(self) -> Path:
        (line,) = (self.directory / "state" / "run").glob("console-*")
        return line

    @property
    def air(self) -> tuple[str, ...]:
        """Phones over the virtual radio, the console over the line."""
        return "--link", f"virtual:127.0.0.1:{self.hub_port}", "--console", f"serial:{self.line}"

    async def transcript(self, *tokens: str) -> bytes:
        """What `scenario run` writes down, in a thread with an event loop of its own."""
        file = self.directory / "transcript.txt"
        code = await asyncio.to_thread(main.main, ["scenario", "run", "--transcript", str(file), *tokens])
        text = file.read_bytes()
        assert code == 0, text.decode()
        file.unlink()
        return text


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    port = free_port()
    home = ("--home", "48.1375", "11.5755")
    assert await main.run(["module", "init", ".", "--hub-port", str(port), *home]) == 0
    file = tmp_path / "sharebox.toml"
    before, _, after = file.read_text().partition("[broker]")
    without_broker = before + after[after.index("[vehicle]") :]
    file.write_text(without_broker.replace("[bench]", '[bench]\nuplink = "recorded"', 1))
    module = await Program.start("firmware", "run", "--config", "sharebox.toml", "--json", directory=tmp_path)
    try:
        await module.said("on the air")
        yield Bench(tmp_path, port)
    finally:
        await module.kill()


async def test_scenarios_have_the_same_transcript_byte_for_byte_on_four_links(bench: Bench) -> None:
    in_process = await bench.transcript(*SCENARIOS)
    assert b"owner sees the parking position" in in_process
    assert b"ben's key is good" in in_process
    assert await bench.transcript(*SCENARIOS, "--link", f"serial:{bench.line}") == in_process
    assert await bench.transcript(*SCENARIOS, *bench.air) == in_process
    with served(bench.line, rfc2217=True) as url:
        assert await bench.transcript(*SCENARIOS, "--link", url, "--speed", RACE) == in_process


@pytest.mark.slow
async def test_the_whole_library_has_the_same_transcript_on_one_module_over_its_line_and_over_the_air(
    bench: Bench,
) -> None:
    in_process = await bench.transcript()
    assert await bench.transcript("--link", f"serial:{bench.line}") == in_process
    assert await bench.transcript(*bench.air) == in_process
