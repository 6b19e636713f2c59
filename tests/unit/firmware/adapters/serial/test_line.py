"""Text and frames of one line, over a device that is none."""

import asyncio

import pytest

from firmware.adapters.serial.line import SerialLine
from firmware.adapters.serial.outbox import MOST_FRAME_BYTES, Outbox
from firmware.adapters.serial.wire import WireUser
from protocol.serial import Decoder, Frame, Kind, encode, encode_size
from tests.support.serial_ends import Links, Text


class Board:
    """A `Device` without a device: what was put into the outbox stays there."""

    def __init__(self) -> None:
        self.user: WireUser | None = None
        self.steps: list[str] = []

    def open(self) -> None:
        self.steps.append("open")

    async def run(self, outbox: Outbox, user: WireUser) -> None:
        self.user = user
        user.attached()
        await asyncio.get_running_loop().create_future()

    def wake(self) -> None:
        self.steps.append("wake")

    def close(self) -> None:
        self.steps.append("close")


class Clock:
    """Seconds, as told."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def sent(line: SerialLine) -> list[Frame | bytes]:
    """What waits for the device."""
    data = b""
    while chunk := line.outbox.next():
        data += chunk
        line.outbox.took(len(chunk))
    return Decoder().feed(data)


def made() -> tuple[SerialLine, Board, Text, Links, Clock]:
    board, text, links, clock = Board(), Text(), Links(), Clock()
    line = SerialLine("console", board, monotonic=clock)
    line.listen(text)
    line.channels.serve(links, iter(range(1, 9)).__next__)
    return line, board, text, links, clock


@pytest.mark.req("BEN-1")
@pytest.mark.req("BEN-2")
def test_text_goes_to_the_console_and_frames_to_the_links() -> None:
    line, board, text, links, _ = made()
    line.attached()
    line.heard(b"sta" + encode(Frame(Kind.OPEN, 1, encode_size(100))) + b"te\r")
    line.write(b"parked\0\r\n")
    assert text.data == b"state\r"
    assert links.news == [("opened", 1, 100)]
    assert sent(line) == [Frame(Kind.OPENED, 1, encode_size(514)), b"parked\r\n"]
    assert board.steps == ["wake", "wake"]


def test_what_is_said_to_nobody_is_lost() -> None:
    line, _, _, _, _ = made()
    line.write(b"hello")
    line.heard(encode(Frame(Kind.INFO)))
    assert len(line.outbox) == 0


def test_a_listener_that_comes_later_is_told_that_somebody_is_there() -> None:
    line, _, _, _, _ = made()
    line.attached()
    late = Text()
    line.listen(late)
    line.heard(b"x")
    assert (late.news, late.data) == (["attached"], b"x")


def test_nobody_has_to_listen() -> None:
    line = SerialLine("console", Board())
    line.attached()
    line.heard(b"state\r")
    line.detached()
    assert len(line.outbox) == 0


def test_a_frame_that_stopped_coming_does_not_swallow_what_is_typed_later() -> None:
    line, _, text, _, clock = made()
    line.attached()
    clock.now_s = 100.0
    line.heard(encode(Frame(Kind.OPEN, 1, encode_size(100)))[:-3])
    clock.now_s = 101.5
    line.heard(b"state\r")
    assert text.data == b"state\r"
    assert line.decoder.dropped == 1


def test_a_frame_may_come_slowly() -> None:
    line, _, _, links, clock = made()
    line.attached()
    for byte in encode(Frame(Kind.OPEN, 1, encode_size(100))):
        clock.now_s += 0.9
        line.heard(bytes((byte,)))
    assert links.news == [("opened", 1, 100)]


def test_who_takes_no_frames_loses_the_channel_and_still_hears_of_it() -> None:
    line, _, _, links, _ = made()
    line.attached()
    line.heard(encode(Frame(Kind.OPEN, 1, encode_size(514))))
    for _ in range(MOST_FRAME_BYTES // 514 + 1):
        line.channels.notify(1, bytes(514))
    assert links.news == [("opened", 1, 514), ("closed", 1)]
    assert sent(line)[-1] == Frame(Kind.CLOSED, 1)


async def test_the_device_is_let_go_of_at_the_end_and_the_links_are_lost() -> None:
    line, board, text, links, _ = made()
    line.open()
    task = asyncio.create_task(line.run())
    await asyncio.sleep(0)
    line.heard(encode(Frame(Kind.OPEN, 1, encode_size(100))))
    task.cancel()
    await asyncio.wait({task})
    line.close()
    assert (board.steps[0], board.steps[-1]) == ("open", "close")
    assert text.news == ["attached", "detached"]
    assert links.news[-1] == ("closed", 1)
    assert len(line.outbox) == 0
