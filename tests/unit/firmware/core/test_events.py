"""Facts that adapters tell the core."""

from firmware.core.events import Event, RequestReceived, VehicleSampled
from protocol.messages import Operation, Request


def test_events_can_not_be_changed_and_say_what_they_mean() -> None:
    for kind in Event.__subclasses__():
        assert kind.__struct_config__.frozen
        assert kind.__doc__


def test_a_sample_that_says_nothing_knows_nothing() -> None:
    assert all(getattr(VehicleSampled(), name) is None for name in VehicleSampled.__struct_fields__)


def test_a_request_without_entropy_has_sixteen_empty_bytes() -> None:
    assert RequestReceived(1, Request(1, Operation.STATUS)).entropy == bytes(16)
