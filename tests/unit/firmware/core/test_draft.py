"""A step in the making."""

import msgspec

from firmware.core.effects import Actuate, Answer, HangUp
from firmware.core.events import Action
from firmware.core.state import Link
from protocol.errors import Code, refuse
from protocol.messages import Done, Reply
from tests.support.core import NOW, a_state, draft, linked


def test_hang_ups_come_last() -> None:
    step = draft(a_state())
    step.hang_up(1)
    step.order(Actuate(Action.LOCK))
    step.answer(1, 7, Done())
    assert step.finish()[1] == (Actuate(Action.LOCK), Answer(1, Reply(7, Code.OK, Done())), HangUp(1))


def test_a_refusal_brings_its_own_code() -> None:
    step = draft(a_state())
    step.answer(2, 7, refuse(Code.BUSY), Code.OVERDUE)
    step.answer(2, 8, Done(), Code.OVERDUE)
    assert step.effects == [
        Answer(2, Reply(7, Code.BUSY, refuse(Code.BUSY))),
        Answer(2, Reply(8, Code.OVERDUE, Done())),
    ]


def test_the_state_that_it_began_with_stays_as_it_was() -> None:
    before = linked(a_state(), None, None)
    step = draft(before)
    step.keep(msgspec.structs.replace(step.durable, drive_enabled=True))
    step.set_link(Link(2, NOW, NOW + 5))
    step.set_link(Link(9, NOW, NOW))
    after, _ = step.finish()
    assert (before.durable.drive_enabled, after.durable.drive_enabled) == (False, True)
    assert after.links == (Link(1, NOW, NOW), Link(2, NOW, NOW + 5))
