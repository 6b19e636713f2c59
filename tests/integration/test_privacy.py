"""Location privacy at a real broker: everything is recorded, with all rights, while the network comes and goes.

The owner's trip is visible. Not one coordinate is sent while a driver has the car (PRV-1 to PRV-6).
"""

import json
import random
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from firmware import logs
from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Raw
from host_tools.phone.client import Phone
from protocol.errors import Role
from protocol.telemetry import (
    FIX_TIME,
    LATITUDE,
    LONGITUDE,
    Channel,
    Entry,
    decode_backlog,
    encode_backlog,
    parse_topic,
)
from tests.support.coordinates import Area, leaks, numbers_of_the_way
from tests.support.owners_view import OwnersView

MOMENTS = (
    "before the owner drives",
    "the owner drives",
    "the owner has ended",
    "Anna comes",
    "Anna drives",
    "Anna drives on",
    "Anna has parked",
    "Anna has ended",
    "the key drives",
    "Bert comes",
    "Bert drives",
    "Bert has parked",
    "Bert was sent away",
)
"""Where the network may be cut or restored."""

SCHEDULES: dict[str, tuple[str, ...]] = {
    "always there": (),
    "away while Anna drives": ("Anna drives", "Anna drives on"),
    "away before Anna, back while she drives": ("the owner drives", "Anna drives"),
    "away when Anna ends": ("Anna drives", "Anna has ended"),
    "away when Anna ends, back while Bert drives": ("Anna drives on", "Bert drives"),
    "away until everybody is gone": ("before the owner drives", "Bert was sent away"),
    "flickering": MOMENTS[:12],
    **{f"seed {seed}": tuple(random.Random(seed).sample(MOMENTS, 5)) for seed in range(6)},
}

WHERE = (Channel.POSITION, Channel.TRACK)

CUT_OFF = ("always there", "away until everybody is gone", "seed 1")
"""Bert drives on until he is cut off; on the other days the backend ends his booking."""


class Drive(msgspec.Struct):
    """Somebody's trip: marks in the recording around it, and where and when it ended."""

    hidden: bool
    since: int
    until: int = 0
    begins_ms: int = 0
    ends_ms: int = 0
    begins_online: bool = False
    ends_online: bool = False
    place: tuple[float, float] = (0.0, 0.0)


class Return(msgspec.Struct):
    """The network came back: the mark before it, and what the first message after it must be, if that is said."""

    since: int
    first: str = ""


class Day:
    """One owner's trip, Anna's, one with the key, Bert's; the network is switched at the moments given."""

    def __init__(self, view: OwnersView, switches: Iterable[str]) -> None:
        self.view = view
        self.switches = set(switches)
        self.drives: list[Drive] = []
        self.returns: list[Return] = []
        self.owed = ""
        """What the module could not tell for want of a network."""

    async def moment(self, name: str) -> None:
        assert name in MOMENTS
        if name not in self.switches:
            return
        if not self.view.online:
            self.returns.append(Return(await self.view.mark(), self.owed))
            self.owed = ""
        await self.view.switch()

    @property
    def now_ms(self) -> int:
        return self.view.rig.clock.rtc().utc_ms

    # ------------------------------------------------------------ what happens
    async def play(self, *, cut_off: bool) -> None:
        await self.moment("before the owner drives")
        await self.owner_drives()
        await self.moment("the owner has ended")
        await self.anna_drives()
        await self.moment("Anna has ended")
        await self.key_drives()
        await self.bert_drives(cut_off=cut_off)
        await self.moment("Bert was sent away")
        if not self.view.online:
            self.returns.append(Return(await self.view.mark(), self.owed))
            await self.view.restore()
        await self.view.drained()

    async def owner_drives(self) -> None:
        owner = self.view.rig.holder("Olga", Role.OWNER)
        _, file = self.view.rig.book(owner, lasts_s=600)
        self.drives.append(Drive(False, await self.view.mark(), begins_ms=self.now_ms))
        async with self.view.rig.phone(owner, file) as phone:
            await self.start(phone)
            await self.moment("the owner drives")
            await self.view.drive(75)
            await self.view.park()
            await phone.end_booking()
        await self.view.drained()
        self.drives[-1].until, self.drives[-1].ends_ms = await self.view.mark(), self.now_ms

    async def key_drives(self) -> None:
        self.drives.append(Drive(False, await self.view.mark(), begins_ms=self.now_ms))
        assert self.view.rig.vehicle.turn_ignition(True, with_key=True)
        await self.view.drive(40)
        self.owed = self.owed and "newer position"
        await self.moment("the key drives")
        await self.view.drive(40)
        await self.view.park()
        await self.view.drained()
        self.drives[-1].until, self.drives[-1].ends_ms = await self.view.mark(), self.now_ms

    async def anna_drives(self) -> None:
        anna = self.view.rig.holder("Anna", Role.DRIVER)
        _, file = self.view.rig.book(anna, lasts_s=3600)
        await self.hidden_begins()
        async with self.view.rig.phone(anna, file) as phone:
            await self.moment("Anna comes")
            await self.start(phone)
            await self.view.drive(70)
            await self.moment("Anna drives")
            position = await phone.locate()
            car = self.view.rig.vehicle.snapshot()
            assert position.latitude_e7 / 1e7 == pytest.approx(car.latitude, abs=2e-4)
            assert position.longitude_e7 / 1e7 == pytest.approx(car.longitude, abs=2e-4)
            await self.view.drive(70)
            await self.moment("Anna drives on")
            await self.nothing_is_retained()
            await self.view.drive(70)
            await self.view.park()
            await self.moment("Anna has parked")
            await self.hidden_ends()
            await phone.end_booking()
        await self.view.pass_by(1)
        await self.view.drained()

    async def bert_drives(self, *, cut_off: bool) -> None:
        bert = self.view.rig.holder("Bert", Role.VIP)
        booking, file = self.view.rig.book(bert, lasts_s=120)
        await self.hidden_begins()
        async with self.view.rig.phone(bert, file) as phone:
            await self.moment("Bert comes")
            await self.start(phone)
            await self.moment("Bert drives")
            await self.view.drive(100)
            while cut_off and self.view.rig.now_s < booking.expires_s:
                await self.view.drive(240)
                await phone.status()
            self.view.rig.vehicle.park()
            while self.view.rig.vehicle.snapshot().ignition_on:
                await self.view.pass_by(0.1)
            await self.view.pass_by(4)
            await self.moment("Bert has parked")
            if cut_off:
                await self.hidden_ends()
                await phone.closed.wait()
            else:
                await self.view.pass_by(10)
                await self.hidden_ends()
                await phone.put(self.view.rig.issuer.end_order(booking, now_s=self.view.rig.now_s))
        await self.view.pass_by(1)
        await self.view.drained()

    async def start(self, phone: Phone) -> None:
        assert phone.access.granted
        await phone.enable_drive()
        assert self.view.rig.vehicle.turn_ignition(True)

    async def hidden_begins(self) -> None:
        await self.view.drained()
        online = self.view.online
        self.drives.append(Drive(True, await self.view.mark(), begins_ms=self.now_ms, begins_online=online))
        if not online:
            self.owed = "withdrawal"

    async def hidden_ends(self) -> None:
        await self.view.drained()
        car, drive = self.view.rig.vehicle.snapshot(), self.drives[-1]
        drive.until, drive.ends_ms = await self.view.mark(), self.now_ms
        drive.ends_online, drive.place = self.view.online, (car.latitude, car.longitude)
        if not self.view.online:
            self.owed = "parking"

    async def nothing_is_retained(self) -> None:
        """Somebody who asks the broker only now is told no more."""
        await self.view.drained()
        if self.view.online:
            self.not_a_coordinate(await self.view.retained())

    # ------------------------------------------------------------ what must hold
    def check(self) -> None:
        for drive in self.drives:
            if drive.hidden:
                self.check_hidden(drive)
        for back in self.returns:
            self.check_first(back.since, back.first)
        self.check_every_position()
        assert self.parks(self.view.said(0)), "in the end the owner knows where the car is"

    def check_hidden(self, drive: Drive) -> None:
        self.not_a_coordinate(self.view.said(drive.since, drive.until))
        if drive.begins_online:
            self.check_first(drive.since, "withdrawal")
        if drive.ends_online:
            self.check_first(drive.until, "parking", drive)

    def not_a_coordinate(self, said: Iterable[Raw]) -> None:
        found = [leak for raw in said for leak in leaks(raw.topic, raw.payload, self.view.area)]
        assert found == []

    def check_first(self, since: int, what: str, drive: Drive | None = None) -> None:
        """What the module says first from here on; that it is there at all does not count."""
        if not what:
            return
        first = next(raw for raw in self.view.said(since) if raw.topic != self.view.topic(Channel.ONLINE))
        assert first.topic == self.view.topic(Channel.POSITION), f"first of all the {what}: {first}"
        if what == "withdrawal":
            assert first.payload == b""
            return
        fields = json.loads(first.payload)
        drive = drive or [one for one in self.drives if one.hidden and one.until <= since][-1]
        fixed_ms, sent_ms = utc_ms(fields[FIX_TIME]), utc_ms(fields["stamp"]["time"])
        if what == "newer position":
            assert fixed_ms > drive.ends_ms
            return
        assert fields["parking"]
        assert (fields[LATITUDE], fields[LONGITUDE]) == pytest.approx(drive.place, abs=1e-6)
        assert drive.ends_ms - 1000 <= fixed_ms <= drive.ends_ms + 2_000
        assert fields["fix_age_s"] == pytest.approx((sent_ms - fixed_ms) / 1000, abs=0.002)

    def check_every_position(self) -> None:
        tracked = [fields for channel, fields in self.positions() if channel is Channel.TRACK]
        numbers = [fields["stamp"]["seq"] for fields in tracked]
        assert numbers == sorted(numbers)
        assert set(numbers) == set(range(1, numbers[-1] + 1)), "nothing is lost; what was in the air comes twice"
        for _, fields in self.positions():
            at_ms = utc_ms(fields[FIX_TIME])
            hidden = any(d.hidden and d.begins_ms < at_ms < d.ends_ms - 1000 for d in self.drives)
            assert not hidden, fields
        for drive in self.drives:
            if not drive.hidden:
                seen = [f for f in tracked if drive.begins_ms <= utc_ms(f[FIX_TIME]) <= drive.ends_ms]
                assert len(seen) >= 2, "the owner sees what was driven without a driver's booking, if late"

    def positions(self) -> list[tuple[Channel, dict[str, Any]]]:
        """Everything that was ever said on `position` and `track`, withdrawals left out."""
        said = [each for raw in self.view.said(0) for each in unpacked(raw)]
        return [(channel, json.loads(report)) for channel, report in said if channel in WHERE and report]

    def parks(self, said: list[Raw]) -> bool:
        """Whether the broker was last told to retain a parking position."""
        latest = [raw.payload for raw in said if raw.topic == self.view.topic(Channel.POSITION)][-1]
        return bool(latest and json.loads(latest)["parking"])


def unpacked(raw: Raw) -> list[tuple[Channel, bytes]]:
    """What a message says, on which channels: a backlog says many things."""
    parsed = parse_topic(raw.topic)
    if parsed is None:
        return []
    if parsed[1] is Channel.BACKLOG:
        return [(entry.channel, entry.report) for entry in decode_backlog(raw.payload)]
    return [(parsed[1], raw.payload)]


def utc_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.req("PRV-1", "PRV-2", "PRV-3", "PRV-5")
@pytest.mark.parametrize("name", SCHEDULES)
async def test_not_one_coordinate_is_sent_while_a_driver_has_the_car(name: str) -> None:
    with capture_logs() as logged:
        async with Broker() as broker, OwnersView(broker, name, logs.observe) as view:
            day = Day(view, SCHEDULES[name])
            await day.play(cut_off=name in CUT_OFF)
            day.check()
            assert view.area.size_deg > 0.01, "the car has been somewhere"
    assert len(logged) > 50
    told = [line for line in logged if numbers_of_the_way(" ".join(map(str, line.values())), view.area)]
    assert told == [], "no log line says where the car was"


@pytest.mark.req("PRV-1", "PRV-4", "PRV-6")
async def test_owner_and_backend_see_the_owners_trip_and_of_the_drivers_how_far() -> None:
    async with Broker() as broker, OwnersView(broker, "seen") as view:
        day = Day(view, ())
        await day.play(cut_off=False)
        for drive in day.drives:
            said = view.said(drive.since, drive.until)
            shown = [raw for raw in said if raw.topic == view.topic(Channel.TRACK)]
            assert (shown == []) == drive.hidden
            states = [json.loads(raw.payload)["signals"] for raw in said if raw.topic == view.topic(Channel.STATE)]
            driven = [signals["Vehicle.TraveledDistance"] for signals in states]
            assert driven == sorted(driven)
            assert driven[-1] > driven[0]
            assert all("Vehicle.Powertrain.FuelSystem.RelativeLevel" in signals for signals in states)


# ---------------------------------------------------------------- the net has no holes
PLANTED = {
    "a position on its own channel": ("position", {LATITUDE: 48.14}),
    "a point of the track": ("track", {LATITUDE: 48.14}),
    "latitude in a state": ("state", {"signals": {LATITUDE: 1.0}}),
    "a rounded longitude in a known field": ("event", {"reason": "near 11.57"}),
    "degrees times ten million": ("event", {"reason": "at 481444567"}),
    "degrees times a million, as a number": ("event", {"reason": 11573123}),
    "speed": ("state", {"signals": {"Vehicle.Speed": 50}}),
    "heading": ("state", {"signals": {"Vehicle.CurrentLocation.Heading": 90}}),
    "street": ("event", {"street": "Marienplatz"}),
    "cell": ("online", {"online": True, "cell_id": 4711}),
    "latitude as a time": ("event", {"stamp": {"time": "48.1444"}}),
    "longitude as an age": ("event", {"stamp": {"age_s": "11.5731"}}),
    "latitude as the odometer": ("state", {"signals": {"Vehicle.TraveledDistance": 48.1444}}),
    "latitude as a count": ("event", {"stamp": {"seq": 481444567}}),
    "in a list": ("event", {"numbers": [1, 48.144]}),
}


@pytest.mark.req("PRV-1", "PRV-6")
@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_leak_is_found(planted: str) -> None:
    area = Area()
    for place in ((48.1440, 11.5582), (48.1478, 11.5864)):
        area.visit(*place)
    channel, fields = PLANTED[planted]
    assert list(leaks(f"sharebox/{bytes(8).hex()}/{channel}", json.dumps(fields).encode(), area))
    assert list(leaks("elsewhere/48.14", b"", area))


@pytest.mark.req("PRV-1")
def test_a_leak_planted_in_a_backlog_is_found() -> None:
    area = Area()
    area.visit(48.1440, 11.5582)
    for channel, harmless in ((Channel.TRACK, False), (Channel.EVENT, True)):
        entries = [Entry(channel, json.dumps({"kind": "module.booted"}).encode())]
        found = list(leaks(f"sharebox/{bytes(8).hex()}/backlog", encode_backlog(entries), area))
        assert (found == []) is harmless
