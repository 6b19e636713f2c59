"""What is said in place of an acknowledgement while the disk refuses, and what needs no disk."""

import pytest

from firmware.answers import acknowledges, spoken, turns, unacknowledged
from firmware.core.effects import (
    Actuate,
    Answer,
    AnswerEnded,
    AnswerMenu,
    AnswerTested,
    ContinueHandshake,
    HangUp,
    RefuseHandshake,
    Say,
    Tell,
)
from firmware.core.events import Action
from firmware.core.reports import Record
from firmware.gateway import Gateway, Heard
from protocol.errors import Code, refuse
from protocol.messages import (
    Accepted,
    Done,
    Ended,
    MessageType,
    Nonce,
    Notice,
    NoticeKind,
    Push,
    PushKind,
    Reply,
)
from protocol.selftest import Report
from protocol.tokens import EndReceipt
from tests.support.credentials import HANDSHAKE, SIGNER, TRUST

ENDED = AnswerEnded(1, 8, Code.OK, Ended(1_000), EndReceipt(b"module", b"booking", 1, False, False))
SAID = Say(Record(reason="OK", correlation=b"ask"))


@pytest.mark.req("PWR-2")
@pytest.mark.parametrize(
    "effect", [Answer(1, Reply(7, Code.OK, Done())), Answer(1, Reply(7, Code.OK, Accepted())), ENDED, SAID]
)
def test_what_has_been_done_is_said_to_be_unsure_while_nothing_is_durable(effect: Answer | AnswerEnded | Say) -> None:
    assert acknowledges(effect)
    said = unacknowledged(effect)
    assert not acknowledges(said)
    if isinstance(said, Say):
        assert said.record.reason == "STORAGE_FAILED"
        assert said.record.correlation == b"ask"
        return
    assert isinstance(effect, Answer | AnswerEnded)
    assert isinstance(said, Answer)
    assert said.link == effect.link
    assert said.reply.code is Code.STORAGE_FAILED
    assert said.reply.body == refuse(Code.STORAGE_FAILED, may_have_succeeded=True)


@pytest.mark.req("KEY-6", "CUT-4")
def test_a_link_that_is_to_hear_an_acknowledgement_is_hung_up_behind_it_and_another_one_at_once() -> None:
    done, refused = Answer(1, Reply(7, Code.OK, Done())), Answer(3, Reply(7, Code.BUSY, refuse(Code.BUSY)))
    effects = (HangUp(1), Actuate(Action.ARM_IMMOBILISER), done, HangUp(2), refused, HangUp(3), AnswerMenu(4))
    at_once, later = turns(effects)
    assert [effects[at] for at in at_once] == [Actuate(Action.ARM_IMMOBILISER), HangUp(2), refused, HangUp(3)]
    assert [effects[at] for at in later] == [done, AnswerMenu(4), HangUp(1)]
    assert turns(()) == ([], [])


@pytest.mark.req("PWR-2", "KEY-6")
def test_whoever_stands_at_the_menu_hears_of_nothing_done_while_nothing_is_durable() -> None:
    done = AnswerMenu(3)
    assert acknowledges(done)
    said = unacknowledged(done)
    assert said == AnswerMenu(3, refuse(Code.STORAGE_FAILED, may_have_succeeded=True))
    assert not acknowledges(said)


@pytest.mark.req("ACC-10")
@pytest.mark.parametrize(
    "effect",
    [
        Answer(1, Reply(7, Code.OK, Nonce(b"sixteen of chaos", b"module", 300_000))),
        Answer(1, Reply(7, Code.BUSY, refuse(Code.BUSY))),
        Say(Record(reason="BUSY")),
        Actuate(Action.LOCK),
        ContinueHandshake(1),
    ],
)
def test_what_only_tells_waits_for_no_disk(effect: Answer | Say | Actuate | ContinueHandshake) -> None:
    assert not acknowledges(effect)


def test_each_spoken_effect_goes_through_the_gateway() -> None:
    gateway = Gateway(HANDSHAKE, SIGNER, TRUST, bytes)
    gateway.opened(1, 100)
    refused = spoken(gateway, RefuseHandshake(1, refuse(Code.TOO_MANY_HANDSHAKES)))
    assert MessageType.ERROR in refused.fragments[0][:4]
    push = Push(PushKind.NOTICE, Notice(NoticeKind.CUT_OFF))
    tested = AnswerTested(1, 9, Report(bytes(8), 1, ()))
    for effect in (Answer(1, Reply(7, Code.OK, Done())), ENDED, tested, Tell(1, push), ContinueHandshake(1)):
        assert spoken(gateway, effect) == Heard(), "a link without a session is told nothing"
