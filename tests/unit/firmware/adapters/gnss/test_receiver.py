"""A receiver on a real terminal line, and a gpsd on a real socket: found, lost, silent and found again."""

import asyncio
import os
import pty
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from firmware.adapters.gnss.receiver import Daemon, Satellites, SerialPort
from firmware.adapters.gnss.reports import Reports
from firmware.adapters.gnss.sentences import Sentences
from firmware.core.events import Action, Fix, VehicleSampled
from firmware.ports import PartLost
from tests.support.sentences import TPV, gga, rmc
from tests.support.serial_ends import until

pytestmark = pytest.mark.req("HW-1", "TEL-7")
NOON_MS = 1_767_268_800_000
FIX = Fix(481_173_000, -115_166_670, NOON_MS + 250, 7)

real = pytest.mark.asyncio(loop_factories=["real"])


class Line:
    """A pseudo-terminal with a receiver at its other end."""

    def __init__(self) -> None:
        self.fd, slave = pty.openpty()
        tty.setraw(slave)
        self.device = os.ttyname(slave)
        self._slave = slave

    def says(self, data: bytes) -> None:
        os.write(self.fd, data)

    def unplug(self) -> None:
        for fd in (self.fd, self._slave):
            with suppress(OSError):
                os.close(fd)


@pytest.fixture
def line() -> Iterator[Line]:
    opened = Line()
    yield opened
    opened.unplug()


async def lost(part: Satellites) -> str:
    """Why it ends by itself."""
    with pytest.raises(PartLost) as why:
        await part.run(lambda _: None, lambda: None)
    return str(why.value)


def serial_part(line: Line) -> Satellites:
    return Satellites(SerialPort(line.device, 9600), lambda: Sentences(lambda: 42))


@real
async def test_a_receiver_on_a_serial_line_is_heard_until_it_is_unplugged_and_its_fix_stays(line: Line) -> None:
    part = serial_part(line)
    assert part.look() == VehicleSampled()
    running = asyncio.create_task(lost(part))

    def found() -> bool:
        """What came before a port is opened is thrown away."""
        line.says(b"noise\r\n" + rmc("120000.00") + gga("120000.00") + rmc("120001.00"))
        return part.look().fix is not None

    await until(found)
    line.unplug()
    assert "\n" not in await running
    look = part.look()
    assert look.fix in [Fix(481_173_000, 115_166_667, NOON_MS + late_ms, 42) for late_ms in (0, 1_000)]
    assert look == VehicleSampled(fix=look.fix)


@real
async def test_the_line_belongs_to_one_program(line: Line) -> None:
    running = asyncio.create_task(lost(serial_part(line)))
    await asyncio.sleep(0)  # it opens at its first step
    other = await lost(serial_part(line))
    running.cancel()
    await asyncio.wait({running})
    assert "exclusively lock" in other
    assert "\n" not in other


@real
async def test_a_line_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    part = Satellites(SerialPort(str(tmp_path / "ttyACM9"), 9600), lambda: Sentences(lambda: 0))
    why = await lost(part)
    assert "No such file" in why
    assert "\n" not in why


async def test_a_receiver_that_says_nothing_is_lost(line: Line) -> None:
    assert await lost(serial_part(line)) == "nothing was heard for 20 s"


class Gpsd:
    """A server that says what it is told to, after it was asked."""

    def __init__(self, *said: str, hangs_up: bool = False) -> None:
        self.asked = b""
        self._said = said
        self._hangs_up = hangs_up
        self._clients: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> "Gpsd":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for client in self._clients:
            client.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.append(writer)
        writer.write(b'{"class":"VERSION","release":"3.25"}\r\n')
        self.asked = await reader.readline()
        writer.write("".join(f"{line}\r\n" for line in self._said).encode())
        if self._hangs_up:
            writer.close()


def gpsd_part(port: int) -> Satellites:
    return Satellites(Daemon("127.0.0.1", port), lambda: Reports(lambda: 7))


@real
async def test_gpsd_is_asked_and_heard_until_it_hangs_up() -> None:
    async with Gpsd(TPV, hangs_up=True) as server:
        part = gpsd_part(server.port)
        assert await lost(part) == "the other end is gone"
        assert part.look().fix == FIX
        assert server.asked == b'?WATCH={"enable":true,"json":true};\n'


@real
async def test_gpsd_that_is_killed_is_lost() -> None:
    async with Gpsd(TPV) as server:
        part = gpsd_part(server.port)
        running = asyncio.create_task(lost(part))
        await until(lambda: part.look().fix is not None)
    assert await running in ("Connection reset by peer", "the other end is gone")


@real
async def test_gpsd_that_is_not_there_is_one_line() -> None:
    async with Gpsd() as server:
        port = server.port
    assert await lost(gpsd_part(port)) == f"gpsd at 127.0.0.1:{port}: Connect call failed ('127.0.0.1', {port})"


async def test_a_receiver_moves_nothing(line: Line) -> None:
    with pytest.raises(AssertionError, match="can not lock"):
        await serial_part(line).actuate(Action.LOCK)
    assert not serial_part(line).actions
