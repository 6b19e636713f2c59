"""What the owner's side knows, from messages alone."""

import msgspec
import pytest

from firmware.dashboard.owner import EVENTS, HIDDEN, MOST_REPORTS, MOST_TRACK, OwnersView, age
from protocol import signals
from protocol.telemetry import (
    Channel,
    EventKind,
    EventReport,
    Online,
    OrderResult,
    PositionReport,
    StateReport,
    StoreCondition,
    channel_of,
    encode,
    topic,
)
from tests.support import reports
from tests.support.reports import MODULE_ID, OTHER_ID, stamp

NOW_MS = 1_800_000_000_000


def hear(view: OwnersView, channel: Channel, report: msgspec.Struct | None, module_id: bytes = MODULE_ID) -> list[str]:
    payload = b"" if report is None else encode(report)
    return [said.text for said in view.hear(topic(module_id, channel), payload, NOW_MS)]


def position(seq: int, *, parking: bool) -> PositionReport:
    return PositionReport(stamp(seq), 48.1, 11.5, "2027-01-15T07:59:00.000Z", 60.0, parking)


def state(phase: str, **more: bool | int | float | str) -> StateReport:
    named = {"locked": signals.LOCKED, "fuel": signals.FUEL, "range_m": signals.RANGE, "boot": signals.BOOT_OPEN}
    return StateReport(stamp(1), {signals.BOOKING_PHASE: phase, **{named[name]: value for name, value in more.items()}})


def test_at_first_nothing_is_known() -> None:
    shown = OwnersView(MODULE_ID).view(NOW_MS)
    assert (shown["headline"], shown["place"], shown["facts"]) == ("No report yet", None, [])
    assert shown["link"] == {"is": "", "words": "Nothing heard yet"}


def test_online_and_offline_are_told_once() -> None:
    view = OwnersView(MODULE_ID)
    assert hear(view, Channel.ONLINE, Online(True)) == ["Online"]
    assert hear(view, Channel.ONLINE, Online(True)) == []
    assert hear(view, Channel.ONLINE, Online(False)) == ["Offline"]
    assert view.view(NOW_MS)["link"] == {"is": "bad", "words": "The module is offline: what follows is its last word"}


def test_other_modules_and_what_cannot_be_read_tell_nothing() -> None:
    view = OwnersView(MODULE_ID)
    assert hear(view, Channel.ONLINE, Online(True), OTHER_ID) == []
    assert view.hear("weather/today", b"rain", NOW_MS) == ()
    assert view.hear(topic(MODULE_ID, Channel.STATE), b"nonsense", NOW_MS) == ()
    assert view.view(NOW_MS)["headline"] == "No report yet"


@pytest.mark.req("PRV-1", "PRV-2", "PRV-3")
def test_the_position_is_shown_until_it_is_withdrawn_and_again_when_the_car_is_parked() -> None:
    view = OwnersView(MODULE_ID)
    seen = position(1, parking=False)
    assert hear(view, Channel.POSITION, seen) == ["The position is here"]
    assert hear(view, Channel.POSITION, seen) == []
    assert view.view(NOW_MS)["place"] == {"at": (48.1, 11.5), "old": False}
    assert hear(view, Channel.TRACK, seen) == []
    assert view.view(NOW_MS)["track"] == [(48.1, 11.5)]

    hear(view, Channel.EVENT, EventReport(stamp(1), EventKind.BOOKING_STARTED, booking="b1", role="driver"))
    hear(view, Channel.STATE, state("active"))
    assert hear(view, Channel.POSITION, None) == ["The position is withdrawn"]
    assert hear(view, Channel.POSITION, None) == []
    hidden = view.view(NOW_MS)
    assert (hidden["place"], hidden["track"], hidden["veil"]) == (None, [], HIDDEN)
    assert hidden["headline"] == "A driver has the car"
    assert view.booking == "b1"

    parked = position(2, parking=True)
    assert hear(view, Channel.POSITION, parked) == ["The parking position is here"]
    shown = view.view(NOW_MS)
    assert shown["veil"] == ""
    assert str(shown["place_words"]).startswith("Parked here: 48.10000, 11.50000, fix ")


@pytest.mark.parametrize(
    ("phase", "headline"),
    [
        ("none", "The car is free"),
        ("active", "A VIP driver has the car"),
        ("overdue", "A VIP driver has the car, and is late"),
        ("cutoff_pending", "A VIP driver is late; access ends once parked"),
        ("cut_off", "The last booking was cut off"),
        ("ended", "The car is free"),
    ],
)
def test_the_headline_is_the_life_of_the_booking(phase: str, headline: str) -> None:
    view = OwnersView(MODULE_ID)
    hear(view, Channel.EVENT, EventReport(stamp(1), EventKind.BOOKING_STARTED, role="vip"))
    hear(view, Channel.STATE, state(phase))
    assert view.view(NOW_MS)["headline"] == headline


def test_facts_come_from_the_last_state_and_what_is_not_told_is_unknown() -> None:
    view = OwnersView(MODULE_ID)
    hear(view, Channel.STATE, state("ended", locked=False, fuel=40, range_m=300_000, boot=True))
    hear(view, Channel.HEALTH, reports.health(store=StoreCondition.FULL))
    facts = {name: (value, mood) for name, value, mood in view.view(NOW_MS)["facts"]}
    assert facts["Doors"] == ("unlocked", "warn")
    assert facts["Open"] == ("boot", "warn")
    assert facts["Ignition"] == ("unknown", "")
    assert facts["Fuel"] == ("40 %, 300 km", "")
    assert facts["Memory"] == ("full", "bad")
    assert facts["Messages"] == ("2", "quiet")


def test_what_is_missing_is_said_and_what_comes_twice_is_not() -> None:
    view = OwnersView(MODULE_ID)
    hear(view, Channel.EVENT, reports.event(1))
    assert hear(view, Channel.EVENT, reports.event(1)) == []
    assert hear(view, Channel.EVENT, reports.event(4))[0] == "2 reports are missing"
    hear(view, Channel.STATE, state("active"))
    facts = {name: value for name, value, _ in view.view(NOW_MS)["facts"]}
    assert facts["Messages"] == "4, 2 missing"


def test_every_event_has_words_and_alerts_weigh_more() -> None:
    assert set(EVENTS) == set(EventKind)
    view = OwnersView(MODULE_ID)
    for number, kind in enumerate(EventKind, 1):
        channel = channel_of(kind)
        (said, *_) = view.hear(topic(MODULE_ID, channel), encode(EventReport(stamp(number), kind)), NOW_MS)[-1:]
        assert "{" not in said.text
        assert (said.weight == "alert") == (channel is Channel.ALERT)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (OrderResult("ab", 0, "OK"), "The order was carried out"),
        (OrderResult("ab", 0, "OK", pending=True), "The order is accepted, and takes effect once the car is parked"),
        (OrderResult("ab", 33, "ORDER_LATE"), "The order was refused: the order came too late"),
        (OrderResult("ab", 99, "SOMETHING_NEW"), "The order was refused: SOMETHING_NEW"),
    ],
)
def test_what_became_of_an_order_is_told(result: OrderResult, words: str) -> None:
    assert hear(OwnersView(MODULE_ID), Channel.ORDER_RESULT, result) == [words]


@pytest.mark.req("TEL-3")
def test_a_report_that_waited_is_listed_at_its_own_time() -> None:
    view = OwnersView(MODULE_ID)
    hear(view, Channel.EVENT, reports.event(1, minute=7))
    hear(view, Channel.ONLINE, Online(True))
    times = [report["time"] for report in view.view(NOW_MS)["reports"]]
    assert times == ["08:00:00", "08:07:00"]


def test_what_is_kept_is_bounded() -> None:
    view = OwnersView(MODULE_ID)
    for number in range(1, MOST_TRACK + 10):
        hear(view, Channel.EVENT, reports.event(number))
        hear(view, Channel.TRACK, reports.position(number))
    shown = view.view(NOW_MS)
    assert len(shown["track"]) == MOST_TRACK
    assert len(shown["reports"]) == MOST_REPORTS


def test_ages_are_whole_seconds_and_never_negative() -> None:
    assert age("2027-01-15T08:00:00.000Z", NOW_MS + 90_999) == "1 min 30 s"
    assert age("2027-01-15T08:00:05.000Z", NOW_MS) == "0 s"
