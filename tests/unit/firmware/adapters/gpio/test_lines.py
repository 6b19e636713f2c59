"""What libgpiod is asked for. Its binding is real; the chip is not here."""

from datetime import timedelta

import pytest
from gpiod.line import Bias, Direction, Edge, Value

from firmware.adapters.gpio.lines import output, polled, reason, requester, watched
from firmware.adapters.gpio.settings import Input, Pull, Relay

pytestmark = pytest.mark.req("HW-1")


@pytest.mark.parametrize("active_low", [False, True])
def test_an_output_is_not_energised_from_its_first_instant(active_low: bool) -> None:
    settings = output(Relay(5, active_low=active_low))
    assert settings.direction is Direction.OUTPUT
    assert settings.output_value is Value.INACTIVE
    assert settings.active_low is active_low


@pytest.mark.parametrize(("pull", "bias"), [("up", Bias.PULL_UP), ("down", Bias.PULL_DOWN), ("none", Bias.AS_IS)])
def test_an_input_has_its_pull_and_the_kernels_debouncing(pull: Pull, bias: Bias) -> None:
    wire = Input("GPIO17", active_low=True, pull=pull, debounce_ms=25)
    told, looked_at = watched(wire), polled(wire)
    for settings in (told, looked_at):
        assert settings.direction is Direction.INPUT
        assert settings.active_low
        assert settings.bias is bias
    assert (told.edge_detection, told.debounce_period) == (Edge.BOTH, timedelta(milliseconds=25))
    assert (looked_at.edge_detection, looked_at.debounce_period) == (Edge.NONE, timedelta())


def test_a_chip_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="No such file"):
        requester("/dev/gpiochip999")({5: output(Relay(5))})


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(19, "No such device"), "No such device"),
        (ValueError("two\nlines"), "two lines"),
        (KeyError(), "KeyError"),
    ],
)
def test_a_reason_is_one_line(error: Exception, said: str) -> None:
    assert reason(error) == said
