"""What the demonstration plays. Each claim on the screen is checked; the first that fails ends it with exit code 1."""

import json
from collections.abc import Iterator
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
from protocol.errors import Code
from protocol.explain import distance, duration, explain
from protocol.gatt import SERVICE_UUID
from protocol.messages import Phase
from protocol.provisioning import BookingFile
from protocol.telemetry import LATITUDE, LONGITUDE, Channel, decode_backlog, parse_topic

BOOKED_S: Final = 2 * 3600
GRACE_S: Final = GRACE_MS // 1000


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
    await stage.act(
        "A car with a sharing module",
        "The module's real firmware, a simulated car and a phone in one process. Bluetooth is virtual.",
    )
    await stage.say("module", "boots: doors locked, engine immobilised, advertising over Bluetooth")
    await stage.drained()
    await stage.say("owner", f"sees the parked car: it reports over MQTT, through a real broker ({stage.broker.kind})")
    found = await BleakScanner.discover(3.0, return_adv=True, service_uuids=[SERVICE_UUID])
    stage.must(len(found) == 1, "a scan filtered by the service finds exactly one module")
    device, advertisement = next(iter(found.values()))
    await stage.say(
        "phone",
        f"finds a module in range (bleak, {advertisement.rssi} dBm). Which car it is, a stranger cannot tell",
        address=device.address,
        name=device.name,
        rssi=advertisement.rssi,
    )


async def _opens(stage: Stage, phone: Phone) -> None:
    await stage.act(
        "Anna's booking opens the car",
        "The booking is a signed token on her phone. The car checks it by itself and asks no server.",
    )
    await stage.say("phone", "makes the car prove who it is (EDHOC), then shows Anna's booking, encrypted")
    stage.must(phone.access.granted, "the booking is granted")
    await stage.say("module", "verifies the booking offline: granted for two hours", phase="active")
    stage.must(not stage.retained_position() or stage.state.durable.slot.point is None, "the position is withdrawn")
    await stage.say("owner", "no longer sees where the car is: a driver has it now", rule="PRV-3")
    await phone.unlock()
    stage.must(not stage.rig.vehicle.snapshot().locked, "the doors are unlocked")
    await stage.say("car", "unlocks its doors")
    stage.must(not stage.rig.vehicle.turn_ignition(True), "the immobiliser refuses a start before `drive`")
    await phone.enable_drive()
    stage.must(stage.rig.vehicle.turn_ignition(True), "the engine starts")
    stage.rig.vehicle.drive(speed_kmh=50)
    await stage.say("car", "lets the engine start, and drives off")
    await _keep_talking(stage, phone, stage.rig.now_s + 10 * 60)
    status = await phone.status()
    assert status.vehicle is not None
    stage.must(bool(status.vehicle.ignition_on), "the car drives")
    await stage.say(
        "phone",
        f"shows, ten minutes later: fuel {status.vehicle.fuel_pct} %, "
        f"{distance(status.vehicle.home_distance_m or 0)} from home",
    )


async def _loses_the_network(stage: Stage, phone: Phone) -> None:
    await stage.act(
        "The network goes away, and nothing changes",
        "Access needs Bluetooth alone. What the car has to report waits in the module.",
    )
    before = len(stage.recorder.messages)
    await stage.cut_network()
    await stage.say("owner", "sees the module go offline: its mobile network is cut")
    stage.rig.vehicle.park()
    await stage.race(30)
    await phone.lock()
    await phone.unlock()
    await phone.enable_drive()
    stage.must(stage.rig.vehicle.turn_ignition(True), "the engine starts without any network")
    stage.rig.vehicle.drive(speed_kmh=70)
    await stage.say("phone", "parks, locks, unlocks and starts the car again, without any network", rule="ACC-1")
    offline_s = 20 * 60
    await _keep_talking(stage, phone, stage.rig.now_s + offline_s)
    queued = await stage.queued()
    stage.must(queued > 0, "telemetry queues")
    await stage.say("module", f"keeps {queued} reports for later", queued=queued)
    await stage.restore_network()
    arrived = len(stage.recorder.messages) - before
    stage.must(await stage.queued() == 0, "the queue drains")
    stage.must(_gaps(stage) == 0, "every record arrived, in order")
    await stage.say(
        "owner", f"gets all of it when the network is back: {queued} reports, in order, none missing", arrived=arrived
    )
    stage.claim("ACC-1", "lock, unlock and drive without a network", f"{offline_s // 60} min offline")
    stage.claim("TEL-3", "reports wait, and arrive in order", f"{queued} waited, 0 missing")


async def _runs_over(stage: Stage, phone: Phone, anna: Holder, ends_at_s: int) -> None:
    await stage.act(
        "Anna is late",
        "After a booking's end there are 30 minutes to bring the car back. A moving car is never stopped.",
    )
    stage.rig.vehicle.drive(speed_kmh=120)
    await _keep_talking(stage, phone, ends_at_s + 1)
    stage.must(phone.access.phase is Phase.OVERDUE, "the booking is overdue")
    await stage.say("phone", "is told: the booking is over, 30 minutes left to bring the car back", rule="CUT-1")
    await _keep_talking(stage, phone, ends_at_s + GRACE_S - 5 * 60 + 1)
    stage.must(len(anna.pushes) >= 3, "the phone was warned")
    await stage.say("phone", "is warned: 5 minutes left", rule="CUT-7")
    await _keep_talking(stage, phone, ends_at_s + GRACE_S)
    stage.must(phone.access.granted and phone.access.phase is Phase.OVERDUE, "at 30:00 nothing happens")
    await stage.say("phone", "is 30:00 minutes late, still driving: nothing happens", rule="CUT-3")
    await _keep_talking(stage, phone, ends_at_s + GRACE_S + 4 * 60 + 4)
    stage.must(phone.access.granted, "still granted while it drives")
    stage.must(phone.access.phase is Phase.CUTOFF_PENDING, "the cutoff waits")
    stage.must(stage.rig.vehicle.snapshot().speed_kmh > 0, "the car still drives")
    late = duration(1000 * (stage.rig.now_s - ends_at_s))
    await stage.say("phone", f"is {late} late, on the motorway: still granted, the cutoff waits", rule="CUT-3")
    stage.claim("CUT-3", "nothing is taken from a moving car", f"{late} late: granted")


async def _keep_talking(stage: Stage, phone: Phone, utc_s: int) -> None:
    """Race to `utc_s`; the phone asks for the status every five minutes, so its session lives."""
    while stage.rig.now_s < utc_s:
        await stage.race_to(min(utc_s, stage.rig.now_s + 300))
        await phone.status()


async def _is_cut_off(stage: Stage, phone: Phone) -> None:
    await stage.act(
        "Anna parks", "The overdue car has to be parked for 5 seconds; within one more second, access is over."
    )
    stage.rig.vehicle.park()
    while stage.state.vehicle.still_since_ms is None:
        await stage.race(0.1)
    parked_at_ms = stage.state.vehicle.still_since_ms + STILL_FOR_MS
    await stage.say("car", "stands, engine off, for five seconds")
    await phone.closed.wait()
    took_ms = stage.rig.clock.monotonic_ms() - parked_at_ms
    stage.must(0 <= took_ms <= 1000, "the link is dropped within a second of module time")
    await stage.race((1000 - took_ms) / 1000)
    stage.must(stage.rig.vehicle.snapshot().immobilised, "the immobiliser is armed within the same second")
    await stage.say(
        "module", f"cuts the booking off, {took_ms} ms later: hangs up, immobilises the engine", took_ms=took_ms
    )
    stage.must(not stage.rig.vehicle.snapshot().locked, "the doors stay as they are")
    await stage.drained()
    kinds = [fields["kind"] for _, fields in _reports(stage, Channel.EVENT, Channel.ALERT)]
    stage.must("alert.left_unlocked" in kinds, "the owner is alerted")
    await stage.say("owner", "is told that the doors are unlocked: the module never locks by itself", rule="CUT-7")
    stage.claim("CUT-4", "the cutoff takes effect within 1 s of parking", f"{took_ms} ms")


async def _is_refused(stage: Stage, anna: Holder, file: BookingFile) -> None:
    await stage.act(
        "The slider turns grey", "Every refusal says why, by which rule, with which numbers, and what to do now."
    )
    refused = 0
    async with stage.phone_of(anna, file) as phone:
        for name, command in (("open", phone.unlock), ("drive", phone.enable_drive), ("close", phone.lock)):
            try:
                await command()
            except Refused as error:
                refusal = error.refusal
                stage.must(refusal.code is Code.BOOKING_CUT_OFF, f"{name} is refused by the cutoff")
                refused += 1
                lines = "\n".join(explain(refusal).lines())
                await stage.say(
                    "phone",
                    f"{name}: refused\n{lines}" if name == "open" else f"{name}: refused, for the same reason",
                    code=refusal.code.name,
                    rule=refusal.rule,
                    numbers=dict(refusal.numbers),
                    remedy=refusal.remedy,
                )
            else:
                stage.must(False, f"{name} must be refused after the cutoff")
    stage.claim("CUT-2", "afterwards open, drive and close are refused", f"{refused} of 3, with remedy")


async def _begins_anew(stage: Stage, anna: Holder) -> None:
    await stage.act("A new booking works at once", "The owner accepts Anna's new request; she drives home and ends it.")
    booking, file = stage.rig.book(anna, lasts_s=3600)
    await stage.say("owner", "accepts a new booking for Anna", booking=booking.booking_id.hex())
    async with stage.phone_of(anna, file) as phone:
        stage.must(phone.access.granted, "the new booking is granted")
        await phone.enable_drive()
        stage.must(stage.rig.vehicle.turn_ignition(True), "the engine starts again")
        stage.rig.vehicle.drive_to(Waypoint(HOME[0] / 1e7, HOME[1] / 1e7))
        await stage.say("car", "drives home")
        await _keep_talking(stage, phone, stage.rig.now_s + 8 * 60)
        stage.rig.vehicle.park()
        await stage.race(30)
        ended = await phone.end_booking()
        away_m = ended.home_distance_m if ended.home_distance_m is not None else -1
        stage.must(0 <= away_m <= HOME_RADIUS_M, "it ends in the home area")
        await stage.say(
            "phone", f"ends the booking {distance(away_m)} from home, and keeps a receipt signed by the car"
        )
        await stage.race(1)
        stage.must(stage.rig.vehicle.snapshot().locked, "ending locks the car")
    stage.claim("CUT-6", "a new booking works at once", f"ended {distance(away_m)} from home")
    await stage.drained()
    position = stage.retained_position()
    stage.must(bool(position), "the parking position is at the broker")
    fields = json.loads(position)
    stage.must(bool(fields["parking"]), "it is marked as the parking position")
    await stage.say(
        "owner",
        f"sees where the car is parked: {fields[LATITUDE]:.5f}, {fields[LONGITUDE]:.5f}, "
        f"fixed {fields['fix_age_s']:.1f} s before",
        position=fields,
    )
    stage.claim("PRV-2", "the parking position is reported at the end", f"{fields['fix_age_s']:.1f} s old")


async def _keeps_the_secret(stage: Stage) -> None:
    await stage.act("What the owner saw of the drives", "Everything that went through the broker was recorded.")
    bookings, leaks = _looked_through(stage)
    stage.must(bookings == 2, "two bookings of a driver went by")
    stage.must(leaks == 0, "no coordinate left the module during a driver's booking")
    seen = len(stage.recorder.messages)
    text = f"had {seen} messages, and not one coordinate of Anna's drives among them"
    await stage.say("owner", text, rule="PRV-1", messages=seen, bookings=bookings)
    stage.claim("PRV-1", "coordinates sent while a driver had the car", f"{leaks} in {seen} messages")


def _looked_through(stage: Stage) -> tuple[int, int]:
    """Drivers' bookings that went by, and coordinates that came during one, on whatever topic.

    In the order of arrival; the parking position comes before the report of the end, so it is judged by its time.
    """
    begun, spans, sent = "", [], []
    for _, payload in _said(stage):
        fields = json.loads(payload or b"{}")
        match fields.get("kind"):
            case "booking.started":
                begun = fields["stamp"]["time"]
            case "booking.ended" | "booking.cut_off":
                spans.append((begun, fields["stamp"]["time"]))
                begun = ""
            case _ if LATITUDE.encode() in payload:
                sent.append((fields["stamp"]["time"], bool(begun) and not fields["parking"]))
    return len(spans), sum(during or any(a < at < b for a, b in spans) for at, during in sent)


def _reports(stage: Stage, *channels: Channel) -> list[tuple[Channel, Any]]:
    """What came over these channels, decoded; withdrawals left out."""
    return [(channel, json.loads(payload)) for channel, payload in _said(stage) if channel in channels and payload]


def _said(stage: Stage) -> Iterator[tuple[Channel, bytes]]:
    """Everything that came over the module's channels; what is in a backlog, one by one."""
    for raw in stage.recorder.messages:
        match parse_topic(raw.topic):
            case _, Channel.BACKLOG:
                yield from decode_backlog(raw.payload)
            case _, channel:
                yield channel, raw.payload


def _gaps(stage: Stage) -> int:
    """Channels in which a sequence number never came, or came out of order."""
    seen: dict[Channel, list[int]] = {}
    for channel, fields in _reports(stage, Channel.EVENT, Channel.ALERT, Channel.STATE, Channel.TRACK):
        seen.setdefault(channel, []).append(fields["stamp"]["seq"])
    return sum(numbers != list(range(numbers[0], numbers[0] + len(numbers))) for numbers in seen.values())
