"""The whole job without any network: every socket call is forbidden from before the module boots (ACC-1)."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.adapters.store import SqliteStore
from firmware.demo.rig import Rig
from host_tools.phone.errors import Refused
from protocol import keys
from protocol.errors import Code
from protocol.messages import NoticeKind, Phase, PushKind
from protocol.tokens import verify_receipt
from tests.support.no_sockets import Forbidden, open_sockets

LASTS_S = 3600

network = Forbidden()


async def drive_and_return(rig: Rig) -> None:
    """Book, scan, connect, authenticate, open, drive, close, come back too late, end."""
    anna = rig.holder("Anna")
    booking, file = rig.book(anna, lasts_s=LASTS_S)
    async with rig.phone(anna, file) as phone:
        assert phone.access.granted
        await phone.unlock()
        assert not rig.vehicle.snapshot().locked
        assert not rig.vehicle.turn_ignition(True)
        await phone.enable_drive()
        assert rig.vehicle.turn_ignition(True)
        assert rig.vehicle.drive()
        while rig.now_s < booking.ends_at_s + 600:
            await asyncio.sleep(300)
            await phone.status()
        assert phone.access.granted
        assert phone.access.phase is Phase.OVERDUE
        notices = [push.body for push in anna.pushes if push.kind is PushKind.NOTICE]
        assert [getattr(notice, "kind", None) for notice in notices] == [NoticeKind.OVERDUE]
        rig.vehicle.park()
        await asyncio.sleep(30)
        await phone.lock()
        assert rig.vehicle.snapshot().locked
        ended = await phone.end_booking()
        receipt = verify_receipt(ended.receipt, keys.public_from_bytes(file.module_signing_public))
        assert (receipt.booking_id, receipt.module_id) == (booking.booking_id, booking.module_id)
        assert receipt.offline
        assert abs(receipt.ended_at_s - rig.now_s) <= 1
        with pytest.raises(Refused) as over:
            await phone.unlock()
        assert over.value.refusal.code is Code.BOOKING_ENDED
    await asyncio.sleep(1)
    assert rig.vehicle.snapshot().immobilised


async def is_cut_off(rig: Rig) -> None:
    """The next booking ends by the cutoff, which needs nobody's word."""
    bert = rig.holder("Bert")
    _, file = rig.book(bert, lasts_s=60)
    async with rig.phone(bert, file) as phone:
        await phone.enable_drive()
        for _ in range(6):
            await asyncio.sleep(300)
            await phone.status()
        async with asyncio.timeout(120):
            await phone.closed.wait()
    async with rig.phone(bert, file) as phone:
        assert phone.access.refusal is not None
        assert phone.access.refusal.code is Code.BOOKING_CUT_OFF


@pytest.mark.req("ACC-1", "BKG-3", "CUT-1")
async def test_the_whole_job_is_done_and_no_socket_is_opened(tmp_path: Path) -> None:
    before = open_sockets()
    with network.forbidden():
        store = SqliteStore(tmp_path / "module.db", capacity_records=10_000)
        async with Rig("offline", store=store) as rig:
            await drive_and_return(rig)
            await is_cut_off(rig)
            assert open_sockets() == before
            assert await store.pending_count() > 10
        await store.close()
    assert network.attempts == []


def a_socket() -> object:
    return socket.socket()


def a_datagram() -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def a_connection() -> object:
    return socket.create_connection(("127.0.0.1", 9), timeout=1)


def a_name() -> object:
    return socket.getaddrinfo("localhost", 1883)


def an_old_name() -> object:
    return socket.gethostbyname("localhost")


def a_program() -> object:
    return subprocess.run([sys.executable, "-c", "pass"], check=True)


@pytest.mark.parametrize("attempt", [a_socket, a_datagram, a_connection, a_name, an_old_name, a_program])
def test_the_guard_catches(attempt: Callable[[], object]) -> None:
    with network.forbidden(), pytest.raises(pytest.fail.Exception, match="while the network is forbidden"):
        attempt()
    assert len(network.attempts) == 1


async def test_the_guard_catches_what_asyncio_opens_even_when_the_failure_is_swallowed() -> None:
    with network.forbidden():
        await asyncio.gather(asyncio.open_connection("127.0.0.1", 9), return_exceptions=True)
    assert network.attempts == ["socket.__new__"]


def test_the_kernel_knows_a_socket_whoever_opened_it() -> None:
    before = open_sockets()
    with socket.socket():
        assert len(open_sockets() - before) == 1
    assert open_sockets() == before
