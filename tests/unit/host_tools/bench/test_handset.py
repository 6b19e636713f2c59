"""A phone in a scenario: every way in which an exchange can end, and the words for it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from firmware.core.events import Action
from firmware.demo.rig import Holder, Rig
from firmware.simulated.vehicle import ActuatorFault
from host_tools.bench.airlink import AirLink
from host_tools.bench.handset import UNANSWERED, UNREACHABLE, Handset, Outcome, TappedLink
from host_tools.phone.errors import LinkFailed
from protocol.errors import Code
from protocol.messages import NoticeKind, Operation, Position, Status


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with Rig() as made:
        yield made


@pytest.fixture
def anna(rig: Rig) -> Holder:
    return rig.holder("anna")


@pytest.fixture
async def phone(rig: Rig, anna: Holder) -> AsyncIterator[Handset]:
    made = Handset(anna.key, AirLink)
    made.shown = rig.book(anna, lasts_s=3600)[1]
    yield made
    await made.leave()


async def test_a_phone_connects_commands_and_leaves(rig: Rig, phone: Handset) -> None:
    assert not phone.is_open
    assert (await phone.connect()).text == "granted"
    assert phone.is_open
    assert phone.is_granted
    assert (await phone.command(Operation.UNLOCK)).text == "done"
    assert (await phone.command(Operation.UNLOCK)).text == "done already"
    assert not rig.vehicle.snapshot().locked
    await phone.leave()
    assert not phone.is_open


async def test_whoever_asks_connects_first(phone: Handset) -> None:
    status = await phone.status()
    assert isinstance(status.body, Status)
    assert status.text == "granted"
    located = await phone.locate()
    assert isinstance(located.body, Position)
    assert located.text == "located"
    assert len(await phone.nonce() or b"") == 16


@pytest.mark.req("ACC-7")
async def test_a_lost_answer_can_be_asked_for(rig: Rig, phone: Handset) -> None:
    assert (await phone.command(Operation.UNLOCK, lose=True)).unanswered
    assert phone.last.text == UNANSWERED.text
    assert "hung up" in phone.last.why
    assert not phone.is_open
    outcome = await phone.outcome()
    assert (outcome.text, outcome.code) == ("it ended with OK", Code.OK)
    assert (await phone.repeat()).code is Code.OK
    assert not rig.vehicle.snapshot().locked


async def test_an_outcome_is_asked_for_until_it_is_there(rig: Rig, phone: Handset) -> None:
    rig.vehicle.break_actuator(Action.UNLOCK, ActuatorFault.DEAD)
    assert (await phone.connect()).code is Code.OK
    under_way = asyncio.ensure_future(phone.command(Operation.UNLOCK))
    await asyncio.sleep(0.2)
    asked = await phone.outcome()
    assert (await under_way).code is Code.VEHICLE_NO_RESPONSE
    assert asked.text == "it ended with VEHICLE_NO_RESPONSE"


async def test_refusals_are_told_without_their_numbers(rig: Rig, anna: Holder, phone: Handset) -> None:
    phone.shown = rig.book(anna, lasts_s=3600, starts_in_s=7200)[1]
    told = await phone.connect()
    assert told.text == "refused NOT_YET_VALID by ACC-6: Wait until the booking begins."
    assert (await phone.status()).text == told.text
    assert (await phone.command(Operation.UNLOCK)).text == told.text
    assert phone.last.refusal is not None
    assert await phone.nonce() is not None


async def test_a_booking_that_was_spoilt_is_refused_in_the_handshake(rig: Rig, anna: Holder, phone: Handset) -> None:
    stranger = rig.holder("stranger")
    told = await phone.connect(rig.book(stranger, lasts_s=3600)[1])
    assert told.code is Code.HOLDER_KEY_MISMATCH
    assert not phone.is_open


async def test_a_module_that_is_off_is_not_reached(rig: Rig, phone: Handset) -> None:
    await rig.shut_down()
    told = await phone.connect()
    assert (told.text, told.unreachable) == (UNREACHABLE.text, True)
    assert "the car was not found" in told.why
    assert (await phone.status()).unreachable
    assert await phone.nonce() is None


async def test_without_a_booking_or_a_command_there_is_nothing_to_say(anna: Holder) -> None:
    phone = Handset(anna.key, AirLink)
    assert await phone.connect() == Outcome("nothing to show", unreachable=True)
    assert (await phone.repeat()).text == "no command to repeat"
    assert (await phone.outcome()).text == "no command to ask about"


async def test_notices_are_kept_and_talking_changes_nothing(rig: Rig, anna: Holder, phone: Handset) -> None:
    phone.shown = rig.book(anna, lasts_s=30)[1]
    assert (await phone.connect()).code is Code.OK
    await phone.keep_talking()
    await rig.until(rig.now_s + 31)
    assert [notice.kind for notice in phone.notices] == [NoticeKind.OVERDUE]
    assert (await phone.command(Operation.UNLOCK)).text == "done, with the warning OVERDUE"
    before = phone.last
    await phone.keep_talking()
    assert phone.last == before


async def test_what_is_carried_is_taken_now_or_later(rig: Rig, anna: Holder, phone: Handset) -> None:
    booking, phone.shown = rig.book(anna, lasts_s=3600)
    assert rig.vehicle.turn_ignition(True, with_key=True)
    order = rig.issuer.end_order(booking, now_s=rig.now_s)
    assert (await phone.put(order)).text == "taken, for when the car is parked"
    rig.vehicle.turn_ignition(False)
    await asyncio.sleep(10)
    assert (await phone.put(order)).text == "taken, for when the car is parked"
    assert (await phone.put(b"nonsense")).refusal is not None


class Wire:
    """A `PhoneLink` in one's hand."""

    payload = 20

    def __init__(self) -> None:
        self.arrive: Callable[[bytes], None] = lambda _: None
        self.closed: Callable[[], None] = lambda: None
        self.written: list[bytes] = []
        self.works = True

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        if not self.works:
            raise LinkFailed("no link", "the wire is cut", "Mend it.")
        self.arrive, self.closed = on_fragment, on_closed

    async def write(self, fragment: bytes) -> None:
        self.written.append(fragment)

    async def close(self) -> None:
        self.written.append(b"closed")


async def test_a_tapped_link_hears_all_and_can_lose_an_answer() -> None:
    wire, heard, closed = Wire(), [b""], [0]

    def hung_up() -> None:
        closed[0] += 1

    link = TappedLink(wire)
    await link.connect(heard.append, hung_up)
    await link.write(b"a question")
    wire.arrive(b"an answer")
    link.loses = True
    await link.write(b"another")
    wire.arrive(b"lost")
    wire.arrive(b"too late")
    wire.closed()
    await link.close()
    assert heard == [b"", b"an answer"]
    assert link.sent == [b"a question", b"another"]
    assert link.payload == 20
    assert closed == [1]
    assert b"closed" in wire.written
    link.leave_out()
    wire.works = False
    with pytest.raises(LinkFailed):
        await link.connect(heard.append, hung_up)
    wire.closed()
    assert closed == [1]


async def test_another_car_is_left_out(rig: Rig) -> None:
    link = TappedLink(AirLink(looking_s=1.0))
    await link.connect(lambda _fragment: None, lambda: None)
    await link.close()
    link.leave_out()
    with pytest.raises(Exception, match="was not found"):
        await link.connect(lambda _fragment: None, lambda: None)
