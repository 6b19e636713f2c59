"""What the demonstration plays. Each claim on the screen is checked; the first that fails ends it with exit code 1."""

import json
from typing import Any, Final

from bleak import BleakScanner

from firmware.core.geo import HOME_RADIUS_M
from firmware.core.trip import GRACE_MS
from firmware.core.vehicle import STILL_FOR_MS
from firmware.demo.rig import HOME, Holder
from firmware.demo.stage import Stage
from firmware.simulated.route import Waypoint
from host_tools.phone.client import Phone
from host_tools.phone.errors import Refused
from host_tools.phone.explain import distance, explain
from protocol.errors import Code
from protocol.gatt import SERVICE_UUID
from protocol.messages import Phase
from protocol.provisioning import BookingFile
from protocol.telemetry import Channel, parse_topic

BOOKED_S: Final = 2 * 3600
GRACE_S: Final = GRACE_MS // 1000
HALF_AN_HOUR: Final = "30:00"


async def play(stage: Stage) -> None:
    """All acts, in order."""
    anna = stage.rig.holder("Anna")
    booking, file = stage.rig.book(anna, lasts_s=BOOKED_S)
    await _boots(stage)
    async with stage.phone_of(anna, file) as phone:
        await _opens(stage, phone)
        await _loses_the_network(stage, phone)
        await _runs_over(stage, phone, anna, booking.ends_at_s)
        await _is_cut_off(stage, phone)
    await _is_refused(stage, anna, file)
    await _begins_anew(stage, anna)
    await _keeps_the_secret(stage)


async def _boots(stage: Stage) -> None:
    stage.act("A car with a sharing module")
    await stage.say("module", "boots: doors locked, immobiliser armed, advertising over (virtual) Bluetooth")
    await stage.drained()
    await stage.say(
        "broker", f"{stage.broker.kind} on loopback: the module is online, no booking, its position is shown"
    )
    found = await BleakScanner.discover(3.0, return_adv=True, service_uuids=[SERVICE_UUID])
    stage.must(len(found) == 1, "a scan filtered by the service finds exactly one module")
    device, advertisement = next(iter(found.values()))
    await stage.say(
        "phone",
        f"bleak finds it by its service: {device.name}, {device.address}, {advertisement.rssi} dBm. "
        "Nothing in it tells one car from another",
        address=device.address,
        rssi=advertisement.rssi,
    )


async def _opens(stage: Stage, phone: Phone) -> None:
    stage.act("Anna's booking opens the car")
    await stage.say("phone", "authenticates the car (EDHOC), then hands over Anna's booking, encrypted")
    stage.must(phone.access.granted, "the booking is granted")
    await stage.say("module", "verified the booking offline: granted for two hours", phase="active")
    stage.must(not stage.retained_position() or stage.state.durable.slot.point is None, "the position is withdrawn")
    await stage.say("module", "a driver has the car: its position is withdrawn, the owner sees none from now on")
    await phone.unlock()
    stage.must(not stage.rig.vehicle.snapshot().locked, "the doors are unlocked")
    await stage.say("car", "doors unlock")
    stage.must(not stage.rig.vehicle.turn_ignition(True), "the immobiliser refuses a start before `drive`")
    await phone.enable_drive()
    stage.must(stage.rig.vehicle.turn_ignition(True), "the engine starts")
    stage.rig.vehicle.drive(speed_kmh=50)
    await stage.say("car", "immobiliser released, engine on, off we go")
    await _keep_talking(stage, phone, stage.rig.now_s + 10 * 60)
    status = await phone.status()
    assert status.vehicle is not None
    stage.must(bool(status.vehicle.ignition_on), "the car drives")
    await stage.say(
        "phone", f"sees fuel {status.vehicle.fuel_pct} %, {distance(status.vehicle.home_distance_m or 0)} from home"
    )


async def _loses_the_network(stage: Stage, phone: Phone) -> None:
    stage.act("The network goes away, and nothing changes")
    before = len(stage.recorder.messages)
    await stage.cut_network()
    await stage.say("broker", "the module's mobile network is cut; its last will says offline")
    stage.rig.vehicle.park()
    await stage.race(30)
    await phone.lock()
    await phone.unlock()
    await phone.enable_drive()
    stage.must(stage.rig.vehicle.turn_ignition(True), "the engine starts without any network")
    stage.rig.vehicle.drive(speed_kmh=70)
    await stage.say("phone", "parked, locked, unlocked, started again: no network needed")
    await _keep_talking(stage, phone, stage.rig.now_s + 20 * 60)
    queued = await stage.queued()
    stage.must(queued > 0, "telemetry queues")
    await stage.say("module", f"{queued} records wait in its store", queued=queued)
    await stage.restore_network()
    arrived = len(stage.recorder.messages) - before
    stage.must(await stage.queued() == 0, "the queue drains")
    stage.must(_gaps(stage) == 0, "every record arrived, in order")
    await stage.say(
        "broker", f"the network is back: {arrived} messages arrived, in order, none missing", arrived=arrived
    )


async def _runs_over(stage: Stage, phone: Phone, anna: Holder, ends_at_s: int) -> None:
    stage.act("The booking runs over its end, on the motorway")
    stage.rig.vehicle.drive(speed_kmh=120)
    await _keep_talking(stage, phone, ends_at_s + 1)
    stage.must(phone.access.phase is Phase.OVERDUE, "the booking is overdue")
    await stage.say("phone", "told: the booking is over, 30 minutes left to bring the car back", rule="CUT-1")
    await _keep_talking(stage, phone, ends_at_s + GRACE_S - 5 * 60 + 1)
    stage.must(len(anna.pushes) >= 3, "the phone was warned")
    await stage.say("phone", "warned: 5 minutes to the cutoff", rule="CUT-7")
    await _keep_talking(stage, phone, ends_at_s + GRACE_S)
    await stage.say(
        "time", f"{HALF_AN_HOUR} past the end, still driving: nothing is taken from a moving car", rule="CUT-3"
    )
    await _keep_talking(stage, phone, ends_at_s + GRACE_S + 4 * 60 + 4)
    stage.must(phone.access.granted, "still granted while it drives")
    stage.must(phone.access.phase is Phase.CUTOFF_PENDING, "the cutoff waits")
    stage.must(stage.rig.vehicle.snapshot().speed_kmh > 0, "the car still drives")
    await stage.say("phone", "34 min 04 s past the end: still granted; the cutoff waits for the car to park")


async def _keep_talking(stage: Stage, phone: Phone, utc_s: int) -> None:
    """Race to `utc_s`; the phone asks for the status every five minutes, so its session lives."""
    while stage.rig.now_s < utc_s:
        await stage.race_to(min(utc_s, stage.rig.now_s + 300))
        await phone.status()


async def _is_cut_off(stage: Stage, phone: Phone) -> None:
    stage.act("It parks")
    stage.rig.vehicle.park()
    while stage.state.vehicle.still_since_ms is None:
        await stage.race(0.1)
    parked_at_ms = stage.state.vehicle.still_since_ms + STILL_FOR_MS
    await stage.say("car", "stands, ignition off. Parked counts after 5 seconds")
    await phone.closed.wait()
    took_ms = stage.rig.clock.monotonic_ms() - parked_at_ms
    stage.must(0 <= took_ms <= 1000, "the link is dropped within a second of module time")
    await stage.race((1000 - took_ms) / 1000)
    stage.must(stage.rig.vehicle.snapshot().immobilised, "the immobiliser is armed within the same second")
    await stage.say(
        "module", f"cut off: link dropped {took_ms} ms after the car was parked, immobiliser armed", took_ms=took_ms
    )
    await stage.say(
        "module", "the doors were left unlocked: it alerts the owner, and never locks by itself", rule="CUT-7"
    )


async def _is_refused(stage: Stage, anna: Holder, file: BookingFile) -> None:
    stage.act("The slider is grey")
    async with stage.phone_of(anna, file) as phone:
        for name, command in (("open", phone.unlock), ("drive", phone.enable_drive), ("close", phone.lock)):
            try:
                await command()
            except Refused as error:
                refusal = error.refusal
                stage.must(refusal.code is Code.BOOKING_CUT_OFF, f"{name} is refused by the cutoff")
                lines = "\n".join(explain(refusal).lines())
                await stage.say(
                    "phone",
                    f"{name}: refused\n{lines}" if name == "open" else f"{name}: refused, {refusal.code.name}",
                    code=refusal.code.name,
                    rule=refusal.rule,
                    numbers=dict(refusal.numbers),
                    remedy=refusal.remedy,
                )
            else:
                stage.must(False, f"{name} must be refused after the cutoff")


async def _begins_anew(stage: Stage, anna: Holder) -> None:
    stage.act("A new booking works at once")
    booking, file = stage.rig.book(anna, lasts_s=3600)
    await stage.say(
        "broker",
        "the owner accepts Anna's new request; the backend mints a new booking",
        booking=booking.booking_id.hex(),
    )
    async with stage.phone_of(anna, file) as phone:
        stage.must(phone.access.granted, "the new booking is granted")
        await phone.enable_drive()
        stage.rig.vehicle.turn_ignition(True)
        stage.rig.vehicle.drive_to(Waypoint(HOME[0] / 1e7, HOME[1] / 1e7))
        await stage.say("car", "drives home")
        await _keep_talking(stage, phone, stage.rig.now_s + 8 * 60)
        stage.rig.vehicle.park()
        await stage.race(30)
        before = len(stage.recorder.messages)
        ended = await phone.end_booking()
        away = distance(ended.home_distance_m or 0)
        await stage.say(
            "phone", f"ends the booking: {away} from home, receipt of {len(ended.receipt)} bytes, signed by the car"
        )
        stage.must((ended.home_distance_m or 0) <= HOME_RADIUS_M, "it ends in the home area")
        await stage.race(1)
        stage.must(stage.rig.vehicle.snapshot().locked, "ending locks the car")
    await stage.drained()
    position = stage.retained_position()
    stage.must(bool(position), "the parking position is at the broker")
    fields = json.loads(position)
    stage.must(bool(fields["parking"]), "it is marked as the parking position")
    await stage.say(
        "broker",
        f"parking position {fields['latitude']:.5f}, {fields['longitude']:.5f}, fix {fields['fix_age_s']:.1f} s old",
        position=fields,
        messages_since=len(stage.recorder.messages) - before,
    )


async def _keeps_the_secret(stage: Stage) -> None:
    stage.act("What the owner saw of the trip")
    stage.must(len(_driven(stage)) == 2, "two bookings of a driver went by")
    stage.must(_leaks(stage) == 0, "no coordinate left the module during a driver's booking")
    seen = len(stage.recorder.messages)
    text = f"{seen} messages, recorded with all rights: 0 coordinates during a driver's booking"
    await stage.say("broker", text, rule="PRV-1", messages=seen)


def _driven(stage: Stage) -> list[tuple[str, str]]:
    """When a driver had the car, by the module's own time (RFC 3339, so that text order is time order)."""
    spans: list[tuple[str, str]] = []
    begun = ""
    for _, fields in _reports(stage, Channel.EVENT):
        if fields["kind"] == "booking.started":
            begun = fields["stamp"]["time"]
        elif fields["kind"] in ("booking.ended", "booking.cut_off"):
            spans.append((begun, fields["stamp"]["time"]))
    return spans


def _leaks(stage: Stage) -> int:
    """Coordinates that were sent while a driver had the car."""
    sent = [fields["stamp"]["time"] for _, fields in _reports(stage, Channel.POSITION, Channel.TRACK)]
    return sum(begun < at < ended for at in sent for begun, ended in _driven(stage))


def _reports(stage: Stage, *channels: Channel) -> list[tuple[Channel, Any]]:
    """What came over these channels, decoded; withdrawals left out."""
    parsed = ((parse_topic(raw.topic), raw.payload) for raw in stage.recorder.messages)
    return [(at[1], json.loads(payload)) for at, payload in parsed if at is not None and at[1] in channels and payload]


def _gaps(stage: Stage) -> int:
    """Channels in which a sequence number never came, or came out of order."""
    seen: dict[Channel, list[int]] = {}
    for channel, fields in _reports(stage, Channel.EVENT, Channel.STATE, Channel.TRACK):
        seen.setdefault(channel, []).append(fields["stamp"]["seq"])
    return sum(numbers != list(range(numbers[0], numbers[0] + len(numbers))) for numbers in seen.values())
