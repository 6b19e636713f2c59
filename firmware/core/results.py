"""What became of an order, told where it came from: the topic `order/result` (BKG-2, SVC-3, SEC-2).

The outcome of an order that is new is a record, and is kept until the broker has it. What does not verify, and what
has been answered before, gets an answer that is kept nowhere, and not too often: whoever holds the broker can fill
neither the disk nor the line with it.
"""

from typing import Final

import msgspec

from firmware.core import clock, reporting
from firmware.core.draft import Draft
from firmware.core.effects import Say
from firmware.core.reports import Record
from protocol.errors import Code, Refusal
from protocol.telemetry import Channel

MOST_SAID: Final = 10
SAID_WITHIN_MS: Final = 60_000

replace = msgspec.structs.replace


def report(
    draft: Draft,
    order_id: bytes,
    refusal: Refusal | None,
    correlation: bytes,
    numbers: tuple[tuple[str, int], ...] = (),
    *,
    pending: bool = False,
) -> None:
    """Tell the backend for certain, once the outcome is durable, with `numbers`, or those of the refusal. `order_id` is
    empty for a list."""
    code = Code.OK if refusal is None else refusal.code
    numbers = numbers if refusal is None else refusal.numbers
    reporting.order_result(
        draft, order_id, int(code), code.name, pending=pending, correlation=correlation, numbers=numbers
    )


def say(draft: Draft, order_id: bytes, code: Code, correlation: bytes, *, pending: bool = False) -> None:
    """Answer now or never. Beyond so many a minute the answers are counted, and the next one says how many."""
    state, now = draft.state, draft.now
    recent = tuple(at for at in state.said_ms if now - at < SAID_WITHIN_MS)
    if len(recent) >= MOST_SAID:
        draft.state = replace(state, said_ms=recent, unsaid=state.unsaid + 1)
        return
    numbers = (("code", int(code)), ("pending", int(pending)))
    told = Record(
        channel=Channel.ORDER_RESULT,
        seq=state.said,
        utc_ms=clock.utc(state.clock, now),
        quality=clock.quality(state.clock, now).value,
        booking=order_id.hex(),
        reason=code.name,
        numbers=(*numbers, ("unanswered", state.unsaid)) if state.unsaid else numbers,
        boot=state.durable.counters.boot,
        correlation=correlation,
    )
    draft.state = replace(state, said_ms=(*recent, now), said=state.said + 1, unsaid=0)
    draft.order(Say(told))
