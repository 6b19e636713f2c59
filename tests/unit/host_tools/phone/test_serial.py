"""A phone's link over a serial line: channels, sizes, and every way in which there is none."""

import asyncio
from collections.abc import Callable

import pytest

from host_tools.bench.line import SerialLine
from host_tools.phone import serial
from host_tools.phone.errors import LinkFailed, NotFound
from host_tools.phone.serial import SerialLink, public_info
from protocol.messages import PublicInfo, encode_public_info
from protocol.serial import CHANNELS, MAX_FRAGMENT_BYTES, Frame, Kind, encode_size
from tests.support.serial_peer import SerialPeer, welcoming

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.req("BEN-2")]
LIMIT_S = 10.0


class Heard:
    """What a link said."""

    def __init__(self) -> None:
        self.fragments: list[bytes] = []
        self.closed = 0
        self.news = asyncio.Event()

    def fragment(self, fragment: bytes) -> None:
        self.fragments.append(fragment)
        self.news.set()

    def gone(self) -> None:
        self.closed += 1
        self.news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not holds():
                self.news.clear()
                await self.news.wait()


async def test_fragments_go_there_and_back_on_a_channel_of_their_own() -> None:
    async with SerialPeer(largest=200) as peer, SerialLine(peer.path) as line:
        one, two, heard = SerialLink(line), SerialLink(line, 7, largest=100), Heard()
        await one.connect(heard.fragment, heard.gone)
        await two.connect(heard.fragment, heard.gone)
        assert (one.payload, two.payload) == (200, 100)
        await one.write(b"first")
        await two.write(b"second")
        await heard.until(lambda: len(heard.fragments) == 2)
        assert heard.fragments == [b"first", b"second"]
        assert [frame.channel for frame in peer.heard] == [0, 7, 0, 7]
        assert peer.heard[0].payload == encode_size(MAX_FRAGMENT_BYTES)
        await one.close()
        await two.close()
        await two.close()
        assert [frame.kind for frame in peer.heard[-2:]] == [Kind.CLOSE, Kind.CLOSE]
        assert heard.closed == 0
        with pytest.raises(LinkFailed, match="not connected"):
            await one.write(b"late")
        await one.connect(heard.fragment, heard.gone)
        await one.close()


async def test_a_module_that_hangs_up_is_told_once() -> None:
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        link, heard = SerialLink(line), Heard()
        await link.connect(heard.fragment, heard.gone)
        peer.send(Frame(Kind.FRAGMENT, 0, b"last words"))
        peer.send(Frame(Kind.CLOSED, 0))
        await heard.until(lambda: heard.closed > 0)
        peer.send(Frame(Kind.CLOSED, 0))
        peer.write(b"end")
        assert (heard.fragments, heard.closed) == ([b"last words"], 1)
        with pytest.raises(LinkFailed, match="not connected"):
            await link.write(b"late")
        await link.close()


async def test_a_port_that_vanishes_is_a_lost_link() -> None:
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        link, heard = SerialLink(line), Heard()
        await link.connect(heard.fragment, heard.gone)
        peer.vanish()
        await heard.until(lambda: heard.closed == 1)
        with pytest.raises(LinkFailed, match="not connected"):
            await link.write(b"late")
        with pytest.raises(LinkFailed, match="the port is gone"):
            await link.connect(heard.fragment, heard.gone)


async def test_a_port_that_vanishes_while_connecting_or_writing_fails_at_once() -> None:
    def vanishing(peer: SerialPeer, _: Frame) -> None:
        peer.vanish()

    async with SerialPeer(vanishing) as peer, SerialLine(peer.path) as line:
        with pytest.raises(LinkFailed, match="the port is gone"):
            await SerialLink(line).connect(lambda _: None, lambda: None)
    async with SerialPeer() as peer, SerialLine(peer.path) as line:
        link = SerialLink(line)
        await link.connect(lambda _: None, lambda: None)
        await line.close()
        with pytest.raises(LinkFailed, match="it was closed"):
            await link.write(b"late")
        await link.close()


async def test_a_module_with_no_channel_left_says_so() -> None:
    def full(peer: SerialPeer, frame: Frame) -> None:
        peer.send(Frame(Kind.CLOSED, frame.channel))

    async with SerialPeer(full) as peer, SerialLine(peer.path) as line:
        with pytest.raises(LinkFailed, match="no channel left"):
            await SerialLink(line).connect(lambda _: None, lambda: None)
        peer.reply = welcoming
        link = SerialLink(line, 0)
        await link.connect(lambda _: None, lambda: None)
        with pytest.raises(LinkFailed, match=r"channel 0 of .* is in use"):
            await SerialLink(line, 0).connect(lambda _: None, lambda: None)
        others = [SerialLink(line) for _ in range(CHANNELS - 1)]
        for other in others:
            await other.connect(lambda _: None, lambda: None)
        with pytest.raises(LinkFailed, match="all 8 channels"):
            await SerialLink(line).connect(lambda _: None, lambda: None)
        for open_one in (link, *others):
            await open_one.close()


async def test_channels_that_a_program_left_open_are_closed_when_there_is_no_room() -> None:
    left_open = {3, 4, 5}

    def crowded(peer: SerialPeer, frame: Frame) -> None:
        if frame.kind is Kind.CLOSE:
            left_open.discard(frame.channel)
        if frame.kind is Kind.OPEN and not left_open:
            welcoming(peer, frame)
        else:
            peer.send(Frame(Kind.CLOSED, frame.channel))

    async with SerialPeer(crowded) as peer, SerialLine(peer.path) as line:
        link = SerialLink(line)
        await link.connect(lambda _: None, lambda: None)
        assert not left_open
        await link.close()


async def test_an_opening_that_got_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "ASK_AGAIN_S", 0.05)

    def hard_of_hearing(peer: SerialPeer, frame: Frame) -> None:
        if len(peer.heard) == 2:
            peer.send(Frame(Kind.OPENED, frame.channel, b"\x01"))  # no size
        elif len(peer.heard) > 2:
            welcoming(peer, frame)

    async with SerialPeer(hard_of_hearing) as peer, SerialLine(peer.path) as line:
        link = SerialLink(line)
        await link.connect(lambda _: None, lambda: None)
        assert [frame.kind for frame in peer.heard] == [Kind.OPEN] * 3
        await link.close()


async def test_silence_is_no_connection_and_a_silent_farewell_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "ASK_AGAIN_S", 0.05)
    monkeypatch.setattr(serial, "CLOSE_TIMEOUT_S", 0.05)
    async with SerialPeer(lambda _peer, _frame: None) as peer, SerialLine(peer.path) as line:
        with pytest.raises(LinkFailed, match=r"no answer on .* within 0\.2 s"):
            await SerialLink(line, timeout_s=0.2).connect(lambda _: None, lambda: None)
        peer.reply = welcoming
        link = SerialLink(line)
        await link.connect(lambda _: None, lambda: None)
        peer.reply = lambda _peer, _frame: None
        await link.close()
        assert line.free_channel() == 0


async def test_connecting_can_be_called_off() -> None:
    async with SerialPeer(lambda _peer, _frame: None) as peer, SerialLine(peer.path) as line:
        connecting = asyncio.create_task(SerialLink(line).connect(lambda _: None, lambda: None))
        await peer.until(lambda: bool(peer.heard))
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        assert line.free_channel() == 0


async def test_the_public_information_is_asked_for_until_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "ASK_AGAIN_S", 0.05)
    info = PublicInfo(1, 4160, 4096, (2,), (3,))

    def telling(peer: SerialPeer, frame: Frame) -> None:
        told = [b"", b"\xff", encode_public_info(info), encode_public_info(info)][len(peer.heard) - 1]
        if told:
            peer.send(Frame(Kind.INFO, 0, told))
            peer.send(Frame(Kind.INFO, 0, told))

    async with SerialPeer(telling) as peer, SerialLine(peer.path) as line:
        assert await public_info(line) == info
        assert peer.heard[0] == Frame(Kind.INFO)


async def test_nothing_that_answers_is_no_module() -> None:
    async with SerialPeer(lambda _peer, _frame: None) as peer, SerialLine(peer.path) as line:
        with pytest.raises(NotFound, match=r"no answer within 0\.1 s"):
            await public_info(line, 0.1)
        peer.vanish()
        await line.gone.wait()
        with pytest.raises(NotFound, match="the port is gone"):
            await public_info(line, 0.1)
