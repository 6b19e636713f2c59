"""Whatever happens: where the law wants an emergency call the SIM lives; on a SIM for it alone nothing else is made."""

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core import module, services, sim
from firmware.core.effects import CallEmergency, EndEmergency, Report
from firmware.core.events import (
    BrokerConnected,
    BrokerLost,
    CrashDetected,
    EmergencyAcknowledged,
    EmergencyCancelled,
    EmergencyPressed,
    Event,
    NetworkServing,
    OrderReceived,
    Ticked,
    TimeOffered,
    TimeSource,
)
from firmware.core.sim import Sim
from firmware.core.state import State, Vehicle
from protocol.orders import Order, OrderKind, ServicePlan
from protocol.packs import TABLES
from protocol.telemetry import Channel
from tests.support.core import BEGINS_MS, DRIVING, NOW, STANDING, a_state, running
from tests.support.credentials import MODULE_ID

replace = msgspec.structs.replace

CODES = sorted({code for pack in TABLES["BE", "2021-05-10"].packs for code in pack.codes})
PLANS = st.builds(
    ServicePlan,
    st.integers(1, 6),
    st.just("BE"),
    st.just("2021-05-10"),
    st.sampled_from([(2021, 5, 10), (2023, 9, 21), (2024, 2, 29)]),
    st.lists(st.sampled_from(CODES), max_size=3).map(tuple),
    st.just(()),
    st.booleans(),
)


def ordered(plan: ServicePlan) -> Event:
    issued_s = BEGINS_MS // 1000
    order_id = sha256(msgspec.json.encode(plan)).digest()[:16]
    return OrderReceived(Order(order_id, OrderKind.SERVICES, MODULE_ID, issued_s, issued_s + 86_400, plan))


EVENTS = st.one_of(
    PLANS.map(ordered),
    st.sampled_from(
        [CrashDetected(), EmergencyPressed(), EmergencyCancelled(), Ticked(), BrokerConnected(), BrokerLost()]
    ),
    st.sampled_from([STANDING, DRIVING, replace(STANDING, fix=None), replace(DRIVING, odometer_m=61_000_000)]),
    st.integers(1, 3).map(EmergencyAcknowledged),
    st.sampled_from([None, 206, 208, 310]).map(NetworkServing),
    st.sampled_from([BEGINS_MS, BEGINS_MS + 3_600_000]).map(lambda utc_ms: TimeOffered(TimeSource.GNSS, utc_ms)),
    st.none(),
)
"""None: the power is cut."""
HISTORY = st.lists(st.tuples(st.sampled_from([0, 1, 500, 5_000, 10_000, 600_000]), EVENTS), max_size=25)
BEGINNING = st.sampled_from([a_state(), running()])


@pytest.mark.req("SVC-4", "SVC-5", "SVC-8")
@given(BEGINNING, st.booleans(), HISTORY)
def test_the_law_keeps_the_sim_alive_and_nothing_else_uses_it(
    state: State, legal: bool, history: list[tuple[int, Event | None]]
) -> None:
    vehicle = Vehicle(legal_ecall=legal)
    state = replace(state, profile=replace(state.profile, vehicle=vehicle))
    now, calling = NOW, False
    for pause_ms, event in history:
        now += pause_ms
        before = state
        if event is None:
            state, effects = module.boot(state.durable, state.profile, now)
            calling = False
        else:
            state, effects = module.step(state, event, now)
        assert not legal or sim.of(state) is not Sim.BLOCKED
        silent = not (sim.uplink(before) or sim.uplink(state))
        for effect in effects:
            match effect:
                case CallEmergency():
                    assert services.emergency(state, now) is not None
                    assert sim.of(state) is not Sim.BLOCKED
                    calling = True
                case EndEmergency():
                    calling = False
                case Report(record):
                    assert not (silent and record.channel in (Channel.STATE, Channel.TRACK)), "made to leave later"
                case _:
                    pass
        assert not calling or state.durable.call is not None, "the line is hung up with the call"
