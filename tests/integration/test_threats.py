"""Attacks on the radio, by somebody who stands near the car. The threats are those of docs/threat-model.md."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from bleak.exc import BleakError

from firmware.core.effects import Actuate, Effect
from firmware.core.events import Action, Event
from firmware.core.state import State
from firmware.demo.rig import Holder, Rig
from firmware.gateway import Gateway, Heard
from host_tools.phone.errors import HandshakeRefused, LinkFailed, NotFound, PhoneError
from protocol import edhoc, messages
from protocol.edhoc import Initiator
from protocol.errors import Code, Refusal
from protocol.messages import MessageType
from protocol.provisioning import BookingFile
from tests.support import credentials
from tests.support.credentials import HANDSHAKE, SIGNER, TRUST
from tests.support.phone import chaos
from tests.support.stranger import Stranger, Taps, stranger

SILENCE_S = 61.0
"""After it no failed handshake counts any more."""


class Watched(Rig):
    """A rig that keeps what the car was told to do since the boot."""

    def __init__(self, seed: str = "threats") -> None:
        super().__init__(seed, observer=self._note)
        self.moved: list[Action] = []

    def _note(self, _event: Event, _state: State, effects: tuple[Effect, ...]) -> None:
        self.moved += [effect.action for effect in effects if isinstance(effect, Actuate) and effect.command_id]

    def booked(self, name: str = "Anna", lasts_s: int = 7200) -> tuple[Holder, BookingFile]:
        holder = self.holder(name)
        return holder, self.book(holder, lasts_s=lasts_s)[1]


@pytest.fixture
async def rig() -> AsyncIterator[Watched]:
    async with Watched() as made:
        yield made


def somebodys_initiator(**how: object) -> Initiator:
    """The first handshake message of somebody who has any token at all."""
    holder = credentials.HOLDER
    own = edhoc.booking_credential(credentials.token(), holder.public_key(), holder)
    return Initiator(own, credentials.key("ephemeral, Mallory"), **how)  # type: ignore[arg-type]  # as given


# ---------------------------------------------------------------- replay, reflection, downgrade
@pytest.mark.req("SEC-2", "ACC-3")
async def test_a_recorded_session_played_again_moves_nothing(rig: Watched) -> None:
    anna, file = rig.booked()
    taps = Taps()
    async with rig.phone(anna, file, taps) as phone:
        await phone.unlock()
        await phone.lock()
    assert rig.moved == [Action.UNLOCK, Action.LOCK]
    first, third, *records = taps.link.sent
    async with stranger(rig) as mallory:
        await mallory.write(first)
        kind, second = await mallory.answer()
        assert kind is MessageType.EDHOC
        assert second not in b"".join(taps.link.heard), "the module's half is a fresh one"
        await mallory.write(third)
        assert await mallory.refusal() is Code.HANDSHAKE_FAILED
        for record in records[:2]:
            await mallory.write(record)
            assert await mallory.refusal() is Code.SESSION_OVER
        async with asyncio.timeout(1):
            await mallory.gone.wait()
    assert rig.moved == [Action.UNLOCK, Action.LOCK]
    assert rig.vehicle.snapshot().locked


@pytest.mark.req("SEC-2")
async def test_a_command_sent_again_in_its_own_session_moves_nothing(rig: Watched) -> None:
    anna, file = rig.booked()
    taps = Taps()
    async with rig.phone(anna, file, taps) as phone:
        await phone.unlock()
        unlocking = taps.link.sent[-1]
        await phone.lock()
        await taps.link.inject(unlocking)
        async with asyncio.timeout(2):
            await phone.closed.wait()
    assert rig.moved == [Action.UNLOCK, Action.LOCK]
    assert rig.vehicle.snapshot().locked


@pytest.mark.req("SEC-2")
async def test_the_modules_own_words_thrown_back_at_it_are_refused(rig: Watched) -> None:
    anna, file = rig.booked()
    taps = Taps()
    async with rig.phone(anna, file, taps) as phone:
        await phone.unlock()
        await taps.link.inject(taps.link.heard[-1])
        async with asyncio.timeout(2):
            await phone.closed.wait()
    async with stranger(rig) as mallory:
        await mallory.say(MessageType.EDHOC, somebodys_initiator().message_1())
        _, second = await mallory.answer()
        await mallory.say(MessageType.EDHOC, second)
        assert await mallory.refusal() is Code.HANDSHAKE_FAILED
    assert rig.moved == [Action.UNLOCK]


@pytest.mark.req("SEC-2")
async def test_no_other_method_and_no_other_suite_gets_an_answer(rig: Watched) -> None:
    offers: list[dict[str, object]] = [{"method": method} for method in (0, 2, 3)]
    offers += [{"suite": suite} for suite in (2, 3)]
    offers += [{"suites_offered": offered} for offered in ((5, 2), (0,), (5, 5))]
    for offer in offers:
        async with stranger(rig) as mallory:
            await mallory.say(MessageType.EDHOC, somebodys_initiator(**offer).message_1())
            assert await mallory.refusal() is Code.HANDSHAKE_FAILED, offer
        await asyncio.sleep(SILENCE_S / 4)


@pytest.mark.req("SEC-2")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"\x01\x05", b"\x03\x05", id="another method"),
        pytest.param(b"\x01\x05", b"\x01\x82\x02\x05", id="another wish"),
    ],
)
async def test_a_first_message_altered_on_its_way_ends_the_handshake_before_the_token_leaves(
    rig: Watched, before: bytes, after: bytes
) -> None:
    def alter(fragment: bytes) -> list[bytes]:
        head, kind, body = fragment[:1], fragment[3:4], fragment[4:].replace(before, after, 1)
        return [head + (len(body) + 1).to_bytes(2, "big") + kind + body]

    anna, file = rig.booked()
    taps = Taps(alter)
    with pytest.raises(HandshakeRefused):
        async with rig.phone(anna, file, taps):
            pass
    assert len(taps.link.sent) == 1
    assert after in taps.link.sent[0]


# ---------------------------------------------------------------- what a stranger learns
async def interrogated(mallory: Stranger) -> list[Refusal | bytes]:
    """Everything that somebody without a credential can make the module say, once."""
    said: list[Refusal | bytes] = []
    shots: list[tuple[MessageType, bytes]] = [
        (MessageType.EDHOC, b"\x01\x05"),
        (MessageType.RECORD, b"\x83\x40\xa1\x06\x41\x00\x41\x00"),
    ]
    for kind, body in shots:
        await mallory.say(kind, body)
        _, answer = await mallory.answer()
        said.append(messages.decode_error(answer))
    said.append(bytes(await mallory.client.read_gatt_char("70800003-d425-4edf-b29a-d496fbc27847")))
    return said


@pytest.mark.req("ACC-3", "PRV-7", "SEC-2")
async def test_what_a_stranger_is_told_says_nothing_about_the_car_or_its_booking(rig: Watched) -> None:
    heard: list[list[Refusal | bytes]] = []

    async def ask() -> None:
        async with stranger(rig, f"Mallory {len(heard)}") as mallory:
            heard.append(await interrogated(mallory))
        await asyncio.sleep(SILENCE_S)

    await ask()
    anna, file = rig.booked()
    async with rig.phone(anna, file) as phone:
        await ask()
        await phone.unlock()
        await phone.enable_drive()
        assert rig.vehicle.turn_ignition(True)
        assert rig.vehicle.drive()
        await ask()
        rig.vehicle.park()
        await asyncio.sleep(20)
        await phone.end_booking()
    await ask()
    assert len(heard) == 4
    assert all(said == heard[0] for said in heard), "the same words whatever the car does"
    refusals = [said for said in heard[0] if not isinstance(said, bytes)]
    assert [refusal.code for refusal in refusals] == [Code.HANDSHAKE_FAILED, Code.SESSION_OVER]
    assert not any(refusal.numbers for refusal in refusals)


@pytest.mark.req("ACC-6", "SEC-2")
async def test_a_stolen_booking_file_opens_nothing_and_a_stolen_key_alone_neither(rig: Watched) -> None:
    anna, file = rig.booked()
    mallory = rig.holder("Mallory")
    with pytest.raises(HandshakeRefused) as without_key:
        async with rig.phone(mallory, file):
            pass
    assert without_key.value.refusal.code is Code.HOLDER_KEY_MISMATCH
    # Anna's key, and a token that Mallory has made himself for it.
    forger = type(rig.issuer)(mallory.key, rig.entropy)
    own = rig.booking_file(forger.token(rig.book(anna, lasts_s=60)[0]))
    with pytest.raises(HandshakeRefused) as without_token:
        async with rig.phone(anna, own):
            pass
    assert without_token.value.refusal.code is Code.UNKNOWN_ISSUER
    assert rig.moved == []


# ---------------------------------------------------------------- flooding
class Squatter:
    """Takes a place and says nothing; comes back as soon as it was sent away."""

    def __init__(self, rig: Rig, name: str) -> None:
        self.stays = 0
        self._rig = rig
        self._name = name

    async def run(self) -> None:
        while True:
            async with stranger(self._rig, self._name) as me:
                self.stays += 1
                await me.gone.wait()


async def gets_in(rig: Rig, holder: Holder, file: BookingFile, within_s: float, every_s: float = 0.1) -> float:
    """Seconds until a patient phone has unlocked the car; TimeoutError if it never does."""
    begins_s = asyncio.get_running_loop().time()
    async with asyncio.timeout(within_s):
        while True:
            try:
                async with rig.phone(holder, file) as phone:
                    await phone.unlock()
                    return asyncio.get_running_loop().time() - begins_s
            except (LinkFailed, NotFound, HandshakeRefused, PhoneError):
                await asyncio.sleep(every_s)


@pytest.mark.req("SEC-2", "BLE-1", "BLE-2", "ACC-1")
async def test_strangers_who_take_all_places_again_and_again_do_not_keep_the_driver_out(rig: Watched) -> None:
    anna, file = rig.booked()
    squatters = [Squatter(rig, f"squatter {number}") for number in range(4)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(squatter.run()) for squatter in squatters]
        await asyncio.sleep(25)
        waited = await gets_in(rig, anna, file, within_s=60)
        for task in tasks:
            task.cancel()
    assert sum(squatter.stays for squatter in squatters) > 6, "they came back again and again"
    assert waited < 15, "ten seconds are the longest that silence keeps a place"


class Failer:
    """Fails handshakes on purpose, eight a second, and comes back when hung up on."""

    def __init__(self, rig: Rig, name: str) -> None:
        self.codes: list[Code] = []
        self._rig = rig
        self._name = name

    async def run(self) -> None:
        while True:
            async with stranger(self._rig, self._name) as me:
                with suppress(BleakError, TimeoutError):  # hung up on
                    while True:
                        await me.say(MessageType.EDHOC, b"\x01\x05")
                        self.codes.append(await me.refusal())
                        await asyncio.sleep(1 / 8)


@pytest.mark.req("SEC-2", "ACC-1")
async def test_strangers_who_never_stop_failing_keep_no_phone_out_and_end_no_session(rig: Watched) -> None:
    anna, file = rig.booked()
    failers = [Failer(rig, f"failer {number}") for number in range(2)]
    async with asyncio.TaskGroup() as group:
        async with rig.phone(anna, file) as phone:
            tasks = [group.create_task(failer.run()) for failer in failers]
            await asyncio.sleep(10)
            await phone.unlock()
        for _ in range(10):
            assert await gets_in(rig, anna, file, within_s=10) < 2, "five failures a minute are long passed"
            await asyncio.sleep(6)
        for task in tasks:
            task.cancel()
    codes = [code for failer in failers for code in failer.codes]
    assert codes.count(Code.HANDSHAKE_FAILED) > 10
    assert codes.count(Code.TOO_MANY_HANDSHAKES) > codes.count(Code.HANDSHAKE_FAILED), "who has failed has to wait"


@pytest.mark.req("SEC-2")
async def test_who_has_failed_himself_is_let_try_again_on_a_new_connection(rig: Watched) -> None:
    anna, file = rig.booked()
    for number in range(5):
        async with stranger(rig, f"Mallory {number}") as mallory:
            await mallory.say(MessageType.EDHOC, b"\x01\x05")
            assert await mallory.refusal() is Code.HANDSHAKE_FAILED
            if number == 4:
                await mallory.say(MessageType.EDHOC, b"\x01\x05")
                assert await mallory.refusal() is Code.TOO_MANY_HANDSHAKES
    async with rig.phone(anna, file) as phone:
        await phone.unlock()


# ---------------------------------------------------------------- memory
@pytest.mark.req("SEC-1", "BLE-1")
def test_twenty_thousand_half_sent_messages_leave_nothing_behind() -> None:
    gateway = Gateway(HANDSHAKE, SIGNER, TRUST, chaos())

    def half_sent(link: int) -> None:
        gateway.opened(link, 244)
        for number in range(10):
            # The most that may be announced, all of it but a byte, and the next one once it is too late.
            now_ms = number * 6_000
            assert gateway.received(link, b"\x80\x04\x00" + bytes(509), now_ms) == Heard()
            assert gateway.received(link, b"\x01" + bytes(511), now_ms) == Heard()
        gateway.closed(link)

    for link in range(100):
        half_sent(link)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for link in range(100, 2_100):
            half_sent(link)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 4_096
    assert peak - before < 65_536
