"""Effects: orders in the imperative that the core gives to the shell. None of them can be fed back as an event."""

import msgspec

from firmware.core.events import Action
from firmware.core.reports import Record
from firmware.core.usage import Chained
from protocol import selftest
from protocol.errors import Code, Refusal
from protocol.messages import Ended, Push, Reply
from protocol.msd import Msd
from protocol.tokens import EndReceipt


class Effect(msgspec.Struct, frozen=True, gc=False):
    """Base of all effects."""


class Actuate(Effect, frozen=True, gc=False):
    """Do `action` to the car and report `ActuationFinished` with the same command id."""

    action: Action
    command_id: bytes = b""


class Answer(Effect, frozen=True, gc=False):
    """Send a reply over a link's session. A link that is gone is no error."""

    link: int
    reply: Reply


class AnswerEnded(Effect, frozen=True, gc=False):
    """Send the reply to an end, with `receipt` signed by the module in it (BKG-4)."""

    link: int
    request_id: int
    code: Code
    body: Ended
    receipt: EndReceipt


class AnswerTested(Effect, frozen=True, gc=False):
    """Send the reply to a self-test: `report`, signed by the module (OWN-1)."""

    link: int
    request_id: int
    report: selftest.Report


class Tell(Effect, frozen=True, gc=False):
    """Send an unasked message over a link's session."""

    link: int
    push: Push


class HangUp(Effect, frozen=True, gc=False):
    """Disconnect a central, after what was sent to it before."""

    link: int


class ContinueHandshake(Effect, frozen=True, gc=False):
    """Answer the handshake message that is waiting on this link."""

    link: int


class RefuseHandshake(Effect, frozen=True, gc=False):
    """Answer it with an unprotected refusal."""

    link: int
    refusal: Refusal


class Persist(Effect, frozen=True, gc=False):
    """Make the new durable state durable, with every `Report` and `Log` of this step, in one transaction.

    `required`: something is permitted here, so a failed write undoes the step. Otherwise the step stands
    (denying, locking and cutting never wait for a disk) and the write is tried again.
    """

    required: bool


class Report(Effect, frozen=True, gc=False):
    """Append a record to the outbox."""

    record: Record


class Say(Effect, frozen=True, gc=False):
    """Send an answer to the broker as it is, if there is a connection: it is kept nowhere. `record` has no number."""

    record: Record


class Log(Effect, frozen=True, gc=False):
    """Append an entry to the usage log (BKG-7)."""

    entry: Chained


class TryCode(Effect, frozen=True, gc=False):
    """Now that the try is durable, say `CodeTried` with the same print and ticket."""

    code: bytes
    ticket: int


class AnswerMenu(Effect, frozen=True, gc=False):
    """Tell whoever stands at the vehicle's menu: done (None), or why not."""

    ticket: int
    refusal: Refusal | None = None


class CallEmergency(Effect, frozen=True, gc=False):
    """Send this to the emergency centre at once, ahead of everything; it takes the place of what was not sent yet of
    the same call. What is not delivered in `lasts_s` says nothing any more."""

    call: int
    msd: Msd
    lasts_s: int


class EndEmergency(Effect, frozen=True, gc=False):
    """There is nothing to send to the emergency centre any more: hang up."""
