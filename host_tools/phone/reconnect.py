"""Commands that survive a lost link (ACC-7): ask what became of the command before sending it again.

It knows when to try again. It does not know how a session comes about: the caller hands over `reopen`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import msgspec

from host_tools.phone.errors import HandshakeRefused, LinkClosed, LinkFailed, NotFound, Refused
from protocol.errors import FIRST_WARNING, Code, refuse
from protocol.messages import Done, Ended, Operation, Outcome, Reply

if TYPE_CHECKING:
    from host_tools.phone.client import Phone

MAX_TRIES: Final = 5
FIRST_PAUSE_S: Final = 0.25
LAST_PAUSE_S: Final = 4.0


class Settled(msgspec.Struct, frozen=True):
    """A command that was carried out, exactly once as far as the car can tell.

    `body`: the module's own answer, or None when it was lost and the outcome was asked for instead.
    `code`: OK or a warning. `tries`: how many times the command or the question was sent.
    """

    command_id: bytes
    code: Code
    body: Done | Ended | None
    tries: int


async def reliably(
    operation: Operation,
    reopen: Callable[[], Awaitable["Phone"]],
    *,
    phone: "Phone | None" = None,
    command_id: bytes | None = None,
    tries: int = MAX_TRIES,
    first_pause_s: float = FIRST_PAUSE_S,
) -> Settled:
    """Send the command `operation`, at most `tries` times over as many sessions.

    An end is sent again without asking: it ends nothing twice, and only its answer brings the receipt (BKG-4).
    `phone`: a session to begin with; `reopen` makes the next one. Raises Refused when the module said no,
    HandshakeRefused when it lets nobody in, else the last LinkClosed, LinkFailed or NotFound.
    """
    in_doubt = False
    pause_s = first_pause_s
    for attempt in range(1, tries + 1):
        try:
            if phone is None or not phone.is_open:
                phone = await reopen()
            command_id = command_id or phone.new_command_id()
            if in_doubt and operation is not Operation.END_BOOKING:
                known = await _ask(phone, command_id)
                if known is not None:
                    return _settle(known, operation, command_id, attempt)
            return _answered(await phone.command(operation, command_id), command_id, attempt)
        except LinkClosed as lost:
            in_doubt = in_doubt or lost.may_have_succeeded
            if attempt == tries:
                raise LinkClosed(lost.why, command_id=command_id or b"", may_have_succeeded=in_doubt) from lost
        except (LinkFailed, NotFound) as error:
            if attempt == tries and in_doubt:
                raise LinkClosed(error.why, command_id=command_id or b"", may_have_succeeded=True) from error
            if attempt == tries:
                raise
        except Refused as no:
            if in_doubt and operation is Operation.END_BOOKING and no.refusal.code is Code.BOOKING_ENDED:
                return Settled(command_id or b"", Code.OK, None, attempt)
            if isinstance(no, HandshakeRefused) or no.refusal.code is not Code.BUSY or attempt == tries:
                raise
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LAST_PAUSE_S)
    raise AssertionError("the last try returns or raises")


async def _ask(phone: "Phone", command_id: bytes) -> Outcome | None:
    """The outcome, or None when the module never heard of the command."""
    try:
        return await phone.outcome(command_id)
    except Refused as no:
        if no.refusal.code is Code.OUTCOME_UNKNOWN:
            return None
        raise


def _settle(outcome: Outcome, operation: Operation, command_id: bytes, tries: int) -> Settled:
    if outcome.operation is not operation:
        raise Refused(refuse(Code.COMMAND_ID_REUSED))
    if Code.OK < outcome.code < FIRST_WARNING:
        raise Refused(refuse(outcome.code, may_have_succeeded=outcome.may_have_succeeded))
    return Settled(command_id, outcome.code, None, tries)


def _answered(reply: Reply, command_id: bytes, tries: int) -> Settled:
    body = reply.body if isinstance(reply.body, Done | Ended) else None
    return Settled(command_id, reply.code, body, tries)
