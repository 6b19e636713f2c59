"""The claims of an order: each kind, and every bound on both sides."""

from collections.abc import Callable

import msgspec
import pytest

from protocol import cbor, orders
from protocol.errors import Code, ProtocolError
from protocol.orders import REMOTE, SHORT_LIVED, Ending, Order, OrderKind, Place, Subscription
from tests.support.credentials import (
    ABOUT_THE_CAR,
    COUPLING,
    MODULE_ID,
    ORDER,
    ORDERS,
    REMOTES,
    REQUESTED,
    SERVICES,
    SUBSCRIBED,
    SUBSCRIPTION,
)

replace = msgspec.structs.replace

ISSUER_ID = ORDER.issuer
MOST = 2**32 - 1


def payload(order: Order) -> bytes:
    return cbor.encode(orders.written(order))


def again(order: Order) -> Order:
    """The order as it is read from its own claims."""
    return orders.read(payload(order), order.issuer)


def refusal(call: Callable[[], object]) -> Code:
    with pytest.raises(ProtocolError) as caught:
        call()
    return caught.value.code


def with_details(kind: int, details: cbor.Value) -> bytes:
    ours: dict[cbor.Value, cbor.Value] = {1: MODULE_ID, 2: kind, 3: details}
    return cbor.encode({4: 2, 6: 1, 7: bytes(16), -70001: ours})


@pytest.mark.req("BKG-2", "SUB-1", "SVC-3")
@pytest.mark.parametrize("order", ORDERS)
def test_each_order_comes_back(order: Order) -> None:
    assert again(order) == order


def test_there_is_an_order_of_each_kind() -> None:
    assert {order.kind for order in ORDERS} == set(OrderKind)
    assert {order.kind for order in REMOTES} == REMOTE


def test_the_claims_of_an_order_are_literal() -> None:
    ours = {1: MODULE_ID, 2: 1, 3: {1: bytes(range(16, 32)), 2: 1_790_009_000}}
    assert orders.written(ORDER) == {4: 1_790_001_600, 6: 1_790_001_000, 7: bytes(range(32, 48)), -70001: ours}
    told = {1: MODULE_ID, 2: 6, 3: {1: 4, 2: 1_820_000_000, 3: 1_800_000_000, 4: 0}}
    assert orders.written(SUBSCRIBED)[-70001] == told
    assert orders.written(REQUESTED)[-70001] == {1: MODULE_ID, 2: 2, 3: {}}
    assert [orders.written(order)[-70001] for order in REMOTES] == [
        {1: MODULE_ID, 2: kind, 3: {}} for kind in (3, 4, 5)
    ]


def test_an_order_says_who_signed_it() -> None:
    assert orders.read(payload(ORDER), b"somebody").issuer == b"somebody"


def test_an_order_of_a_later_version_is_told_apart() -> None:
    assert refusal(lambda: orders.read(with_details(14, {1: "anything"}), ISSUER_ID)) is Code.ORDER_UNSUPPORTED
    assert refusal(lambda: orders.read(with_details(0, {}), ISSUER_ID)) is Code.ORDER_UNSUPPORTED


def test_kinds_of_orders_have_16_bits() -> None:
    assert refusal(lambda: orders.read(with_details(65_535, {}), ISSUER_ID)) is Code.ORDER_UNSUPPORTED
    assert refusal(lambda: orders.read(with_details(65_536, {}), ISSUER_ID)) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize("kind", [2, 3, 4, 5])
def test_what_needs_no_details_has_none(kind: int) -> None:
    assert orders.read(with_details(kind, {}), ISSUER_ID).details is None
    wrongs: list[cbor.Value] = [{1: 1}, [], None, b""]
    for wrong in wrongs:
        assert refusal(lambda wrong=wrong: orders.read(with_details(kind, wrong), ISSUER_ID)) is Code.TOKEN_MALFORMED  # type: ignore[misc]


@pytest.mark.parametrize(
    "details",
    [
        {},
        {1: bytes(16)},
        {1: bytes(15), 2: 5},
        {1: bytes(17), 2: 5},
        {1: bytes(16), 2: -1},
        {1: bytes(16), 2: 5, 3: 0},
        {1: 4, 2: 1, 3: 1, 4: 0},
    ],
)
def test_the_details_of_an_end_are_a_booking_and_its_expiry(details: cbor.Value) -> None:
    assert refusal(lambda: orders.read(with_details(1, details), ISSUER_ID)) is Code.TOKEN_MALFORMED


@pytest.mark.req("SUB-1")
@pytest.mark.parametrize(
    "details",
    [
        {},
        {1: 4, 2: 1, 3: 1},
        {1: 4, 2: 1, 3: 1, 4: 0, 5: 0},
        {1: 4, 2: 1, 3: 1, 4: False},
        {1: 4, 2: 1, 3: 1, 4: 2},
        {1: 4, 2: 1, 3: 1, 4: -1},
        {1: 4, 2: -1, 3: 1, 4: 0},
        {1: 4, 2: 1, 3: -1, 4: 0},
        {1: bytes(16), 2: 5},
    ],
)
def test_the_details_of_a_subscription_are_four_numbers(details: cbor.Value) -> None:
    assert refusal(lambda: orders.read(with_details(6, details), ISSUER_ID)) is Code.TOKEN_MALFORMED


@pytest.mark.req("SUB-1")
def test_a_subscription_has_a_number_from_one_on_and_is_paused_or_not() -> None:
    first = Subscription(1, 0, 0, paused=True)
    assert again(replace(SUBSCRIBED, details=first)).details == first
    nought = replace(SUBSCRIBED, details=replace(first, number=0))
    assert refusal(lambda: again(nought)) is Code.TOKEN_MALFORMED
    assert orders.read(with_details(6, {1: 1, 2: 0, 3: 0, 4: 1}), ISSUER_ID).details == first
    assert orders.read(with_details(6, {1: 1, 2: 0, 3: 0, 4: 0}), ISSUER_ID).details == Subscription(1, 0, 0)


@pytest.mark.parametrize("field", ["number", "sharing_until_s", "remote_until_s"])
def test_the_numbers_of_a_subscription_have_32_bits(field: str) -> None:
    full = replace(SUBSCRIBED, details=replace(SUBSCRIPTION, **{field: MOST}))
    assert again(full) == full
    over = replace(SUBSCRIBED, details=replace(SUBSCRIPTION, **{field: MOST + 1}))
    assert refusal(lambda: again(over)) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize("field", ["issued_s", "expires_s"])
def test_the_times_of_an_order_have_32_bits(field: str) -> None:
    latest = replace(ORDER, issued_s=MOST, expires_s=MOST, details=Ending(bytes(16), MOST))
    assert again(latest) == latest
    assert refusal(lambda: again(replace(latest, **{field: MOST + 1}))) is Code.TOKEN_MALFORMED
    assert refusal(lambda: again(replace(latest, details=Ending(bytes(16), MOST + 1)))) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize(
    ("field", "value"),
    [("order_id", bytes(15)), ("order_id", bytes(17)), ("module_id", bytes(7)), ("module_id", bytes(9))],
)
def test_identifiers_have_one_length(field: str, value: bytes) -> None:
    assert refusal(lambda: again(replace(ORDER, **{field: value}))) is Code.TOKEN_MALFORMED


@pytest.mark.req("BKG-2", "SVC-3")
@pytest.mark.parametrize("order", ORDERS)
def test_an_order_may_expire_in_the_second_of_its_issue_and_no_sooner(order: Order) -> None:
    short = replace(order, expires_s=order.issued_s)
    assert again(short) == short
    assert refusal(lambda: again(replace(order, expires_s=order.issued_s - 1))) is Code.TOKEN_MALFORMED


@pytest.mark.req("SVC-3", "SEC-2")
@pytest.mark.parametrize("order", [order for order in ORDERS if order.kind in SHORT_LIVED])
def test_what_moves_the_car_or_takes_it_over_lives_ten_minutes_at_most(order: Order) -> None:
    longest = replace(order, expires_s=order.issued_s + 600)
    assert again(longest) == longest
    assert refusal(lambda: again(replace(order, expires_s=order.issued_s + 601))) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize("order", [order for order in ORDERS if order.kind not in SHORT_LIVED])
def test_anything_else_may_live_for_months(order: Order) -> None:
    long = replace(order, expires_s=order.issued_s + 20_000_000)
    assert again(long) == long


@pytest.mark.parametrize("missing", [4, 6, 7, -70001])
def test_no_claim_may_be_missing_and_none_may_be_added(missing: int) -> None:
    found = orders.written(ORDER)
    assert refusal(lambda: orders.read(cbor.encode({**found, 9: 0}), ISSUER_ID)) is Code.TOKEN_MALFORMED
    del found[missing]
    assert refusal(lambda: orders.read(cbor.encode(found), ISSUER_ID)) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_no_own_claim_may_be_missing_and_none_may_be_added(missing: int) -> None:
    ours: dict[cbor.Value, cbor.Value] = {1: MODULE_ID, 2: 2, 3: {}}
    for wrong in ({**ours, 4: 0}, {key: value for key, value in ours.items() if key != missing}):
        data = cbor.encode({4: 2, 6: 1, 7: bytes(16), -70001: wrong})
        assert refusal(lambda data=data: orders.read(data, ISSUER_ID)) is Code.TOKEN_MALFORMED  # type: ignore[misc]


# ---------------------------------------------------------------- ownership, drivers, services, places
BY_KIND = {order.kind: order for order in ABOUT_THE_CAR}
VIN = COUPLING.vin


def detail(kind: OrderKind, **changes: cbor.Value) -> cbor.Value:
    """The details of the order of that kind, claim `cN` replaced."""
    ours = orders.written(BY_KIND[kind])[-70001]
    assert isinstance(ours, dict)
    details = ours[3]
    assert isinstance(details, dict)
    return {**details, **{int(name[1:]): value for name, value in changes.items()}}


@pytest.mark.req("OWN-3", "OWN-4", "OWN-5", "SUB-3", "SVC-1")
def test_the_claims_of_orders_about_the_car_are_literal() -> None:
    coupling = {1: 1, 2: b"an owner", 3: b"a person", 4: VIN, 5: 1}
    place = {1: 525_162_746, 2: 133_777_041, 3: "Brandenburger Tor"}
    renewals = [["real-time-traffic", 12, [2023, 2, 1]], ["real-time-traffic", 6, [2024, 8, 31]]]
    bought = {1: 2, 2: "BE", 3: "2021-05-10", 4: [2020, 2, 29], 5: ["6AC", "6UM"], 6: renewals, 7: 1}
    assert [orders.written(order)[-70001] for order in ABOUT_THE_CAR] == [
        {1: MODULE_ID, 2: 7, 3: coupling},
        {1: MODULE_ID, 2: 8, 3: {1: 2, 2: b"an owner"}},
        {1: MODULE_ID, 2: 9, 3: {**coupling, 1: 3, 2: b"another1"}},
        {1: MODULE_ID, 2: 10, 3: bought},
        {1: MODULE_ID, 2: 11, 3: {1: b"a driver"}},
        {1: MODULE_ID, 2: 12, 3: place},
        {1: MODULE_ID, 2: 13, 3: place},
    ]


@pytest.mark.parametrize("order", ABOUT_THE_CAR)
def test_no_detail_may_be_missing_and_none_may_be_added(order: Order) -> None:
    whole = detail(order.kind)
    assert isinstance(whole, dict)
    assert orders.read(with_details(order.kind, whole), order.issuer).details == order.details
    wrongs: list[cbor.Value] = [{key: whole[key] for key in whole if key != left_out} for left_out in whole]
    for wrong in [*wrongs, {**whole, 8: 0}, {}, [], None]:
        data = with_details(order.kind, wrong)
        assert refusal(lambda data=data: orders.read(data, ISSUER_ID)) is Code.TOKEN_MALFORMED  # type: ignore[misc]


def days(year: int, month: int, day: int) -> cbor.Value:
    return [year, month, day]


@pytest.mark.req("OWN-3", "SUB-3", "SVC-1", "SVC-5")
@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (OrderKind.COUPLE, {"c1": 0}),
        (OrderKind.COUPLE, {"c1": MOST + 1}),
        (OrderKind.COUPLE, {"c2": bytes(7)}),
        (OrderKind.COUPLE, {"c3": bytes(9)}),
        (OrderKind.COUPLE, {"c4": VIN + "1"}),
        (OrderKind.COUPLE, {"c4": "\x00" * 17}),
        (OrderKind.COUPLE, {"c5": 0}),
        (OrderKind.TAKE_OVER, {"c4": VIN.encode()}),
        (OrderKind.REMOVE_OWNER, {"c1": 0}),
        (OrderKind.REMOVE_OWNER, {"c2": b""}),
        (OrderKind.SERVICES, {"c1": 0}),
        (OrderKind.SERVICES, {"c2": ""}),
        (OrderKind.SERVICES, {"c3": "x" * 33}),
        (OrderKind.SERVICES, {"c4": days(2019, 2, 29)}),
        (OrderKind.SERVICES, {"c4": days(2021, 4, 31)}),
        (OrderKind.SERVICES, {"c4": days(0, 1, 1)}),
        (OrderKind.SERVICES, {"c4": days(10_000, 1, 1)}),
        (OrderKind.SERVICES, {"c4": [2020, 2]}),
        (OrderKind.SERVICES, {"c5": ["6AC"] * 17}),
        (OrderKind.SERVICES, {"c5": [""]}),
        (OrderKind.SERVICES, {"c6": [["real-time-traffic", 12]]}),
        (OrderKind.SERVICES, {"c6": [["real-time-traffic", 0, [2023, 2, 1]]]}),
        (OrderKind.SERVICES, {"c6": [["real-time-traffic", 121, [2023, 2, 1]]]}),
        (OrderKind.SERVICES, {"c6": [["", 12, [2023, 2, 1]]]}),
        (OrderKind.SERVICES, {"c6": [["real-time-traffic", 12, [2023, 2, 29]]]}),
        (OrderKind.SERVICES, {"c6": [["real-time-traffic", 12, [2023, 2, 1]]] * 33}),
        (OrderKind.SERVICES, {"c7": 2}),
        (OrderKind.SERVICES, {"c7": True}),
        (OrderKind.REMOVE_DRIVER, {"c1": bytes(16)}),
        (OrderKind.HOME, {"c1": 900_000_001}),
        (OrderKind.HOME, {"c1": -900_000_001}),
        (OrderKind.HOME, {"c2": 1_800_000_001}),
        (OrderKind.SEND_TO_CAR, {"c2": -1_800_000_001}),
        (OrderKind.SEND_TO_CAR, {"c3": "x" * 65}),
        (OrderKind.SEND_TO_CAR, {"c3": "two\nlines"}),
    ],
)
def test_each_detail_has_its_bounds(kind: OrderKind, wrong: dict[str, cbor.Value]) -> None:
    assert refusal(lambda: orders.read(with_details(kind, detail(kind, **wrong)), ISSUER_ID)) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        (OrderKind.COUPLE, replace(COUPLING, number=MOST, subscription=MOST, vin="")),
        (OrderKind.COUPLE, replace(COUPLING, vin="I" * 17)),
        (OrderKind.SERVICES, replace(SERVICES, first_registration=(2000, 2, 29), base_active=False)),
        (OrderKind.SERVICES, replace(SERVICES, packs=(), renewals=())),
        (
            OrderKind.SERVICES,
            replace(SERVICES, packs=("6AC",) * 16, renewals=(("real-time-traffic", 120, (2024, 2, 29)),) * 32),
        ),
        (OrderKind.HOME, Place(-900_000_000, -1_800_000_000)),
        (OrderKind.SEND_TO_CAR, Place(900_000_000, 1_800_000_000, "ß" * 64)),
    ],
)
def test_what_is_within_the_bounds_comes_back(kind: OrderKind, details: orders.Details) -> None:
    order = replace(BY_KIND[kind], details=details)
    assert again(order) == order
