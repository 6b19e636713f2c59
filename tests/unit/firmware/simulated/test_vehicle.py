"""The simulated vehicle as the module meets it, on virtual time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from firmware.core.events import (
    Action,
    CrashDetected,
    EmergencyCancelled,
    EmergencyPressed,
    KeyButton,
    NetworkServing,
    VehicleKeyUsed,
    VehicleSampled,
)
from firmware.ports import VehicleFact, VehiclePort
from firmware.simulated.car import Door
from firmware.simulated.player import Player
from firmware.simulated.route import Waypoint, distance_m
from firmware.simulated.vehicle import SIGNALS, ActuatorFault, SimulatedVehicle

UTC_START_MS = 1_780_000_000_000
VECTORS = Path(__file__).resolve().parents[3] / "vectors"


class Bench:
    """A vehicle on the loop's clock, and the samples it delivered, each with its time in seconds."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.vehicle = SimulatedVehicle(lambda: UTC_START_MS + self.mono_ms(), self.mono_ms)
        self.samples: list[tuple[float, VehicleSampled]] = []
        self.facts: list[VehicleFact] = []
        """All but the samples."""

    def mono_ms(self) -> int:
        return round(self.loop.time() * 1000)

    def told(self, fact: VehicleFact) -> None:
        if isinstance(fact, VehicleSampled):
            self.samples.append((self.loop.time(), fact))
        else:
            self.facts.append(fact)

    @property
    def latest(self) -> VehicleSampled:
        return self.samples[-1][1]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    running = asyncio.create_task(bench.vehicle.run(bench.told))
    await asyncio.sleep(0)
    yield bench
    running.cancel()


async def start_and_drive(bench: Bench) -> None:
    assert await bench.vehicle.actuate(Action.RELEASE_IMMOBILISER)
    assert bench.vehicle.turn_ignition(True)
    assert bench.vehicle.drive()


async def test_it_is_a_vehicle_port() -> None:
    port: VehiclePort = Bench().vehicle
    assert await port.actuate(Action.LOCK)


@pytest.mark.req("BEN-4")
async def test_a_trace_takes_the_place_of_what_the_car_would_tell_and_faults_go_on_top(bench: Bench) -> None:
    assert bench.vehicle.player is None
    player = Player(VECTORS / "openxc-drive.json")
    bench.vehicle.play(player)
    assert bench.vehicle.player is player
    await asyncio.sleep(10.1)
    assert (bench.latest.ignition_on, bench.latest.speed_kmh, bench.latest.range_m) == (True, 36.0, None)
    bench.vehicle.hide("speed_kmh")
    await asyncio.sleep(1)
    assert (bench.latest.ignition_on, bench.latest.speed_kmh) == (True, None)
    assert await bench.vehicle.actuate(Action.UNLOCK)
    await asyncio.sleep(1)
    assert bench.latest.locked is False
    bench.vehicle.silence_bus()
    count = len(bench.samples)
    await asyncio.sleep(2)
    assert len(bench.samples) == count
    bench.vehicle.play(None)
    bench.vehicle.silence_bus(False)
    await asyncio.sleep(1)
    assert bench.latest.range_m is not None


async def test_samples_come_every_half_second(bench: Bench) -> None:
    await asyncio.sleep(10.1)
    times = [at for at, _ in bench.samples]
    assert times == pytest.approx([0.5 * n for n in range(21)])


async def test_a_change_by_hand_is_told_at_once(bench: Bench) -> None:
    await asyncio.sleep(0.7)
    bench.vehicle.use_key(KeyButton.UNLOCK)
    await asyncio.sleep(0.01)
    at, sample = bench.samples[-1]
    assert at == pytest.approx(0.7)
    assert sample.locked is False


async def test_what_happens_at_the_car_is_told_once_and_in_order(bench: Bench) -> None:
    bench.vehicle.use_key(KeyButton.UNLOCK)
    bench.vehicle.press_emergency()
    bench.vehicle.cancel_emergency()
    bench.vehicle.crash()
    bench.vehicle.serve(262)
    await asyncio.sleep(5)
    expected = [VehicleKeyUsed(KeyButton.UNLOCK), EmergencyPressed(), EmergencyCancelled(), CrashDetected()]
    assert bench.facts == [*expected, NetworkServing(262)]


async def test_a_silent_bus_says_nothing_of_the_key_and_the_crash_sensors_have_a_wire_of_their_own(
    bench: Bench,
) -> None:
    bench.vehicle.silence_bus()
    bench.vehicle.use_key(KeyButton.UNLOCK)
    bench.vehicle.crash()
    await asyncio.sleep(1)
    assert bench.facts == [CrashDetected()]
    assert bench.vehicle.snapshot().locked is False


async def test_of_what_happened_before_anybody_listened_only_the_network_is_told() -> None:
    bench = Bench()
    bench.vehicle.use_key(KeyButton.UNLOCK)
    bench.vehicle.crash()
    bench.vehicle.serve(206)
    running = asyncio.create_task(bench.vehicle.run(bench.told))
    await asyncio.sleep(1)
    running.cancel()
    assert bench.facts == [NetworkServing(206)]


async def test_a_parked_locked_car_says_so(bench: Bench) -> None:
    first = bench.samples[0][1]
    assert msgspec.structs.replace(first, fix=None) == VehicleSampled(
        ignition_on=False,
        speed_kmh=0.0,
        locked=True,
        doors_open=False,
        boot_open=False,
        immobilised=True,
        fuel_pct=80.0,
        odometer_m=12_345_678,
        battery_mv=12_600,
        range_m=615_000,
        keys_present=0,
    )


async def test_each_actuation_moves_the_car_and_confirms_within_a_fifth_of_a_second(bench: Bench) -> None:
    for action, signal, value in (
        (Action.UNLOCK, "locked", False),
        (Action.LOCK, "locked", True),
        (Action.RELEASE_IMMOBILISER, "immobilised", False),
        (Action.ARM_IMMOBILISER, "immobilised", True),
    ):
        before = bench.loop.time()
        assert await bench.vehicle.actuate(action)
        assert bench.loop.time() - before < 0.2
        assert getattr(bench.vehicle.sample(), signal) is value


@pytest.mark.req("ACC-9")
async def test_the_key_opens_starts_and_closes_the_car_while_every_actuator_is_dead(bench: Bench) -> None:
    for action in Action:
        bench.vehicle.break_actuator(action, ActuatorFault.DEAD)
    bench.vehicle.silence_bus()
    bench.vehicle.use_key(KeyButton.UNLOCK)
    assert bench.vehicle.open_door()
    assert bench.vehicle.close_door()
    assert bench.vehicle.turn_ignition(True, with_key=True)
    assert bench.vehicle.drive()
    await asyncio.sleep(20)
    assert bench.vehicle.snapshot().speed_kmh == 50
    bench.vehicle.park()
    await asyncio.sleep(10)
    bench.vehicle.use_key(KeyButton.LOCK)
    seen = bench.vehicle.snapshot()
    assert (seen.locked, seen.ignition_on) == (True, False)


async def test_without_the_key_the_immobiliser_decides(bench: Bench) -> None:
    assert not bench.vehicle.turn_ignition(True)
    assert not bench.vehicle.drive()
    await start_and_drive(bench)
    assert await bench.vehicle.actuate(Action.ARM_IMMOBILISER)
    await asyncio.sleep(30)
    assert bench.latest.ignition_on
    assert bench.latest.speed_kmh == 50.0
    assert bench.latest.immobilised
    assert bench.vehicle.turn_ignition(False)
    assert not bench.vehicle.turn_ignition(True)


async def test_driving_moves_odometer_fuel_and_fix(bench: Bench) -> None:
    await start_and_drive(bench)
    before = bench.vehicle.sample()
    await asyncio.sleep(3600)
    after = bench.vehicle.sample()
    assert after.odometer_m is not None
    assert before.odometer_m is not None
    assert after.odometer_m - before.odometer_m == pytest.approx(49_950, abs=10)
    assert after.fuel_pct == 73.5
    assert after.battery_mv == 14_200
    assert before.fix is not None
    assert after.fix is not None
    assert after.fix.utc_ms - before.fix.utc_ms == 3_600_000
    assert after.fix.latitude_e7 != before.fix.latitude_e7


async def test_it_drives_to_a_place_and_stops_there(bench: Bench) -> None:
    await start_and_drive(bench)
    await asyncio.sleep(60)
    here = bench.vehicle.snapshot()
    goal = Waypoint(here.latitude + 0.01, here.longitude)
    assert bench.vehicle.drive_to(goal, speed_kmh=80)
    await asyncio.sleep(1)
    now = bench.vehicle.snapshot()
    assert distance_m(Waypoint(now.latitude, now.longitude), Waypoint(here.latitude, here.longitude)) < 25
    await asyncio.sleep(180)
    there = bench.vehicle.snapshot()
    assert distance_m(Waypoint(there.latitude, there.longitude), goal) < 1
    assert (there.speed_kmh, there.ignition_on) == (0.0, True)
    assert not bench.vehicle.drive_to(Waypoint(there.latitude, there.longitude))


async def test_parking_shows_standstill_before_the_ignition_goes_off(bench: Bench) -> None:
    await start_and_drive(bench)
    await asyncio.sleep(30)
    bench.vehicle.park()
    await asyncio.sleep(10)
    on_and_moving = [s for _, s in bench.samples if s.speed_kmh and not s.ignition_on]
    assert not on_and_moving
    assert (bench.latest.ignition_on, bench.latest.speed_kmh) == (False, 0.0)


async def test_stopping_leaves_the_ignition_on(bench: Bench) -> None:
    await start_and_drive(bench)
    await asyncio.sleep(30)
    bench.vehicle.stop()
    await asyncio.sleep(10)
    assert (bench.latest.ignition_on, bench.latest.speed_kmh) == (True, 0.0)


async def test_doors_and_boot_are_told(bench: Bench) -> None:
    assert not bench.vehicle.open_door()
    assert not bench.vehicle.open_boot()
    await bench.vehicle.actuate(Action.UNLOCK)
    assert bench.vehicle.open_door(Door.REAR_RIGHT)
    assert bench.vehicle.open_boot()
    await asyncio.sleep(0.01)
    assert (bench.latest.doors_open, bench.latest.boot_open) == (True, True)
    assert bench.vehicle.snapshot().open_doors == (Door.REAR_RIGHT,)
    assert bench.vehicle.close_door(Door.REAR_RIGHT)
    assert bench.vehicle.close_boot()
    await asyncio.sleep(0.01)
    assert (bench.latest.doors_open, bench.latest.boot_open) == (False, False)


async def test_the_driver_gets_out_of_a_locked_car(bench: Bench) -> None:
    assert bench.vehicle.open_door(from_inside=True)
    assert not bench.vehicle.snapshot().locked


# ---------------------------------------------------------------- faults
@pytest.mark.parametrize(("fault", "locked"), [(ActuatorFault.NO_CONFIRMATION, False), (ActuatorFault.DEAD, True)])
async def test_an_actuator_that_does_not_confirm_answers_no_within_two_seconds(
    bench: Bench, fault: ActuatorFault, locked: bool
) -> None:
    bench.vehicle.break_actuator(Action.UNLOCK, fault)
    before = bench.loop.time()
    assert not await bench.vehicle.actuate(Action.UNLOCK)
    assert bench.loop.time() - before < 2.0
    assert bench.vehicle.snapshot().locked is locked
    bench.vehicle.repair_actuators()
    assert await bench.vehicle.actuate(Action.UNLOCK)


@pytest.mark.parametrize("signal", sorted(SIGNALS))
async def test_each_signal_can_become_unknown_alone(bench: Bench, signal: str) -> None:
    bench.vehicle.hide(signal)
    await asyncio.sleep(1)
    unknown = {name for name in SIGNALS if getattr(bench.latest, name) is None}
    assert unknown == {signal}
    bench.vehicle.hide()
    await asyncio.sleep(1)
    assert all(getattr(bench.latest, name) is not None for name in SIGNALS)


async def test_a_signal_that_does_not_exist_cannot_be_hidden(bench: Bench) -> None:
    with pytest.raises(ValueError, match="no signal is called colour"):
        bench.vehicle.hide("colour")


async def test_a_silent_bus_delivers_nothing_and_comes_back_at_once(bench: Bench) -> None:
    await asyncio.sleep(1.1)
    bench.vehicle.silence_bus()
    before = len(bench.samples)
    await asyncio.sleep(60)
    assert len(bench.samples) == before
    bench.vehicle.silence_bus(False)
    await asyncio.sleep(0.01)
    assert len(bench.samples) == before + 1


async def test_a_boot_that_is_ajar_reads_as_open_and_does_not_close(bench: Bench) -> None:
    bench.vehicle.leave_boot_ajar()
    assert not bench.vehicle.close_boot()
    await asyncio.sleep(0.01)
    assert bench.latest.boot_open
    bench.vehicle.leave_boot_ajar(False)
    await asyncio.sleep(0.01)
    assert not bench.latest.boot_open


@pytest.mark.req("TEL-7")
async def test_in_a_tunnel_the_car_moves_and_the_fix_stays_with_its_age(bench: Bench) -> None:
    await start_and_drive(bench)
    await asyncio.sleep(30)
    bench.vehicle.lose_fix()
    await asyncio.sleep(0.6)
    entered = bench.latest.fix
    await asyncio.sleep(120)
    assert bench.latest.fix == entered
    assert not bench.vehicle.snapshot().has_fix
    bench.vehicle.regain_fix()
    await asyncio.sleep(0.01)
    assert bench.latest.fix is not None
    assert bench.latest.fix.taken_at_ms == bench.mono_ms() - 10
    assert bench.latest.fix != entered


async def test_the_same_program_gives_the_same_samples_again() -> None:
    async def drive_once() -> bytes:
        bench = Bench()
        start = bench.loop.time()
        bench.vehicle = SimulatedVehicle(
            lambda: round((bench.loop.time() - start) * 1000), lambda: round((bench.loop.time() - start) * 1000)
        )
        running = asyncio.create_task(bench.vehicle.run(bench.told))
        await start_and_drive(bench)
        await asyncio.sleep(100)
        bench.vehicle.park()
        await asyncio.sleep(20)
        running.cancel()
        return msgspec.msgpack.encode([sample for _, sample in bench.samples])

    assert await drive_once() == await drive_once()


@pytest.mark.req("BEN-1")
async def test_the_bus_tells_what_it_is_made_to_tell_until_it_is_released(bench: Bench) -> None:
    bench.vehicle.override("speed_kmh", 87.0)
    bench.vehicle.override("fuel_pct", None)
    bench.vehicle.hide("locked")
    await asyncio.sleep(0.1)
    assert (bench.latest.speed_kmh, bench.latest.fuel_pct, bench.latest.locked) == (87.0, None, None)
    assert bench.vehicle.overrides == {"speed_kmh": 87.0, "fuel_pct": None}
    assert bench.vehicle.hidden == {"locked"}
    bench.vehicle.release("speed_kmh", "fuel_pct", "locked", "odometer_m")
    await asyncio.sleep(0.1)
    assert (bench.latest.speed_kmh, bench.latest.locked) == (0.0, True)
    assert bench.latest.fuel_pct is not None
    with pytest.raises(ValueError, match="colour"):
        bench.vehicle.override("colour", 1)
    with pytest.raises(ValueError, match="colour"):
        bench.vehicle.release("colour")


async def test_one_actuator_is_repaired_alone(bench: Bench) -> None:
    for action in (Action.LOCK, Action.UNLOCK):
        bench.vehicle.break_actuator(action, ActuatorFault.DEAD)
    bench.vehicle.repair_actuator(Action.LOCK)
    assert await bench.vehicle.actuate(Action.LOCK)
    assert not await bench.vehicle.actuate(Action.UNLOCK)


@pytest.mark.req("OWN-4")
async def test_the_bus_tells_how_many_vehicle_keys_lie_in_the_car(bench: Bench) -> None:
    bench.vehicle.put_keys(2)
    await asyncio.sleep(0.01)
    assert bench.latest.keys_present == 2
    assert bench.vehicle.snapshot().keys == 2


@pytest.mark.req("KEY-2")
async def test_the_module_opens_the_boot_of_a_locked_car(bench: Bench) -> None:
    assert await bench.vehicle.actuate(Action.OPEN_BOOT)
    seen = bench.vehicle.snapshot()
    assert (seen.boot_open, seen.locked) == (True, True)


@pytest.mark.req("SVC-8")
async def test_a_crashed_car_stands_at_once(bench: Bench) -> None:
    await start_and_drive(bench)
    await asyncio.sleep(30)
    bench.vehicle.crash()
    await asyncio.sleep(0.01)
    assert (bench.latest.speed_kmh, bench.latest.ignition_on, bench.latest.locked) == (0.0, True, False)
