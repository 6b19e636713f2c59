"""The physics and interlocks of the simulated car, without a loop or a clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.simulated import car as model
from firmware.simulated.car import Car, Door
from firmware.simulated.route import Route, Waypoint, distance_m

A = Waypoint(48.0, 11.0)
B = Waypoint(48.01, 11.0)


def started(car: Car | None = None) -> Car:
    running = model.ignition_on(model.release(car or Car()), with_key=False)
    assert running is not None
    return running


def driving(speed_kmh: float, seconds: float, route: Route | None = None) -> Car:
    car = model.drive(started(), speed_kmh, route)
    assert car is not None
    return model.advance(car, seconds)


def test_the_car_is_delivered_locked_closed_off_and_immobilised() -> None:
    car = Car()
    assert (car.locked, car.boot_open, car.ignition_on, car.immobilised) == (True, False, False, True)
    assert not car.open_doors


def test_the_immobiliser_refuses_a_start() -> None:
    assert model.ignition_on(Car(), with_key=False) is None
    assert model.ignition_on(model.release(Car()), with_key=False) is not None


@pytest.mark.req("ACC-9")
def test_the_key_starts_the_car_however_the_immobiliser_stands() -> None:
    for car in (Car(), model.release(Car())):
        running = model.ignition_on(car, with_key=True)
        assert running is not None
        assert running.ignition_on


@pytest.mark.req("CUT-3")
def test_arming_never_stops_a_running_engine() -> None:
    moving = driving(50, 20)
    armed = model.advance(model.arm(moving), 60)
    assert armed.ignition_on
    assert armed.speed_kmh == 50
    off = model.advance(model.ignition_off(armed), 60)
    assert model.ignition_on(off, with_key=False) is None


def test_it_takes_seven_seconds_to_fifty() -> None:
    assert driving(50, 6.5).speed_kmh < 50
    assert driving(50, 7).speed_kmh == 50


def test_a_steady_hour_at_fifty_is_fifty_kilometres_and_three_litres() -> None:
    before = driving(50, 60)
    after = model.advance(before, 3600)
    assert after.odometer_m - before.odometer_m == pytest.approx(50_000)
    assert before.fuel_l - after.fuel_l == pytest.approx(3.25)


def test_idling_burns_fuel_and_moves_nothing() -> None:
    before = started()
    after = model.advance(before, 1800)
    assert before.fuel_l - after.fuel_l == pytest.approx(0.4)
    assert after.odometer_m == before.odometer_m


def test_a_parked_car_burns_nothing_and_its_battery_drains() -> None:
    after = model.advance(Car(), 100 * 3600)
    assert after.fuel_l == Car().fuel_l
    assert after.battery_mv == 12_400
    assert model.advance(Car(), 10**8).battery_mv == 11_500


def test_the_running_engine_charges_the_battery() -> None:
    assert model.advance(started(), 1).battery_mv == 14_200
    assert model.advance(model.ignition_off(model.advance(started(), 1)), 1).battery_mv <= 12_600


def test_braking_from_fifty_takes_four_seconds_and_the_ignition_stays_on() -> None:
    car = model.advance(model.stop(driving(50, 60)), 3.5)
    assert car.speed_kmh > 0
    car = model.advance(car, 0.5)
    assert car.speed_kmh == 0
    assert car.ignition_on


def test_parking_brakes_first_and_switches_off_at_standstill() -> None:
    car = model.stop(driving(50, 60), then_park=True)
    while car.speed_kmh > 0:
        assert car.ignition_on
        car = model.advance(car, 0.5)
    assert not car.ignition_on
    assert not car.parking


def test_parking_a_standing_car_switches_off_at_once() -> None:
    assert not model.stop(started(), then_park=True).ignition_on


def test_driving_on_forgets_that_the_driver_wanted_to_park() -> None:
    braking = model.advance(model.stop(driving(50, 60), then_park=True), 1)
    onward = model.drive(braking, 50)
    assert onward is not None
    assert model.advance(onward, 60).ignition_on


def test_a_moving_car_that_is_switched_off_rolls_to_a_stop() -> None:
    rolling = model.ignition_off(driving(50, 60))
    assert model.advance(rolling, 5).speed_kmh == 40
    assert model.advance(rolling, 30).speed_kmh == 0


def test_an_empty_tank_stops_the_engine_and_refuses_to_drive() -> None:
    dry = started(Car(fuel_l=0.1))
    car = model.drive(dry, 100)
    assert car is not None
    car = model.advance(car, 600)
    assert (car.fuel_l, car.speed_kmh) == (0, 0)
    assert not car.engine_runs
    assert model.drive(car, 50) is None


def test_nobody_drives_without_the_engine() -> None:
    assert model.drive(Car(), 50) is None


def test_the_car_stops_at_the_end_of_its_route() -> None:
    car = driving(50, 600, Route((A, B)))
    assert car.speed_kmh == 0
    assert car.ignition_on
    assert distance_m(car.position, B) < 1


def test_from_the_end_of_its_route_the_car_drives_back_and_round_again() -> None:
    back = model.drive(driving(50, 600, Route((A, B))), 50)
    assert back is not None
    moved = model.advance(back, 10)
    assert moved.speed_kmh == 50
    assert distance_m(moved.position, B) > 50
    assert model.advance(back, 36_000).speed_kmh == 50


def test_no_time_changes_nothing() -> None:
    car = driving(50, 60)
    assert model.advance(car, 0) is car


@given(
    speed_kmh=st.floats(1, 200),
    pieces=st.lists(st.floats(0.05, 20), min_size=1, max_size=20),
    route=st.sampled_from([Car().route, Route((A, B))]),
)
def test_however_time_is_cut_nothing_runs_backwards(speed_kmh: float, pieces: list[float], route: Route) -> None:
    car = model.drive(started(), speed_kmh, route)
    assert car is not None
    for piece_s in pieces:
        later = model.advance(car, piece_s)
        assert later.odometer_m >= car.odometer_m
        assert later.fuel_l <= car.fuel_l
        assert 0 <= later.speed_kmh <= speed_kmh
        assert later.speed_kmh - car.speed_kmh <= model.ACCELERATION_KMH_PER_S * piece_s + 1e-9
        assert later.odometer_m - car.odometer_m <= speed_kmh / 3.6 * piece_s + 1e-6
        car = later


# ---------------------------------------------------------------- doors
def test_a_locked_car_opens_only_from_inside_and_is_unlocked_by_that() -> None:
    assert model.open_door(Car(), Door.FRONT_LEFT) is None
    assert model.open_boot(Car()) is None
    inside = model.open_door(Car(), Door.REAR_LEFT, from_inside=True)
    assert inside is not None
    assert inside.open_doors == {Door.REAR_LEFT}
    assert not inside.locked


def test_each_of_four_doors_and_the_boot_opens_and_closes_by_itself() -> None:
    car = model.unlock(Car())
    for door in Door:
        opened = model.open_door(car, door)
        assert opened is not None
        car = opened
    assert len(car.open_doors) == 4
    car = model.close_door(model.close_door(car, Door.REAR_RIGHT), Door.REAR_RIGHT)
    assert Door.REAR_RIGHT not in car.open_doors
    assert len(car.open_doors) == 3
    boot = model.open_boot(car)
    assert boot is not None
    assert boot.boot_open
    assert not model.close_boot(boot).boot_open


def test_locking_with_an_open_door_leaves_it_open() -> None:
    opened = model.open_door(model.unlock(Car()), Door.FRONT_LEFT)
    assert opened is not None
    locked = model.lock(opened)
    assert locked.locked
    assert locked.open_doors


def test_starting_a_running_engine_changes_nothing() -> None:
    car = started()
    assert model.ignition_on(model.arm(car), with_key=False) == model.arm(car)


@pytest.mark.req("KEY-2")
def test_the_boot_of_a_locked_car_is_released_alone() -> None:
    released = model.release_boot(Car())
    assert released.boot_open
    assert released.locked
    assert model.close_boot(released) == Car()


@pytest.mark.req("OWN-4")
def test_keys_lie_in_the_car_until_they_are_taken_out() -> None:
    assert model.put_keys(Car(), 2).keys == 2
    assert model.put_keys(model.put_keys(Car(), 2), 0) == Car()


def test_a_tank_is_filled_to_the_brim() -> None:
    assert model.refuel(Car(fuel_l=0.0)).fuel_l == model.TANK_L


@pytest.mark.req("SVC-8")
def test_a_crash_stops_the_car_at_once_and_opens_it_and_leaves_the_ignition_on() -> None:
    driving = model.drive(model.lock(started()), 50.0)
    assert driving is not None
    crashed = model.crash(model.stop(model.advance(driving, 30.0), then_park=True))
    assert (crashed.speed_kmh, crashed.locked, crashed.ignition_on) == (0.0, False, True)
    later = model.advance(crashed, 60.0)
    assert later.ignition_on
    assert later.travelled_m == crashed.travelled_m
