"""Commands that survive a lost link (ACC-7)."""

import asyncio

import pytest

from host_tools.phone.client import Phone
from host_tools.phone.errors import HandshakeRefused, LinkClosed, LinkFailed, Refused
from host_tools.phone.reconnect import MAX_TRIES
from protocol.errors import Code, refuse
from protocol.messages import Done, Ended, Operation, Outcome
from tests.support.module_peer import ModulePeer, PeerLink, seeded


class Bench:
    def __init__(self) -> None:
        self.peer = ModulePeer()
        self.link = PeerLink(self.peer)
        self.phone = Phone(self.link, self.peer.booking_file(), self.peer.holder, entropy=seeded(7))


@pytest.mark.req("ACC-7")
async def test_an_undisturbed_command_is_sent_once() -> None:
    bench = Bench()
    settled = await bench.phone.reliably(Operation.UNLOCK)
    assert (settled.code, settled.body, settled.tries) == (Code.OK, Done(), 1)
    assert bench.link.connects == 1
    await bench.phone.close()


@pytest.mark.req("ACC-7")
async def test_a_lost_acknowledgement_is_asked_for_and_the_command_not_repeated() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.deaf = True
    settled = await bench.phone.reliably(Operation.UNLOCK, b"ABCDEFGH")
    assert (settled.command_id, settled.code, settled.body, settled.tries) == (b"ABCDEFGH", Code.OK, None, 2)
    assert bench.peer.head.executed == [Operation.UNLOCK]
    await bench.phone.close()


@pytest.mark.req("ACC-7")
async def test_a_command_that_did_not_arrive_is_sent_again() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.cut_after_writes = 0
    settled = await bench.phone.reliably(Operation.LOCK)
    assert (settled.body, settled.tries) == (Done(), 2)
    assert bench.peer.head.executed == [Operation.LOCK]
    await bench.phone.close()


@pytest.mark.req("ACC-7")
async def test_the_answer_is_no_when_the_lost_answer_was_no() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.deaf = True
    bench.peer.head.refusals[Operation.UNLOCK] = refuse(Code.VEHICLE_NO_RESPONSE)
    outcome = Outcome(Operation.UNLOCK, Code.VEHICLE_NO_RESPONSE, may_have_succeeded=True)
    bench.peer.head.bodies[Operation.OUTCOME] = outcome
    with pytest.raises(Refused) as caught:
        await bench.phone.reliably(Operation.UNLOCK)
    assert caught.value.refusal.code is Code.VEHICLE_NO_RESPONSE
    assert caught.value.refusal.may_have_succeeded
    await bench.phone.close()


async def test_an_outcome_of_another_operation_is_not_taken_for_this_one() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.deaf = True
    bench.peer.head.bodies[Operation.OUTCOME] = Outcome(Operation.LOCK, Code.OK)
    with pytest.raises(Refused, match="COMMAND_ID_REUSED"):
        await bench.phone.reliably(Operation.UNLOCK)
    await bench.phone.close()


@pytest.mark.req("ACC-7", "BKG-4")
async def test_a_lost_answer_to_an_end_is_fetched_again_for_its_receipt() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.deaf = True
    settled = await bench.phone.reliably(Operation.END_BOOKING, b"ABCDEFGH")
    assert (settled.command_id, settled.tries) == (b"ABCDEFGH", 2)
    assert isinstance(settled.body, Ended)
    await bench.phone.close()


@pytest.mark.req("ACC-7")
async def test_an_ended_booking_is_the_outcome_of_an_end_in_doubt_only() -> None:
    bench = Bench()
    bench.peer.head.refusals[Operation.END_BOOKING] = refuse(Code.BOOKING_ENDED)
    await bench.phone.open()
    bench.link.deaf = True
    settled = await bench.phone.reliably(Operation.END_BOOKING, b"ABCDEFGH")
    assert (settled.command_id, settled.code, settled.body, settled.tries) == (b"ABCDEFGH", Code.OK, None, 2)
    with pytest.raises(Refused, match="the booking was ended"):
        await bench.phone.reliably(Operation.END_BOOKING)
    await bench.phone.close()


async def test_a_refused_question_about_the_outcome_is_reported() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.deaf = True
    bench.peer.head.refusals[Operation.OUTCOME] = refuse(Code.BOOKING_CUT_OFF)
    with pytest.raises(Refused, match="the booking was cut off"):
        await bench.phone.reliably(Operation.UNLOCK)
    await bench.phone.close()


async def test_a_busy_module_is_asked_again_and_any_other_refusal_is_final() -> None:
    bench = Bench()
    bench.peer.head.refusals[Operation.UNLOCK] = refuse(Code.BUSY)
    unlocking = asyncio.ensure_future(bench.phone.reliably(Operation.UNLOCK))
    await asyncio.sleep(0.1)
    bench.peer.head.refusals[Operation.UNLOCK] = refuse(Code.PERMISSION_MISSING)
    with pytest.raises(Refused, match="the permission is missing"):
        await unlocking
    bench.peer.head.refusals[Operation.UNLOCK] = refuse(Code.BUSY)
    with pytest.raises(Refused, match="busy"):
        await bench.phone.reliably(Operation.UNLOCK)
    await bench.phone.close()


async def test_a_module_that_stays_away_is_given_up_after_a_bounded_number_of_tries() -> None:
    bench = Bench()
    bench.link.absent = True
    loop = asyncio.get_running_loop()
    with pytest.raises(LinkFailed):
        await bench.phone.reliably(Operation.UNLOCK)
    assert loop.time() == pytest.approx(0.25 + 0.5 + 1.0 + 2.0)


async def test_a_link_that_breaks_every_time_leaves_the_command_in_doubt_with_its_identifier() -> None:
    bench = Bench()
    bench.peer.head.mute = True
    await bench.phone.close()

    async def once() -> None:
        bench.peer.head.mute = False
        await bench.phone.open()
        bench.peer.head.mute = True

    await once()
    with pytest.raises(LinkClosed) as caught:
        await bench.phone.reliably(Operation.UNLOCK, b"ABCDEFGH")
    assert caught.value.command_id == b"ABCDEFGH"
    assert caught.value.may_have_succeeded
    assert bench.link.connects == MAX_TRIES


@pytest.mark.req("ACC-7")
async def test_a_module_that_stays_away_after_a_command_leaves_it_in_doubt() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.deaf = True
    reliably = asyncio.ensure_future(bench.phone.reliably(Operation.UNLOCK, b"ABCDEFGH"))
    while not bench.peer.head.executed:
        await asyncio.sleep(0.01)
    bench.link.absent = True
    with pytest.raises(LinkClosed) as caught:
        await reliably
    assert (caught.value.command_id, caught.value.may_have_succeeded) == (b"ABCDEFGH", True)


async def test_a_refused_handshake_is_final() -> None:
    bench = Bench()
    bench.peer.handshake_error = refuse(Code.TOO_MANY_HANDSHAKES)
    with pytest.raises(HandshakeRefused):
        await bench.phone.reliably(Operation.UNLOCK)
    assert bench.link.connects == 1
