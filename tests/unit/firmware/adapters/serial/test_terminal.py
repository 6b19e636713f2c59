"""Pseudo-terminals that the module makes itself, with real programs' ends."""

import asyncio
import contextlib
import resource
import termios
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from firmware.adapters.serial import LineUnavailable, PseudoTerminal, SerialLine
from firmware.adapters.serial.outbox import MOST_TEXT_BYTES
from firmware.adapters.serial.watch import watch_opens
from protocol.serial import Frame, Kind, encode_size
from tests.support.serial_ends import Host, Links, Text, until

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.req("BEN-1")]


def nobody_tells(_path: str) -> int | None:
    """A kernel without inotify."""
    return None


class Bench:
    """A line at work."""

    def __init__(self, path: Path, watch: Callable[[str], int | None] = watch_opens) -> None:
        self.path = path
        self.text = Text()
        self.links = Links()
        self.line = SerialLine("console", PseudoTerminal(path, watch=watch))

    @contextlib.asynccontextmanager
    async def at_work(self) -> "AsyncIterator[Bench]":
        self.line.open()
        self.line.listen(self.text)
        numbers = iter(range(1, 100))
        self.line.channels.serve(self.links, numbers.__next__)
        task = asyncio.create_task(self.line.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait({task})
            self.line.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(tmp_path / "run" / "console").at_work() as at_work:
        yield at_work


async def test_text_and_frames_cross_both_ways(bench: Bench) -> None:
    with Host(bench.path) as host:
        await until(lambda: bench.text.news == ["attached"])
        host.write(b"sta")
        host.write(Frame(Kind.OPEN, 4, encode_size(244)))
        host.write(b"te\r")
        assert await host.frame() == Frame(Kind.OPENED, 4, encode_size(514))
        await until(lambda: bench.text.data == b"state\r")
        bench.line.write(b"parked\r\n\0sharebox> ")
        await host.says(b"parked\r\nsharebox> ")
        assert bench.links.news == [("opened", 1, 244)]


async def test_a_link_to_the_terminal_is_there_while_the_module_works_and_no_longer(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "run" / "console")
    async with bench.at_work():
        assert bench.path.is_symlink()
        assert bench.path.parent.stat().st_mode & 0o077 == 0
    assert not bench.path.is_symlink()


async def test_a_link_that_a_crash_has_left_is_replaced_and_a_foreign_one_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "console"
    path.symlink_to("/dev/pts/does-not-exist")
    bench = Bench(path)
    async with bench.at_work():
        assert path.exists()
        path.unlink()
        path.symlink_to("/dev/null")
    assert path.readlink() == Path("/dev/null")


async def test_two_modules_can_not_have_one_name(bench: Bench) -> None:
    with pytest.raises(LineUnavailable, match="another module has it; give the line another `name`"):
        PseudoTerminal(bench.path).open()
    assert bench.path.exists()


async def test_a_directory_that_can_not_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LineUnavailable, match="cannot be made: File exists; check the directory"):
        PseudoTerminal(tmp_path / "file" / "console").open()


async def test_programs_come_one_after_the_other_and_none_gets_what_was_for_the_last(bench: Bench) -> None:
    for number in range(3):
        with Host(bench.path) as host:
            await until(lambda: bench.text.news[-1:] == ["attached"])
            assert termios.tcgetattr(host.fd)[3] & (termios.ICANON | termios.ECHO) == 0
            bench.line.write(b"unread" * 1000)
            bench.line.write(f"for {number}".encode())
        await until(lambda: bench.text.news[-1] == "detached")
        bench.line.write(b"to nobody")
        assert len(bench.line.outbox) == 0
    with Host(bench.path) as host:
        await until(lambda: bench.text.news[-1] == "attached")
        bench.line.write(b"hello")
        await host.says(b"hello")
        assert host.text == b"hello"


def _heard_times(bench: Bench, times: int) -> bool:
    return bench.text.data.count(b"state\r") == times


async def test_a_program_that_only_drops_a_line_is_heard(bench: Bench) -> None:
    """As `echo state > console` does: it may be gone before anybody looks."""
    for number in range(1, 6):
        with Host(bench.path) as host:
            host.write(b"state\r")
        await until(partial(_heard_times, bench, number))
    await until(lambda: bench.text.news[-1] == "detached")


async def test_nobody_at_the_other_end_costs_no_processor_time(bench: Bench) -> None:
    with Host(bench.path):
        await until(lambda: bench.text.news == ["attached"])
    await until(lambda: bench.text.news == ["attached", "detached"])
    before = resource.getrusage(resource.RUSAGE_SELF)
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_later(0.2, done.set_result, None)
    await done
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 0.15, "it reads in circles"


async def test_a_program_that_does_not_read_holds_nobody_up(bench: Bench) -> None:
    with Host(bench.path) as host:
        host.write(Frame(Kind.OPEN, 0, encode_size(244)))
        await until(lambda: bench.links.news == [("opened", 1, 244)])
        for _ in range(2000):
            bench.line.write(b"x" * 1000)
        assert len(bench.line.outbox) <= MOST_TEXT_BYTES
        assert bench.line.outbox.dropped_text > 0
        for _ in range(1000):
            bench.line.channels.notify(1, bytes(100))
        assert bench.links.news[-1] == ("closed", 1)
        host.frames.clear()
        while (await host.frame()).kind is not Kind.CLOSED:
            pass
        host.write(b"still here\r")
        await until(lambda: bench.text.data == b"still here\r")


async def test_links_are_lost_with_the_program_that_had_them(bench: Bench) -> None:
    with Host(bench.path) as host:
        host.write(Frame(Kind.OPEN, 0, encode_size(244)))
        await host.frame()
    await until(lambda: bench.links.news[-1] == ("closed", 1))


async def test_without_inotify_the_terminal_counts_as_always_attached(tmp_path: Path) -> None:
    async with Bench(tmp_path / "console", nobody_tells).at_work() as bench:
        assert "detached" not in bench.text.news
        for _ in range(2):
            with Host(bench.path) as host:
                host.write(b"state\r")
                await until(lambda: b"state\r" in bench.text.data)
                bench.line.write(b"parked")
                await host.says(b"parked")
            bench.text.data = b""
        assert bench.text.news == ["attached"]
