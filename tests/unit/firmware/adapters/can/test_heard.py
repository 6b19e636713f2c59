"""What was heard, for as long as it lasts, and what is an event."""

import pytest

from firmware.adapters.can import facts
from firmware.adapters.can.heard import Heard, News
from firmware.adapters.can.matrix import Matrix
from firmware.core.events import CrashDetected, KeyButton, NetworkServing, VehicleKeyUsed, VehicleSampled
from tests.support.can_car import frame

pytestmark = pytest.mark.req("HW-1")

MATRIX = Matrix()
UNLOCKED, LOCKED = VehicleKeyUsed(KeyButton.UNLOCK), VehicleKeyUsed(KeyButton.LOCK)


class Bus:
    """Frames at times of the module's clock."""

    def __init__(self, lasts_ms: dict[str, int] | None = None) -> None:
        self.now_ms = 1_000_000
        self.heard = Heard(MATRIX.lasts_ms if lasts_ms is None else lasts_ms, lambda: self.now_ms)

    def says(self, message: str, **signals: float) -> News:
        return self.heard.take(MATRIX.read(*frame(message, **signals)))

    def look(self, later_ms: int = 0) -> VehicleSampled:
        self.now_ms += later_ms
        return self.heard.look()


@pytest.fixture
def bus() -> Bus:
    return Bus()


def test_what_was_heard_is_a_sample_in_its_units(bus: Bus) -> None:
    assert bus.look() == VehicleSampled()
    for message in ("Motion", "Power", "Closures", "Keys", "Energy", "Distance"):
        bus.says(message)
    assert bus.look() == VehicleSampled(
        ignition_on=False,
        speed_kmh=0.0,
        locked=True,
        doors_open=False,
        boot_open=False,
        immobilised=True,
        fuel_pct=55.5,
        odometer_m=12_345_600,
        battery_mv=12_600,
        range_m=480_000,
        keys_present=0,
    )


@pytest.mark.req("CUT-3")
def test_each_signal_lasts_its_own_time(bus: Bus) -> None:
    bus.says("Motion", Speed=7.0)
    bus.says("Closures")
    bus.says("Energy")
    assert bus.look(500).speed_kmh == 7.0
    after = bus.look(1)
    assert (after.speed_kmh, after.locked, after.fuel_pct) == (None, True, 55.5)
    assert bus.look(499).locked is True
    assert bus.look(1) == VehicleSampled(fuel_pct=55.5, range_m=480_000, battery_mv=12_600)
    assert bus.look(8_999).fuel_pct == 55.5
    assert bus.look(1) == VehicleSampled()


def test_what_its_sender_no_longer_knows_is_unknown_at_once(bus: Bus) -> None:
    bus.says("Power", IgnitionState=0)
    assert bus.look().ignition_on is False
    assert bus.says("Power", IgnitionState=7) == News(changed=True)
    assert bus.look().ignition_on is None


@pytest.mark.parametrize(
    ("open_doors", "unknown", "told"),
    [((), (), False), ((1,), (), True), ((1,), (0, 2, 3), True), ((), (2,), None), ((), (0, 1, 2, 3), None)],
)
def test_doors_are_closed_when_each_one_says_so(
    bus: Bus, open_doors: tuple[int, ...], unknown: tuple[int, ...], told: bool | None
) -> None:
    names = ("DoorFrontLeft", "DoorFrontRight", "DoorRearLeft", "DoorRearRight")
    states = {**{names[at]: 1.0 for at in open_doors}, **{names[at]: 3.0 for at in unknown}}
    bus.says("Closures", **states)
    assert bus.look().doors_open is told


def test_a_car_that_tells_of_two_doors_has_two() -> None:
    bus = Bus({facts.DOORS[0]: 1_000, facts.DOORS[1]: 1_000})
    bus.says("Closures", DoorRearLeft=1)
    assert bus.look() == VehicleSampled(doors_open=False)
    assert Bus({}).look() == VehicleSampled()


def test_only_a_change_of_what_matters_at_once_is_one(bus: Bus) -> None:
    assert bus.says("Closures").changed
    assert not bus.says("Closures").changed
    assert bus.says("Closures", Boot=1).changed
    assert not bus.says("Motion", Speed=50).changed
    assert not bus.says("Energy").changed
    bus.look(1_001)
    assert bus.says("Closures", Boot=1).changed


@pytest.mark.req("KEY-6")
def test_a_vehicle_key_is_used_once_however_often_it_is_told(bus: Bus) -> None:
    assert bus.says("Keys", KeyButton=1).happened == (UNLOCKED,)
    assert bus.says("Keys", KeyButton=1).happened == ()
    assert bus.says("Keys", KeyButton=0).happened == ()
    assert bus.says("Keys", KeyButton=1).happened == (UNLOCKED,)
    assert bus.says("Keys", KeyButton=2).happened == (LOCKED,)
    bus.look(1_001)
    assert bus.says("Keys", KeyButton=2).happened == (LOCKED,)
    assert bus.says("Keys", KeyButton=3).happened == ()


@pytest.mark.req("SVC-8")
def test_a_crash_is_told_once_after_two_frames_and_never_of_a_car_that_had_one_before(bus: Bus) -> None:
    old = [bus.says("Crash", CrashState=1).happened for _ in range(5)]
    assert old == [()] * 5
    bus.says("Crash", CrashState=0)
    assert bus.says("Crash", CrashState=1).happened == ()
    assert bus.says("Crash", CrashState=1).happened == (CrashDetected(),)
    assert bus.says("Crash", CrashState=1).happened == ()
    bus.says("Crash", CrashState=0)
    one_damaged_frame = [bus.says("Crash", CrashState=state).happened for state in (1, 0, 1, 0)]
    assert one_damaged_frame == [()] * 4


@pytest.mark.req("SVC-8")
def test_a_crash_is_told_though_the_bus_was_lost_in_it(bus: Bus) -> None:
    bus.says("Crash", CrashState=0)
    bus.heard.forget()
    bus.says("Crash", CrashState=1)
    bus.says("Crash", CrashState=3)
    assert bus.says("Crash", CrashState=1).happened == (CrashDetected(),)


@pytest.mark.req("SVC-7")
def test_the_network_is_told_when_it_changes_and_after_the_bus_was_lost(bus: Bus) -> None:
    assert bus.says("Mobile", CountryCode=262).happened == (NetworkServing(262),)
    assert bus.says("Mobile", CountryCode=262).happened == ()
    assert bus.says("Mobile", CountryCode=1023).happened == ()
    assert bus.says("Mobile", CountryCode=0).happened == (NetworkServing(None),)
    bus.heard.forget()
    assert bus.says("Mobile", CountryCode=0).happened == (NetworkServing(None),)


def test_all_is_forgotten_at_once(bus: Bus) -> None:
    bus.says("Motion")
    bus.says("Energy")
    bus.heard.forget()
    assert bus.look() == VehicleSampled()
