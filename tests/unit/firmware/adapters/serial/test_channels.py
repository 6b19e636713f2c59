"""Channels of a line as links."""

import itertools

import pytest

from firmware.adapters.serial.channels import Channels
from protocol import messages, serial
from protocol.serial import Frame, Kind, encode_size
from tests.support.serial_ends import Links

pytestmark = pytest.mark.req("BEN-2")


class End:
    """A line's channels, what they sent, and what the module was told."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []
        self.room = True
        self.links = Links()
        self.channels = Channels(self._send)
        self.channels.serve(self.links, itertools.count(10).__next__)

    def _send(self, frame: Frame) -> bool:
        if self.room or frame.kind is not Kind.FRAGMENT:
            self.sent.append(frame)
            return True
        return False

    def hear(self, kind: Kind, channel: int = 0, payload: bytes = b"") -> list[Frame]:
        """What the module answers."""
        self.sent.clear()
        self.channels.received(Frame(kind, channel, payload))
        return list(self.sent)

    def open(self, channel: int, size: int = 244) -> list[Frame]:
        return self.hear(Kind.OPEN, channel, encode_size(size))


def opened(channel: int) -> list[Frame]:
    return [Frame(Kind.OPENED, channel, encode_size(514))]


def closed(channel: int) -> list[Frame]:
    return [Frame(Kind.CLOSED, channel)]


@pytest.fixture
def end() -> End:
    return End()


def test_an_open_channel_is_a_link_and_carries_fragments_both_ways(end: End) -> None:
    assert end.open(5) == opened(5)
    assert end.hear(Kind.FRAGMENT, 5, b"hello") == []
    end.channels.notify(10, b"answer")
    assert end.sent == [Frame(Kind.FRAGMENT, 5, b"answer")]
    assert end.hear(Kind.CLOSE, 5) == closed(5)
    assert end.links.news == [("opened", 10, 244), ("fragment", 10, b"hello"), ("closed", 10)]


def test_three_channels_and_no_more(end: End) -> None:
    for channel in (7, 0, 3):
        assert end.open(channel) == opened(channel)
    assert end.open(1) == closed(1)
    assert end.hear(Kind.CLOSE, 0) == closed(0)
    assert end.open(1) == opened(1)


def test_opening_an_open_channel_closes_the_former_link_first(end: End) -> None:
    end.open(2)
    assert end.open(2, 100) == opened(2)
    assert end.links.news == [("opened", 10, 244), ("closed", 10), ("opened", 11, 100)]


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\x05", b"\0\0\0"])
def test_an_open_without_a_size_closes_the_channel(end: End, payload: bytes) -> None:
    end.open(2)
    assert end.hear(Kind.OPEN, 2, payload) == closed(2)
    assert end.links.news[-1] == ("closed", 10)


def test_a_fragment_on_a_closed_channel_is_told_so(end: End) -> None:
    assert end.hear(Kind.FRAGMENT, 6, b"hello") == closed(6)
    assert end.hear(Kind.CLOSE, 6) == closed(6)
    assert end.links.news == []


def test_the_public_information_is_there_for_the_asking(end: End) -> None:
    (frame,) = end.hear(Kind.INFO)
    assert messages.decode_public_info(frame.payload) == messages.PublicInfo()
    assert end.hear(Kind.INFO, 0, b"what") == []


@pytest.mark.parametrize("kind", [Kind.OPENED, Kind.CLOSED])
def test_what_only_a_module_may_say_is_ignored(end: End, kind: Kind) -> None:
    end.open(1)
    assert end.hear(kind, 1, encode_size(100)) == []
    assert end.links.news == [("opened", 10, 244)]


def test_a_hang_up_says_so_once(end: End) -> None:
    end.open(1)
    end.sent.clear()
    end.channels.hang_up(10)
    end.channels.hang_up(10)
    end.channels.notify(10, b"too late")
    assert end.sent == closed(1)
    assert end.links.news == [("opened", 10, 244), ("closed", 10)]


def test_a_fragment_that_finds_no_room_closes_its_channel_and_no_other(end: End) -> None:
    end.open(1)
    end.open(2)
    end.room = False
    end.sent.clear()
    end.channels.notify(11, bytes(100))
    assert end.sent == closed(2)
    assert end.links.news[-1] == ("closed", 11)
    assert 10 in end.channels
    assert 11 not in end.channels


def test_without_a_radio_every_channel_is_closed(end: End) -> None:
    end.open(1)
    end.open(2)
    end.sent.clear()
    end.channels.stop()
    assert end.sent == [*closed(1), *closed(2)]
    assert end.links.news[2:] == [("closed", 10), ("closed", 11)]
    assert end.open(1) == closed(1)
    assert end.hear(Kind.FRAGMENT, 1, b"hello") == closed(1)
    assert end.hear(Kind.INFO) == []


def test_nobody_at_the_other_end_loses_the_links_without_a_word(end: End) -> None:
    end.open(1)
    end.sent.clear()
    end.channels.lose()
    assert end.sent == []
    assert end.links.news[-1] == ("closed", 10)


def test_any_channel_may_be_used(end: End) -> None:
    for channel in range(serial.CHANNELS):
        assert end.open(channel) == opened(channel)
        end.hear(Kind.CLOSE, channel)
