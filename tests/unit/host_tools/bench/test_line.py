"""A serial line: frames and text to whoever wants them, and what happens when the port does not do its part."""

import asyncio
import errno
import os
import termios
from pathlib import Path

import pytest

from host_tools.bench import line as line_module
from host_tools.bench.line import Ear, LineError, SerialLine
from protocol.serial import CHANNELS, MAX_FRAGMENT_BYTES, Frame, Kind, encode
from tests.support.lines import held, lay
from tests.support.serial_peer import SerialPeer

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.req("BEN-2")]
LIMIT_S = 10.0


class Listener:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.text = bytearray()
        self.why: list[str] = []
        self.news = asyncio.Event()

    def ear(self) -> Ear:
        return Ear(self.frame, self.lost)

    def frame(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.news.set()

    def words(self, text: bytes) -> None:
        self.text += text
        self.news.set()

    def lost(self, why: str) -> None:
        self.why.append(why)
        self.news.set()

    async def until_text(self, text: bytes) -> None:
        async with asyncio.timeout(LIMIT_S):
            while text not in self.text:
                self.news.clear()
                await self.news.wait()

    async def until_frames(self, count: int) -> None:
        async with asyncio.timeout(LIMIT_S):
            while len(self.frames) < count:
                self.news.clear()
                await self.news.wait()


async def test_frames_go_to_their_channel_and_text_to_its_readers() -> None:
    seen: list[tuple[int, bool]] = []
    async with (
        SerialPeer() as peer,
        SerialLine(peer.path, tap=lambda frame, to_module: seen.append((frame.channel, to_module))) as line,
    ):
        anna, bert, console = Listener(), Listener(), Listener()
        line.attach(1, anna.ear())
        line.attach(2, bert.ear())
        stop = line.listen(console.words, console.lost)
        peer.write(b"hello\r\n" + encode(Frame(Kind.FRAGMENT, 1, b"one")) + b"between")
        peer.send(Frame(Kind.FRAGMENT, 2, bytes(MAX_FRAGMENT_BYTES)))
        peer.send(Frame(Kind.FRAGMENT, 3, b"nobody"))
        peer.write(b"end")
        await console.until_text(b"end")
        assert bytes(console.text) == b"hello\r\nbetweenend"
        assert anna.frames == [Frame(Kind.FRAGMENT, 1, b"one")]
        assert bert.frames == [Frame(Kind.FRAGMENT, 2, bytes(MAX_FRAGMENT_BYTES))]
        stop()
        stop()
        peer.write(b"unheard")
        peer.send(Frame(Kind.FRAGMENT, 1, b"two"))
        await anna.until_frames(2)
        assert b"unheard" not in console.text
        assert line.bytes_received > MAX_FRAGMENT_BYTES
        await line.send(Frame(Kind.CLOSE, 2, b""))
        assert seen == [(1, False), (2, False), (3, False), (1, False), (2, True)]


async def test_what_is_sent_arrives_whole_and_in_order_and_text_never_begins_a_frame() -> None:
    async with SerialPeer(lambda _peer, _frame: None) as peer, SerialLine(peer.path) as line:
        frames = [Frame(Kind.FRAGMENT, number % CHANNELS, bytes(400)) for number in range(30)]
        await asyncio.gather(*(line.send(frame) for frame in frames))
        await line.send_text(b"no\0zero")
        await peer.until(lambda: bytes(peer.text) == b"nozero")
        assert peer.heard == frames
        assert line.bytes_sent == sum(len(encode(frame)) for frame in frames) + 6


async def test_the_public_information_goes_to_whoever_asked() -> None:
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        told: asyncio.Queue[bytes] = asyncio.Queue()
        stop = line.listen_info(told.put_nowait)
        peer.send(Frame(Kind.INFO, 0, b"public"))
        async with asyncio.timeout(LIMIT_S):
            assert await told.get() == b"public"
        stop()
        stop()


async def test_a_channel_belongs_to_one_link_and_is_free_again_afterwards() -> None:
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        ear = Listener().ear()
        line.attach(0, ear)
        assert line.free_channel() == 1
        with pytest.raises(LineError, match=r"channel 0 of .* is in use"):
            line.attach(0, Listener().ear())
        line.detach(0, Listener().ear())
        assert line.free_channel() == 1
        line.detach(0, ear)
        for channel in range(CHANNELS):
            line.attach(channel, ear)
        with pytest.raises(LineError, match="all 8 channels"):
            line.free_channel()


async def test_a_frame_that_breaks_off_is_given_up_and_what_might_be_text_is_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_module, "MAX_GAP_MS", 50)
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        console = Listener()
        line.listen(console.words, console.lost)
        peer.write(b"\0\x05")
        await console.until_text(b"\x05")
        peer.write(b"\0")
        peer.write(b"after\n")
        await console.until_text(b"after\n")


async def test_a_port_that_vanishes_is_told_to_everybody_once() -> None:
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        anna, console = Listener(), Listener()
        line.attach(1, anna.ear())
        line.listen(console.words, console.lost)
        peer.vanish()
        async with asyncio.timeout(LIMIT_S):
            await line.gone.wait()
        assert len(anna.why) == len(console.why) == 1
        assert anna.why == ["the port is gone: the module ended, or the cable is out"]
        with pytest.raises(LineError, match=r"the module ended, or the cable is out\. Start it again\.$"):
            await line.send(Frame(Kind.FRAGMENT, 1, b"x"))


async def test_a_port_that_nobody_reads_holds_a_writer_up_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "WRITE_TIMEOUT_S", 0.2)
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        peer.deaf()
        with pytest.raises(LineError, match=r"nobody read it within 0\.2 s"):
            await line.send_text(b"x" * 100_000)


async def test_more_writes_at_once_than_anybody_needs_are_refused() -> None:
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        writes = [line.send_text(b"x") for _ in range(line_module.MAX_WRITES + 1)]
        came = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(one) for one in came if one is not None] == [LineError]


async def test_a_port_is_for_one_program_alone() -> None:
    async with SerialPeer() as peer, SerialLine(peer.path):
        with pytest.raises(LineError, match=r"another program has it\. Close it there"):
            await SerialLine(peer.path).open()
    async with SerialPeer() as peer:
        for _ in range(2):
            async with SerialLine(peer.path):
                pass


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("missing", "there is no such port. Start the module with `sharebox run`"),
        ("socket://127.0.0.1:1", "Connection refused"),
        ("nonsense://x", "no serial line is reached like this. Write a path, socket://HOST:PORT"),
        ("socket://127.0.0.1", "no serial line is reached like this. Write a path, socket://HOST:PORT"),
        ("/dev/null", "it is no serial line. Name one, such as serial:console"),
    ],
)
async def test_a_port_that_cannot_be_opened_is_told_in_one_line(url: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(LineError) as caught:
        await SerialLine(str(tmp_path / url) if url == "missing" else url).open()
    assert why in str(caught.value)
    assert not set("\n([") & set(str(caught.value)), "no words of a library"


async def test_a_terminal_that_the_module_left_behind_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "console"
    async with SerialPeer() as peer:
        lay(path, peer.path)
        with held(path):
            async with SerialLine(str(path)):
                pass
        with pytest.raises(LineError, match=r"console: the module that made this line has ended\. Start it again\."):
            await SerialLine(str(path)).open()


async def test_a_terminal_that_vanishes_while_it_is_opened_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def vanished(*_: object) -> None:
        raise termios.error(errno.EIO, "Input/output error")

    async with SerialPeer() as peer:
        with monkeypatch.context() as patch:
            patch.setattr(termios, "tcflush", vanished)
            with pytest.raises(LineError, match=r"cannot open .*: Input/output error\. Correct the name"):
                await SerialLine(peer.path).open()


async def test_a_file_without_permission_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    async with SerialPeer() as peer:
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", denied)
            with pytest.raises(LineError, match=r"you may not\. Join the group"):
                await SerialLine(peer.path).open()


async def test_a_line_that_is_closed_says_so_and_closing_twice_is_no_error() -> None:
    line = SerialLine("loop://")
    with pytest.raises(LineError, match="it is not open"):
        await line.send_text(b"x")
    async with line:
        console = Listener()
        line.listen(console.words, console.lost)
        await line.send_text(b"round")
        await console.until_text(b"round")
        await line.close()
    with pytest.raises(LineError, match="it was closed"):
        await line.send_text(b"x")
