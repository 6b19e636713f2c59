"""The programs as a user starts them: `sharebox run` in one process, `shareboxctl` in others."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.command import ENVIRONMENT, Ran, in_loop

LIMIT_S = 20.0
pytestmark = pytest.mark.asyncio(loop_factories=["real"])


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


async def started(module: str, *tokens: str, directory: Path) -> Process:
    environment = {**ENVIRONMENT, "XDG_CONFIG_HOME": str(directory), "TERM": "dumb"}
    command = (sys.executable, "-m", module, *tokens)
    return await asyncio.create_subprocess_exec(*command, cwd=directory, env=environment, stdout=PIPE, stderr=PIPE)


class Bench:
    """A directory made by `module init`. `run` runs one `shareboxctl` in it, in this process; `spawn` in its own."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._capsys = capsys
        self._patch = patch

    async def run(self, *tokens: str) -> Ran:
        with self._patch.context() as patch:
            patch.chdir(self.directory)
            patch.setenv("XDG_CONFIG_HOME", str(self.directory))
            async with asyncio.timeout(LIMIT_S):
                return await in_loop(self._capsys, *tokens)

    async def spawn(self, *tokens: str) -> Ran:
        process = await started("host_tools.cli", *tokens, directory=self.directory)
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    @asynccontextmanager
    async def module(self) -> AsyncIterator[Process]:
        """The module, on the air; stopped at the end."""
        process = await started("firmware", "run", "--config", "sharebox.toml", "--json", directory=self.directory)
        assert process.stdout is not None
        assert process.stderr is not None
        rest = asyncio.gather(self._until_on_air(process.stdout), self._until_on_air(process.stderr))
        try:
            async with asyncio.timeout(LIMIT_S):
                await self.on_air.wait()
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(LIMIT_S):
                await process.wait()
                await rest

    async def _until_on_air(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            if b"on the air" in line:
                self.on_air.set()

    async def made(self) -> "Bench":
        """Make the directory, without a broker."""
        self.on_air = asyncio.Event()
        self.directory.mkdir()
        assert (await self.run("module", "init", ".", "--hub-port", str(free_port()))).code == 0
        file = self.directory / "sharebox.toml"
        before, _, after = file.read_text().partition("[broker]")
        file.write_text(before + after[after.index("[vehicle]") :])
        return self


async def parked(bench: Bench) -> None:
    """Wait until the module says that the car is parked: a module that just started has to watch it first."""

    async def is_parked() -> bool:
        (status,) = (await bench.run("phone", "status", "--json")).objects()
        vehicle = status["vehicle"]
        assert isinstance(vehicle, dict)
        return bool(vehicle["parked"])

    async with asyncio.timeout(LIMIT_S):
        while not await is_parked():
            await asyncio.sleep(0.2)


@pytest.fixture
async def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    return await Bench(tmp_path / "bench", capsys, monkeypatch).made()


@pytest.mark.req("ACC-1", "ACC-2", "ACC-5", "BKG-3")
async def test_a_booking_opens_drives_closes_and_ends_from_the_command_line(bench: Bench) -> None:
    assert (await bench.spawn("issuer", "booking", "--for", "2h")).code == 0
    async with bench.module() as module:
        assert (await bench.spawn("phone", "unlock")).out == "Unlocked.\n"
        assert (await bench.spawn("phone", "drive")).out == "Driving enabled.\n"
        (status,) = (await bench.spawn("phone", "status", "--json")).objects()
        vehicle = status["vehicle"]
        assert isinstance(vehicle, dict)
        assert (vehicle["locked"], vehicle["drive_enabled"]) == (False, True)
        assert (await bench.spawn("phone", "lock")).out == "Locked.\n"
        await parked(bench)
        assert (await bench.spawn("phone", "end", "--yes")).out.startswith("The booking has ended.\n")
        refused = await bench.spawn("phone", "unlock", "--json")
        assert refused.code == 3
        assert refused.objects()[-1]["code"] == "BOOKING_ENDED"
    assert module.returncode == 0


@pytest.mark.req("ACC-2", "BKG-2", "PRV-5")
async def test_permissions_orders_and_outcomes_from_the_command_line(bench: Bench) -> None:
    await bench.run("issuer", "booking", "--permission", "unlock")
    await bench.run("issuer", "end-order")
    async with bench.module():
        (done,) = (await bench.run("phone", "unlock", "--json")).objects()
        assert (await bench.run("phone", "outcome", str(done["command"]))).out == "unlock: done.\n"
        refused = await bench.run("phone", "locate")
        assert refused.code == 3
        assert "PERMISSION_MISSING" in refused.err
        assert (await bench.run("phone", "put", "end-order.cose")).code == 0
        # It takes effect once the car has stood for five seconds, which a fresh module may not know yet.
        async with asyncio.timeout(LIMIT_S):
            while "Access granted" in (denied := await bench.run("phone", "status")).out:
                await asyncio.sleep(0.2)
    assert denied.out.startswith("Access denied\nReason: the booking was ended")


@pytest.mark.req("SEC-2")
async def test_another_modules_booking_fails_with_exit_code_5_and_no_module_with_4(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await Bench(tmp_path / "other", capsys, monkeypatch).made()
    await other.run("issuer", "booking")
    files = ("--booking", str(other.directory / "booking.json"), "--key", str(other.directory / "holder.pem"))
    async with bench.module():
        stranger = await bench.run("phone", "unlock", "--timeout", "2", *files)
        assert (stranger.code, stranger.out) == (5, "")
        (found,) = (await bench.run("phone", "scan", "--timeout", "1", "--json")).objects()
        assert found["type"] == "module"
    gone = await bench.run("phone", "unlock", *files)
    assert gone.code == 4
    assert "sharebox run" in gone.err


async def test_interrupting_a_command_ends_it_cleanly_with_exit_code_130(bench: Bench) -> None:
    async with bench.module():
        process = await started("host_tools.cli", "phone", "scan", "--timeout", "600", directory=bench.directory)
        await listens(process.pid)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
    assert (process.returncode, out, err.decode()) == (130, b"", "shareboxctl: interrupted\n")


async def listens(pid: int) -> None:
    """Wait until the process has a loop and its radio: the loop's socket pair and the hub's connection."""

    def sockets() -> int:
        return sum("socket:" in os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink())

    async with asyncio.timeout(LIMIT_S):
        while sockets() < 3:
            await asyncio.sleep(0.05)


async def test_completion_is_installed_for_a_shell(bench: Bench) -> None:
    ran = await bench.spawn("completion", "install", "--shell", "bash", "--output", "completion.bash")
    assert ran.code == 0, ran.err
    # As a shell would have it: `shareboxctl ph<TAB>`, and the second word.
    script = """
        source completion.bash
        complete -p shareboxctl | sed 's/.*-F \\([^ ]*\\).*/\\1/' > function
        COMP_WORDS=(shareboxctl phone unl) COMP_CWORD=2 COMP_LINE='shareboxctl phone unl' COMP_POINT=21
        $(cat function) shareboxctl unl phone
        echo "${COMPREPLY[@]}"
    """
    shell = await asyncio.create_subprocess_exec("bash", "-c", script, cwd=bench.directory, stdout=PIPE)
    out, _ = await shell.communicate()
    assert out.decode().split() == ["unlock"]
