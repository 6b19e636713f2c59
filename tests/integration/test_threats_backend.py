"""Attacks from behind: a broker that lies, a card that is read or moved, a log that is read."""

import asyncio
import base64
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import structlog

from firmware import logs
from firmware.core.effects import Actuate, Effect
from firmware.core.events import Action, Event
from firmware.core.state import State
from firmware.demo.rig import Rig
from host_tools.backend.issuer import Issuer
from host_tools.phone.client import Phone
from host_tools.phone.errors import HandshakeRefused, Refused
from protocol.errors import Code
from protocol.messages import MessageType, Phase
from protocol.telemetry import Channel, topic
from protocol.tokens import Booking
from tests.support.coordinates import Area, numbers_of_the_way
from tests.support.ports import MemoryBroker, MemoryDisk
from tests.support.stranger import stranger


class Bench:
    """A rig whose broker is the test's own, and which says what its order topic answered."""

    def __init__(self, seed: str = "backend") -> None:
        self.broker = MemoryBroker(asyncio.Event())
        self.disk = MemoryDisk()
        self.drawn: list[bytes] = []
        """Everything that was random in the module, the phones and the backend: all the keys are among it."""
        self.rig = Rig(seed, broker=lambda _: self.broker, store=self.disk, observer=logs.observe)
        self._entropy, self.rig.entropy = self.rig.entropy, self._draw

    def _draw(self, count: int) -> bytes:
        self.drawn.append(self._entropy(count))
        return self.drawn[-1]

    @asynccontextmanager
    async def online(self) -> AsyncIterator[Rig]:
        async with self.rig:
            self.broker.connect()
            yield self.rig

    async def ordered(self, payload: bytes) -> Code:
        """Deliver on the order topic; the code that comes back."""
        known = len(self.broker.on("order/result"))
        self.broker.deliver(topic(self.rig.provisioning.module_id, Channel.ORDER), payload, b"")
        async with asyncio.timeout(10):
            while len(self.broker.on("order/result")) == known:
                self.broker.changed.clear()
                await self.broker.changed.wait()
        result = msgspec.json.decode(self.broker.on("order/result")[-1])
        return Code(result["code"])


# ---------------------------------------------------------------- the broker
@pytest.mark.req("BKG-2", "TEL-8", "SEC-2")
async def test_a_broker_can_not_make_an_order_up_alter_one_or_send_it_late_or_to_another_car() -> None:
    bench = Bench()
    async with bench.online() as rig:
        anna = rig.holder("Anna")
        booking, file = rig.book(anna, lasts_s=7200)
        order = rig.issuer.end_order(booking, now_s=rig.now_s, ttl_s=300)
        broker_itself = Issuer(rig.holder("broker").key, rig.entropy)
        other_car = msgspec.structs.replace(booking, module_id=bytes(8))
        async with rig.phone(anna, file) as phone:
            assert await bench.ordered(b"end the booking, please") is Code.TOKEN_MALFORMED
            assert await bench.ordered(broker_itself.end_order(booking, now_s=rig.now_s)) is Code.UNKNOWN_ISSUER
            assert await bench.ordered(order[:-1] + bytes([order[-1] ^ 1])) is Code.SIGNATURE_INVALID
            assert await bench.ordered(rig.issuer.end_order(other_car, now_s=rig.now_s)) is Code.WRONG_VEHICLE
            assert await bench.ordered(file.token) is Code.TOKEN_MALFORMED
            await asyncio.sleep(301)
            assert await bench.ordered(order) is Code.ORDER_LATE
            assert (await phone.status()).access.granted


@pytest.mark.req("BKG-2", "ACC-5")
async def test_an_old_order_and_an_old_list_sent_again_do_nothing_to_the_next_booking() -> None:
    bench = Bench()
    async with bench.online() as rig:
        await asyncio.sleep(10)  # standing for five seconds is what parked means
        anna, bert = rig.holder("Anna"), rig.holder("Bert")
        booking, file = rig.book(anna, lasts_s=7200)
        order = rig.issuer.end_order(booking, now_s=rig.now_s, ttl_s=100_000)

        def listed(number: int, *revoked: Booking) -> bytes:
            return rig.issuer.revocation_list(
                module_id=rig.provisioning.module_id,
                number=number,
                revoked=revoked,
                now_s=rig.now_s,
                min_key_epoch=rig.provisioning.key_epoch,
            )

        older, newer = listed(1), listed(2, booking)
        async with rig.phone(anna, file):
            assert await bench.ordered(order) is Code.OK
            assert await bench.ordered(newer) is Code.OK
        async with rig.phone(bert, rig.book(bert, lasts_s=7200)[1]) as phone:
            assert await bench.ordered(order) is Code.OK, "it is dead already"
            assert await bench.ordered(older) is Code.LIST_OUTDATED
            assert await bench.ordered(newer) is Code.OK
            assert (await phone.status()).access.granted
        with pytest.raises(Refused):
            async with rig.phone(anna, file) as phone:
                await phone.unlock()


# ---------------------------------------------------------------- the card
@pytest.mark.req("PRV-1", "PRV-5")
async def test_the_card_holds_no_position_of_a_drivers_trip_while_it_lasts() -> None:
    bench = Bench()
    async with bench.online() as rig:
        # Offline, so that everything that is ever to be sent lies on the card.
        bench.broker.disconnect()
        anna = rig.holder("Anna")
        area = Area()
        async with rig.phone(anna, rig.book(anna, lasts_s=7200)[1]) as phone:
            await drive_off(rig, phone)
            await asyncio.sleep(60)
            older = {record.number for record in await rig.store.pending(limit=1000)}
            for _ in range(60):
                car = rig.vehicle.snapshot()
                area.visit(car.latitude, car.longitude)
                await phone.status()
                await asyncio.sleep(10)
            assert area.size_deg > 0.005, "the car went somewhere"
            records = [each for each in await rig.store.pending(limit=1000) if each.number not in older]
            assert records, "something was recorded"
            assert not any(record.reveals_position for record in records)
            for written in (*(record.body for record in records), msgspec.msgpack.encode(rig.pump.state.durable)):
                assert list(coordinates(msgspec.msgpack.decode(written), area)) == []
            rig.vehicle.park()
            await asyncio.sleep(20)
            await phone.end_booking()
        assert list(coordinates(msgspec.msgpack.decode(msgspec.msgpack.encode(rig.pump.state.durable)), area)), (
            "the parking position is there, so the search finds what there is"
        )


def coordinates(value: object, area: Area) -> Iterator[int]:
    """Whole numbers anywhere inside that are degrees of the way, times 10^7."""
    match value:
        case dict():
            for inner in value.values():
                yield from coordinates(inner, area)
        case list():
            for inner in value:
                yield from coordinates(inner, area)
        case int() if value > 1e8 and value / 1e7 in area:
            yield value
        case _:
            pass


async def drive_off(rig: Rig, phone: Phone) -> None:
    """Unlock, release, start, drive."""
    await phone.unlock()
    await phone.enable_drive()
    assert rig.vehicle.turn_ignition(True)
    assert rig.vehicle.drive()


@pytest.mark.req("ACC-6", "OWN-1")
async def test_a_card_with_a_running_booking_opens_and_starts_nothing_in_another_car() -> None:
    done: list[Action] = []

    def note(_event: Event, _state: State, effects: tuple[Effect, ...]) -> None:
        done.extend(effect.action for effect in effects if isinstance(effect, Actuate))

    async with Rig("one car") as one:
        anna = one.holder("Anna")
        _, file = one.book(anna, lasts_s=7200)
        async with one.phone(anna, file) as phone:
            await phone.unlock()
            await phone.enable_drive()
        card = one.store
    another = Rig("another car", store=card, observer=note)
    another.issuer = one.issuer
    another.provisioning = msgspec.structs.replace(another.provisioning, issuers=one.provisioning.issuers)
    async with another as other:
        assert other.pump.state.durable.trip.phase is Phase.NONE
        assert other.pump.state.durable.module_id == other.provisioning.module_id
        assert other.pump.state.durable.dead_before_s, "its own dead bookings are on the card that is not there"
        assert done == [Action.ARM_IMMOBILISER]
        with pytest.raises(HandshakeRefused):
            async with other.phone(anna, file):
                pass
        # Somebody who also copied the public half of the other module's key.
        moved = other.booking_file(file.token)
        with pytest.raises(HandshakeRefused) as refused:
            async with other.phone(anna, moved):
                pass
        assert refused.value.refusal.code is Code.WRONG_VEHICLE
        await asyncio.sleep(60)
        assert Action.RELEASE_IMMOBILISER not in done
        assert Action.UNLOCK not in done
        bert = other.holder("Bert")
        async with other.phone(bert, other.book(bert, lasts_s=600)[1]) as phone:
            await phone.unlock()


# ---------------------------------------------------------------- the log
class Overheard(logging.Handler):
    """What libraries say at any level, as text, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextlib.contextmanager
def overheard() -> Iterator[Overheard]:
    """Everything that the standard library's logging lets through at the level that the program sets."""
    handler, root = Overheard(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def spellings(secret: bytes) -> Iterator[str]:
    """How bytes could stand in a text: whole, or the first half of them."""
    for part in (secret, secret[: max(8, len(secret) // 2)]):
        yield part.hex()
        yield part.hex(" ")
        yield part.hex(":")
        yield str(int.from_bytes(part, "big"))
        yield repr(part)[2:-1]
        yield base64.b64encode(part).decode().rstrip("=")[:-1]
        yield base64.urlsafe_b64encode(part).decode().rstrip("=")[:-1]


def found_in(text: str, secrets: dict[str, bytes]) -> list[str]:
    """The names of the secrets that the text gives away."""
    low = text.lower()
    return [name for name, secret in secrets.items() if any(each.lower() in low for each in spellings(secret))]


async def a_life_with_all_that_can_go_wrong(bench: Bench, rig: Rig, secrets: dict[str, bytes], area: Area) -> None:
    """Strangers, forgers, a full disk, a broker that fails and talks nonsense, a whole booking, a reboot."""
    async with stranger(rig) as mallory:
        await mallory.say(MessageType.EDHOC, b"\x01\x05")
        await mallory.refusal()
        await mallory.write(b"\x80\xff\xff" + bytes(12))
        await mallory.write(b"\x80\xff\xff" + bytes(13))
        await mallory.gone.wait()
    anna = rig.holder("Anna")
    booking, file = rig.book(anna, lasts_s=7200)
    secrets["token"] = file.token
    forged = rig.booking_file(Issuer(rig.holder("Mallory").key, rig.entropy).token(booking))
    with pytest.raises(HandshakeRefused):
        async with rig.phone(anna, forged):
            pass
    async with rig.phone(anna, file) as phone:
        await drive_off(rig, phone)
        for _ in range(12):
            car = rig.vehicle.snapshot()
            area.visit(car.latitude, car.longitude)
            await asyncio.sleep(10)
        await phone.locate()
        secrets["nonce"] = (await phone.get_nonce()).nonce
        bench.disk.full = True
        await phone.status()
        with pytest.raises(Refused):
            await phone.unlock()
        bench.disk.full = False
        order = rig.issuer.end_order(booking, now_s=rig.now_s)
        with pytest.raises(Refused):
            await phone.put(order[:-1] + b"?")
        await bench.ordered(order[:-1] + b"!")
        bench.broker.refusals = 3
        rig.vehicle.park()
        await asyncio.sleep(20)
        secrets["receipt"] = (await phone.end_booking()).receipt
    await rig.shut_down()
    await rig.boot()
    bench.broker.connect()
    async with rig.phone(anna, file) as phone:
        with pytest.raises(Refused):
            await phone.unlock()


@pytest.mark.req("SEC-2", "PRV-1")
async def test_no_key_no_token_no_receipt_and_no_position_is_in_the_log_of_a_whole_life(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bench, area = Bench("log"), Area()
    secrets: dict[str, bytes] = {}
    logs.configure(json=True)
    try:
        with overheard() as libraries:
            async with bench.online() as rig:
                secrets["handshake key"] = rig.provisioning.handshake_private
                secrets["signing key"] = rig.provisioning.signing_private
                await a_life_with_all_that_can_go_wrong(bench, rig, secrets, area)
    finally:
        structlog.reset_defaults()
    log = capsys.readouterr().err + "\n".join(libraries.lines)
    secrets |= {f"draw {number}": drawn for number, drawn in enumerate(bench.drawn) if len(drawn) >= 16}
    assert len(secrets) > 20
    assert log.count("\n") > 40, "there is a log"
    for said in ("TokenPresented", "HandshakeFailed", "state not saved", "not delivered", "booking.ended"):
        assert said in log
    assert found_in(log, secrets) == []
    assert numbers_of_the_way(log, area) == []
    # The search finds what there is.
    for spelt in spellings(secrets["token"]):
        assert found_in(f"{log} token={spelt}!", secrets) == ["token"]
