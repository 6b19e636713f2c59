"""What is sent is really held to the description of the interface, and what is wrong is really found."""

import asyncio
import json
import zlib

import msgspec
import pytest

from firmware import discovery
from firmware.adapters.mqtt import BrokerSettings
from firmware.adapters.mqtt.connection import Connection, ordinary
from firmware.core import reporting
from firmware.core.events import BrokerConnected
from firmware.core.reports import Point, Record
from firmware.core.state import Counters, Slot
from firmware.ports import Publication
from protocol import msd, telemetry
from protocol.telemetry import Channel, Entry, EventKind, StoreCondition, encode_backlog
from tests.support.core import BEGINS_MS, NOW, PROFILE, a_state, after, records, running
from tests.support.interface import Watch, faults, faults_heard, published, watch
from tests.support.mqtt_module import RunningModule
from tests.support.ports import Bench

replace = msgspec.structs.replace

COUNTED = Counters(boot=3)
RESULT = (("code", 6), ("pending", 0))
STATE = records(after(a_state(), BrokerConnected())[1], Channel.STATE)[0]
RECORDS = {
    "track": Record(1, Channel.TRACK, 2, BEGINS_MS, "synced", point=Point(481_371_540, 115_761_240, BEGINS_MS)),
    "state": STATE,
    "event": Record(3, Channel.EVENT, 8, BEGINS_MS, "floor", EventKind.BOOKING_ENDED, "0a" * 16, "driver", "driver"),
    "alert": Record(4, Channel.ALERT, 5, BEGINS_MS, "holdover", EventKind.LEFT_OPEN),
    "result": Record(5, Channel.ORDER_RESULT, 6, BEGINS_MS, "synced", booking="0b", numbers=RESULT, correlation=b"c"),
    "answer": Record(0, Channel.ORDER_RESULT, 6, BEGINS_MS, "synced", numbers=RESULT),
}


def sent(name: str) -> Publication:
    """A message that the core really makes."""
    state = a_state(counters=COUNTED, slot=Slot(4, Point(1, 2, BEGINS_MS), True, acknowledged=False))
    match name:
        case "position":
            message = reporting.slot_message(state, NOW)
        case "withdrawal":
            hidden = running()
            slot = Slot(5, acknowledged=False)
            message = reporting.slot_message(replace(hidden, durable=replace(hidden.durable, slot=slot)), NOW)
        case "backlog":
            message = reporting.backlog_message(
                state, tuple(RECORDS[each] for each in ("track", "event", "alert")), NOW
            )
        case "health":
            message = reporting.health_message(state, NOW, queued=1, dropped=0, store=StoreCondition.OK, version="1.0")
        case _:
            message = reporting.record_message(state, RECORDS[name], NOW)
    assert message is not None
    return published(PROFILE.module_id, message)


MESSAGES = (*RECORDS, "position", "withdrawal", "backlog", "health")


@pytest.mark.req("TEL-2")
@pytest.mark.parametrize("name", MESSAGES)
def test_what_the_core_makes_is_as_described(name: str) -> None:
    assert faults(sent(name)) == []


def test_what_home_assistant_is_told_is_as_described() -> None:
    told = discovery.config(PROFILE.module_id, "1.0")
    assert faults(told) == []
    assert faults(replace(told, retain=False))


@pytest.mark.req("TEL-2")
@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize(
    "change",
    [
        {"topic": "sharebox/0011223344556677/else"},
        {"topic": "sharebox/0011223344556677/order"},
        {"topic": "sharebox/00112233445566AA/track"},
        {"expiry_s": 7},
        {"content_type": "text/plain"},
        {"correlation": bytes(65)},
        {"payload": b"{}"},
        {"payload": b"\xff"},
        {"attributes": (("colour", "red"),)},
    ],
)
def test_one_thing_that_is_wrong_is_found(name: str, change: dict[str, object]) -> None:
    assert faults(replace(sent(name), **change))


@pytest.mark.parametrize("name", MESSAGES)
def test_a_wrong_flag_or_a_missing_or_doubled_attribute_is_found(name: str) -> None:
    right = sent(name)
    assert faults(replace(right, retain=not right.retain))
    for attribute in right.attributes:
        others = tuple(each for each in right.attributes if each is not attribute)
        assert faults(replace(right, attributes=others)), attribute
        assert faults(replace(right, attributes=(*right.attributes, attribute)))
        assert faults(replace(right, attributes=(*others, (attribute[0], "-"))))


def spoilt(name: str, **fields: object) -> Publication:
    """The same message with other fields; None takes one away."""
    right = sent(name)
    body = {**json.loads(right.payload), **fields}
    kept = {field: value for field, value in body.items() if value is not None}
    return replace(right, payload=json.dumps(kept).encode())


@pytest.mark.req("PRV-6", "TEL-2")
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("track", {telemetry.LATITUDE: 91.0}),
        ("track", {telemetry.LONGITUDE: "11.5"}),
        ("track", {telemetry.FIX_TIME: "yesterday"}),
        ("track", {telemetry.FIX_TIME: "2026-02-30T10:00:00.000Z"}),
        ("track", {"Vehicle.Speed": 50}),
        ("track", {"fix_age_s": -1}),
        ("track", {"parking": None}),
        ("state", {"signals": {"Vehicle.Speed": 50}}),
        ("state", {"signals": {"Vehicle.Powertrain.FuelSystem.RelativeLevel": 101}}),
        ("state", {"signals": {"Vehicle.LowVoltageSystemState": "MAYBE"}}),
        ("event", {"kind": "booking.begun"}),
        ("event", {"kind": "alert.left_open"}),
        ("alert", {"kind": "booking.ended"}),
        ("event", {"booking": "0A"}),
        ("event", {"role": "thief"}),
        ("event", {"numbers": {"left_ms": 0.5}}),
        ("event", {"stamp": {"seq": 8}}),
        ("event", {"street": "Marienplatz"}),
        ("result", {"stamp": None}),
        ("health", {"store": "fine"}),
        ("health", {"queued": -1}),
    ],
)
def test_a_wrong_field_is_found(name: str, fields: dict[str, object]) -> None:
    assert faults(spoilt(name, **fields))


@pytest.mark.parametrize(("name", "value"), [("boot", 4), ("seq", 9), ("age_s", -0.5), ("time", "2026"), ("more", 1)])
def test_a_stamp_that_is_wrong_or_of_another_event_is_found(name: str, value: object) -> None:
    stamp = json.loads(sent("event").payload)["stamp"]
    assert faults(spoilt("event", stamp=stamp | {name: value}))


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        zlib.compress(b"[]"),
        encode_backlog([Entry(Channel.TRACK, b"{}")]),
        encode_backlog([Entry(Channel.TRACK, sent("event").payload)]),
        encode_backlog([Entry(Channel.EVENT, sent("event").payload), Entry(Channel.EVENT, sent("alert").payload)]),
        encode_backlog([Entry(Channel.EVENT, sent("event").payload)] * 65),
    ],
)
def test_a_wrong_record_in_a_backlog_is_found(payload: bytes) -> None:
    assert faults(replace(sent("backlog"), payload=payload))


def test_both_libraries_say_the_same() -> None:
    from tests.support.interface import _known

    for name in MESSAGES:
        value = json.loads(sent(name).payload) if name not in ("withdrawal", "backlog") else None
        for known in _known():
            if known.payload is not None and value is not None:
                at_length = known.payload.faults_at_length(value)
                assert bool(known.payload.faults(value)) is bool(at_length), (name, known.name)


@pytest.mark.parametrize("name", MESSAGES)
def test_what_is_heard_at_a_broker_is_judged_by_its_payload(name: str) -> None:
    right = sent(name)
    assert faults_heard(right.topic, right.payload) == []
    assert faults_heard(right.topic, b"{}")
    assert faults_heard("sharebox/else", right.payload)


@pytest.mark.req("TEL-2", "SVC-8")
def test_an_emergency_call_is_held_to_the_description_too() -> None:
    call = Publication(
        telemetry.emergency_topic(PROFILE.module_id),
        msd.encode(msd.Msd(1, True, False, msd.NO_VIN, 0)),
        expiry_s=1_195,
        content_type=msd.CONTENT_TYPE,
        correlation=bytes(telemetry.CALL_BYTES),
    )
    assert faults(call) == []
    for change in ({"payload": b"{}"}, {"payload": bytes(141)}, {"retain": True}, {"correlation": bytes(5)}):
        assert faults(replace(call, **change)), change
    for expiry_s in (None, 0, 1_201):
        assert faults(replace(call, expiry_s=expiry_s)), expiry_s
    assert faults_heard(call.topic, call.payload) == []
    assert faults_heard(call.topic, b"no call")


# ---------------------------------------------------------------- the watch
async def test_a_module_that_lives_is_watched() -> None:
    seen = dict(watch.seen)
    bench = Bench()
    async with bench.at_work():
        bench.broker.connect()
        await bench.until(lambda: bool(bench.broker.on("state")))
    assert {"event", "state"} <= {name for name, count in watch.seen.items() if count > seen.get(name, 0)}
    assert watch.take_faults() == []


async def test_a_wrong_message_of_a_double_is_noted_once() -> None:
    bench = Bench()
    async with bench.at_work():
        await bench.broker.publish(replace(sent("track"), retain=True))
    assert [fault for fault in watch.take_faults() if "retain is True" in fault]
    assert watch.take_faults() == []


@pytest.mark.asyncio(loop_factories=["real"])
async def test_what_the_real_connection_sends_is_watched() -> None:
    from host_tools.backend.broker import Broker

    seen = watch.seen["online"], watch.seen["track"]
    async with Broker() as broker, RunningModule(broker.port, module_id=PROFILE.module_id) as module:
        await module.connected()
        await module.publish(sent("track"))
        assert watch.take_faults() == []
        await module.publish(replace(sent("track"), content_type=""))
        assert [fault for fault in watch.take_faults() if "content type ''" in fault]
        await module.stop()
    assert (watch.seen["online"], watch.seen["track"]) == (seen[0] + 2, seen[1] + 2)


@pytest.mark.asyncio(loop_factories=["real"])
async def test_the_last_will_is_as_described() -> None:
    settings = BrokerSettings(host="127.0.0.1", port=1)
    connection = Connection(settings, None, ordinary(PROFILE.module_id), lambda where, payload, correlation: None)
    client = connection._client
    where, body = client._will_topic.decode(), bytes(client._will_payload)
    properties = client._will_properties
    assert properties is not None
    kind = properties.ContentType  # type: ignore[attr-defined]  # Paho sets it by name
    assert faults(Publication(where, body, retain=client._will_retain, content_type=kind)) == []
    connection.abort()
    await asyncio.sleep(0)


def test_bodies_that_a_test_has_made_up_are_not_judged_and_presence_is() -> None:
    one = Watch()
    one.sent(Publication("nowhere", b""))
    assert (one.take_faults(), one.seen.total()) == ([], 0)
    one.on = one.made_up = True
    one.sent(replace(sent("track"), payload=b"made up"))
    one.sent(Publication("nowhere", b""))
    assert (one.take_faults(), one.seen.total()) == ([], 0)
    one.sent(Publication(telemetry.topic(PROFILE.module_id, Channel.ONLINE), b"made up"))
    assert one.take_faults()
    one.made_up = False
    for _ in range(100):
        one.sent(Publication("nowhere", b""))
    assert len(one.take_faults()) == 20
