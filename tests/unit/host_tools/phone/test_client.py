"""The phone's session against a module peer with real framing, handshake and records."""

import asyncio

import msgspec
import pytest

from host_tools.phone.client import MAX_PENDING, SELF_TEST_TIMEOUT_S, Phone
from host_tools.phone.errors import HandshakeRefused, LinkClosed, LinkFailed, PhoneError, Refused
from host_tools.phone.handshake import fresh_key
from protocol import cbor, messages
from protocol.edhoc import booking_credential, module_credential
from protocol.errors import Code, Role, refuse
from protocol.messages import (
    MAX_KEYS,
    Accepted,
    Done,
    Ended,
    KeyEntry,
    KeyList,
    MessageType,
    Notice,
    NoticeKind,
    Operation,
    Push,
    PushKind,
    SelfTested,
)
from tests.support.module_peer import DENIED, GRANTED, ModulePeer, PeerLink, seeded


class Bench:
    def __init__(self, payload: int = 244) -> None:
        self.peer = ModulePeer()
        self.link = PeerLink(self.peer, payload)
        self.pushes: asyncio.Queue[Push] = asyncio.Queue()
        self.phone = Phone(
            self.link,
            self.peer.booking_file(),
            self.peer.holder,
            entropy=seeded(7),
            on_push=self.pushes.put_nowait,
        )


@pytest.mark.parametrize("payload", [20, 182, 244, 512])
@pytest.mark.req("BLE-1", "ACC-10")
async def test_a_session_opens_and_commands_are_carried_out_at_any_payload(payload: int) -> None:
    bench = Bench(payload)
    access = await bench.phone.open()
    assert access == GRANTED
    assert bench.phone.is_open
    assert await bench.phone.unlock() == Done()
    assert await bench.phone.enable_drive() == Done()
    assert await bench.phone.disable_drive() == Done()
    assert await bench.phone.lock() == Done()
    assert isinstance(await bench.phone.end_booking(), Ended)
    assert bench.peer.head.executed == [
        Operation.UNLOCK,
        Operation.ENABLE_DRIVE,
        Operation.DISABLE_DRIVE,
        Operation.LOCK,
        Operation.END_BOOKING,
    ]
    await bench.phone.close()


async def test_the_questions_have_their_answers() -> None:
    bench = Bench()
    async with bench.phone as phone:
        assert (await phone.status()).access == GRANTED
        assert (await phone.locate()).age_ms == 1500
        assert (await phone.get_nonce()).valid_ms == 60_000
        assert await phone.put(b"signed") == Accepted()
        assert bench.peer.head.put == [b"signed"]
        await phone.lock(b"12345678")
        assert (await phone.outcome(b"12345678")).operation is Operation.LOCK


@pytest.mark.req("KEY-1", "KEY-5")
async def test_an_owner_opens_the_boot_and_sees_what_was_shared() -> None:
    peer = ModulePeer()
    listed = KeyList((KeyEntry(1, bytes(16), "Zoë", 5, 1_790_600_000_000, activated=False),))
    peer.head.bodies[Operation.KEYS] = listed
    pushes: asyncio.Queue[Push] = asyncio.Queue()
    phone = Phone(PeerLink(peer), peer.key_file(), peer.holder, entropy=seeded(7), on_push=pushes.put_nowait)
    async with phone:
        assert await phone.open_boot() == Done()
        assert await phone.keys() == listed
        accepted = Push(PushKind.NOTICE, Notice(NoticeKind.KEY_ACCEPTED))
        link = phone._link
        assert isinstance(link, PeerLink)
        link.session.push(accepted)
        assert await pushes.get() == accepted


@pytest.mark.req("KEY-6", "BLE-1")
@pytest.mark.parametrize("payload", [20, 244])
async def test_a_list_of_as_many_keys_as_there_can_be_arrives(payload: int) -> None:
    """It is longer than any message before a session."""
    peer = ModulePeer()
    entry = KeyEntry(16, bytes(16), "n" * 32, 31, 2**32 * 1000, activated=True, deleted=True)
    peer.head.bodies[Operation.KEYS] = KeyList((entry,) * MAX_KEYS)
    async with Phone(PeerLink(peer, payload), peer.key_file(), peer.holder, entropy=seeded(7)) as phone:
        assert len((await phone.keys()).keys) == MAX_KEYS


@pytest.mark.req("OWN-1")
async def test_a_dealer_waits_for_a_self_test_longer_than_for_anything_else() -> None:
    peer = ModulePeer()
    phone = Phone(PeerLink(peer), peer.key_file(Role.SERVICE), peer.holder, entropy=seeded(7))
    async with phone:
        peer.head.bodies[Operation.SELF_TEST] = SelfTested(b"report")
        assert await phone.self_test() == SelfTested(b"report")
        peer.head.silent.add(Operation.SELF_TEST)
        begun = asyncio.get_running_loop().time()
        with pytest.raises(LinkClosed, match="within 30 s"):
            await phone.self_test()
        assert asyncio.get_running_loop().time() - begun == pytest.approx(SELF_TEST_TIMEOUT_S)


async def test_a_list_of_4096_bytes_goes_through_and_a_longer_one_is_not_sent() -> None:
    bench = Bench(20)
    async with bench.phone as phone:
        await phone.put(bytes(4096))
        with pytest.raises(PhoneError, match="4097 bytes"):
            await phone.put(bytes(4097))
        with pytest.raises(PhoneError, match="0 bytes"):
            await phone.put(b"")


@pytest.mark.req("ACC-10")
async def test_denied_access_is_read_and_is_no_error() -> None:
    bench = Bench()
    bench.peer.head.access = DENIED
    access = await bench.phone.open()
    assert not access.granted
    assert access.refusal is not None
    assert access.refusal.code is Code.NOT_YET_VALID
    await bench.phone.close()


@pytest.mark.req("ACC-8")
async def test_a_refusal_is_raised_with_everything_the_module_said() -> None:
    bench = Bench()
    refusal = refuse(Code.BOOKING_CUT_OFF, numbers=(("overdue_ms", 1_864_000), ("parked_ms", 12_000)))
    bench.peer.head.refusals[Operation.UNLOCK] = refusal
    async with bench.phone as phone:
        with pytest.raises(Refused) as caught:
            await phone.unlock()
        assert phone.is_open
    assert caught.value.refusal == refusal
    assert str(caught.value) == (
        "unlock refused: the booking was cut off: overdue 31 min 04 s, parked for 12 s. Ask for a new booking."
    )


@pytest.mark.req("SEC-2")
async def test_a_module_without_the_bookings_key_never_sees_the_token() -> None:
    bench = Bench()
    stranger = fresh_key(seeded(99))
    bench.peer.credential = module_credential(stranger.public_key(), stranger)
    with pytest.raises(HandshakeRefused) as caught:
        await bench.phone.open()
    assert caught.value.wrong_module
    assert caught.value.code is Code.HANDSHAKE_FAILED
    assert len(bench.link.written) == 1
    assert not bench.phone.is_open
    assert bench.phone.closed.is_set()


async def test_a_module_that_offers_another_kind_of_credential_is_not_believed() -> None:
    bench = Bench()
    genuine = bench.peer.credential
    bench.peer.credential = booking_credential(bench.peer.booking_file().token, genuine.public, genuine.private)
    with pytest.raises(HandshakeRefused, match="not the one of the booking"):
        await bench.phone.open()


async def test_a_booking_file_without_a_usable_module_key_is_refused_by_the_phone() -> None:
    bench = Bench()
    broken = msgspec.structs.replace(bench.peer.booking_file(), module_handshake_public=bytes(33))
    phone = Phone(bench.link, broken, bench.peer.holder)
    with pytest.raises(HandshakeRefused, match="no usable module key"):
        await phone.open()


@pytest.mark.req("ACC-6")
async def test_another_phones_key_is_refused_by_the_module() -> None:
    bench = Bench()
    phone = Phone(bench.link, bench.peer.booking_file(), fresh_key(seeded(5)))
    with pytest.raises(HandshakeRefused) as caught:
        await phone.open()
    assert caught.value.code is Code.HOLDER_KEY_MISMATCH
    assert not caught.value.wrong_module


async def test_an_error_during_the_handshake_ends_it_with_the_modules_words() -> None:
    bench = Bench()
    bench.peer.handshake_error = refuse(Code.TOO_MANY_HANDSHAKES, numbers=(("retry_in_ms", 60_000),))
    with pytest.raises(HandshakeRefused, match=r"too many failed attempts to connect: again in 1 min 00 s"):
        await bench.phone.open()


async def test_another_booking_can_be_presented_on_the_same_connection() -> None:
    bench = Bench()
    other = fresh_key(seeded(8))
    async with bench.phone as phone:
        assert await phone.present(bench.peer.booking_file(other), other) == GRANTED
        await phone.unlock()
        assert await phone.present(bench.peer.booking_file(other)) == GRANTED
    assert bench.link.connects == 1
    assert len(bench.peer.admitted) == 3


async def test_a_booking_that_fails_on_the_same_connection_ends_it() -> None:
    bench = Bench()
    await bench.phone.open()
    with pytest.raises(HandshakeRefused):
        await bench.phone.present(bench.peer.booking_file(), fresh_key(seeded(8)))
    assert bench.phone.closed.is_set()
    with pytest.raises(LinkClosed, match="the phone hung up"):
        await bench.phone.present(bench.peer.booking_file())


@pytest.mark.req("ACC-10", "CUT-7")
async def test_pushes_update_the_access_state_and_reach_the_caller_in_order() -> None:
    bench = Bench()
    async with bench.phone as phone:
        notice = Push(PushKind.NOTICE, Notice(NoticeKind.OVERDUE, 1_800_000))
        denied = Push(PushKind.ACCESS, DENIED)
        bench.link.session.push(notice)
        bench.link.session.say(cbor.encode([0, 3, {}]))  # of a later version
        bench.link.session.push(denied)
        assert [await bench.pushes.get(), await bench.pushes.get()] == [notice, denied]
        assert phone.access == DENIED


@pytest.mark.req("ACC-7")
async def test_a_lost_acknowledgement_says_that_the_command_may_have_succeeded() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.deaf = True
    with pytest.raises(LinkClosed) as caught:
        await bench.phone.unlock(b"ABCDEFGH")
    assert caught.value.command_id == b"ABCDEFGH"
    assert caught.value.may_have_succeeded
    assert bench.peer.head.executed == [Operation.UNLOCK]


@pytest.mark.req("ACC-7")
async def test_a_command_that_never_left_the_phone_whole_has_not_succeeded() -> None:
    bench = Bench(20)
    await bench.phone.open()
    bench.link.cut_after_writes = 1
    with pytest.raises(LinkClosed) as caught:
        await bench.phone.unlock()
    assert not caught.value.may_have_succeeded
    assert bench.peer.head.executed == []


async def test_a_question_that_was_interrupted_is_not_in_doubt() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.deaf = True
    with pytest.raises(LinkClosed) as caught:
        await bench.phone.status()
    assert not caught.value.may_have_succeeded


async def test_no_answer_in_time_ends_the_session() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.peer.head.mute = True
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(LinkClosed, match="no answer to LOCK within 5 s") as caught:
        await bench.phone.lock()
    assert caught.value.may_have_succeeded
    assert loop.time() - began == pytest.approx(5.0)
    assert bench.phone.closed.is_set()
    await bench.phone.close()


async def test_a_module_that_is_silent_in_the_handshake_is_given_up() -> None:
    bench = Bench()
    bench.link.swallows = True
    with pytest.raises(LinkClosed, match="no answer to the handshake within 5 s"):
        await bench.phone.open()


async def test_a_connection_that_cannot_be_made_leaves_the_phone_closed() -> None:
    bench = Bench()
    bench.link.absent = True
    with pytest.raises(LinkFailed):
        await bench.phone.open()
    assert bench.phone.closed.is_set()
    bench.link.absent = False
    assert await bench.phone.open() == GRANTED
    await bench.phone.close()


async def test_a_phone_can_be_opened_again_after_a_loss_but_not_twice_at_once() -> None:
    bench = Bench()
    await bench.phone.open()
    with pytest.raises(PhoneError, match="it has one"):
        await bench.phone.open()
    bench.link.cut()
    await bench.phone.closed.wait()
    with pytest.raises(LinkClosed, match="the module hung up"):
        await bench.phone.status()
    assert await bench.phone.open() == GRANTED
    assert bench.link.connects == 2
    await bench.phone.close()
    await bench.phone.close()


async def test_several_questions_at_once_each_get_their_own_answer() -> None:
    bench = Bench()
    async with bench.phone as phone:
        status, position, nonce = await asyncio.gather(phone.status(), phone.locate(), phone.get_nonce())
        assert (status.access, position.age_ms, nonce.valid_ms) == (GRANTED, 1500, 60_000)
        bench.peer.head.mute = True
        waiting = [asyncio.ensure_future(phone.status()) for _ in range(MAX_PENDING)]
        await asyncio.sleep(0)
        with pytest.raises(PhoneError, match="too many requests"):
            await phone.status()
        bench.link.cut()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, LinkClosed) for result in results)


async def test_request_ids_wrap_around_without_the_reserved_zero() -> None:
    bench = Bench()
    async with bench.phone as phone:
        phone._next_id = messages.MAX_REQUEST_ID
        await phone.status()
        assert phone._next_id == 1
        await phone.status()


async def test_a_cancelled_question_does_not_disturb_the_next() -> None:
    bench = Bench()
    async with bench.phone as phone:
        bench.peer.head.mute = True
        asked = asyncio.ensure_future(phone.status())
        await asyncio.sleep(0.1)
        asked.cancel()
        await asyncio.wait([asked])
        bench.peer.head.mute = False
        bench.link.session.say(messages.encode_reply(messages.Reply(phone._next_id - 1, Code.OK, Done())))
        assert (await phone.status()).access == GRANTED


async def test_cancelling_in_the_middle_of_a_message_gives_the_link_up() -> None:
    bench = Bench(20)
    await bench.phone.open()
    asked = asyncio.ensure_future(bench.phone.put(bytes(500)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.wait([asked])
    assert bench.phone.closed.is_set()
    await bench.phone.close()


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        (MessageType.RECORD, b"\x83\x40\xa1\x06\x41\x00\x41\x00", "cannot read"),
        (MessageType.EDHOC, b"\x40", "does not belong here"),
        (MessageType.ERROR, b"\x00", "cannot read"),
        (MessageType.ERROR, messages.encode_error(refuse(Code.SESSION_OVER)), "the session has ended"),
    ],
)
async def test_what_a_module_must_not_send_ends_the_session(kind: MessageType, body: bytes, why: str) -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.session.send(kind, body)
    await bench.phone.closed.wait()
    with pytest.raises(LinkClosed, match=why):
        await bench.phone.status()


async def test_a_forged_fragment_ends_the_session() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.link.on_fragment(b"\x05")
    assert bench.phone.closed.is_set()
    await bench.phone.close()


async def test_an_answer_to_another_question_is_not_taken_for_the_right_one() -> None:
    bench = Bench()
    await bench.phone.open()
    bench.peer.head.bodies[Operation.LOCK] = Accepted()
    with pytest.raises(LinkClosed, match="another question"):
        await bench.phone.lock()


async def test_a_used_up_session_is_closed_before_the_command_leaves() -> None:
    bench = Bench()
    await bench.phone.open()
    channel = bench.phone._channel
    assert channel is not None
    channel._sending.counter = 2**20
    with pytest.raises(LinkClosed, match="used up") as caught:
        await bench.phone.lock()
    assert not caught.value.may_have_succeeded


async def test_a_module_whose_confirmation_is_not_genuine_is_not_believed() -> None:
    bench = Bench()
    bench.link.alter = lambda _kind, body: b"\x50" + bytes(16) if len(body) == 17 else body
    with pytest.raises(HandshakeRefused, match="confirmation is not genuine") as caught:
        await bench.phone.open()
    assert not caught.value.wrong_module


def test_randomness_that_yields_no_key_is_reported() -> None:
    with pytest.raises(HandshakeRefused, match="randomness is broken"):
        fresh_key(bytes)


@pytest.mark.req("ACC-10")
async def test_pushes_right_behind_the_handshake_are_read_under_the_new_keys() -> None:
    bench = Bench()
    notice = Push(PushKind.NOTICE, Notice(NoticeKind.CUTOFF_SOON, 300_000))
    bench.peer.greeting = [notice, Push(PushKind.ACCESS, GRANTED)]
    async with bench.phone as phone:
        assert await bench.pushes.get() == notice
        await phone.present(bench.peer.booking_file())
        assert phone.is_open


@pytest.mark.req("ACC-10")
async def test_a_push_of_the_old_session_behind_a_handshake_message_is_read_under_the_old_keys() -> None:
    bench = Bench()
    async with bench.phone as phone:
        notice = Push(PushKind.NOTICE, Notice(NoticeKind.OVERDUE, 1_800_000))

        def also_push(kind: MessageType, body: bytes) -> bytes:
            if kind is MessageType.EDHOC and len(body) > 17:
                asyncio.get_running_loop().call_soon(bench.link.session.push, notice)
            return body

        bench.link.alter = also_push
        await phone.present(bench.peer.booking_file())
        assert await bench.pushes.get() == notice


async def test_early_records_are_bounded_and_checked_like_all_others() -> None:
    bench = Bench()
    bench.peer.greeting = [Push(PushKind.ACCESS, GRANTED)] * (MAX_PENDING + 1)
    with pytest.raises(LinkClosed, match="cannot read"):
        await bench.phone.open()
    bench = Bench()
    bench.peer.greeting = [Push(PushKind.ACCESS, GRANTED)]
    bench.link.alter = lambda kind, body: bytes(9) if kind is MessageType.RECORD else body
    with pytest.raises(LinkClosed, match="cannot read"):
        await bench.phone.open()
