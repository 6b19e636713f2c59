"""Names, units and typed values of the car's signals."""

import pytest

from firmware.bench import signals
from firmware.core.events import Fix, VehicleSampled
from protocol import signals as vss
from protocol.telemetry import LATITUDE, LONGITUDE

SAMPLE = VehicleSampled(
    ignition_on=True,
    speed_kmh=12.5,
    locked=False,
    doors_open=True,
    boot_open=False,
    immobilised=False,
    fuel_pct=55.5,
    odometer_m=12_345_678,
    battery_mv=12_600,
    fix=Fix(481_375_000, 115_755_000, 0, 0),
    range_m=400_000,
    keys_present=2,
)


def test_a_signal_is_called_by_its_vss_name_or_its_short_one() -> None:
    assert (
        signals.field_of("fuel_pct") == signals.field_of(vss.FUEL) == signals.field_of(vss.FUEL.lower()) == "fuel_pct"
    )
    assert signals.field_of("fix") == "fix"
    with pytest.raises(ValueError, match="no such signal"):
        signals.field_of("colour")


def test_values_are_shown_in_the_units_of_vss() -> None:
    assert signals.shown(SAMPLE) == {
        vss.IGNITION: "ON",
        vss.LOCKED: False,
        vss.DOORS_OPEN: True,
        vss.BOOT_OPEN: False,
        signals.IMMOBILISED: False,
        signals.SPEED: 12.5,
        vss.FUEL: 55.5,
        vss.RANGE: 400_000,
        vss.ODOMETER: 12_345.7,
        vss.VOLTAGE: 12.6,
        signals.KEYS: 2,
        LATITUDE: 48.1375,
        LONGITUDE: 11.5755,
    }


def test_what_is_not_known_is_none() -> None:
    assert set(signals.shown(VehicleSampled()).values()) == {None}


@pytest.mark.parametrize(
    ("field", "word", "value"),
    [
        ("ignition_on", "ON", True),
        ("locked", "false", False),
        ("speed_kmh", "87.5", 87.5),
        ("fuel_pct", "12.5", 12.5),
        ("odometer_m", "12.5", 12_500),
        ("battery_mv", "11.9", 11_900),
        ("range_m", "1000", 1000),
        ("speed_kmh", "unknown", None),
        ("fix", "unknown", None),
    ],
)
def test_typed_values_are_read_in_the_same_units(field: str, word: str, value: object) -> None:
    assert signals.read(field, word) == value


@pytest.mark.parametrize(
    ("field", "word"),
    [("ignition_on", "maybe"), ("speed_kmh", "fast"), ("speed_kmh", "-1"), ("speed_kmh", "nan"), ("fix", "48,11")],
)
def test_what_is_no_value_is_refused(field: str, word: str) -> None:
    with pytest.raises(ValueError, match=r"it is|a fix"):
        signals.read(field, word)
