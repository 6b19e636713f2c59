"""What was handed to the broker, against what the state has to say."""

import msgspec
import pytest

from firmware.bench.compared import Diverged
from firmware.bench.notation import NotationError
from firmware.bench.outgoing import MOST_RECORDS, Outgoing
from firmware.bench.recording import Published
from firmware.core import reporting
from firmware.core.reporting import Message
from firmware.core.reports import Point, Record
from firmware.core.state import Slot
from protocol import telemetry
from protocol.telemetry import Channel, EventKind, StoreCondition
from tests.support import core
from tests.support.core import NOW

pytestmark = pytest.mark.req("BEN-4")

STATE = core.a_state()
EVENT = Record(number=5, seq=1, utc_ms=core.BEGINS_MS, quality="synced", kind=EventKind.BOOTED)
TRACK = Record(number=6, channel=Channel.TRACK, seq=1, utc_ms=core.BEGINS_MS, point=Point(1, 2, core.BEGINS_MS))
SAID = Record(channel=Channel.ORDER_RESULT, seq=3, reason="OK", numbers=(("code", 0), ("pending", 0)))


def published(message: Message, *, numbers: tuple[int, ...] = (), seq: int | None = None) -> Published:
    packed = message.channel is Channel.BACKLOG
    return Published(
        1,
        NOW,
        telemetry.topic(core.PROFILE.module_id, message.channel),
        message.payload.hex() if packed else message.payload.decode(),
        packed,
        message.retain,
        message.expiry_s,
        message.content_type,
        message.attributes,
        message.correlation.hex(),
        numbers,
        seq,
    )


def an_outgoing(*records: Record) -> Outgoing:
    outgoing = Outgoing("0.1.0")
    for record in records:
        outgoing.reported(record)
    return outgoing


def test_records_alone_and_together_are_compared() -> None:
    outgoing = an_outgoing(EVENT, TRACK)
    assert outgoing.check(published(reporting.record_message(STATE, EVENT, NOW), numbers=(5,)), STATE)
    both = reporting.backlog_message(STATE, (EVENT, TRACK), NOW)
    assert outgoing.check(published(both, numbers=(5, 6)), STATE)
    with pytest.raises(Diverged, match="payload"):
        outgoing.check(published(reporting.record_message(STATE, EVENT, NOW + 9_000), numbers=(5,)), STATE)


@pytest.mark.req("PRV-1")
def test_what_must_not_leave_is_found() -> None:
    state = core.running()
    outgoing = an_outgoing(TRACK)
    with pytest.raises(Diverged, match="may leave"):
        outgoing.check(published(reporting.record_message(state, TRACK, NOW), numbers=(6,)), state)


def test_the_position_and_the_health_follow_from_the_state() -> None:
    outgoing = an_outgoing()
    parked = core.durably(STATE, slot=Slot(1, Point(1, 2, core.BEGINS_MS), acknowledged=False))
    message = reporting.slot_message(parked, NOW)
    assert message is not None
    assert outgoing.check(published(message), parked)
    with pytest.raises(Diverged, match="the retained position"):
        outgoing.check(published(message), STATE)
    health = reporting.health_message(STATE, NOW, queued=3, dropped=1, store=StoreCondition.FULL, version="0.1.0")
    assert outgoing.check(published(health), STATE)
    cleared = core.durably(STATE, slot=Slot(2, None, acknowledged=False))
    nothing = reporting.slot_message(cleared, NOW)
    assert nothing is not None
    assert outgoing.check(published(nothing), cleared)


@pytest.mark.parametrize("payload", ["", "{}", "no json", "\x00"])
def test_a_payload_that_can_not_be_read_is_told(payload: str) -> None:
    health = reporting.health_message(STATE, NOW, queued=3, dropped=1, store=StoreCondition.FULL, version="0.1.0")
    line = msgspec.structs.replace(published(health), payload=payload)
    with pytest.raises(NotationError, match="its payload can not be read"):
        an_outgoing().check(line, STATE)
    both = reporting.backlog_message(STATE, (EVENT, TRACK), NOW)
    line = msgspec.structs.replace(published(both, numbers=(5, 6)), payload="0g")
    with pytest.raises(NotationError, match="its payload can not be read"):
        an_outgoing(EVENT, TRACK).check(line, STATE)


def test_an_answer_that_is_no_record_goes_by_its_number() -> None:
    outgoing = an_outgoing()
    line = published(reporting.record_message(STATE, SAID, NOW), seq=3)
    assert not outgoing.check(line, STATE)
    outgoing.said(SAID)
    assert outgoing.check(line, STATE)
    outgoing.said(msgspec.structs.replace(SAID, reason="BUSY"))
    with pytest.raises(Diverged):
        outgoing.check(line, STATE)


def test_only_so_many_records_are_kept_in_mind() -> None:
    outgoing = an_outgoing(*(msgspec.structs.replace(EVENT, number=number) for number in range(1, MOST_RECORDS + 2)))
    assert not outgoing.check(published(reporting.record_message(STATE, EVENT, NOW), numbers=(1,)), STATE)
    assert outgoing.check(published(reporting.record_message(STATE, EVENT, NOW), numbers=(2,)), STATE)
