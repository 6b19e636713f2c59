"""The tables of a real car: what they may say, and which wiring is refused."""

import tomllib

import msgspec
import pytest

from firmware.wiring import CanTable, GnssTable, GpioTable, ImmobiliserTable, InputTable, RelayTable, SignalTable

pytestmark = pytest.mark.req("HW-1")


def gpio(text: str) -> GpioTable:
    return msgspec.convert(tomllib.loads(text), GpioTable)


def test_relays_and_inputs_have_lines_by_number_or_name() -> None:
    table = gpio("""
        chip = "/dev/gpiochip4"
        [relays]
        unlock = { line = 5 }
        lock = { line = "GPIO6", active_low = true, pulse_ms = 500 }
        immobiliser = { line = 13 }
        [inputs]
        locked = { line = 20, pull = "up", debounce_ms = 0 }
        doors = [{ line = 21 }, { line = 22 }]
    """)
    assert table.chip == "/dev/gpiochip4"
    assert table.relays.lock == RelayTable("GPIO6", active_low=True, pulse_ms=500)
    assert table.tables() == (
        RelayTable(5),
        RelayTable("GPIO6", True, 500),
        ImmobiliserTable(13),
        InputTable(20, pull="up", debounce_ms=0),
        InputTable(21),
        InputTable(22),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "name relays or inputs, or leave the table out"),
        ("[relays]\nunlock = { line = 5 }", "unlock and lock go together - at `$.relays`"),
        ("[relays]\nboot = { line = 5 }\nflash = { line = 5 }", "each input needs a `line` of its own"),
        ("[relays]\nboot = { line = 5 }\n[inputs]\nlocked = { line = 5 }", "each input needs a `line` of its own"),
        ("[relays]\nboot = { line = 5, pulse_ms = 1001 }", "<= 1000 - at `$.relays.boot.pulse_ms`"),
        ("[relays]\nboot = { line = 5, pulse_ms = 19 }", ">= 20 - at `$.relays.boot.pulse_ms`"),
        ("[relays]\nimmobiliser = { line = 5, pulse_ms = 20 }", "unknown field `pulse_ms`"),
        ("[relays]\nboot = { line = -1 }", "at `$.relays.boot.line`"),
        ('[relays]\nboot = { line = "" }', "at `$.relays.boot.line`"),
        ("[inputs]\nboot = { line = 5, debounce_ms = 1001 }", "<= 1000"),
        ('[inputs]\nboot = { line = 5, pull = "left" }', "'left'"),
    ],
)
def test_what_does_not_do_is_said(text: str, complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        gpio(text)
    assert complaint in str(refused.value)


@pytest.mark.req("CUT-2", "CUT-3")
@pytest.mark.parametrize(
    ("wire", "accepted"),
    [
        ('pull = "up"', True),
        ('pull = "down", active_low = true', True),
        ('pull = "up", active_low = true', False),
        ('pull = "down"', False),
        ('pull = "none"', False),
        ("active_low = true", False),
    ],
)
def test_an_ignition_wire_that_breaks_must_say_that_it_is_on(wire: str, accepted: bool) -> None:
    text = f"[inputs]\nignition = {{ line = 17, {wire} }}"
    if accepted:
        assert gpio(text).inputs.ignition is not None
    else:
        with pytest.raises(msgspec.ValidationError, match="a wire that breaks must say that the ignition is on"):
            gpio(text)


def test_another_cars_matrix_needs_a_list_and_a_list_a_matrix() -> None:
    signals = {"Vehicle.Speed": {"signal": "A.B", "timeout_ms": 200, "scale": 3.6, "values": {}}}
    table = msgspec.convert({"dbc": "car.dbc", "signals": signals}, CanTable)
    assert table.signals == {"Vehicle.Speed": SignalTable("A.B", 200, 3.6, {})}
    for wrong in ({"dbc": "car.dbc"}, {"signals": signals}):
        with pytest.raises(msgspec.ValidationError, match="dbc and signals go together"):
            msgspec.convert(wrong, CanTable)


@pytest.mark.parametrize("text", ["", 'device = "/dev/ttyS0"\ngpsd = "a:1"', 'gpsd = "a"', 'gpsd = "a:1:2"'])
def test_a_receiver_is_in_one_place(text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"name either `device` or `gpsd`|gpsd"):
        msgspec.convert(tomllib.loads(text), GnssTable)
