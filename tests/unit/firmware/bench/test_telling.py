"""Each fact and each deed that is worth telling has its words; none of them holds a secret."""

import pytest

from firmware.bench.telling import of_effect, of_event
from firmware.core import effects as do
from firmware.core import events as ev
from protocol.errors import Code, Role, refuse
from protocol.messages import Done, Nonce, Reply
from protocol.selftest import Part, Report, Result
from protocol.sharing import Key

KEY = Key(b"T" * 16, 0, 2, 1, b"M" * 8, Role.GUEST, 1, 1, b"U" * 8, b"H" * 33, parent=b"P" * 16, name="Ben")
PRINT = b"print of a code!"


def lines(event: ev.Event) -> list[str]:
    return [each.line for each in of_event(event)]


@pytest.mark.req("BEN-1")
@pytest.mark.parametrize(
    ("event", "line"),
    [
        (ev.KeyPresented(3, KEY, PRINT), f"Link 3 is guest {'55' * 8} (Ben), with a key."),
        (ev.VehicleKeyUsed(ev.KeyButton.LOCK), "The car was locked with a vehicle key."),
        (ev.CodeEntered(PRINT, 7), "A code was entered in the vehicle's menu."),
        (ev.KeyDeactivated(KEY.token_id, 7), "A shared key was deactivated in the vehicle's menu."),
        (ev.CrashDetected(), "The crash sensors have spoken."),
        (ev.EmergencyPressed(), "The emergency button was pressed."),
        (ev.EmergencyCancelled(), "The emergency button was taken back."),
        (ev.EmergencyAcknowledged(1), "The emergency centre has the call."),
        (ev.NetworkServing(206), "A mobile network of 206 serves the car."),
        (ev.NetworkServing(None), "No mobile network serves the car."),
    ],
)
def test_what_happens_at_the_car_is_told(event: ev.Event, line: str) -> None:
    assert lines(event) == [line]
    assert all(PRINT.hex() not in str(each) for each in of_event(event))


def test_an_owner_has_no_name_of_a_key() -> None:
    assert lines(ev.KeyPresented(3, Key(b"T", 0, 2, 1, b"M", Role.OWNER, 1, 1, b"U", b"H"))) == [
        "Link 3 is owner 55, with a key."
    ]


@pytest.mark.parametrize("event", [ev.Ticked(), ev.VehicleSampled(), ev.CodeTried(PRINT, 7), ev.LinkActive(3)])
def test_what_comes_all_the_time_is_no_news(event: ev.Event) -> None:
    assert lines(event) == []


@pytest.mark.req("KEY-3")
def test_the_menu_is_answered_and_a_refusal_is_somebody_elses_affair() -> None:
    assert [each.line for each in of_effect(do.AnswerMenu(7))] == ["The vehicle's menu is answered: done."]
    assert list(of_effect(do.AnswerMenu(7, refuse(Code.CODE_WRONG)))) == []
    assert list(of_effect(do.Answer(3, Reply(1, Code.BUSY, refuse(Code.BUSY))))) == []
    assert list(of_effect(do.TryCode(PRINT, 7))) == []


def test_an_answer_is_told_by_its_code_alone() -> None:
    for body in (Done(), Nonce(b"sixteen of chaos", b"module", 300_000)):
        assert [each.line for each in of_effect(do.Answer(3, Reply(1, Code.OK, body)))] == ["Link 3 is answered: OK."]


@pytest.mark.req("OWN-1")
@pytest.mark.parametrize(("passed", "said"), [(True, "test passed"), (False, "test not passed")])
def test_a_dealers_test_is_told_by_how_it_went(passed: bool, said: str) -> None:
    report = Report(b"M" * 8, 1, (Result(Part.DOORS, passed),))
    assert [each.line for each in of_effect(do.AnswerTested(3, 1, report))] == [f"Link 3 is answered: {said}."]
