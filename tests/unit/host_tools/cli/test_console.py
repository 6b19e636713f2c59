"""`shareboxctl console` and what `module` asks of it: in a terminal, from a file, command by command."""

import asyncio
import io
import os
import signal
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from host_tools.bench.line import SerialLine
from host_tools.cli.console import typed
from host_tools.cli.exits import Exit
from host_tools.phone.keyring import write_replacing
from tests.support.command import ENVIRONMENT, in_loop
from tests.support.lines import held, lay
from tests.support.scripted_console import ScriptedConsole
from tests.support.serial_peer import SerialPeer

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.req("BEN-1")]
LIMIT_S = 20.0


@pytest.fixture
async def peer() -> AsyncIterator[SerialPeer]:
    async with SerialPeer() as made:
        yield made


@pytest.fixture
def console(peer: SerialPeer) -> ScriptedConsole:
    return ScriptedConsole(peer)


async def test_one_command_is_carried_out_and_answered(
    peer: SerialPeer, console: ScriptedConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = await in_loop(capsys, "console", "time move 30m", "--link", peer.path)
    assert (ran.code, ran.out, ran.err) == (0, "a b\nc\n", "")
    assert console.asked[:2] == ["enter", "time move 30m"]
    (shown,) = (await in_loop(capsys, "bench", "console", "time", "--json", "--link", peer.path)).objects()
    assert shown == {"type": "answer", "format": "shareboxctl/1", "kind": "time", "data": {"utc_ms": 1}}
    assert (await in_loop(capsys, "console", "time --json", "--link", peer.path)).objects() == [shown]
    assert console.asked.count("time") == 2


@pytest.mark.parametrize(
    ("tokens", "asked"),
    [
        (["state", "save", "here"], "state save here"),
        (["why"], "why"),
        (["log", "50"], "log 50"),
        (["time", "move", "30m"], "time move 30m"),
        (["fault", "gnss", "lost", "--for", "30s"], "fault gnss lost --for 30s"),
        (["do", "ignition", "on", "--with-key"], "ignition on --with-key"),
        (["do", "vehicle set Vehicle.Speed 5"], "vehicle set Vehicle.Speed 5"),
    ],
)
async def test_the_modules_commands_are_those_of_its_console(
    tokens: list[str], asked: str, peer: SerialPeer, console: ScriptedConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = await in_loop(capsys, "module", tokens[0], "--link", peer.path, *tokens[1:])
    assert (ran.code, ran.err) == (0, "")
    assert console.asked[1] == asked


async def test_a_refusal_is_exit_code_3_with_the_consoles_own_words(
    peer: SerialPeer, console: ScriptedConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = await in_loop(capsys, "module", "do", "refuse", "--json", "--link", peer.path)
    assert ran.code == Exit.REFUSED
    assert ran.err == "shareboxctl: no: such thing. Try help.\n"
    (error,) = ran.objects()
    assert (error["type"], error["code"]) == ("error", "USAGE")


async def test_a_console_that_does_not_answer_in_time_is_exit_code_4(
    peer: SerialPeer, console: ScriptedConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = await in_loop(capsys, "module", "do", "silence", "--timeout", "0.1", "--link", peer.path)
    assert ran.code == Exit.NOT_FOUND
    assert "no answer to `silence` within 0.1 s" in ran.err
    assert (await in_loop(capsys, "module", "do", "--link", peer.path)).code == Exit.USAGE


async def test_a_level_is_taken_first_and_its_password_never_stands_on_a_command_line(
    peer: SerialPeer, console: ScriptedConsole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--link", peer.path)
    assert (await in_loop(capsys, "module", "why", *at, "--level", "operate")).code == 0
    file = tmp_path / "password"
    for word, quoted in (("open sesame", '"open sesame"'), ('say "please"', "'say \"please\"'")):
        write_replacing(file, f"{word}\r\nmore".encode(), 0o600)
        ran = await in_loop(capsys, "module", "why", *at, "--level", "service", "--password-file", str(file))
        assert (ran.code, ran.out) == (0, "a b\nc\n")
        assert f"level service {quoted}" in console.asked
    assert "level operate" in console.asked
    write_replacing(file, b"x", 0o644)
    unsafe = await in_loop(capsys, "module", "why", *at, "--level", "service", "--password-file", str(file))
    assert unsafe.code == Exit.CONFIGURATION
    wrong = await in_loop(capsys, "module", "why", *at, "--level", "root")
    assert wrong.code == Exit.USAGE
    assert "Levels are: observe, operate, service" in wrong.err


async def test_each_line_of_a_file_is_a_command_and_the_first_refusal_ends_it(
    peer: SerialPeer,
    console: ScriptedConsole,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("time\n\n  why \nrefuse\nlog\n"))
    ran = await in_loop(capsys, "console", "--link", peer.path)
    assert ran.code == Exit.REFUSED
    assert ran.out == "a b\nc\n" * 2
    assert "Line 4 was refused, and nothing after it was sent.\n" in ran.err
    await peer.until(lambda: console.asked[-1] == "leave")
    assert console.asked == ["enter", "time", "why", "refuse", "leave"]


async def test_bare_it_finds_the_line_of_the_module_that_runs_here(
    peer: SerialPeer, console: ScriptedConsole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = await in_loop(capsys, "module", "why")
    assert nobody.code == Exit.NOT_FOUND
    assert "Start one with `sharebox run`" in nobody.err
    (tmp_path / "sharebox.toml").write_text('[[serial]]\nname = "mine"\n')
    left, right, mine = (tmp_path / "state" / "run" / name for name in ("left", "right", "mine"))
    for line in (left, right, mine):
        lay(line, peer.path)
    with held(left):
        assert (await in_loop(capsys, "module", "why")).out == "a b\nc\n"
    with held(left, right):
        several = await in_loop(capsys, "module", "why")
        assert several.code == Exit.USAGE
        assert "Choose one with --link: serial:left, serial:right." in several.err
        assert (await in_loop(capsys, "module", "why", "--link", "serial:right")).code == 0
    with held(left, right, mine):
        assert (await in_loop(capsys, "module", "why")).code == 0
    wrong = await in_loop(capsys, "module", "why", "--link", "virtual")
    assert wrong.code == Exit.USAGE
    assert "'virtual' has no console" in wrong.err


class Terminal:
    """`shareboxctl console` in a process and a terminal of its own."""

    def __init__(self, *tokens: str, stdout: int | None = None) -> None:
        self._tokens = tokens
        self._stdout = stdout
        self.screen = b""

    async def __aenter__(self) -> "Terminal":
        self.ours, theirs = os.openpty()
        self.before = termios.tcgetattr(self.ours)
        command = (sys.executable, "-m", "host_tools.cli", "console", *self._tokens)
        self._process = await asyncio.create_subprocess_exec(
            *command,
            stdin=theirs,
            stdout=theirs if self._stdout is None else self._stdout,
            stderr=theirs,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        os.close(theirs)
        os.set_blocking(self.ours, False)
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.ours, self._readable)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self.ours)
        os.close(self.ours)
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def _readable(self) -> None:
        try:
            self.screen += os.read(self.ours, 4096)
        except OSError:  # the other end is closed
            asyncio.get_running_loop().remove_reader(self.ours)
        self._news.set()

    async def shows(self, text: bytes) -> None:
        async with asyncio.timeout(LIMIT_S):
            while text not in self.screen:
                self._news.clear()
                await self._news.wait()

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        async with asyncio.timeout(LIMIT_S):
            return await self._process.wait()


async def test_in_a_terminal_every_key_goes_through_until_the_one_that_leaves(peer: SerialPeer) -> None:
    async with Terminal("--link", peer.path) as terminal:
        await terminal.shows(b"Ctrl-] leaves")
        await peer.until(lambda: bytes(peer.text) == b"\x02\r")
        peer.write(b"\x1b[1mparked\x1b[0m> ")
        await terminal.shows(b"\x1b[1mparked\x1b[0m> ")
        terminal.type(b"he\tlp\x03\x01")
        await peer.until(lambda: peer.text.endswith(b"he\tlp\x03\x01"))
        terminal.type(b"last\x1dunheard")
        assert await terminal.ended() == 0
        await peer.until(lambda: peer.text.endswith(b"last"))


async def test_a_console_that_has_greeted_is_not_asked_for_its_prompt(peer: SerialPeer) -> None:
    keys, typing = os.pipe()
    heard = asyncio.Event()
    heard.set()
    async with SerialLine(peer.path) as line:
        os.write(typing, b"x\x1d")
        await typed(line, keys, heard)
        await peer.until(lambda: peer.text.endswith(b"x"))
    assert bytes(peer.text) == b"\x02x"
    os.close(keys)
    os.close(typing)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_who_is_told_to_go_leaves_the_terminal_as_it_was(peer: SerialPeer, number: signal.Signals) -> None:
    async with Terminal("--link", peer.path) as terminal:
        await peer.until(lambda: bytes(peer.text) == b"\x02\r")
        assert termios.tcgetattr(terminal.ours) != terminal.before
        terminal.send(number)
        assert await terminal.ended() == Exit.INTERRUPTED
        assert termios.tcgetattr(terminal.ours) == terminal.before
        await terminal.shows(b"interrupted by SIG")


async def test_a_screen_that_is_a_closed_pipe_ends_the_session(peer: SerialPeer) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    async with Terminal("--link", peer.path, stdout=writer) as terminal:
        os.close(writer)
        await peer.until(lambda: bytes(peer.text) == b"\x02\r")
        peer.write(b"parked> ")
        assert await terminal.ended() == Exit.UNREAD
        assert b"Traceback" not in terminal.screen


async def test_a_module_that_goes_ends_the_session_with_its_reason(peer: SerialPeer) -> None:
    async with Terminal("--link", peer.path) as terminal:
        await peer.until(lambda: bytes(peer.text) == b"\x02\r")
        peer.vanish()
        assert await terminal.ended() == Exit.NOT_FOUND
        await terminal.shows(b"the console is gone")


async def test_a_terminal_session_is_not_for_programs(peer: SerialPeer) -> None:
    async with Terminal("--link", peer.path, "--json") as terminal:
        assert await terminal.ended() == Exit.USAGE
        await terminal.shows(b"--json is for commands")


async def test_a_long_move_of_time_goes_on_beyond_one_answers_time_and_says_how_far_it_came(
    peer: SerialPeer, console: ScriptedConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = await in_loop(capsys, "console", "time move 2h", "--link", peer.path)
    assert (ran.code, ran.out) == (0, "2 h 00 min 00 s have passed.\nc\n")
    assert console.asked[1:4] == ["time move 600000ms", "time move 1200000ms", "time move 2400000ms"]
    reads = peer.read

    def pulled(text: bytes) -> None:
        if b"1200000ms" in text:
            peer.vanish()
        else:
            reads(text)

    peer.read = pulled
    broken = await in_loop(capsys, "console", "time move 2h", "--link", peer.path)
    assert broken.code == Exit.NOT_FOUND
    assert "Broken off: 10 min 00 s of 2 h 00 min 00 s have passed, and perhaps 20 min 00 s more." in broken.err
