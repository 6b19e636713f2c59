"""Everything comes to the screen, in order, whatever it takes at once."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.cli.screen import MOST_HELD, Screen

pytestmark = pytest.mark.asyncio(loop_factories=["real"])
Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Its reading and its writing end, which does not wait."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    yield reader, writer
    for fd in (reader, writer):
        os.close(fd)


def never() -> None:
    raise AssertionError("somebody reads")


async def everything(reader: int, count: int) -> bytes:
    """So many bytes, read in another thread."""

    def read() -> bytes:
        found = b""
        while len(found) < count:
            found += os.read(reader, 65_536)
        return found

    return await asyncio.to_thread(read)


async def test_nothing_is_lost_when_the_reader_is_slow(pipe: Pipe) -> None:
    reader, writer = pipe
    screen = Screen(writer, never)
    text = b"".join(b"%07d\n" % number for number in range(50_000))
    for begin in range(0, len(text), 10_000):
        screen.show(text[begin : begin + 10_000])
    screen.show(b"")
    await asyncio.sleep(0)
    assert await everything(reader, len(text)) == text
    await screen.close()


async def test_of_too_much_the_oldest_goes_and_the_end_does_not_wait_for_ever(pipe: Pipe) -> None:
    reader, writer = pipe
    screen = Screen(writer, never)
    screen.show(b"old" + b"x" * (MOST_HELD - 3) + b"new")
    assert len(screen._held) == MOST_HELD
    await screen.close(0.01)
    left = len(screen._held)
    assert screen._held.endswith(b"new")
    screen.show(b"later")
    found = await everything(reader, MOST_HELD - left)
    assert b"old" not in found


async def test_a_pipe_that_turns_out_to_be_full_is_tried_again(pipe: Pipe) -> None:
    reader, writer = pipe
    filled = os.write(writer, b"x" * 1_000_000)
    screen = Screen(writer, never)
    screen.show(b"behind it")
    screen._write()
    assert (await everything(reader, filled + 9)).endswith(b"xbehind it")
    await screen.close()


async def test_a_reader_who_has_gone_is_told_of_once() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    told: list[str] = []
    gone = asyncio.Event()

    def tell() -> None:
        told.append("gone")
        gone.set()

    screen = Screen(writer, tell)
    screen.show(b"one")
    await gone.wait()
    screen.show(b"two")
    await screen.close()
    os.close(writer)
    assert told == ["gone"]


async def test_a_file_is_written_at_once(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        screen = Screen(file.fileno(), never)
        screen.show(b"x" * 10_000)
        await screen.close()
    assert (tmp_path / "out").stat().st_size == 10_000
