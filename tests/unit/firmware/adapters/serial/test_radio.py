"""Serial lines as a radio."""

from firmware.adapters.serial import SerialLine, SerialRadio
from protocol.serial import Decoder, Frame, Kind, encode, encode_size
from tests.support.serial_ends import Links
from tests.unit.firmware.adapters.serial.test_line import Board


def sent(line: SerialLine) -> list[Frame | bytes]:
    data = b""
    while chunk := line.outbox.next():
        data += chunk
        line.outbox.took(len(chunk))
    return Decoder().feed(data)


async def test_links_are_numbered_over_all_lines_and_over_reboots() -> None:
    lines = [SerialLine("one", Board()), SerialLine("two", Board())]
    radio = SerialRadio(lines)
    open_channel = encode(Frame(Kind.OPEN, 0, encode_size(100)))
    for line in lines:
        line.attached()
    for first in (1, 3):
        links = Links()
        await radio.start(links)
        for line in lines:
            line.heard(open_channel)
        assert links.news == [("opened", first, 100), ("opened", first + 1, 100)]
        await radio.notify(first + 1, b"for two")
        await radio.hang_up(first)
        await radio.stop()
        assert links.news[2:] == [("closed", first), ("closed", first + 1)]
        opened, closed = Frame(Kind.OPENED, 0, encode_size(514)), Frame(Kind.CLOSED, 0)
        assert sent(lines[0]) == [opened, closed]
        assert sent(lines[1]) == [opened, Frame(Kind.FRAGMENT, 0, b"for two"), closed]
    lines[0].heard(open_channel)
    assert sent(lines[0]) == [Frame(Kind.CLOSED, 0)]
