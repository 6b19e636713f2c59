"""What the seams say by themselves."""

import pytest

from firmware.ports import StoreFailed
from protocol.telemetry import StoreCondition


@pytest.mark.req("PWR-2")
def test_a_failure_of_the_store_says_what_it_is_capable_of_and_reads_as_its_reason() -> None:
    assert StoreFailed("broken").condition is StoreCondition.FAILING
    full = StoreFailed("the disk is full", StoreCondition.FULL)
    assert (str(full), full.condition) == ("the disk is full", StoreCondition.FULL)
