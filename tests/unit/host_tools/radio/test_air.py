"""Who hears whom on the virtual air, how late, and what its faults do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from bumble.controller import Controller
from bumble.device import Advertisement

from host_tools.radio import air as air_module
from host_tools.radio.air import Frame, VirtualAir
from host_tools.radio.controller import VirtualController, virtual_controller
from host_tools.radio.devices import RadioDevice, virtual_central, virtual_device
from host_tools.radio.errors import RadioError
from tests.support import peripheral

TIMEOUT_S = 0.72
"""Supervision timeout that Bumble's centrals ask for."""


def now() -> float:
    return asyncio.get_running_loop().time()


class Pair:
    """A peripheral and a central, connected; `ends` collects who heard of the end, when, and why."""

    def __init__(self, thing: peripheral.Thing, central: RadioDevice) -> None:
        assert central.radio is not None
        self.thing, self.central = thing, central
        self.near: VirtualController = central.radio
        self.far = thing.radio
        self.ends: list[tuple[str, float, int]] = []

    async def connect(self) -> None:
        await self.thing.advertise()
        connection = await self.central.connect(self.thing.device.random_address)
        connection.on("disconnection", lambda reason: self.ends.append(("central", now(), reason)))
        self.thing.connections[-1].on("disconnection", lambda reason: self.ends.append(("thing", now(), reason)))


async def connected(air: VirtualAir) -> Pair:
    pair = Pair(await peripheral.thing(air), await virtual_central(air))
    await pair.connect()
    return pair


def ended_at(pair: Pair) -> Mapping[str, object]:
    """When and why each end heard of the end. Each end at most once."""
    found = {who: (when, reason) for who, when, reason in pair.ends}
    assert len(found) == len(pair.ends)
    return found


async def heard(central: RadioDevice, seconds: float) -> list[Advertisement]:
    found: list[Advertisement] = []
    central.on("advertisement", found.append)
    await central.start_scanning(active=False)
    await asyncio.sleep(seconds)
    await central.stop_scanning()
    central.remove_listener("advertisement", found.append)
    return found


async def test_signal_strength_comes_from_the_model_and_is_clamped() -> None:
    strengths: dict[str, float | None] = {"near": -40.4, "far": -300.0, "loud": 99.0, "gone": None}
    air = VirtualAir(rssi_dbm=lambda sender, _receiver: strengths[sender.name])
    central = virtual_controller(air, "near")
    reached = {name: air.reach(virtual_controller(air, name), central) for name in strengths}
    assert reached == {"near": -40, "far": -127, "loud": 20, "gone": None}


async def test_a_scanner_is_told_the_signal_strength_and_does_not_hear_who_is_out_of_range() -> None:
    air = VirtualAir(rssi_dbm=lambda sender, _receiver: {"a": -60.0, "b": None}.get(sender.name, -50.0))
    for name in ("a", "b"):
        await (await peripheral.thing(air, name)).advertise()
    found = await heard(await virtual_central(air), 0.45)
    assert {advertisement.rssi for advertisement in found} == {-60}
    assert len(found) == 5


async def test_range_can_be_taken_from_one_pair_or_from_one_radio() -> None:
    air = VirtualAir()
    one, two, three = (virtual_controller(air, name) for name in ("one", "two", "three"))
    air.out_of_range(one, two)
    assert (air.reach(one, two), air.reach(two, one), air.reach(one, three)) == (None, None, -50)
    air.in_range(one, two)
    air.out_of_range(three)
    assert (air.reach(one, two), air.reach(three, one), air.reach(two, three)) == (-50, None, None)
    air.in_range(three)
    assert air.reach(three, one) == -50


async def test_a_power_cut_is_noticed_at_the_supervision_timeout_and_not_earlier() -> None:
    air = VirtualAir()
    pair = await connected(air)
    cut = now()
    air.power_cut(pair.far)
    await asyncio.sleep(5.0)
    assert ended_at(pair) == {"central": (pytest.approx(cut + TIMEOUT_S), 0x08)}
    assert air.reach(pair.far, pair.near) is None


async def test_after_power_is_back_and_a_reset_everything_works_again() -> None:
    air = VirtualAir()
    pair = await connected(air)
    air.power_cut(pair.far)
    await asyncio.sleep(1.0)
    air.restore(pair.far)
    await pair.thing.device.power_on()
    await pair.connect()
    assert len(pair.central.connections) == 1


async def test_out_of_range_for_the_timeout_ends_the_connection_at_both_ends() -> None:
    air = VirtualAir()
    pair = await connected(air)
    left = now()
    air.out_of_range(pair.near, pair.far)
    await asyncio.sleep(5.0)
    end = (pytest.approx(left + TIMEOUT_S), 0x08)
    assert ended_at(pair) == {"central": end, "thing": end}


async def test_out_of_range_for_less_than_the_timeout_does_no_harm() -> None:
    air = VirtualAir()
    pair = await connected(air)
    for _ in range(5):
        air.out_of_range(pair.near)
        await asyncio.sleep(TIMEOUT_S - 0.01)
        air.in_range(pair.near)
        await asyncio.sleep(0.01)
    assert pair.ends == []


async def test_moving_is_noticed_when_told() -> None:
    distance = {"m": 1.0}
    air = VirtualAir(rssi_dbm=lambda _sender, _receiver: -60.0 if distance["m"] < 10 else None)
    pair = await connected(air)
    distance["m"] = 50.0
    await asyncio.sleep(5.0)
    assert pair.ends == []
    air.moved()
    await asyncio.sleep(5.0)
    assert [reason for _, _, reason in pair.ends] == [0x08, 0x08]


async def test_a_dropped_connection_ends_at_once_at_both_ends() -> None:
    air = VirtualAir()
    pair = await connected(air)
    other = virtual_controller(air, "other")
    air.drop(pair.near, other)
    await asyncio.sleep(0.0)
    assert pair.ends == []
    began = now()
    air.drop(pair.near)
    await asyncio.sleep(2.0)
    assert sorted(pair.ends) == [("central", began, 0x08), ("thing", began, 0x08)]


async def test_latency_is_set_for_each_direction() -> None:
    air = VirtualAir()
    pair = await connected(air)
    air.set_latency(0.030, pair.near, pair.far)
    air.set_latency(0.020, pair.far, pair.near)
    connection = next(iter(pair.central.connections.values()))
    began = now()
    await connection.gatt_client.read_value(1)
    assert now() - began == pytest.approx(0.050)
    air.set_latency(1.0)
    assert air.latency(pair.near, pair.far) == 0.030
    assert air.latency(pair.near, pair.near) == 1.0


async def test_advertisements_take_their_time_as_well() -> None:
    frames: list[Frame] = []
    air = VirtualAir(latency_s=0.25, on_frame=frames.append)
    thing = await peripheral.thing(air)
    await thing.advertise()
    await heard(await virtual_central(air), 0.26)
    assert [frame.time_s for frame in frames] == [0.25]


async def test_without_listeners_nothing_happens_on_the_air_however_many_advertise() -> None:
    frames: list[Frame] = []
    air = VirtualAir(on_frame=frames.append)
    for _ in range(100):
        await (await peripheral.thing(air)).advertise()
    await asyncio.sleep(86_400.0)
    assert frames == []
    await heard(await virtual_central(air), 0.95)
    assert len(frames) == 100 * 10
    assert {frame.receiver for frame in frames} == {"central"}


async def test_addresses_are_given_once_and_are_the_same_in_each_run() -> None:
    given = [VirtualAir().new_address() for _ in range(2)]
    assert given == ["C0:5B:00:00:00:01"] * 2
    air = VirtualAir()
    assert len({air.new_address() for _ in range(300)}) == 300
    assert air.new_address(public=True).startswith("00:5B:00")


async def test_a_removed_controller_is_gone_for_good() -> None:
    air = VirtualAir()
    pair = await connected(air)
    air.remove_controller(pair.far)
    air.remove_controller(pair.far)
    await asyncio.sleep(1.0)
    assert [reason for _, _, reason in pair.ends] == [0x08]
    assert air.reach(pair.far, pair.near) is None


async def test_only_virtual_controllers_are_taken_and_not_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    air = VirtualAir()
    with pytest.raises(RadioError, match=r"use virtual_controller"):
        Controller("stock", link=air)
    monkeypatch.setattr(air_module, "MAX_CONTROLLERS", 1)
    virtual_controller(air, "first")
    with pytest.raises(RadioError, match="full"):
        virtual_controller(air, "second")


async def test_who_listens_in_sees_every_kind_of_frame() -> None:
    frames: list[Frame] = []
    air = VirtualAir(on_frame=frames.append)
    pair = await connected(air)
    await pair.central.connections[1].gatt_client.read_value(1)
    await pair.central.connections[1].disconnect()
    await asyncio.sleep(0.1)
    assert [(frame.sender, frame.receiver, frame.kind) for frame in frames] == [
        ("thing", "central", "advertisement"),
        ("central", "thing", "data"),
        ("thing", "central", "data"),
        ("central", "thing", "control"),
    ]
    assert frames[-1].data == b"TerminateInd"


async def test_a_device_without_a_name_is_a_device_too() -> None:
    device = await virtual_device(VirtualAir())
    assert device.powered_on
