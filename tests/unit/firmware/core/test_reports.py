"""Records as they wait for the broker."""

import pytest

from firmware.core.reports import Point, Record
from protocol.telemetry import Channel, EventKind


@pytest.mark.req("PRV-1")
def test_only_a_record_with_a_position_reveals_one() -> None:
    assert Record(channel=Channel.TRACK, point=Point(481_371_540, 115_761_240, 1)).reveals_position
    assert not Record(kind=EventKind.BOOTED).reveals_position


def test_an_alert_and_the_outcome_of_an_order_overtake_and_nothing_else_does() -> None:
    urgent = [channel for channel in Channel if Record(channel=channel).urgent]
    assert urgent == [Channel.ALERT, Channel.ORDER_RESULT]


def test_a_record_that_nobody_has_stamped_has_no_numbers() -> None:
    assert (Record().number, Record().seq, Record().utc_ms, Record().boot, Record().correlation) == (0, 0, 0, 0, b"")
