"""Ten share the car, the eleventh waits."""

import msgspec
import pytest

from firmware.core import drivers
from protocol.errors import Code, Role
from protocol.messages import Accepted
from protocol.orders import DriverRemoval
from tests.support.core import a_state, draft
from tests.support.credentials import BOOKING

replace = msgspec.structs.replace

NINE = tuple(b"driver %d" % number for number in range(9))
TEN = (*NINE, b"driver 9")


@pytest.mark.req("SUB-3")
@pytest.mark.parametrize("role", [Role.DRIVER, Role.VIP])
def test_the_eleventh_is_refused(role: Role) -> None:
    late = replace(BOOKING, role=role)
    assert drivers.refusal(a_state(drivers=NINE), late) is None
    refused = drivers.refusal(a_state(drivers=TEN), late)
    assert refused is not None
    assert (refused.code, refused.numbers) == (Code.DRIVER_LIST_FULL, (("drivers", 10),))
    assert drivers.refusal(a_state(drivers=TEN), replace(late, user=TEN[3])) is None


@pytest.mark.req("SUB-3")
@pytest.mark.parametrize("role", [Role.OWNER, Role.GUEST])
def test_owner_and_guests_need_no_place(role: Role) -> None:
    other = replace(BOOKING, role=role)
    assert drivers.refusal(a_state(drivers=TEN), other) is None
    state = a_state(drivers=NINE)
    assert drivers.note(state.durable, other) is state.durable


@pytest.mark.req("SUB-3")
def test_who_gets_the_car_takes_one_place_once() -> None:
    durable = drivers.note(a_state().durable, BOOKING)
    assert durable.drivers == (BOOKING.user,)
    assert drivers.note(durable, BOOKING) is durable


@pytest.mark.req("SUB-3")
def test_a_removal_frees_the_place_and_another_changes_nothing() -> None:
    step = draft(a_state(drivers=TEN))
    assert drivers.remove(step, DriverRemoval(TEN[3])) == Accepted()
    assert step.durable.drivers == (*TEN[:3], *TEN[4:])
    before = step.durable
    assert drivers.remove(step, DriverRemoval(TEN[3])) == Accepted()
    assert step.durable is before
