"""Who may stay connected, and how often a stranger may try."""

import msgspec
import pytest

from firmware.core import links
from firmware.core.effects import ContinueHandshake, HangUp, RefuseHandshake
from firmware.core.events import KeyPresented, TokenPresented
from firmware.core.state import Link
from protocol.errors import Code, refuse
from tests.support.core import (
    CODED_KEY,
    GUEST_KEY,
    NOW,
    OTHER,
    OWNER_KEY,
    PRINT,
    a_state,
    draft,
    knowing,
    linked,
    running,
)
from tests.support.credentials import BOOKING

replace = msgspec.structs.replace


@pytest.mark.req("BLE-1")
def test_three_centrals_are_served_and_the_fourth_is_sent_away() -> None:
    step = draft(linked(a_state(), None, None))
    links.opened(step, 3)
    links.opened(step, 4)
    assert step.state.links[2] == Link(3, NOW, NOW)
    assert len(step.state.links) == 3
    assert step.finish()[1] == (HangUp(4),)


def test_a_central_that_goes_away_makes_room() -> None:
    step = draft(linked(a_state(), None, None))
    links.lost(step, 1)
    links.lost(step, 77)
    assert [link.id for link in step.state.links] == [2]


def test_traffic_keeps_a_session_alive() -> None:
    step = draft(linked(running(), BOOKING), NOW + 5_000)
    links.active(step, 1)
    links.active(step, 77)
    assert step.state.links == (Link(1, NOW, NOW + 5_000, BOOKING),)


@pytest.mark.req("SEC-2")
def test_after_five_failures_in_a_minute_who_has_failed_waits_for_the_rest_of_it() -> None:
    step = draft(linked(a_state(), None))
    for at in (0, 1_000, 2_000, 3_000):
        step.now = NOW + at
        links.handshake_failed(step, 1)
    links.handshake_begun(step, 1)
    step.now = NOW + 4_000
    links.handshake_failed(step, 77)
    step.now = NOW + 10_000
    links.handshake_begun(step, 1)
    step.now = NOW + 59_999
    links.handshake_begun(step, 1)
    step.now = NOW + 60_000
    links.handshake_begun(step, 1)
    first, second, third, fourth = step.effects
    assert first == ContinueHandshake(1)
    assert isinstance(second, RefuseHandshake)
    assert (second.link, second.refusal.code) == (1, Code.TOO_MANY_HANDSHAKES)
    assert second.refusal.number("retry_in_ms") == 50_000
    assert isinstance(third, RefuseHandshake)
    assert third.refusal.number("retry_in_ms") == 1
    assert fourth == ContinueHandshake(1)


@pytest.mark.req("SEC-2", "ACC-1")
def test_the_failures_of_others_keep_nobody_out_who_has_a_place_and_has_not_failed() -> None:
    step = draft(linked(a_state(), None, None))
    for _ in range(5):
        links.handshake_failed(step, 1)
    assert [link.failed for link in step.state.links] == [True, False]
    links.handshake_begun(step, 2)
    links.handshake_begun(step, 77)
    assert step.effects[0] == ContinueHandshake(2)
    assert isinstance(step.effects[1], RefuseHandshake), "a link that has no place"


def test_no_more_failures_are_remembered_than_count() -> None:
    step = draft(a_state())
    for at in range(10):
        step.now = NOW + at
        links.handshake_failed(step, 1)
    assert step.state.failed_handshakes_ms == tuple(range(NOW + 5, NOW + 10))


@pytest.mark.req("BLE-2")
def test_each_kind_of_link_has_its_time() -> None:
    state = linked(running(), None, OTHER, BOOKING)
    assert [links.expires_at_ms(state, link, NOW) - NOW for link in state.links] == [10_000, 60_000, 600_000]


@pytest.mark.req("SEC-2", "BLE-1")
def test_without_a_free_place_a_phone_without_access_buys_no_time_by_asking() -> None:
    roomy = linked(running(), OTHER, BOOKING)
    crowded = linked(running(), OTHER, BOOKING, None)
    for state, left_ms in ((roomy, 100_000), (crowded, 60_000)):
        asking, admitted = (msgspec.structs.replace(link, active_at_ms=NOW + 40_000) for link in state.links[:2])
        assert links.expires_at_ms(state, asking, NOW) == NOW + left_ms
        assert links.expires_at_ms(state, admitted, NOW) == NOW + 640_000


@pytest.mark.req("BLE-2")
def test_a_link_whose_time_is_over_is_hung_up_again_and_again() -> None:
    step = draft(linked(a_state(), None), NOW + 9_999)
    links.settle(step)
    assert step.hang_ups == []
    step.now = NOW + 10_000
    links.settle(step)
    links.settle(step)
    assert step.hang_ups == [1]
    step.now = NOW + 20_000
    links.settle(step)
    assert step.hang_ups == [1, 1]


def test_traffic_does_not_buy_time_for_a_handshake() -> None:
    state = linked(a_state(), None)
    late = msgspec.structs.replace(state, links=(Link(1, NOW, NOW + 9_000),))
    assert links.expires_at_ms(late, late.links[0], NOW) == NOW + 10_000


@pytest.mark.req("SEC-2")
def test_a_phone_that_authenticates_itself_anew_gives_its_older_session_up() -> None:
    other_holder = msgspec.structs.replace(OTHER, holder=b"\x03" + bytes(32))
    step = draft(linked(a_state(), BOOKING, other_holder, BOOKING, None))
    links.supersede(step, 3, BOOKING)
    assert step.hang_ups == [1]
    assert [link.booking for link in step.state.links] == [None, other_holder, BOOKING, None]


def test_a_link_that_was_hung_up_for_silence_gets_its_whole_time_again() -> None:
    step = draft(linked(running(), BOOKING), NOW + 600_000)
    links.settle(step)
    assert step.hang_ups == [1]
    assert links.expires_at_ms(step.state, step.state.links[0], NOW) == NOW + 1_200_000


def test_who_gave_a_session_up_has_ten_seconds_for_another_handshake() -> None:
    step = draft(linked(a_state(), BOOKING, BOOKING), NOW + 60_000)
    links.supersede(step, 2, BOOKING)
    assert links.expires_at_ms(step.state, step.state.links[0], NOW) == NOW + 70_000


# ---------------------------------------------------------------- authenticated
@pytest.mark.req("KEY-4", "SEC-2")
def test_a_link_holds_a_booking_or_a_key_and_never_its_sealed_code() -> None:
    step = draft(linked(a_state(), None, None))
    sealed = replace(CODED_KEY, sealed_code=b"sealed")
    assert links.authenticated(step, KeyPresented(1, sealed, PRINT, OWNER_KEY))
    assert links.authenticated(step, TokenPresented(2, BOOKING), refuse(Code.STORAGE_FAILED))
    first, second = step.state.links
    assert first == Link(1, NOW, NOW, key=CODED_KEY, code=PRINT, parent=OWNER_KEY)
    assert second == Link(2, NOW, NOW, BOOKING, refuse(Code.STORAGE_FAILED))
    assert not links.authenticated(step, TokenPresented(3, BOOKING))
    assert step.hang_ups == []


@pytest.mark.req("SEC-2")
def test_a_phone_that_comes_again_with_its_key_gives_its_older_session_up() -> None:
    step = draft(linked(a_state(), GUEST_KEY, OWNER_KEY, None))
    links.authenticated(step, KeyPresented(3, GUEST_KEY))
    assert step.hang_ups == [1]
    assert [link.key for link in step.state.links] == [None, OWNER_KEY, GUEST_KEY]


@pytest.mark.req("SEC-2", "KEY-1")
def test_a_link_with_a_good_key_may_be_idle_for_longer() -> None:
    state = linked(knowing(a_state(), GUEST_KEY), GUEST_KEY, replace(GUEST_KEY, token_id=b"not noted so far"))
    assert [links.expires_at_ms(state, link, NOW) - NOW for link in state.links] == [600_000, 60_000]
