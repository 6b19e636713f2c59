"""A foreign controller on both sides: the module as it runs, phones with bleak, RootCanal's controllers between them.

Real time throughout; the module's own clock is moved at its console.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from bumble import hci

from hil.process import CONSOLE, ModuleProcess
from hil.stand import Stand, lasted_s, make_phone, until
from host_tools.bench.airlink import AirLink
from host_tools.bench.bench import Bench
from host_tools.bench.links import Virtual
from host_tools.radio.devices import hub_central
from protocol import beacon, gatt
from protocol.errors import Code
from tests.support.rootcanal import RootCanal, rootcanal
from tests.support.whole_job import AFTER, JOB, LEAD_S, Shown, Transcript, bleak_link, cut_off_job, whole_job

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("rootcanal"),
    pytest.mark.asyncio(loop_factories=["real"]),
]

SERVICE: Final = bytes.fromhex(gatt.SERVICE_UUID.replace("-", ""))[::-1]
ADVERTISED: Final = bytes.fromhex("020106 1107") + SERVICE + b"\x09\x09Sharebox"
BEACON: Final = b"\x1e\x21" + SERVICE
"""What stands before the beacon in a scan response."""
SCAN_RESPONSE: Final = 0x08
"""The bit of a report's event type that says so."""
HEARD_S: Final = 20.0
BOOKED_S: Final = 60
QUIET_MS: Final = 480_000
"""Less than the ten minutes after which a link that says nothing is hung up."""
LOST: Final = "controller is lost"
REOPENED_S: Final = 30.0
SUPERVISION_MS: Final = 4000


class Foreign:
    """A module, a driver's booking, and the controllers between them."""

    def __init__(self, air: RootCanal, stand: Stand, module: ModuleProcess) -> None:
        self.air = air
        self.stand = stand
        self.module = module

    def logged(self, text: str) -> int:
        """How often the module has said so."""
        return (self.module.directory / "module.log").read_text().count(text)


@pytest.fixture
async def foreign(tmp_path: Path) -> AsyncIterator[Foreign]:
    async with rootcanal() as air:
        module = ModuleProcess(tmp_path, 0, f"tcp-client:127.0.0.1:{air.port}")
        module.make()
        line = str(tmp_path / "state/run" / CONSOLE)
        stand = Stand(module, tmp_path, Virtual("127.0.0.1", air.port), line)
        await stand.power_on()
        try:
            await until(stand.hear)
            yield Foreign(air, stand, module)
        finally:
            await stand.power_off()


async def drive(bench: Bench) -> None:
    """Down the road, and parked long enough to count."""
    for command in ("ignition on", "drive 30", "time move 30s", "park", "time move 20s"):
        await bench.control(command)


@pytest.mark.req("ACC-1", "BLE-1", "BLE-3", "BKG-3")
async def test_a_driver_does_the_whole_job_over_a_foreign_controller(foreign: Foreign, tmp_path: Path) -> None:
    told = Transcript("rootcanal")
    async with foreign.stand.desk() as bench:
        booking = foreign.stand.book(now_ms=await bench.utc_ms())
        await whole_job(bleak_link, Shown(booking.file, booking.holder), told.tell, lambda: drive(bench))
    told.write(tmp_path / "rootcanal.jsonl")
    assert list(told.outcomes) == list(JOB)
    assert set(told.outcomes.values()) == {"ok"}
    assert {line.operation: line.note for line in told.lines}["mtu"] == "517"
    assert foreign.logged(LOST) == 0


@pytest.mark.req("CUT-2", "BLE-2")
async def test_a_foreign_central_is_hung_up_on_at_the_cutoff_and_not_let_in_again(
    foreign: Foreign, tmp_path: Path
) -> None:
    told = Transcript("rootcanal")
    async with foreign.stand.desk() as bench:
        now_ms = await bench.utc_ms()
        booking = foreign.stand.book(lasts_s=BOOKED_S, now_ms=now_ms)
        cut_off_ms = now_ms // 1000 * 1000 + (BOOKED_S + 1800) * 1000
        async with make_phone(bench.link("driver"), booking):
            pass  # it has begun
        await bench.until(cut_off_ms - QUIET_MS)
        due = cut_off_ms - round(LEAD_S * 1000)
        await cut_off_job(bleak_link, Shown(booking.file, booking.holder), told.tell, lambda: bench.until(due))
    told.write(tmp_path / "rootcanal.jsonl")
    assert list(told.outcomes) == list(AFTER)
    assert told.lines[0].ms < 1000
    assert told.outcomes["reconnect"] == Code.BOOKING_CUT_OFF.name
    assert foreign.logged(LOST) == 0


@pytest.mark.req("BLE-1", "BLE-2", "ACC-4")
async def test_three_foreign_centrals_are_served_and_a_fourth_when_one_has_gone(foreign: Foreign) -> None:
    stand = foreign.stand
    driver = stand.book()
    async with stand.phones() as new_link:
        phones = [make_phone(new_link(str(number)), each) for number, each in enumerate((driver, stand.book()))]
        for phone in phones:
            await phone.open()
        third = make_phone(new_link("third"), stand.book())
        await third.open()
        assert [phone.access.granted for phone in (*phones, third)] == [True, False, False]
        await phones[0].unlock()
        await phones[1].close()
        fourth = make_phone(new_link("fourth"), stand.book())
        await fourth.open()
        await phones[0].lock()
        for phone in (phones[0], third, fourth):
            assert phone.is_open
            await phone.close()


class Ear:
    """Everything that a foreign controller reports about the module on the air."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, bool, bytes]] = []
        self._news = asyncio.Event()

    def tap(self, packet: bytes, from_host: bool) -> None:
        """Sees each HCI packet."""
        event = None if from_host else hci.HCI_Packet.from_bytes(packet)
        if isinstance(event, hci.HCI_LE_Extended_Advertising_Report_Event):
            for report in event.reports:
                address = report.address.to_string(False)
                self.reports.append((address, bool(report.event_type & SCAN_RESPONSE), bytes(report.data)))
            self._news.set()

    async def both(self) -> tuple[str, bytes, bytes]:
        """The address last heard, once both of its packets were: advertisement and scan response."""
        self.reports.clear()
        async with asyncio.timeout(HEARD_S):
            while True:
                said = {(address, scanned): data for address, scanned, data in self.reports}
                for address, _, _ in reversed(self.reports):
                    if (address, False) in said and (address, True) in said:
                        return address, said[address, False], said[address, True]
                self._news.clear()
                await self._news.wait()


@pytest.mark.req("PRV-7", "BLE-1")
async def test_a_foreign_ear_hears_one_identity_after_the_other_and_only_the_cars_own_phones_know_them(
    foreign: Foreign,
) -> None:
    ear, stand = Ear(), foreign.stand
    key = stand.identity.beacon_key
    async with stand.desk() as bench, hub_central("127.0.0.1", foreign.air.port, tap=ear.tap) as listener:
        await listener.start_scanning(filter_duplicates=False)
        heard = [await ear.both()]
        for _ in range(2):
            await bench.control("time move 16m")
            heard.append(await ear.both())
        everything = {(address, data) for address, scanned, data in ear.reports if scanned}
    addresses, advertisements, responses = zip(*heard, strict=True)
    assert len(set(addresses)) == len(set(responses)) == len(heard)
    assert set(advertisements) == {ADVERTISED}
    for address, response in zip(addresses, responses, strict=True):
        assert int(address[:2], 16) >> 6 == 0b01  # resolvable, if one had the key
        assert response.startswith(BEACON)
        assert beacon.is_of(key, response[len(BEACON) :])
        assert not beacon.is_of(bytes(16), response[len(BEACON) :])
    assert len({address for address, _ in everything}) == len(everything)  # never one of each
    assert foreign.logged(LOST) == 0


@pytest.mark.req("BLE-1", "BLE-3")
async def test_a_foreign_central_grants_what_the_module_asks_for_while_something_is_said_and_while_nothing_is(
    foreign: Foreign,
) -> None:
    stand = foreign.stand
    async with (
        stand.desk() as bench,
        hub_central("127.0.0.1", foreign.air.port) as central,
        make_phone(AirLink(lambda: central), stand.book(now_ms=await bench.utc_ms())) as phone,
    ):
        (connection,) = central.connections.values()

        async def until_granted(least_ms: float, most_ms: float, latency: int) -> None:
            async with asyncio.timeout(HEARD_S):
                while not (
                    least_ms <= connection.parameters.connection_interval <= most_ms
                    and connection.parameters.peripheral_latency == latency
                    and connection.parameters.supervision_timeout == SUPERVISION_MS
                ):
                    await asyncio.sleep(0.05)

        await until_granted(15, 30, 0)
        await bench.control("time move 31s")
        await until_granted(90, 120, 4)
        await phone.unlock()
        await until_granted(15, 30, 0)
        await phone.lock()


@pytest.mark.req("BLE-2", "BLE-3", "ACC-5")
async def test_a_controller_that_goes_away_under_a_session_and_comes_back_is_used_again(foreign: Foreign) -> None:
    stand = foreign.stand
    booking = stand.book()
    async with stand.phones() as new_link:
        phone = make_phone(new_link("driver"), booking)
        await phone.open()
        await phone.unlock()
        await foreign.air.kill()
        async with asyncio.timeout(REOPENED_S):
            await phone.closed.wait()
            while not foreign.logged("cannot be opened"):
                await asyncio.sleep(0.1)
    await foreign.air.start()
    assert await lasted_s(until(stand.hear, REOPENED_S)) < REOPENED_S
    assert (foreign.logged(LOST), foreign.logged("is back")) == (1, 1)
    async with stand.phone(booking) as phone:
        assert phone.access.granted
        await phone.lock()
