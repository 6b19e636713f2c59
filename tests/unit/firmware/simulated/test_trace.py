"""OpenXC traces as signals in our units; what is no signal is none."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.simulated.trace import FIX, Signal, openxc

pytestmark = pytest.mark.req("BEN-4")

DRIVE = Path(__file__).resolve().parents[3] / "vectors" / "openxc-drive.json"


def line(name: object, value: object, timestamp: object = 1.0, **more: object) -> bytes:
    return json.dumps({"name": name, "value": value, "timestamp": timestamp, **more}).encode()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        (line("vehicle_speed", 36.5), "speed_kmh", 36.5),
        (line("vehicle_speed", 0), "speed_kmh", 0.0),
        (line("ignition_status", "off"), "ignition_on", False),
        (line("ignition_status", "accessory"), "ignition_on", False),
        (line("ignition_status", "run"), "ignition_on", True),
        (line("ignition_status", "start"), "ignition_on", True),
        (line("fuel_level", 89.5), "fuel_pct", 89.5),
        (line("odometer", 13966.579102), "odometer_m", 13_966_579),
        (line("door_status", "rear_left", event=True), "door rear_left", True),
        (line("door_status", "driver", event=False, a={"b": 1}), "door driver", False),
        (b"\0" + line("vehicle_speed", 1) + b"\r\n\0", "speed_kmh", 1.0),
    ],
)
def test_names_and_units_become_ours(text: bytes, name: str, value: float) -> None:
    assert list(openxc([text])) == [Signal(1.0, name, value)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b'{"metadata": {"version": "v3.0"}}',
        b'{"name":"vehicle_speed","value":0}',
        b'{"bus": 1, "id": 1234, "data": "0x12345678"}',
        line("vehicle_speed", -1),
        line("vehicle_speed", 656),
        line("vehicle_speed", True),
        line("vehicle_speed", "fast"),
        line("vehicle_speed", 1, "now"),
        b'{"name":"vehicle_speed","value":1,"timestamp":1e999}',
        line("ignition_status", "maybe"),
        line("ignition_status", True),
        line("fuel_level", 100.5),
        line("odometer", -1),
        line("door_status", "bonnet", event=True),
        line("door_status", "driver"),
        line("door_status", "driver", event="open"),
        line("engine_speed", 800),
        line("latitude", 48.1),
    ],
)
def test_what_is_no_signal_is_none(text: bytes) -> None:
    assert list(openxc([text])) == []


def fixes(*messages: tuple[str, object, float]) -> list[object]:
    return [signal.value for signal in openxc(line(*message) for message in messages) if signal.name == FIX]


@pytest.mark.req("TEL-7")
def test_a_place_is_a_latitude_and_a_longitude_that_belong_together() -> None:
    north, east = ("latitude", 48.1, 1.0), ("longitude", 11.5, 1.01)
    assert fixes(north, east) == [(48.1, 11.5)]
    assert fixes(east, north) == [(48.1, 11.5)]
    assert fixes(north, east, ("latitude", 48.2, 2.0), ("longitude", 11.6, 2.1)) == [(48.1, 11.5), (48.2, 11.6)]
    assert fixes(north, ("longitude", 11.5, 2.5)) == []
    assert fixes(north, ("latitude", "no", 1.0), east) == []


@pytest.mark.req("TEL-7")
@pytest.mark.parametrize(("latitude", "longitude"), [(0, 0), (91, 1), (1, 181), (-90.5, 1)])
def test_a_place_that_is_none_is_no_fix(latitude: float, longitude: float) -> None:
    assert fixes(("latitude", latitude, 1.0), ("longitude", longitude, 1.0)) == []


def test_time_never_goes_back() -> None:
    messages = [line("vehicle_speed", 1, 5.0), line("vehicle_speed", 2, 4.9), line("vehicle_speed", 3, 6.0)]
    assert [signal.at_s for signal in openxc(messages)] == [5.0, 5.0, 6.0]


@given(st.lists(st.binary(max_size=200)))
def test_garbage_is_nothing(lines: list[bytes]) -> None:
    assert list(openxc(lines)) == []


@given(st.dictionaries(st.sampled_from(["name", "value", "timestamp", "event"]), st.from_type(object), max_size=4))
def test_json_that_is_no_message_is_nothing(fields: dict[str, object]) -> None:
    try:
        text = json.dumps(fields).encode()
    except (TypeError, ValueError):
        return
    for signal in openxc([text]):
        assert isinstance(signal.value, bool | int | float)


def test_a_whole_drive_is_read() -> None:
    with DRIVE.open("rb") as file:
        signals = list(openxc(file))
    names = {signal.name.partition(" ")[0] for signal in signals}
    assert names == {"speed_kmh", "ignition_on", "fuel_pct", "odometer_m", "door", "fix"}
    assert len([signal for signal in signals if signal.name == FIX]) == 31
