"""What the owner has been told, read from the desk's answer: what is there, and what is news."""

import pytest

from host_tools.bench.scenario_owner import OwnerView, owner_view


def event(seq: int, kind: str, channel: str = "event") -> dict[str, object]:
    return {"channel": channel, "body": {"kind": kind, "stamp": {"boot": 1, "seq": seq}, "role": "driver"}}


def answer(order: str, name: str, seq: int | None = None) -> dict[str, object]:
    stamp = {} if seq is None else {"stamp": {"boot": 1, "seq": seq}}
    return {"channel": "order/result", "body": {"order": order, "name": name, "code": 0, **stamp}}


def test_positions_are_there_or_not_and_parked_or_not() -> None:
    assert owner_view({}) == OwnerView()
    assert owner_view({"position": None}) == OwnerView()
    assert owner_view({"position": {"parking": False}}) == OwnerView(position=True)
    assert owner_view({"position": {"parking": True}}) == OwnerView(position=True, parking=True)


def test_news_are_what_was_not_there_before() -> None:
    before = owner_view({"reports": [event(1, "module.booted"), answer("aa", "OK", 1)]})
    now = owner_view(
        {
            "reports": [
                event(1, "module.booted"),
                answer("aa", "OK", 1),
                event(2, "booking.started"),
                event(1, "alert.left_open", "alert"),
                answer("aa", "OK"),
                {"channel": "track", "body": 7},
                {"channel": "state", "body": 7},
            ]
        }
    )
    assert now.since(before) == ["booking.started", "alert.left_open"]
    assert now.answers_since(before, "aa") == ["OK"]
    assert now.answers_since(before, "bb") == []
    assert now.since(now) == now.answers_since(now, "aa") == []


def test_the_same_answer_twice_is_news_once_more() -> None:
    once = owner_view({"reports": [answer("aa", "BUSY")]})
    twice = owner_view({"reports": [answer("aa", "BUSY"), answer("aa", "BUSY")]})
    assert twice.answers_since(once, "aa") == ["BUSY"]


def track(seq: int, **body: object) -> dict[str, object]:
    return {"channel": "track", "body": {"stamp": {"boot": 1, "seq": seq}, **body}}


def booking(seq: int, kind: str, role: str) -> dict[str, object]:
    return {"channel": "event", "body": {"kind": kind, "role": role, "stamp": {"boot": 1, "seq": seq}}}


@pytest.mark.req("PRV-1", "PRV-4")
@pytest.mark.parametrize(
    ("followed", "reports"),
    [
        (False, [track(1), booking(1, "booking.started", "driver")]),
        (True, [booking(1, "booking.started", "driver"), track(1)]),
        (True, [booking(1, "booking.started", "vip"), booking(2, "booking.overdue", "vip"), track(1)]),
        (False, [booking(1, "booking.started", "driver"), track(1, parking=True)]),
        (False, [booking(1, "booking.started", "owner"), track(1)]),
        (False, [booking(1, "booking.started", "driver"), booking(2, "booking.ended", "driver"), track(1)]),
        (False, [booking(1, "booking.started", "driver"), booking(2, "booking.cut_off", "driver"), track(1)]),
        (False, [track(1), booking(1, "booking.started", "driver"), track(1)]),
    ],
)
def test_a_driver_is_followed_when_the_track_tells_a_position_of_the_drive(
    followed: bool, reports: list[dict[str, object]]
) -> None:
    assert owner_view({"reports": reports}).followed is followed
