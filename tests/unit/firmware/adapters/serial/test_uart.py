"""A UART by its path; a pseudo-terminal stands in for the cable."""

import asyncio
import errno
import os
import termios
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from firmware.adapters.serial import SerialLine, Uart
from firmware.adapters.serial import uart as module
from protocol.serial import Decoder, Frame, Kind, encode, encode_size
from tests.support.serial_ends import Links, Text, until

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.req("BEN-2")]


class Cable:
    """A device path that can be plugged in and out; this is the far end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.far = -1

    def plug(self) -> None:
        self.far, near = os.openpty()
        tty.setraw(near)
        os.set_blocking(self.far, False)
        self.path.symlink_to(os.ttyname(near))
        self._near = near

    def unplug(self) -> None:
        if self.far >= 0:
            self.path.unlink()
            os.close(self._near)
            os.close(self.far)
            self.far = -1

    def read(self) -> bytes:
        try:
            return os.read(self.far, 65536)
        except BlockingIOError:
            return b""


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    made = Cable(tmp_path / "ttyUSB0")
    yield made
    made.unplug()


@pytest.fixture
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REOPEN_S", (0.01, 0.02))


async def plugged_in_and_out(cable: Cable, line: SerialLine, text: Text, links: Links, number: int) -> None:
    """The `number`th time: both ways, and lost."""
    cable.plug()
    await until(lambda: len(text.news) == 2 * number - 1)
    os.write(cable.far, b"state\r" + encode(Frame(Kind.OPEN, 0, encode_size(100))))
    await until(lambda: ("opened", number, 100) in links.news)
    line.write(b"parked")
    got = b""
    while not got.endswith(b"parked"):
        await asyncio.sleep(0.005)
        got += cable.read()
    assert Decoder().feed(got) == [Frame(Kind.OPENED, 0, encode_size(514)), b"parked"]
    cable.unplug()
    await until(lambda: len(text.news) == 2 * number)
    assert links.news[-1] == ("closed", number)


@pytest.mark.usefixtures("_quickly")
async def test_a_uart_is_waited_for_carries_and_is_opened_again_when_it_was_lost(cable: Cable) -> None:
    line, text, links = SerialLine("uart", Uart(str(cable.path), 115_200)), Text(), Links()
    line.open()
    line.listen(text)
    line.channels.serve(links, iter(range(1, 9)).__next__)
    with capture_logs() as logs:
        task = asyncio.create_task(line.run())
        await until(lambda: len(logs) == 1)
        for number in (1, 2):
            await plugged_in_and_out(cable, line, text, links, number)
        task.cancel()
        await asyncio.wait({task})
    assert text.news == ["attached", "detached"] * 2
    assert text.data == b"state\r" * 2
    said = [entry["event"] for entry in logs]
    assert said[:3] == ["serial line is not there", "serial line is there", "serial line is lost, it is opened again"]
    assert said.count("serial line is not there") <= 3, "the same reason is said once"


async def test_the_port_is_let_go_of_at_the_end(cable: Cable) -> None:
    cable.plug()
    line, text = SerialLine("uart", Uart(str(cable.path), 9600)), Text()
    line.listen(text)
    for _ in range(2):
        task = asyncio.create_task(line.run())
        await until(lambda: text.news[-1:] == ["attached"])
        task.cancel()
        await asyncio.wait({task})
        assert text.news[-1] == "detached"
    line.write(b"nobody is there")
    assert len(line.outbox) == 0


@pytest.mark.usefixtures("_quickly")
async def test_a_uart_that_vanishes_while_it_is_opened_is_waited_for(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, tried = termios.tcflush, []

    def vanished_once(fd: int, queue: int) -> None:
        tried.append(fd)
        if len(tried) == 1:
            raise termios.error(errno.EIO, "Input/output error")
        flush(fd, queue)

    monkeypatch.setattr(termios, "tcflush", vanished_once)
    cable.plug()
    line, text = SerialLine("uart", Uart(str(cable.path), 9600)), Text()
    line.listen(text)
    with capture_logs() as logs:
        task = asyncio.create_task(line.run())
        await until(lambda: text.news == ["attached"] or task.done())
        task.cancel()
        await asyncio.wait({task})
    assert [entry["event"] for entry in logs] == ["serial line is not there", "serial line is there"]
