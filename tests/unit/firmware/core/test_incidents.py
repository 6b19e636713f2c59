"""What is remembered of incidents: nothing has happened before something has."""

from firmware.core.incidents import Asked, Call


def test_a_call_that_was_not_sent_yet_says_nothing_of_the_place() -> None:
    call = Call(1, True, 0, False)
    assert (call.message, call.point, call.trusted) == (0, None, False)


def test_a_car_has_asked_for_nothing_at_first() -> None:
    assert Asked() == Asked(None, False)
