"""A console in machine mode, against a peer that says what the test wants."""

import asyncio
from pathlib import Path

import pytest

from host_tools.bench import console as console_module
from host_tools.bench.answer import Answer, ConsoleRefused
from host_tools.bench.console import ConsoleClient, Hello
from host_tools.bench.line import LineError, SerialLine
from protocol.serial import Frame, Kind
from tests.support.lines import held, lay
from tests.support.scripted_console import ScriptedConsole
from tests.support.serial_peer import SerialPeer

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.req("BEN-1")]


async def test_commands_are_answered_and_what_else_is_on_the_line_is_no_matter() -> None:
    happened: list[dict[str, object]] = []
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        other = ScriptedConsole(peer)
        async with ConsoleClient(line, happened=happened.append) as console:
            assert console.hello == Hello("ab" * 8, "0.1.0", "operate", "parked> ")
            first, second = await asyncio.gather(console.do("time"), console.do("time move 1m"))
            assert first == second == Answer("time", {"utc_ms": 1}, ("a b", "c"))
            with pytest.raises(ConsoleRefused) as refused:
                await console.do("refuse")
            assert (refused.value.code, str(refused.value)) == ("USAGE", "no: such thing. Try help.")
            with pytest.raises(LineError, match="not in its language"):
                await console.do("odd")
        await peer.until(lambda: other.asked[-1] == "leave")
        assert other.asked == ["enter", "time", "time move 1m", "refuse", "odd", "leave"]
        assert happened == [{"type": "happened", "kind": "step"}] * 2
        with pytest.raises(LineError, match="it is not open"):
            await console.do("time")
        await console.close()


async def test_happenings_that_nobody_wants_are_dropped() -> None:
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        ScriptedConsole(peer)
        async with ConsoleClient(line) as console:
            assert (await console.do("time")).kind == "time"


async def test_a_command_that_is_too_long_is_not_sent() -> None:
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        other = ScriptedConsole(peer)
        async with ConsoleClient(line) as console:
            with pytest.raises(ConsoleRefused, match="too long"):
                await console.do("x" * 4096)
        assert other.asked[0] == "enter"
        assert "x" * 4096 not in other.asked


async def test_a_greeting_that_got_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "ASK_AGAIN_S", 0.05)
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        ScriptedConsole(peer).deaf_to = 2
        async with ConsoleClient(line) as console:
            assert console.hello.level == "operate"


async def test_silence_is_no_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "ENTER_TIMEOUT_S", 0.2)
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        with pytest.raises(LineError, match=r"no console answered within 0\.2 s\. Check that"):
            await ConsoleClient(line).open()
        ScriptedConsole(peer)
        async with ConsoleClient(line) as console:
            with pytest.raises(LineError, match=r"no answer to `silence` within 0\.1 s\. The module is still"):
                await console.do("silence", timeout_s=0.1)
            assert (await console.do("time")).kind == "time"


async def test_a_module_that_has_the_line_and_keeps_silent_hangs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(console_module, "ENTER_TIMEOUT_S", 0.2)
    path = tmp_path / "console"
    async with SerialPeer(lambda _peer, _frame: None) as peer:
        lay(path, peer.path)
        with held(path):
            async with SerialLine(str(path)) as line:
                with pytest.raises(
                    LineError, match=r"the module does not answer: it hangs or is stopped\. Let it go on"
                ):
                    await ConsoleClient(line).open()


async def test_a_module_that_answers_phones_alone_has_no_bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(console_module, "ENTER_TIMEOUT_S", 2.0)
    path = tmp_path / "console"
    async with SerialPeer(lambda peer, _frame: peer.send(Frame(Kind.INFO, 0, b"public"))) as peer:
        lay(path, peer.path)
        with held(path):
            async with SerialLine(str(path)) as line:
                with pytest.raises(LineError, match=r"no console answered .* `\[bench\]` is enabled"):
                    await ConsoleClient(line).open()


async def test_a_port_that_vanishes_ends_what_waits() -> None:
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        ScriptedConsole(peer)
        async with ConsoleClient(line) as console:
            with pytest.raises(LineError, match=r"the module ended, or the cable is out\. Start it again\.$"):
                await console.do("vanish")
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        peer.read = lambda _: peer.vanish()
        with pytest.raises(LineError, match="the port is gone"):
            await ConsoleClient(line).open()


async def test_an_answer_without_end_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "MAX_ANSWER_BYTES", 1000)
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        other = ScriptedConsole(peer)
        async with ConsoleClient(line) as console:
            peer.write(b'{"type":"happened"' + b" " * 3000 + b"}\n")
            assert (await console.do("refusal")).kind == "time"
        assert "refusal" in other.asked
