"""What the SIM is for."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core import sim
from firmware.core.sim import Sim
from firmware.core.state import State, Vehicle
from protocol.orders import ServicePlan
from protocol.packs import TABLES
from tests.support.core import a_state

replace = msgspec.structs.replace

PLAN = ServicePlan(1, "BE", "2021-05-10", (2021, 5, 10), ("6AP",))
CODES = sorted({code for pack in TABLES["BE", "2021-05-10"].packs for code in pack.codes})


def with_plan(plan: ServicePlan | None, *, legal: bool = False) -> State:
    state = a_state(services=plan)
    return replace(state, profile=replace(state.profile, vehicle=Vehicle(legal_ecall=legal)))


@pytest.mark.req("SVC-4", "SVC-5")
@pytest.mark.parametrize(
    ("plan", "legal", "expected"),
    [
        (None, False, Sim.ACTIVE),
        (None, True, Sim.ACTIVE),
        (PLAN, False, Sim.ACTIVE),
        (PLAN, True, Sim.ACTIVE),
        (replace(PLAN, base_active=False), False, Sim.BLOCKED),
        (replace(PLAN, base_active=False), True, Sim.ECALL_ONLY),
        (replace(PLAN, base_active=False, packs=("6AP", "6AC")), False, Sim.BLOCKED),
        (replace(PLAN, base_active=False, packs=("6AP", "6AF")), False, Sim.ECALL_ONLY),
        (replace(PLAN, base_active=False, packs=("6UM",)), False, Sim.ECALL_ONLY),
    ],
)
def test_deactivation_blocks_it_save_for_the_mandatory_emergency_call(
    plan: ServicePlan | None, legal: bool, expected: Sim
) -> None:
    state = with_plan(plan, legal=legal)
    assert sim.of(state) is expected
    assert sim.uplink(state) is (expected is Sim.ACTIVE)


@pytest.mark.req("SVC-5")
@given(st.none() | st.builds(
    ServicePlan, st.just(1), st.sampled_from(["BE", "LU", "DE"]), st.just("2021-05-10"), st.just((2021, 5, 10)),
    st.lists(st.sampled_from([*CODES, "6XX"]), max_size=5).map(tuple), st.just(()), st.booleans(),
), st.booleans())  # fmt: skip
def test_with_the_mandatory_emergency_call_the_sim_is_never_blocked(plan: ServicePlan | None, legal: bool) -> None:
    state = with_plan(plan, legal=legal)
    assert not sim.legal_ecall(state) or sim.of(state) is not Sim.BLOCKED
    assert not legal or sim.legal_ecall(state)
