"""Emergency calls: when one is made, repeated and over, and what it says."""

import msgspec
import pytest

from firmware.core import ecall, module
from firmware.core.clock import Clock
from firmware.core.effects import CallEmergency, Effect, EndEmergency, Persist, Report
from firmware.core.events import (
    CrashDetected,
    EmergencyAcknowledged,
    EmergencyCancelled,
    EmergencyPressed,
    Event,
    Ticked,
    TimeOffered,
    TimeSource,
)
from firmware.core.state import State, Vehicle
from protocol.msd import NO_VIN, Msd
from protocol.orders import ServicePlan
from protocol.telemetry import Channel, EventKind
from tests.support.core import (
    AT_HOME,
    BEGINS_MS,
    DRIVING,
    FLOOR_MS,
    NOW,
    STANDING,
    a_state,
    events,
    only,
    records,
    running,
    seen,
)

replace = msgspec.structs.replace

VIN = "WMWXU71090TU12345"
CRASH = CrashDetected()
BOUGHT = ServicePlan(1, "BE", "2021-05-10", (2021, 5, 10), ("6AC",))
OFF = replace(BOUGHT, base_active=False)


def a_car(state: State | None = None, **vehicle: object) -> State:
    state = state or a_state()
    return replace(state, profile=replace(state.profile, vehicle=Vehicle(**{"vin": VIN, **vehicle})))  # type: ignore[arg-type]


class Life:
    """A module that is told one thing after another, and what it did. Times are seconds from NOW."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or a_car()
        self.effects: list[Effect] = []
        self.now = NOW

    def at(self, seconds: float, event: Event | None = None) -> "Life":
        self.now = NOW + round(seconds * 1000)
        self.state, effects = module.step(self.state, event or Ticked(), self.now)
        self.effects += effects
        return self

    def until(self, seconds: float) -> "Life":
        """As the pump does it: at each deadline."""
        while (due := module.next_deadline(self.state, self.now)) < NOW + seconds * 1000:
            self.at((due - NOW) / 1000)
        return self

    def reboot(self, seconds: float) -> "Life":
        """A power cut, however long it lasted: nothing but a clock knows."""
        durable = self.state.durable
        self.state, effects = module.boot(durable, self.state.profile, NOW + round(seconds * 1000))
        self.effects += effects
        return self

    @property
    def sent(self) -> list[CallEmergency]:
        return [effect for effect in self.effects if isinstance(effect, CallEmergency)]

    @property
    def ended(self) -> int:
        return len(only(EndEmergency, self.effects))

    @property
    def told(self) -> list[EventKind]:
        return [kind for kind in events(self.effects) if kind is not EventKind.BOOTED]


# ---------------------------------------------------------------- raised
@pytest.mark.req("SVC-8")
def test_a_crash_calls_at_once_with_what_is_known() -> None:
    life = Life().at(0, CRASH)
    expected = Msd(1, True, True, VIN, BEGINS_MS // 1000, AT_HOME.latitude_e7, AT_HOME.longitude_e7)
    assert life.sent == [CallEmergency(1, expected, 1_200)]
    assert life.told == [EventKind.ECALL_RAISED]
    assert only(Persist, life.effects) == [Persist(False)], "nobody waits for the disk"
    assert life.state.durable.call is not None
    (alert,) = records(life.effects, Channel.ALERT)
    assert (alert.reason, dict(alert.numbers)) == ("intelligent-emergency-call", {"call": 1, "automatic": 1})


@pytest.mark.req("SVC-8", "PRV-1")
def test_the_position_of_a_driver_goes_to_the_centre_and_into_no_record() -> None:
    life = Life(a_car(running(vehicle=seen(DRIVING)))).at(0, CRASH)
    assert life.sent[0].msd.latitude_e7 == AT_HOME.latitude_e7
    assert not [each for each in life.effects if isinstance(each, Report) and each.record.reveals_position]
    (alert,) = records(life.effects, Channel.ALERT)
    assert not {"latitude", "longitude"} & {name for name, _ in alert.numbers}
    assert alert.role == "driver"


@pytest.mark.req("SVC-8")
def test_a_call_by_hand_waits_ten_seconds_for_second_thoughts() -> None:
    life = Life().at(0, EmergencyPressed()).at(3, EmergencyPressed()).at(9.999)
    assert (life.sent, life.told) == ([], [])
    assert module.next_deadline(life.state, NOW) == NOW + 10_000
    life.at(10)
    assert [(each.msd.message, each.msd.automatic) for each in life.sent] == [(1, False)]
    assert life.told == [EventKind.ECALL_RAISED]


@pytest.mark.req("SVC-8")
def test_a_call_by_hand_can_be_taken_back_and_made_again() -> None:
    life = Life().at(0, EmergencyPressed()).at(9.9, EmergencyCancelled()).until(60)
    assert (life.sent, life.told) == ([], [EventKind.ECALL_CANCELLED])
    life.at(60, EmergencyPressed()).until(71)
    assert len(life.sent) == 1


@pytest.mark.req("SVC-8")
def test_a_call_that_was_made_is_not_taken_back() -> None:
    life = Life().at(0, CRASH).at(1, EmergencyCancelled()).at(2, EmergencyPressed()).until(16)
    assert len(life.sent) == 4
    assert life.told == [EventKind.ECALL_RAISED]
    assert life.state.pressed_at_ms is None


@pytest.mark.req("SVC-8")
def test_a_crash_makes_a_call_by_hand_one_by_crash_at_once() -> None:
    pending = Life().at(0, EmergencyPressed()).at(2, CRASH).until(16)
    assert [(each.call, each.msd.automatic) for each in pending.sent] == [(1, True)] * 3
    assert pending.told == [EventKind.ECALL_RAISED], "the button makes no second call"
    made = Life().at(0, EmergencyPressed()).at(10).at(12, CRASH).at(13, CRASH).at(14)
    assert [(each.call, each.msd.message, each.msd.automatic) for each in made.sent] == [(1, 1, False), (1, 2, True)]
    assert made.told == [EventKind.ECALL_RAISED]


@pytest.mark.req("SVC-8", "SVC-4")
def test_without_any_emergency_service_nobody_is_called_and_somebody_is_told() -> None:
    for plan in (OFF, replace(BOUGHT, packs=("6AP",))):
        life = Life(a_car(a_state(services=plan))).at(0, CRASH).at(1, EmergencyPressed()).until(30)
        assert (life.sent, life.state.durable.call, life.ended) == ([], None, 0)
        assert life.told == [EventKind.ECALL_IMPOSSIBLE] * 2
        alerts = records(life.effects, Channel.ALERT)
        assert [dict(alert.numbers) for alert in alerts] == [{"automatic": 1}, {"automatic": 0}]


@pytest.mark.req("SVC-5", "SVC-8")
def test_the_mandatory_emergency_call_is_made_on_a_sim_that_is_for_nothing_else() -> None:
    life = Life(a_car(a_state(services=OFF), legal_ecall=True)).at(0, CRASH)
    assert len(life.sent) == 1
    (alert,) = records(life.effects, Channel.ALERT)
    assert alert.reason == "legal-emergency-call"


# ---------------------------------------------------------------- repeated, and over
@pytest.mark.req("SVC-8")
def test_a_call_is_repeated_every_five_seconds_with_a_rising_number_until_it_is_acknowledged() -> None:
    life = Life().at(0, CRASH).until(14.9)
    assert [each.msd.message for each in life.sent] == [1, 2, 3]
    assert len({each.msd.at_s for each in life.sent}) == 1, "the time of the call, not of the message"
    life.at(14.9, EmergencyAcknowledged(2)).until(15.1)
    assert len(life.sent) == 4, "it was another call that is acknowledged"
    life.at(16, EmergencyAcknowledged(1)).at(17, EmergencyAcknowledged(1)).until(120)
    assert (len(life.sent), life.ended) == (4, 1)
    assert life.told == [EventKind.ECALL_RAISED, EventKind.ECALL_ACKNOWLEDGED]
    (done,) = records(life.effects, Channel.EVENT)
    assert dict(done.numbers) == {"call": 1, "messages": 4}
    assert life.at(121, CRASH).sent[-1].call == 2


@pytest.mark.req("SVC-8")
def test_after_twenty_minutes_it_is_told_and_not_sent() -> None:
    life = Life().at(0, CRASH).until(1199.9)
    life.at(1199.999)
    assert (len(life.sent), life.ended) == (240, 0)
    life.at(1200)
    assert life.ended == 1
    life.until(1300)
    assert (len(life.sent), life.ended) == (240, 1)
    assert life.told == [EventKind.ECALL_RAISED, EventKind.ECALL_STALE]
    assert life.state.durable.call is None
    assert [each.lasts_s for each in life.sent] == list(range(1_200, 0, -5)), "nobody gets one later than that"


@pytest.mark.req("SVC-8")
def test_the_number_of_a_message_has_one_byte() -> None:
    life = Life().at(0, CRASH)
    call = life.state.durable.call
    assert call is not None
    life.state = replace(life.state, durable=replace(life.state.durable, call=replace(call, message=254)))
    life.until(11)
    assert [each.msd.message for each in life.sent] == [1, 255, 255]


@pytest.mark.req("SVC-4", "SVC-8")
def test_a_call_ends_with_the_service_it_was_made_with() -> None:
    life = Life(a_car(a_state(services=BOUGHT))).at(0, CRASH)
    life.state = replace(life.state, durable=replace(life.state.durable, services=OFF))
    life.at(1).until(60)
    assert (len(life.sent), life.ended) == (1, 1)
    assert life.told == [EventKind.ECALL_RAISED, EventKind.ECALL_IMPOSSIBLE]


# ---------------------------------------------------------------- power cuts
@pytest.mark.req("SVC-8", "PWR-1")
def test_a_call_survives_the_power_cut_of_the_crash() -> None:
    life = Life().at(0, CRASH).reboot(3).at(4, TimeOffered(TimeSource.RTC, BEGINS_MS + 4_000))
    assert len(life.sent) == 1
    life.at(4.999)
    assert len(life.sent) == 1
    life.at(5)
    second = life.sent[1]
    assert (second.call, second.msd.message, second.msd.automatic) == (1, 3, True)
    assert second.msd.at_s == BEGINS_MS // 1000
    assert (second.msd.latitude_e7, second.msd.trusted) == (AT_HOME.latitude_e7, False), "of where it was before"
    assert life.at(6, EmergencyAcknowledged(1)).ended == 1
    assert life.reboot(7).at(20).state.durable.call is None


@pytest.mark.req("SVC-8", "PWR-1")
def test_a_call_that_grew_old_without_power_is_not_sent_as_if_it_had_just_happened() -> None:
    hour_later = TimeOffered(TimeSource.RTC, BEGINS_MS + 3_600_000)
    life = Life().at(0, CRASH).reboot(3).at(3.1, hour_later).until(30)
    assert len(life.sent) == 1
    assert life.told == [EventKind.ECALL_RAISED, EventKind.ECALL_STALE]
    just = TimeOffered(TimeSource.RTC, BEGINS_MS + 1_200_000)
    assert len(Life().at(0, CRASH).reboot(3).at(3.1, just).until(5.2).sent) == 2, "it may still be younger"


@pytest.mark.req("SVC-8")
def test_a_module_without_a_clock_calls_until_it_has_done_so_for_twenty_minutes() -> None:
    timeless = replace(a_car(), clock=Clock(FLOOR_MS, NOW), vehicle=seen(replace(STANDING, fix=None)))
    life = Life(timeless).at(0, CRASH).reboot(3).until(1300)
    assert {each.msd.at_s for each in life.sent} == {0}, "nobody knows when it was"
    assert life.sent[0].msd.latitude_e7 is None
    assert life.told == [EventKind.ECALL_RAISED, EventKind.ECALL_STALE]
    assert len(life.sent) == 1 + 240


@pytest.mark.req("SVC-8", "PWR-1")
def test_power_that_comes_and_goes_does_not_keep_a_call_young() -> None:
    timeless = replace(a_car(), clock=Clock(FLOOR_MS, NOW))
    life = Life(timeless).at(0, CRASH).until(450).reboot(450).until(900).reboot(900)
    assert life.told == [EventKind.ECALL_RAISED]
    life.until(1_100)
    sent = len(life.sent)
    assert life.sent[-1].lasts_s < 120
    life.until(1_300).reboot(1_300).until(1_800)
    assert life.told == [EventKind.ECALL_RAISED, EventKind.ECALL_STALE]
    assert len(life.sent) - sent < 25


@pytest.mark.req("SVC-8", "CLK-1")
def test_a_floor_that_is_raised_after_a_power_cut_does_not_make_a_young_call_old() -> None:
    timeless = replace(a_car(), clock=Clock(FLOOR_MS, NOW))
    life = Life(timeless).at(0, CRASH).reboot(3)
    life.state = replace(life.state, clock=Clock(FLOOR_MS + 86_400_000, NOW))
    assert len(life.at(5).until(60).sent) > 10
    assert life.told == [EventKind.ECALL_RAISED]


@pytest.mark.req("SVC-8", "CLK-4")
def test_a_clock_that_speaks_later_dates_the_call_and_does_not_age_it() -> None:
    timeless = replace(a_car(), clock=Clock(FLOOR_MS, NOW))
    life = Life(timeless).at(0, CRASH).at(2, TimeOffered(TimeSource.GNSS, BEGINS_MS + 2_000)).until(5.1)
    assert [each.msd.at_s for each in life.sent] == [0, BEGINS_MS // 1000]
    dated = life.state.durable.call
    assert dated is not None
    assert dated.dated
    assert len(life.until(1199).sent) == 240


@pytest.mark.req("SVC-8")
def test_a_call_that_is_dated_keeps_its_date_and_one_of_before_a_power_cut_gets_none() -> None:
    corrected = Life().at(0, CRASH).at(2, TimeOffered(TimeSource.GNSS, BEGINS_MS + 62_000)).until(5.1)
    assert [each.msd.at_s for each in corrected.sent] == [BEGINS_MS // 1000] * 2
    timeless = replace(a_car(), clock=Clock(FLOOR_MS, NOW), vehicle=seen(replace(STANDING, fix=None)))
    cut = Life(timeless).at(0, CRASH).reboot(3).at(3.1, TimeOffered(TimeSource.GNSS, BEGINS_MS)).until(5.1)
    assert [each.msd.at_s for each in cut.sent] == [0, 0], "nobody knows how long the power was gone"


# ---------------------------------------------------------------- what it says
@pytest.mark.req("SVC-8", "TEL-7")
@pytest.mark.parametrize(("age_ms", "trusted"), [(0, True), (5_000, True), (5_001, False), (3_600_000, False)])
def test_an_old_fix_is_sent_and_not_trusted(age_ms: int, trusted: bool) -> None:
    fix = replace(AT_HOME, taken_at_ms=NOW - age_ms)
    life = Life(a_car(a_state(vehicle=seen(replace(STANDING, fix=fix))))).at(0, CRASH)
    assert (life.sent[0].msd.latitude_e7, life.sent[0].msd.trusted) == (fix.latitude_e7, trusted)


@pytest.mark.req("SVC-8")
@pytest.mark.parametrize("vin", ["", "WMWXU71090TU1234I", "short"])
def test_a_vin_that_nobody_knows_is_sent_as_zeros(vin: str) -> None:
    assert Life(a_car(vin=vin)).at(0, CRASH).sent[0].msd.vin == NO_VIN


def test_without_an_emergency_there_is_nothing_to_wait_for() -> None:
    assert ecall.next_ms(a_state()) is None
    both = replace(Life().at(0, CRASH).state, pressed_at_ms=NOW)
    assert ecall.next_ms(both) == NOW + 5_000
