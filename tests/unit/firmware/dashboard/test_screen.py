"""What the driver's phone shows, from its session alone."""

from typing import Any

import pytest

from firmware.dashboard import screen
from firmware.dashboard.handset import Seen
from protocol.errors import Code, Role, refuse
from protocol.messages import Access, Ended, Phase, Position, VehicleState
from tests.support.credentials import BOOKING

MIN = 60_000
ENDS_MS = 1_000_000_000_000


def access(phase: Phase, late_ms: int, *, granted: bool = True) -> Access:
    """As the module tells it, `late_ms` after the booking's end."""
    return Access(granted, phase, 15, ENDS_MS, ENDS_MS + 30 * MIN, ENDS_MS + late_ms)


def show(seen: Seen, now_ms: int = 0, *, booked: bool = True) -> dict[str, Any]:
    return screen.show(seen, BOOKING if booked else None, now_ms, ask="Ask for 2 h")


@pytest.mark.req("ACC-10")
@pytest.mark.parametrize(
    ("seen", "blue", "label"),
    [
        (Seen(), False, "Not connected"),
        (Seen(link="looking"), False, "Looking for the car …"),
        (Seen(link="on", access=access(Phase.ACTIVE, -MIN)), True, "Unlock"),
        (Seen(link="on", access=access(Phase.ACTIVE, -MIN), vehicle=VehicleState(locked=False)), True, "Lock"),
        (Seen(link="on", access=access(Phase.ACTIVE, -MIN), doing="unlock"), True, "Unlocking …"),
        (Seen(link="on", access=access(Phase.CUTOFF_PENDING, 31 * MIN)), True, "Unlock"),
        (Seen(link="on", access=access(Phase.CUT_OFF, 31 * MIN, granted=False)), False, "No access"),
        (Seen(link="lost", access=access(Phase.ACTIVE, -MIN)), False, "No connection"),
        (Seen(link="refused"), False, "No session"),
    ],
)
def test_the_slider_is_blue_while_the_session_grants_access(seen: Seen, blue: bool, label: str) -> None:
    slider = show(seen)["slider"]
    assert (slider["blue"], slider["label"]) == (blue, label)


def test_without_a_booking_it_says_so() -> None:
    shown = show(Seen(), booked=False)
    assert shown["slider"] == {"blue": False, "label": "No booking, no key", "why": "Ask for the car first"}
    assert shown["labels"] == {"connect": "Connect", "ask": "Ask for 2 h"}
    assert screen.show(Seen(link="on"), None, 0, ask="Book 2 h")["labels"] == {"connect": "Hang up", "ask": "Book 2 h"}


@pytest.mark.req("CUT-1")
@pytest.mark.parametrize(
    ("phase", "late_ms", "passed_ms", "is_", "value", "words"),
    [
        (Phase.ACTIVE, -90 * MIN, 30 * MIN + 500, "active", "59 min 59 s", "left"),
        (
            Phase.OVERDUE,
            10 * MIN,
            2 * MIN,
            "overdue",
            "12 min 00 s",
            "late; access ends in 18 min 00 s, once the car is parked",
        ),
        (
            Phase.CUTOFF_PENDING,
            31 * MIN,
            4000,
            "pending",
            "31 min 04 s",
            "late; access ends as soon as the car is parked",
        ),
    ],
)
def test_the_countdown_goes_on_between_two_answers(
    phase: Phase, late_ms: int, passed_ms: int, is_: str, value: str, words: str
) -> None:
    counted = show(Seen(link="on", access=access(phase, late_ms), heard_at_ms=1000), 1000 + passed_ms)["countdown"]
    assert (counted["is"], counted["value"], counted["words"]) == (is_, value, words)
    assert 0 <= counted["share"] <= 100


def test_a_grey_slider_counts_nothing_down_nor_does_access_without_an_end() -> None:
    assert show(Seen(link="on", access=access(Phase.CUT_OFF, MIN, granted=False)))["countdown"] is None
    assert show(Seen(link="on", access=Access(True, Phase.ACTIVE)))["countdown"] is None


@pytest.mark.req("ACC-8", "CUT-6")
def test_a_refusal_is_shown_with_reason_rule_and_remedy() -> None:
    refusal = refuse(Code.BOOKING_CUT_OFF, role=Role.DRIVER, numbers=(("overdue_ms", 31 * MIN),))
    shown = show(Seen(link="on", access=access(Phase.CUT_OFF, 31 * MIN, granted=False), refusal=refusal))
    assert shown["refusal"] == [
        ("Reason", "The booking was cut off: overdue 31 min 00 s"),
        ("Rule", "CUT-2 (BOOKING_CUT_OFF)"),
        ("Remedy", "End the current booking and request a new one; contact the owner to have it accepted."),
    ]


def test_what_the_car_is_like_is_shown_as_far_as_it_is_known() -> None:
    car = VehicleState(True, False, True, None, True, True, 55, 12_345, 299)
    facts = {name: value for name, value, _ in show(Seen(link="on", vehicle=car))["facts"]}
    assert facts == {
        "Doors": "locked",
        "Open": "boot",
        "Ignition": "unknown",
        "Driving enabled": "yes",
        "Fuel": "55 %",
        "From home": "299 m",
    }
    unknown = {value for _, value, _ in show(Seen(vehicle=VehicleState()))["facts"]}
    assert unknown == {"unknown", "no"}


def test_the_place_is_what_locate_said_and_an_old_fix_is_called_old() -> None:
    shown = show(Seen(link="on", position=Position(481_375_000, 115_755_000, 31_000)))
    assert shown["place"] == {"at": (48.1375, 11.5755), "old": True}
    assert shown["place_words"] == "The car is here, fix 31 s old"
    assert shown["veil"] == ""
    assert show(Seen())["veil"] == "Only a session with access shows the car"
    granted = Seen(link="on", access=access(Phase.ACTIVE, -MIN))
    assert show(granted)["veil"] == "The car does not know where it is"


def test_the_end_is_told_with_the_distance_and_a_loss_with_its_reason() -> None:
    assert show(Seen(ended=Ended(0, 301)))["notice"] == "Ended, 301 m from home. The car has signed a receipt."
    assert "does not know where it is" in str(show(Seen(ended=Ended(0)))["notice"])
    lost = show(Seen(link="lost", why="the radio lost it"))["slider"]
    assert lost["why"] == "The radio lost it"
