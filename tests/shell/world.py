"""One short life of the real shell on a shuffled loop: phones, car, broker and disk do what the seed says.

Pump, gateway, switchboard and courier are the module's own. At the end everything is healed, and the module must have
told everything, agree with its disk, serve a phone, and shut down without leaving anything behind.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from random import Random
from typing import Final, NamedTuple

import msgspec

from firmware.core import reporting
from firmware.core.events import Action, KeyButton, VehicleKeyUsed
from firmware.core.state import Durable
from firmware.keeper import decode_durable
from firmware.menu import MenuFailed
from firmware.page import decode_record
from firmware.pump import Pump
from firmware.witness import Witness
from protocol import credential, sharing, tokens
from protocol.errors import Refusal, Role
from protocol.messages import COMMANDS, Done, Ended, Operation, Reply, Request
from protocol.sharing import Key
from tests.shell.loop import ShuffledLoop
from tests.shell.surroundings import Broken, JudgingBroker, ShakyDisk, ShakyRadio, ShakyVehicle, hesitate
from tests.support import core, credentials
from tests.support.credentials import (
    BOOKING,
    CODE,
    GUEST,
    HOLDER,
    ISSUER,
    ORDER,
    OWNER,
    PLAIN_SHARE,
    SHARED,
)
from tests.support.guards import unfinished_tasks
from tests.support.phone import Phone
from tests.support.ports import Bench, OnAir

CHAOS_S: Final = 60
SHUT_DOWN_WITHIN_S: Final = 30
HEALED_WITHIN_S: Final = 300
PATIENCE_S: Final = 4
BEGINNINGS_MS: Final = (
    core.BEGINS_MS + 60_000,
    core.ENDS_MS - 20_000,
    core.ENDS_MS + 1_780_000,
)
"""When the run begins: well inside the booking, just before its end, just before its cutoff."""
OWNERS: Final = msgspec.structs.replace(core.OTHER, role=Role.OWNER)
ASKED: Final = (*COMMANDS, Operation.STATUS, Operation.LOCATE, Operation.GET_NONCE, Operation.KEYS)


class Who(NamedTuple):
    """Somebody with a phone: what it shows, and the booking if it is one."""

    shows: credential.Credential
    booking: tokens.Booking | None = None


def _with_booking(booking: tokens.Booking) -> Who:
    token = tokens.mint_booking(booking, ISSUER)
    return Who(credential.booking_credential(token, HOLDER.public_key(), HOLDER), booking)


def _with_share(share: Key) -> Who:
    token = sharing.mint_share(share, STANDING_TOKEN, OWNER)
    return Who(credential.share_credential(STANDING_TOKEN, token, GUEST.public_key(), GUEST))


STANDING_TOKEN: Final = credentials.standing()
PEOPLE: Final = {
    "driver": _with_booking(BOOKING),
    "again": _with_booking(BOOKING),
    "owner": _with_booking(OWNERS),
    "main user": Who(credential.key_credential(STANDING_TOKEN, OWNER.public_key(), OWNER)),
    "guest": _with_share(PLAIN_SHARE),
    "guest with a code": _with_share(SHARED),
}


class World(Bench):
    """`run` lives one life. `power_cut_at`: the loop's step at which the module is cancelled, and booted anew."""

    def __init__(self, loop: ShuffledLoop, seed: int) -> None:
        self.rng = Random(f"world {seed}")
        super().__init__(rtc_at_zero_ms=self.rng.choice(BEGINNINGS_MS))
        self.loop = loop
        self.radio: ShakyRadio = ShakyRadio(self.changed, self.rng)
        self.vehicle: ShakyVehicle = ShakyVehicle(self.changed, self.rng)
        self.broker: JudgingBroker = JudgingBroker(self.changed, self.rng, lambda: self.pump.state)
        self.uplink = self.broker
        self.disk: ShakyDisk = ShakyDisk(self.rng)
        self.watched = False
        self.commands: Counter[Operation] = Counter()
        self.working: asyncio.Task[None] | None = None
        self.replies = 0
        self.activated = self.deactivated = 0
        """How often the menu said that it was done."""
        self.chaos = True

    # ------------------------------------------------------------ the life
    async def live(self, power_cut_at: int | None) -> None:
        """Chaos, healing, judgement, the end."""
        await self.boot()
        if power_cut_at is not None:
            self.loop.at_step(power_cut_at, self._cut_power)
        people = [self._person(who, name) for name, who in PEOPLE.items()]
        actors = [
            asyncio.create_task(actor()) for actor in (self._car, self._network, self._storage, self._vehicle_key)
        ]
        actors += [asyncio.create_task(self._menu()) for _ in range(2)]
        actors += [asyncio.create_task(person) for person in people]
        try:
            async with asyncio.timeout(CHAOS_S):
                while True:
                    await self._until_ended(actors)
                    await self.boot()
        except TimeoutError:
            pass
        finally:
            for actor in actors:
                actor.cancel()
            for ended in await asyncio.gather(*actors, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended
        await self._heal()
        await self.shut_down()
        left = await unfinished_tasks()
        if left:
            raise Broken(f"tasks left: {left}")

    async def boot(self) -> None:
        """Power up on what the disk has."""
        self.broker.up = False
        pump: Pump = self.build()
        self.working = asyncio.create_task(pump.run((self.clock.rtc(),)), name="module")
        started = asyncio.create_task(pump.started.wait())
        await asyncio.wait({started, self.working}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()

    def connect(self, phone: Phone) -> OnAir:
        """A phone that has connected, if the radio is on."""
        self.links += 1
        self.radio.open(self.links, phone.payload)
        return OnAir(self, phone, self.links)

    async def _until_ended(self, actors: list[asyncio.Task[None]]) -> None:
        """Wait for the module's end; only a power cut may be one. An actor that ends has found something."""
        assert self.working is not None
        ended, _ = await asyncio.wait({self.working, *actors}, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            if task is not self.working or not task.cancelled():
                task.result()
                raise Broken("the module stopped by itself")
        if self.radio.up:
            self.radio.up.clear()

    def _cut_power(self) -> None:
        if self.chaos and self.working is not None:
            self._excuse()
            self.working.cancel()

    def _excuse(self) -> None:
        """What a power cut may bring back, and what it may take."""
        records = [decode_record(stored.body) for stored in self.disk._records.values()]
        kept = {(record.channel, record.seq) for record in records}
        # Acknowledged and not forgotten yet: it may come again.
        self.broker.excused |= kept
        known = self.on_disk()
        for channel, acknowledged in self.broker.acknowledged.items():
            counter = 1 if known is None else getattr(known.counters, channel.name.lower())
            # What a full disk has refused waits in memory only; the gap shows it.
            self.broker.forgotten |= {(channel, number) for number in range(1, counter)} - kept
            # Told although no disk took its number: the number is used again.
            self.broker.excused |= {(channel, number) for number in acknowledged if number >= counter}

    async def shut_down(self) -> None:
        """It ends, whatever it is doing."""
        assert self.working is not None
        self.working.cancel()
        ended, _ = await asyncio.wait({self.working}, timeout=SHUT_DOWN_WITHIN_S)
        if not ended:
            raise Broken("the module does not shut down")
        with suppress(asyncio.CancelledError):
            self.working.result()

    # ------------------------------------------------------------ the end
    async def _heal(self) -> None:
        """Everything works again: what waits goes out, state and disk agree, a phone is served."""
        self.chaos = False
        self.disk.full, self.disk.slow_s, self.disk.unreadable = False, 0.0, 0
        self.vehicle.stuck = self.vehicle.silent = self.vehicle.moody = self.broker.moody = False
        assert self.working is not None
        if self.working.done() or self.working.cancelling():
            await asyncio.wait({self.working})  # its power was cut in the last moment of chaos
            await self.boot()
        try:
            async with asyncio.timeout(HEALED_WITHIN_S):
                while not await self._settled():
                    self.broker.switch(up=True)
                    await asyncio.sleep(1)
                    if self.working.done():
                        self.working.result()
        except TimeoutError:
            waits, durable = await self.disk.pending_count(), self.pump.state.durable
            same = self.on_disk() == durable
            raise Broken(f"it does not settle: {waits} records wait, {durable.slot}, as on disk: {same}") from None
        unlocks = self.vehicle.attempts[Action.UNLOCK]
        if unlocks > self.commands[Operation.UNLOCK]:
            raise Broken(f"{unlocks} unlocks for {self.commands[Operation.UNLOCK]} commands")
        for link in sorted(self.radio.up):
            self.radio.leave(link)
        try:
            async with asyncio.timeout(PATIENCE_S):
                visitor = await self.phone(Phone(name=f"visitor {self.links}"))
                answer = await visitor.ask(Request(1, Operation.STATUS))
        except TimeoutError:
            raise Broken("a phone is not served") from None
        assert answer.id == 1
        self.radio.leave(visitor.link)

    async def _settled(self) -> bool:
        state = self.pump.state
        hidden = reporting.position_hidden(state)
        if await self.disk.pending(reveals_position=False if hidden else None):
            return False
        durable = self.pump.state.durable
        slot = durable.slot
        return (slot.acknowledged or (hidden and slot.point is not None)) and self.on_disk() == durable

    def on_disk(self) -> Durable | None:
        """What a power cut would leave."""
        stored = self.disk._state
        return None if stored is None else decode_durable(stored)

    # ------------------------------------------------------------ what happens around
    async def _car(self) -> None:
        while True:
            await asyncio.sleep(self.rng.random() * 12)
            driving = self.rng.random() < 0.4
            self.vehicle.set(ignition_on=driving, speed_kmh=30.0 if driving else 0.0)
            self.vehicle.set(doors_open=self.rng.random() < 0.1)
            self.vehicle.silent, self.vehicle.stuck = self.rng.random() < 0.1, self.rng.random() < 0.1

    async def _network(self) -> None:
        order = tokens.mint_order(ORDER, ISSUER)
        while True:
            await hesitate(self.rng)
            await asyncio.sleep(self.rng.random() * 6)
            self.broker.switch(up=self.rng.random() < 0.7)
            if self.broker.up and self.rng.random() < 0.1:
                self.broker.deliver("order", self.rng.choice((order, order[:-1], b"")), b"")

    async def _storage(self) -> None:
        while True:
            await asyncio.sleep(self.rng.random() * 10)
            self.disk.full = self.rng.random() < 0.2
            self.disk.slow_s = self.rng.choice((0.0, 0.0, 0.01, 0.4, 3.0))
            self.disk.unreadable = int(self.rng.random() < 0.2)

    async def _vehicle_key(self) -> None:
        """Somebody presses the buttons of a vehicle key; nobody hears of it without power."""
        while True:
            await asyncio.sleep(self.rng.random() * 15)
            self.vehicle.tell(VehicleKeyUsed(self.rng.choice(list(KeyButton))))

    async def _menu(self) -> None:
        """Somebody stands at the vehicle's menu, one of two: every question has an answer, and what is done is done."""
        while True:
            await asyncio.sleep(self.rng.random() * 8)
            if not self.pump.started.is_set():
                continue
            menu = self.pump.menu
            listed = menu.listed()
            try:
                if listed and self.rng.random() < 0.08:
                    entry = self.rng.choice(listed)
                    if await menu.deactivate(entry.number) is None:
                        self._is_dead(entry.token_id)
                elif await menu.activate(self.rng.choice((CODE, "000000"))) is None:
                    self._is_activated()
            except MenuFailed as failed:
                if CODE in str(failed):
                    raise Broken(f"the menu says the code: {failed}") from None

    def _is_dead(self, token_id: bytes) -> None:
        known = self.on_disk()
        if known is None or any(each.key.token_id == token_id for each in known.keys):
            raise Broken("a deactivation was acknowledged and is not on the disk")
        self.deactivated += 1

    def _is_activated(self) -> None:
        known = self.on_disk()
        good = known is not None and any(each.key.token_id == SHARED.token_id and each.activated for each in known.keys)
        dead = known is not None and any(each.token_id == SHARED.token_id for each in known.dead_keys)
        if not (good or dead):
            raise Broken("an activation was acknowledged and is not on the disk")
        self.activated += 1

    async def _person(self, who: Who, name: str) -> None:
        visits = 0
        unanswered: Request | None = None
        while True:
            await asyncio.sleep(self.rng.random() * 5)
            visits += 1
            payload = self.rng.choice((20, 100, 244, 512))
            phone = Phone(name=f"{name} {visits}", payload=payload, own=who.shows)
            unanswered = await Visit(self, phone, who.booking).run(unanswered)


class LinkGone(Exception):
    """The link was lost, or nobody answered."""


class Visit:
    """One connection of a phone; it may be lost between any two fragments."""

    def __init__(self, world: World, phone: Phone, booking: tokens.Booking | None) -> None:
        self.world = world
        self.booking = booking
        self.on_air = world.connect(phone)
        self._fragments_left = int(world.rng.random() ** 0.5 * 40)

    async def run(self, unanswered: Request | None) -> Request | None:
        """Shake hands and ask; the command whose answer was lost, if one was."""
        rng, phone = self.world.rng, self.on_air.phone
        try:
            self._write(phone.message_1())
            self._write(phone.message_3(await self._hear()))
            phone.finish(await self._hear())
            for number in range(1, 2 + int(rng.random() * 6)):
                request = unanswered and Request(number, unanswered.operation, unanswered.command_id)
                request = request or self._draw(number)
                unanswered = request if request.operation in COMMANDS else None
                await self._ask(request)
                unanswered = None
                await asyncio.sleep(rng.choice((0, 0, 0.5, 3)))
        except LinkGone:
            pass
        finally:
            self.world.radio.leave(self.on_air.link)
        return unanswered

    def _draw(self, number: int) -> Request:
        operation = self.world.rng.choice(ASKED)
        if operation is Operation.END_BOOKING and self.world.rng.random() < 0.8:
            operation = Operation.STATUS
        if operation not in COMMANDS:
            return Request(number, operation)
        self.world.commands[operation] += 1
        return Request(number, operation, command_id=self.world.rng.randbytes(8))

    def _write(self, fragments: list[bytes]) -> None:
        for fragment in fragments:
            if self._fragments_left == 0 or self.on_air.link not in self.world.radio.up:
                raise LinkGone
            self._fragments_left -= 1
            self.on_air.write([fragment])

    async def _hear(self) -> list[bytes]:
        try:
            async with asyncio.timeout(PATIENCE_S):
                fragments = await self.on_air.hear()
        except TimeoutError:
            raise LinkGone from None
        if fragments[-1][:1] and len(fragments) == 1 and self._is_error(fragments[0]):
            raise LinkGone
        return fragments

    @staticmethod
    def _is_error(fragment: bytes) -> bool:
        return fragment[3:4] == b"\x03"

    async def _ask(self, request: Request) -> None:
        self._write(self.on_air.phone.request(request))
        while True:
            answer = self.on_air.phone.answer(await self._hear())
            if isinstance(answer, Reply):
                self._judge(request, answer)
                return

    def _judge(self, request: Request, reply: Reply) -> None:
        """One reply for each request, and nothing is acknowledged that a power cut would forget."""
        self.world.replies += 1
        if reply.id != request.id:
            raise Broken(f"request {request.id} was answered twice")
        known = self.world.on_disk()
        assert known is not None
        if isinstance(reply.body, Done):
            outcomes = {executed.command_id: executed.code for executed in known.executed}
            if outcomes.get(request.command_id) is None:
                raise Broken(f"{request.operation.name} was acknowledged and is not on the disk")
        elif isinstance(reply.body, Ended):
            if known.trip.running and known.trip.booking == self.booking:
                raise Broken("an end was acknowledged and is not on the disk")
        else:
            assert isinstance(reply.body, Refusal) or reply.code == 0 or reply.code >= 128


def live(seed: int, power_cut_at: int | None = None, witness: Witness | None = None) -> World:
    """One life, judged and watched. Raises Broken, or whatever the module let out."""
    with asyncio.Runner(loop_factory=lambda: ShuffledLoop(seed)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, ShuffledLoop)
        world = World(loop, seed)
        world.witness = witness
        runner.run(world.live(power_cut_at))
    return world
