"""Outgoing fragments, one bounded queue and one sender a link, and hanging up after what was sent before."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from firmware.switchboard import Switchboard
from tests.support.ports import MemoryRadio


class Listener:
    """Nobody listens."""

    def link_opened(self, link: int, payload: int) -> None: ...
    def payload_changed(self, link: int, payload: int) -> None: ...
    def fragment_received(self, link: int, fragment: bytes) -> None: ...
    def link_closed(self, link: int) -> None: ...


@pytest.fixture
async def radio() -> MemoryRadio:
    radio = MemoryRadio(asyncio.Event())
    await radio.start(Listener())
    return radio


@pytest.fixture
async def board(radio: MemoryRadio) -> AsyncIterator[Switchboard]:
    board = Switchboard(radio)
    yield board
    await board.close()


async def gone(radio: MemoryRadio, link: int) -> float:
    """When the link was hung up."""
    async with asyncio.timeout(60):
        while link not in radio.hung_up:
            radio.changed.clear()
            await radio.changed.wait()
    return radio.hung_up[link]


async def test_fragments_go_out_in_order(radio: MemoryRadio, board: Switchboard) -> None:
    board.opened(1)
    board.send(1, [b"a", b"b"])
    board.send(1, [b"c"])
    assert [await radio.inbox(1).get() for _ in range(3)] == [b"a", b"b", b"c"]


async def test_a_link_that_does_not_take_its_fragments_does_not_stop_another(
    radio: MemoryRadio, board: Switchboard
) -> None:
    board.opened(1)
    board.opened(2)
    radio.deaf = True
    board.send(1, [b"never"])
    await asyncio.sleep(0)
    radio.deaf = False
    board.send(2, [b"at once"])
    assert await radio.inbox(2).get() == b"at once"
    assert radio.inbox(1).empty()


async def test_a_hang_up_comes_after_what_was_sent_before(radio: MemoryRadio, board: Switchboard) -> None:
    board.opened(1)
    board.send(1, [b"farewell"])
    board.hang_up(1)
    assert await gone(radio, 1) == 0
    assert radio.inbox(1).get_nowait() == b"farewell"


@pytest.mark.req("CUT-4", "BLE-2")
async def test_a_link_that_takes_nothing_is_down_within_a_second_all_the_same(
    radio: MemoryRadio, board: Switchboard
) -> None:
    radio.deaf = True
    board.opened(1)
    board.send(1, [b"farewell"])
    board.hang_up(1)
    assert await gone(radio, 1) == 0.5


@pytest.mark.req("SEC-1")
async def test_a_link_whose_queue_is_full_is_hung_up(radio: MemoryRadio, board: Switchboard) -> None:
    radio.deaf = True
    board.opened(1)
    board.send(1, [b"x"] * 512)
    assert radio.hung_up == {}
    board.send(1, [b"x"])
    assert await gone(radio, 1) == 0.5


async def test_a_link_that_is_gone_is_no_error(radio: MemoryRadio, board: Switchboard) -> None:
    board.closed(1)
    board.opened(1)
    board.closed(1)
    board.send(1, [b"late"])
    board.hang_up(1)
    assert await gone(radio, 1) == 0
    assert radio.inbox(1).empty()


async def test_closing_ends_the_senders_and_the_farewells(radio: MemoryRadio, board: Switchboard) -> None:
    radio.deaf = True
    board.opened(1)
    board.send(1, [b"x"])
    board.hang_up(1)
    await asyncio.sleep(0)
    await board.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert radio.hung_up == {}


async def test_a_link_that_opens_or_floods_while_the_module_ends_gets_no_task(radio: MemoryRadio) -> None:
    board = Switchboard(radio)
    board.opened(1)
    closing = asyncio.create_task(board.close())
    await asyncio.sleep(0)
    board.opened(2)
    board.hang_up(1)
    await closing
    board.send(2, [b"nobody takes this"])
    board.closed(2)
    assert asyncio.all_tasks() == {asyncio.current_task()}
