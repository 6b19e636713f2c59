"""What an effect says on a link: through the gateway, and only as much as is durable.

Decides what counts as an acknowledgement, what is said in its place while the disk refuses, and in which order a step's
effects are carried out.
"""

from collections.abc import Sequence
from typing import TypeGuard

import msgspec

from firmware.core.effects import (
    Answer,
    AnswerEnded,
    AnswerMenu,
    AnswerTested,
    ContinueHandshake,
    Effect,
    HangUp,
    RefuseHandshake,
    Say,
    Tell,
)
from firmware.gateway import Gateway, Heard
from protocol.errors import Code, refuse
from protocol.messages import Accepted, Done, Outcome, Reply, SelfTested

Spoken = Answer | AnswerEnded | AnswerTested | Tell | ContinueHandshake | RefuseHandshake
"""The effects that put something on a link."""


def spoken(gateway: Gateway, effect: Spoken) -> Heard:
    """The fragments of an effect, and what else comes of it."""
    match effect:
        case Answer(link, reply):
            return Heard([], gateway.answer(link, reply))
        case AnswerEnded(link, request_id, code, body, receipt):
            signed = msgspec.structs.replace(body, receipt=gateway.receipt(receipt))
            return Heard([], gateway.answer(link, Reply(request_id, code, signed)))
        case AnswerTested(link, request_id, report):
            tested = SelfTested(gateway.self_test(report))
            return Heard([], gateway.answer(link, Reply(request_id, Code.OK, tested)))
        case Tell(link, push):
            return Heard([], gateway.answer(link, push))
        case ContinueHandshake(link):
            return gateway.continue_handshake(link)
        case RefuseHandshake(link, refusal):
            return Heard([], gateway.refuse_handshake(link, refusal))


def acknowledges(effect: Effect) -> TypeGuard[Answer | AnswerEnded | AnswerMenu | Say]:
    """Whether this tells a phone, the backend or somebody at the vehicle's menu that something has been done: only true
    once it is durable. What is merely asked for is answered whatever the disk says (ACC-10)."""
    if isinstance(effect, Answer):
        return isinstance(effect.reply.body, Done | Accepted | Outcome)
    if isinstance(effect, Say):
        return effect.record.reason == Code.OK.name
    if isinstance(effect, AnswerMenu):
        return effect.refusal is None
    return isinstance(effect, AnswerEnded)


def turns(effects: Sequence[Effect]) -> tuple[list[int], list[int]]:
    """The places of what is carried out at once, and of what waits until the step is durable: acknowledgements, and
    then the end of a link that is to hear one. Nothing but farewells is left to such a link: its phone may do nothing
    any more."""
    waits = [at for at, effect in enumerate(effects) if acknowledges(effect)]
    hearing = {each.link for at in waits if isinstance(each := effects[at], Answer | AnswerEnded)}
    ends = [at for at, effect in enumerate(effects) if isinstance(effect, HangUp) and effect.link in hearing]
    return [at for at in range(len(effects)) if at not in waits and at not in ends], [*waits, *ends]


def unacknowledged(effect: Answer | AnswerEnded | AnswerMenu | Say) -> Answer | AnswerMenu | Say:
    """The same answer while the disk refuses: it may have been done, and may be forgotten by a power cut."""
    refusal = refuse(Code.STORAGE_FAILED, may_have_succeeded=True)
    if isinstance(effect, AnswerMenu):
        return AnswerMenu(effect.ticket, refusal)
    if isinstance(effect, Say):
        numbers = (("code", int(refusal.code)), ("pending", 0))
        return Say(msgspec.structs.replace(effect.record, reason=refusal.code.name, numbers=numbers))
    request_id = effect.reply.id if isinstance(effect, Answer) else effect.request_id
    return Answer(effect.link, Reply(request_id, refusal.code, refusal))
