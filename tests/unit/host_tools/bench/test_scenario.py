"""A scenario as a value: when it begins, how long it lasts, how much it expects."""

from host_tools.bench.phrases import Said
from host_tools.bench.scenario import Scenario, Step

SAID = Said("granted", {"who": "anna"}, "anna is granted")


def test_the_bench_is_made_ready_a_minute_before_the_first_step() -> None:
    steps = (Step(36_060, (), (SAID,)), Step(43_200, (), (SAID, SAID)))
    scenario = Scenario("a-story", "A story", ("ACC-1",), (), steps)
    assert scenario.begins_s == 36_000
    assert scenario.lasts_s == 7_200
    assert scenario.claims == 3
