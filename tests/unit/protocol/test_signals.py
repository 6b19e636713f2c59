"""The list of signals."""

import pytest

from protocol.signals import BOOKING_PHASE, FUEL, IGNITION, RANGE, SIGNALS, SLOW, Signal


@pytest.mark.req("TEL-2")
def test_every_signal_is_of_the_vehicle_and_has_a_kind() -> None:
    assert all(name.startswith("Vehicle.") for name in SIGNALS)
    assert {signal.kind for signal in SIGNALS.values()} == {"boolean", "integer", "number", "string"}
    assert all(bool(signal.unit) == (signal.kind in ("integer", "number")) for signal in SIGNALS.values())
    assert all(bool(signal.allowed) == (signal.kind == "string") for signal in SIGNALS.values())


def test_values_are_those_of_the_signal_specification() -> None:
    assert SIGNALS[IGNITION].allowed == ("OFF", "ON")
    assert SIGNALS[FUEL][1:5] == ("integer", "percent", 0, 100)
    assert SIGNALS[RANGE] == Signal("how far it goes with that, in whole km", "integer", "m", 0)
    assert SIGNALS[BOOKING_PHASE].allowed == ("none", "active", "overdue", "cutoff_pending", "cut_off", "ended")


@pytest.mark.req("PRV-6")
def test_nothing_tells_a_way() -> None:
    words = ("Speed", "Location", "Heading", "Steering", "Acceleration", "Street", "Cell", "AngularVelocity")
    assert not [name for name in SIGNALS if any(word in name for word in words)]
    assert set(SIGNALS) > SLOW
    assert {SIGNALS[name].kind for name in SLOW} == {"integer", "number"}
