"""The loop around the core: one step, one transaction, and everything on time."""

import asyncio
import json
from typing import Final

import msgspec
import pytest

from firmware.core.airtime import Airtime, Pace
from firmware.core.events import (
    Action,
    ActuationFinished,
    BrokerLost,
    CodeEntered,
    CodeTried,
    KeyButton,
    LinkActive,
    OrderReceived,
    Ticked,
    VehicleKeyUsed,
)
from firmware.ports import RadioUnavailable
from protocol import credential, tokens
from protocol.errors import Code, Refusal, refuse
from protocol.messages import Done, Ended, Notice, NoticeKind, Operation, Phase, Push, PushKind, Reply, Request, Status
from protocol.orders import Order, OrderKind, Subscription
from protocol.telemetry import EventKind
from protocol.tokens import RevocationList
from tests.support import credentials
from tests.support.core import BEGINS_MS, ENDS_MS, events
from tests.support.credentials import BOOKING, CODE, GUEST, ISSUER, MODULE_ID, ORDER, SIGNER, STRANGER
from tests.support.phone import Phone
from tests.support.ports import Bench, MemoryDisk, OnAir

STATUS = Request(1, Operation.STATUS)
TOPIC: Final = f"sharebox/{MODULE_ID.hex()}/order"


def command(operation: Operation, number: int = 1) -> Request:
    return Request(number, operation, number.to_bytes(8, "big"))


def a_list(number: int) -> OrderReceived:
    """Something that leaves a record behind, once a number."""
    return OrderReceived(RevocationList(MODULE_ID, number, BEGINS_MS // 1000 - 9, 0, ()))


def refused(reply: Reply, code: Code) -> Refusal:
    assert isinstance(reply.body, Refusal)
    assert reply.code is reply.body.code is code
    return reply.body


def reported(bench: Bench) -> list[EventKind]:
    return [kind for _, effects in bench.seen for kind in events(effects)]


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def forced_off(on_air: OnAir) -> float:
    """When the phone was hung up."""
    radio = on_air.bench.radio
    await on_air.bench.until(lambda: on_air.link in radio.hung_up)
    return radio.hung_up[on_air.link]


# ---------------------------------------------------------------- life
@pytest.mark.req("BLE-2", "PRV-7")
async def test_the_radio_is_advised_before_it_starts_and_whenever_the_advice_changes() -> None:
    bench = Bench()
    async with bench.at_work():
        advice = bench.radio.advice
        assert advice == [Airtime(Pace.BRISK, 3)]
        await bench.until(lambda: len(advice) > 1)
        assert (now_s(), advice[1:]) == (30.0, [Airtime(Pace.SLOW, 3)])
        bench.connect(Phone())
        await bench.until(lambda: len(advice) > 3)
        assert [each.pace for each in advice] == [Pace.BRISK, Pace.SLOW, Pace.BRISK, Pace.SLOW]
        await bench.phone()
        await bench.until(lambda: len(advice) > 4)
        assert advice[4:] == [Airtime(Pace.BRISK, 3)], "and stays so in a booking"


@pytest.mark.req("ACC-1", "PWR-1")
async def test_a_module_without_a_network_opens_the_car() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        phone = await bench.phone()
        assert await phone.ask(command(Operation.UNLOCK)) == Reply(1, Code.OK, Done())
        assert bench.vehicle.done == [Action.ARM_IMMOBILISER, Action.UNLOCK]
        assert await phone.ask(command(Operation.ENABLE_DRIVE, 2)) == Reply(2, Code.OK, Done())
        assert bench.vehicle.done[2:] == [Action.RELEASE_IMMOBILISER]
    assert not bench.radio.running


@pytest.mark.req("PWR-1", "CUT-5")
async def test_what_was_durable_is_there_after_a_power_cut() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        phone = await bench.phone()
        await phone.ask(command(Operation.ENABLE_DRIVE))
    bench.vehicle.done.clear()
    async with bench.at_work() as pump:
        assert pump.state.durable.trip.phase is Phase.ACTIVE
        again = await bench.phone(Phone(name="after the cut"))
        outcome = await again.ask(Request(3, Operation.OUTCOME, (1).to_bytes(8, "big")))
        assert outcome.code is Code.OK
        assert bench.vehicle.done == [Action.RELEASE_IMMOBILISER]


@pytest.mark.req("PWR-1", "ACC-5")
async def test_a_damaged_state_boots_armed_explained_and_with_the_dead_still_dead() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        phone = await bench.phone()
        await asyncio.sleep(10)
        assert (await phone.ask(command(Operation.END_BOOKING))).code is Code.OK
    await bench.disk.commit(b"no state", ())
    bench.seen.clear()
    bench.vehicle.done.clear()
    async with bench.at_work():
        await bench.until(lambda: EventKind.STORE_TROUBLE in reported(bench))
        again = await bench.phone(Phone(name="after the damage"))
        refused(await again.ask(command(Operation.UNLOCK, 9)), Code.BOOKING_ENDED)
        assert bench.vehicle.done == [Action.ARM_IMMOBILISER]


@pytest.mark.req("PWR-2", "TEL-3")
async def test_a_disk_without_room_for_records_costs_telemetry_and_not_access() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        bench.disk.full_for_records = True
        phone = await bench.phone()
        assert (await phone.ask(command(Operation.UNLOCK))).code is Code.OK
        assert (await phone.ask(command(Operation.ENABLE_DRIVE, 2))).code is Code.OK
        before = await bench.disk.pending_count()
        bench.vehicle.silent = True
        await asyncio.sleep(5)
        bench.disk.full_for_records = False
        await asyncio.sleep(11)
        assert await bench.disk.pending_count() > before


@pytest.mark.req("TEL-4")
async def test_what_the_outbox_gave_up_is_reported() -> None:
    bench = Bench(networked=False)
    bench.disk = MemoryDisk(capacity_records=3)
    async with bench.at_work() as pump:
        for number in range(1, 5):
            pump.post(a_list(number))
        await bench.until(lambda: EventKind.RECORDS_DROPPED in reported(bench))


async def test_a_radio_that_can_not_be_opened_ends_the_module() -> None:
    bench = Bench()
    bench.radio.broken = True
    with pytest.raises(ExceptionGroup) as failed:
        await bench.build().run()
    assert failed.group_contains(RadioUnavailable, match="no radio here")


async def test_nobody_has_to_watch() -> None:
    bench = Bench(networked=False)
    bench.watched = False
    async with bench.at_work():
        phone = await bench.phone()
        assert (await phone.ask(command(Operation.UNLOCK))).code is Code.OK
        assert bench.seen == []


@pytest.mark.req("CUT-1", "CUT-4", "CLK-3")
async def test_deadlines_are_kept_without_any_other_event() -> None:
    bench = Bench(networked=False, rtc_at_zero_ms=ENDS_MS - 60_000)
    async with bench.at_work():
        phone = await bench.phone()
        bench.vehicle.silent = True
        assert isinstance((await phone.ask(STATUS)).body, Status)
        notice = await phone.hear_answer()
        assert now_s() == 60.0
        assert notice == Push(PushKind.NOTICE, Notice(NoticeKind.OVERDUE, 1_800_000))


@pytest.mark.req("CUT-2", "CUT-4")
async def test_the_cutoff_hangs_up_within_a_second_though_disk_and_radio_are_stuck() -> None:
    bench = Bench(networked=False, rtc_at_zero_ms=ENDS_MS - 60_000)
    async with bench.at_work():
        phone = await bench.phone()
        await phone.ask(command(Operation.ENABLE_DRIVE))
        while now_s() < 1_800:
            await asyncio.sleep(300)
            await phone.ask(STATUS)
        await asyncio.sleep(60.0005)
        bench.disk.slow_s, bench.radio.deaf = 30.0, True
        assert await forced_off(phone) == pytest.approx(1_860.501)
        assert bench.vehicle.done[-1] is Action.ARM_IMMOBILISER


# ---------------------------------------------------------------- a disk that refuses
@pytest.mark.req("PWR-2", "ACC-8")
async def test_a_permission_that_can_not_be_made_durable_is_not_given() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        phone = await bench.phone()
        await phone.ask(STATUS)
        bench.disk.full = True
        for number, operation in enumerate((Operation.UNLOCK, Operation.ENABLE_DRIVE), 2):
            refusal = refused(await phone.ask(command(operation, number)), Code.STORAGE_FAILED)
            assert not refusal.may_have_succeeded
        assert bench.vehicle.done == [Action.ARM_IMMOBILISER]
        bench.disk.full = False
        assert (await phone.ask(command(Operation.UNLOCK, 4))).code is Code.OK


@pytest.mark.req("PWR-2")
async def test_a_booking_that_can_not_be_made_durable_does_not_begin() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        bench.disk.full = True
        phone = await bench.phone()
        status = await phone.ask(STATUS)
        assert isinstance(status.body, Status)
        assert status.body.access.refusal is not None
        assert status.body.access.refusal.code is Code.STORAGE_FAILED
        assert pump.state.durable.trip.phase is Phase.NONE
        bench.disk.full = False
        status = await phone.ask(STATUS)
        assert isinstance(status.body, Status)
        assert status.body.access.granted


@pytest.mark.req("PWR-2", "ACC-7", "ACC-10")
async def test_locking_does_not_wait_for_the_disk_but_its_acknowledgement_does() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        phone = await bench.phone()
        await phone.ask(command(Operation.UNLOCK))
        bench.disk.full = True
        refusal = refused(await phone.ask(command(Operation.LOCK, 2)), Code.STORAGE_FAILED)
        assert refusal.may_have_succeeded
        assert bench.vehicle.done[-1] is Action.LOCK
        assert isinstance((await phone.ask(STATUS)).body, Status)
        bench.disk.full = False
        assert await phone.ask(command(Operation.LOCK, 2)) == Reply(2, Code.OK, Done(already=True))


@pytest.mark.req("PWR-2", "BKG-3", "BKG-4")
async def test_an_end_on_a_full_disk_ends_and_its_receipt_comes_later() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        phone = await bench.phone()
        await asyncio.sleep(10)
        bench.disk.full = True
        refusal = refused(await phone.ask(command(Operation.END_BOOKING)), Code.STORAGE_FAILED)
        assert refusal.may_have_succeeded
        assert pump.state.durable.trip.phase is Phase.ENDED
        bench.disk.full = False
        ended = (await phone.ask(command(Operation.END_BOOKING))).body
        assert isinstance(ended, Ended)
        receipt = tokens.verify_receipt(ended.receipt, SIGNER.public_key())
        assert (receipt.booking_id, receipt.position_known, receipt.offline) == (BOOKING.booking_id, True, True)


@pytest.mark.req("PWR-2")
async def test_a_disk_that_refused_is_tried_again_after_ten_seconds() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        await asyncio.sleep(5)
        bench.vehicle.silent = True
        await asyncio.sleep(5)
        bench.disk.full = True
        bench.disk.commits.clear()
        pump.post(a_list(1))
        await asyncio.sleep(1)
        bench.disk.full = False
        await bench.until(lambda: bool(bench.disk.commits))
        assert bench.disk.commits == [20.0]


@pytest.mark.req("PWR-2", "TEL-4")
async def test_records_that_wait_for_the_disk_are_bounded_and_the_oldest_are_lost() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        await asyncio.sleep(1.5)
        before = await bench.disk.pending_count()
        bench.disk.full = True
        for number in range(1, 301):
            pump.post(a_list(number))
        await asyncio.sleep(0.1)
        bench.disk.full = False
        await asyncio.sleep(20)
        waiting = await bench.disk.pending(limit=1_000)
        numbers = sorted(record.number for record in waiting)
        assert len(waiting) == before + 256 + 1, "what was lost is told"
        assert numbers[before] - numbers[before - 1] == 1 + 300 - 256


# ---------------------------------------------------------------- too much at once
@pytest.mark.req("SEC-1")
async def test_a_fact_that_finds_no_room_takes_the_oldest_ones_place() -> None:
    bench = Bench(networked=False)
    pump = bench.build()
    for number in range(512):
        pump.post(LinkActive(number))
    pump.post(LinkActive(999))
    bench.vehicle.silent = True
    task = asyncio.create_task(pump.run())
    await bench.until(lambda: any(event == LinkActive(999) for event, _ in bench.seen))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    heard = [event for event, _ in bench.seen if not isinstance(event, ActuationFinished)]
    assert heard == [Ticked(), *map(LinkActive, range(1, 512)), LinkActive(999)]


@pytest.mark.req("SEC-1", "BLE-2")
async def test_a_link_that_floods_is_hung_up() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        phone = await bench.phone()
        quiet = bench.connect(Phone(name="quiet"))
        for number in range(257):
            pump.post(LinkActive(number))
        phone.write(phone.phone.request(STATUS))
        await forced_off(phone)
        assert quiet.link not in bench.radio.hung_up


@pytest.mark.req("SEC-1", "KEY-6")
async def test_when_it_is_crowded_a_sample_is_given_up_and_a_vehicle_key_is_not() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        await asyncio.sleep(0.5)
        bench.seen.clear()
        for number in range(256):
            pump.post(LinkActive(number))
        bench.vehicle.tell(bench.vehicle.sample)
        bench.vehicle.tell(VehicleKeyUsed(KeyButton.LOCK))
        await asyncio.sleep(0.1)
        told = [event for event, _ in bench.seen if not isinstance(event, LinkActive)]
        assert told == [VehicleKeyUsed(KeyButton.LOCK)]


@pytest.mark.req("BLE-2")
async def test_a_silent_central_is_gone_after_ten_seconds_though_the_radio_takes_nothing() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        stranger = bench.connect(Phone())
        bench.radio.deaf = True
        stranger.write([b"\xc0\x00\x00\x00"])
        assert await forced_off(stranger) == 10.5


@pytest.mark.req("BLE-1", "BLE-2")
async def test_three_violations_are_the_end_of_a_link() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        stranger = bench.connect(Phone())
        stranger.write([bytes([0xC0, 0, 0, number]) for number in range(3)])
        assert await forced_off(stranger) == 0
        assert [stranger.phone.refusal(await stranger.hear()).code for _ in range(3)] == [Code.FRAMING] * 3


@pytest.mark.req("SEC-2")
async def test_after_five_failed_handshakes_who_has_failed_waits_and_who_has_not_gets_in() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        for _ in range(5):
            thief = bench.connect(Phone(holder=STRANGER))
            thief.write(thief.phone.message_1())
            thief.write(thief.phone.message_3(await thief.hear()))
            assert thief.phone.refusal(await thief.hear()).code is Code.HOLDER_KEY_MISMATCH
            if thief.link < 5:
                bench.radio.leave(thief.link)
        thief.write(thief.phone.message_1())
        refusal = thief.phone.refusal(await thief.hear())
        assert (refusal.code, refusal.number("retry_in_ms")) == (Code.TOO_MANY_HANDSHAKES, 60_000)
        honest = await bench.phone()
        assert (await honest.ask(command(Operation.UNLOCK))).code is Code.OK


async def test_a_smaller_mtu_is_used_as_soon_as_it_is_known() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        phone = bench.connect(Phone())
        bench.radio.listener.payload_changed(phone.link, 20)
        phone.write(phone.phone.message_1())
        assert {len(fragment) for fragment in (await phone.hear())[:-1]} == {20}


# ---------------------------------------------------------------- the car
@pytest.mark.req("ACC-7")
async def test_a_car_that_does_not_answer_has_two_seconds() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        phone = await bench.phone()
        bench.vehicle.stuck = True
        began_s = now_s()
        refusal = refused(await phone.ask(command(Operation.UNLOCK)), Code.VEHICLE_NO_RESPONSE)
        assert refusal.may_have_succeeded
        assert now_s() == began_s + 2.0


# ---------------------------------------------------------------- the broker
@pytest.mark.req("TEL-1", "TEL-3")
async def test_what_happened_before_the_connection_is_sent_after_it() -> None:
    bench = Bench()
    async with bench.at_work() as pump:
        await bench.phone()
        await bench.until(lambda: EventKind.BOOKING_STARTED in reported(bench))
        assert bench.broker.published == []
        bench.broker.connect()
        await bench.until(lambda: len(bench.broker.on("event")) == 2)
        told = [json.loads(payload) for payload in bench.broker.on("event")]
        assert [(event["stamp"]["seq"], event["kind"]) for event in told] == [
            (1, "module.booted"),
            (2, "booking.started"),
        ]
        assert bench.broker.on("position")[0] == b""
        bench.broker.disconnect()
        await bench.until(lambda: (BrokerLost(), ()) in bench.seen)
        assert not pump.state.broker_connected


@pytest.mark.req("BKG-2", "PRV-2")
async def test_an_order_from_the_broker_ends_the_booking_of_a_parked_car() -> None:
    bench = Bench()
    async with bench.at_work() as pump:
        phone = await bench.phone()
        bench.broker.connect()
        await asyncio.sleep(10)
        order = msgspec.structs.replace(ORDER, issued_s=BEGINS_MS // 1000, expires_s=BEGINS_MS // 1000 + 3_600)
        bench.broker.deliver(TOPIC, tokens.mint_order(order, ISSUER), b"")
        bench.broker.deliver(TOPIC, b"garbage", b"")
        await bench.until(lambda: len(bench.broker.on("order/result")) == 2)
        results = [json.loads(payload) for payload in bench.broker.on("order/result")]
        told = {result["name"]: result["pending"] for result in results}
        assert told == {"OK": False, "TOKEN_MALFORMED": False}
        assert pump.state.durable.trip.phase is Phase.ENDED
        await bench.until(lambda: bool(bench.broker.retained.get("position")))
        assert json.loads(bench.broker.retained["position"])["parking"] is True
        notice = await phone.hear_answer()
        assert isinstance(notice, Push)
        assert notice.body == Notice(
            NoticeKind.ENDED_BY_ORDER, notice.body.left_ms if isinstance(notice.body, Notice) else 0
        )


BEGINS_S: Final = BEGINS_MS // 1000
UNLOCK: Final = Order(b"the order number", OrderKind.UNLOCK, MODULE_ID, BEGINS_S, BEGINS_S + 300)
SUBSCRIBE: Final = msgspec.structs.replace(
    UNLOCK,
    order_id=b"another order no",
    kind=OrderKind.SUBSCRIPTION,
    details=Subscription(1, BEGINS_S + 9_000, BEGINS_S + 9_000),
)


def answers(bench: Bench) -> list[tuple[str, bytes]]:
    """Name and correlation of what became of orders."""
    told = [each for each in bench.broker.published if each.topic == f"{TOPIC}/result"]
    return [(json.loads(each.payload)["name"], each.correlation) for each in told]


@pytest.mark.req("SVC-3", "PWR-1")
async def test_an_order_from_afar_moves_the_car_once_and_is_answered_with_its_correlation() -> None:
    bench = Bench()
    async with bench.at_work():
        bench.broker.connect()
        await asyncio.sleep(10)
        bench.broker.deliver(TOPIC, tokens.mint_order(SUBSCRIBE, ISSUER), b"one")
        bench.broker.deliver(TOPIC, tokens.mint_order(UNLOCK, ISSUER), b"two")
        await bench.until(lambda: len(answers(bench)) == 2)
        bench.broker.deliver(TOPIC, tokens.mint_order(UNLOCK, ISSUER), b"three")
        await bench.until(lambda: len(answers(bench)) == 3)
        assert answers(bench) == [("OK", b"one"), ("OK", b"two"), ("OK", b"three")]
        assert bench.vehicle.done.count(Action.UNLOCK) == 1


@pytest.mark.req("SVC-3", "PWR-2")
async def test_a_full_disk_lets_no_order_move_the_car_and_confirms_none() -> None:
    bench = Bench()
    async with bench.at_work():
        bench.broker.connect()
        await asyncio.sleep(10)
        bench.broker.deliver(TOPIC, tokens.mint_order(SUBSCRIBE, ISSUER), b"one")
        await bench.until(lambda: len(answers(bench)) == 1)
        bench.disk.full = True
        bench.broker.deliver(TOPIC, tokens.mint_order(UNLOCK, ISSUER), b"two")
        bench.broker.deliver(TOPIC, tokens.mint_order(SUBSCRIBE, ISSUER), b"three")
        await bench.until(lambda: len(answers(bench)) == 3)
        assert ("STORAGE_FAILED", b"two") in answers(bench)
        assert Action.UNLOCK not in bench.vehicle.done
        bench.disk.full = False
        await asyncio.sleep(15)
        bench.broker.deliver(TOPIC, tokens.mint_order(UNLOCK, ISSUER), b"four")
        await bench.until(lambda: ("OK", b"four") in answers(bench))


@pytest.mark.req("SVC-3", "PWR-2")
async def test_an_answer_that_is_not_durable_yet_is_no_confirmation() -> None:
    bench = Bench()
    async with bench.at_work():
        bench.broker.connect()
        await asyncio.sleep(10)
        bench.disk.full = True
        bench.broker.deliver(TOPIC, tokens.mint_order(SUBSCRIBE, ISSUER), b"one")
        bench.broker.deliver(TOPIC, tokens.mint_order(SUBSCRIBE, ISSUER), b"two")
        await bench.until(lambda: len(answers(bench)) == 1)
        assert answers(bench) == [("STORAGE_FAILED", b"two")]
        bench.disk.full = False
        await bench.until(lambda: ("OK", b"one") in answers(bench))


@pytest.mark.req("ACC-6")
async def test_a_stranger_with_a_forged_token_moves_nothing() -> None:
    bench = Bench(networked=False)
    async with bench.at_work():
        forger = bench.connect(Phone(credentials.token(STRANGER)))
        forger.write(forger.phone.message_1())
        forger.write(forger.phone.message_3(await forger.hear()))
        assert forger.phone.refusal(await forger.hear()).code is Code.UNKNOWN_ISSUER
        assert bench.vehicle.done == [Action.ARM_IMMOBILISER]


# ---------------------------------------------------------------- digital keys
def a_guest() -> Phone:
    """A phone with a shared key that waits for its code, and may do everything with it."""
    parent, shared = credentials.standing(), credentials.share(hours=None, permissions=31)
    return Phone(own=credential.share_credential(parent, shared, GUEST.public_key(), GUEST))


@pytest.mark.req("KEY-3", "KEY-4", "PWR-2")
async def test_a_code_is_compared_only_once_its_try_is_on_the_disk() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        phone = await bench.phone(a_guest())
        refused(await phone.ask(command(Operation.UNLOCK)), Code.ACTIVATION_REQUIRED)
        await asyncio.sleep(6)
        bench.disk.full = True
        for code in (CODE, "000000"):
            assert await pump.menu.activate(code) == refuse(Code.STORAGE_FAILED)
        assert not any(isinstance(event, CodeTried) for event, _ in bench.seen)
        bench.disk.full = False
        wrong = await pump.menu.activate("000000")
        assert wrong is not None
        assert (wrong.code, wrong.number("tries_left")) == (Code.CODE_WRONG, 4)
        await asyncio.sleep(5)
        assert await pump.menu.activate(CODE) is None
        assert (await phone.ask(command(Operation.UNLOCK, 2))).code is Code.OK
    told = [type(event) for event, _ in bench.seen if isinstance(event, CodeEntered | CodeTried)]
    assert told == [CodeEntered, CodeEntered, CodeEntered, CodeTried, CodeEntered, CodeTried]


@pytest.mark.req("KEY-6")
async def test_a_deactivation_on_a_full_disk_works_and_is_not_confirmed() -> None:
    bench = Bench(networked=False)
    async with bench.at_work() as pump:
        guest = await bench.phone(a_guest())
        await guest.ask(STATUS)
        bench.disk.full = True
        assert await pump.menu.deactivate(1) == refuse(Code.STORAGE_FAILED, may_have_succeeded=True)
        assert pump.menu.listed() == ()
        assert await forced_off(guest) == now_s()
