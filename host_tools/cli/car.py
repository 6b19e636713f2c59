"""The commands that talk to the car of a booking or key, over BLE or a serial line."""

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_tools.backend.issuer import Issuer
from host_tools.bench.links import Bluetooth, Serial
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import CAR, RADIO, Car, Radio
from host_tools.cli.output import Output
from host_tools.cli.parsing import parse_hex
from host_tools.cli.radio import radio, session
from host_tools.cli.settings import Settings
from host_tools.cli.troubles import refusal_fields
from host_tools.cli.way import link_of
from host_tools.phone.keyring import KeyringError, read_file, read_key, read_shown, write_replacing
from protocol import beacon
from protocol.errors import one_line
from protocol.explain import REASONS, describe, distance, duration, instant, permissions_in_words
from protocol.messages import Access, Done, Ended, Operation, Status, VehicleState

_SPOKEN = {
    Operation.UNLOCK: "Unlocked",
    Operation.LOCK: "Locked",
    Operation.OPEN_BOOT: "Boot opened",
    Operation.ENABLE_DRIVE: "Driving enabled",
    Operation.DISABLE_DRIVE: "Driving disabled",
}


async def scan(*, radio_: Radio = RADIO) -> None:
    """Show the modules in range, or the one on a serial line.

    Modules do not say which car they are in: only a phone with a booking or a key for a car can tell its own.
    """
    output, settings = radio_.output(), radio_.settings()
    key = _beacon_key(settings)
    timeout_s = settings.seconds("timeout") if radio_.timeout else 3.0
    link = link_of(settings)
    if isinstance(link, Serial):
        await _scan_line(link.url, timeout_s, output)
        return
    # bleak takes a while to import.
    from host_tools.phone.ble import find_modules

    async with radio(link):
        with output.waiting("Looking for modules"):
            found = await find_modules(timeout_s)
    if isinstance(link, Bluetooth):
        found = [one for one in found if one.address.upper() == link.address]
    if not found:
        raise CliError(
            Exit.NOT_FOUND,
            f"no module was heard within {timeout_s:g} s. Go nearer to the car; check that the module is running.",
        )
    for one in found:
        fields: dict[str, object] = {"address": one.address, "rssi_dbm": one.rssi}
        own = bool(key) and beacon.is_of(key, one.beacon)
        if key:
            fields["own"] = own
        output.result("module", fields, f"{one.address}  {one.rssi:4d} dBm{'  yours' if own else ''}")


def _beacon_key(settings: Settings) -> bytes:
    """By which the booking or key that the settings name knows its car; empty when there is none of that."""
    with contextlib.suppress(KeyringError):
        return read_shown(settings.path("booking")).beacon_key
    return b""


async def _scan_line(url: str, timeout_s: float, output: Output) -> None:
    from host_tools.bench.line import SerialLine
    from host_tools.phone.serial import public_info

    async with SerialLine(url) as line:
        with output.waiting("Asking who is there"):
            info = await public_info(line, timeout_s)
    fields: dict[str, object] = {"address": url, "version": info.version}
    output.result("module", fields, f"{url}  protocol version {info.version}")


async def unlock(*, car: Car = CAR) -> None:
    """Open the car."""
    await _command(Operation.UNLOCK, car)


async def lock(*, car: Car = CAR) -> None:
    """Close the car."""
    await _command(Operation.LOCK, car)


async def boot(*, car: Car = CAR) -> None:
    """Open the boot, and nothing else."""
    await _command(Operation.OPEN_BOOT, car)


async def drive(
    *,
    off: Annotated[bool, Parameter(negative="", help="Arm the immobiliser again.")] = False,
    car: Car = CAR,
) -> None:
    """Release the immobiliser, so that the car can be driven."""
    await _command(Operation.DISABLE_DRIVE if off else Operation.ENABLE_DRIVE, car)


async def _command(operation: Operation, car: Car) -> None:
    output = car.output()
    async with session(car, output) as opened:
        settled = await opened.command(operation)
    already = isinstance(settled.body, Done) and settled.body.already
    fields: dict[str, object] = {
        "operation": operation.name.lower(),
        "code": settled.code.name,
        "already": already,
        "command": settled.command_id.hex(),
        "tries": settled.tries,
    }
    output.result("done", fields, f"{_SPOKEN[operation]}{' already' if already else ''}.")


async def end(
    *,
    receipt: Annotated[Path | None, Parameter(help="Keep the module's signed receipt in this file.")] = None,
    yes: Annotated[bool, Parameter(help="Do not ask.", negative="")] = False,
    car: Car = CAR,
) -> None:
    """End the booking: the car must be parked and closed; it is locked and can no longer be driven.

    It cannot be undone, so it asks first.
    """
    output = car.output()
    if not yes:
        output.confirm("End the booking? It cannot be undone.")
    async with session(car, output) as opened:
        settled = await opened.command(Operation.END_BOOKING)
    ended = settled.body if isinstance(settled.body, Ended) else None
    if receipt is not None and ended is not None and ended.receipt:
        write_replacing(receipt, ended.receipt, 0o600)
    lines, fields = ["The booking has ended."], {"code": settled.code.name, "command": settled.command_id.hex()}
    shown: dict[str, object] = dict(fields)
    if ended is not None:
        lines += _where_it_ended(ended)
        shown |= {
            "at_ms": ended.at_ms,
            "home_distance_m": ended.home_distance_m,
            "position_age_ms": ended.position_age_ms,
            "receipt": ended.receipt.hex(),
        }
    output.result("ended", shown, *lines)


def _where_it_ended(ended: Ended) -> list[str]:
    if ended.home_distance_m is None:
        return ["The module does not know how far the car is from its home position."]
    age = "" if ended.position_age_ms is None else f" (position {duration(ended.position_age_ms)} old)"
    return [f"The car is {distance(ended.home_distance_m)} from its home position{age}."]


async def status(*, car: Car = CAR) -> None:
    """Show whether booking or key opens the car now, and the state of the car."""
    output = car.output()
    async with session(car, output) as opened:
        phone = await opened.open()
        found = await phone.status()
    _show_status(found, output)


def _show_status(found: Status, output: Output) -> None:
    lines = list(describe(found.access))
    fields: dict[str, object] = {"access": _access_fields(found.access), "vehicle": None}
    if found.vehicle is not None:
        lines.append(f"Car: {', '.join(_vehicle_in_words(found.vehicle))}")
        fields["vehicle"] = _vehicle_fields(found.vehicle)
    output.result("status", fields, *lines)


def _access_fields(access: Access) -> dict[str, object]:
    """The access state as JSON fields; times in ms, UTC."""
    return {
        "granted": access.granted,
        "phase": access.phase.name.lower(),
        "permissions": access.permissions,
        "ends_at_ms": access.ends_at_ms,
        "cutoff_at_ms": access.cutoff_at_ms,
        "now_ms": access.now_ms,
        "refusal": None if access.refusal is None else refusal_fields(access.refusal),
    }


def _vehicle_fields(vehicle: VehicleState) -> dict[str, object]:
    return {name: getattr(vehicle, name) for name in VehicleState.__struct_fields__}


def _vehicle_in_words(vehicle: VehicleState) -> list[str]:
    def either(value: bool | None, yes: str, no: str, what: str) -> str:
        return f"{what} unknown" if value is None else yes if value else no

    words = [
        either(vehicle.locked, "locked", "unlocked", "lock"),
        either(vehicle.doors_open, "a door open", "doors closed", "doors"),
        either(vehicle.boot_open, "boot open", "boot closed", "boot"),
        either(vehicle.ignition_on, "ignition on", "ignition off", "ignition"),
        "parked" if vehicle.parked else "not parked",
        "driving enabled" if vehicle.drive_enabled else "driving disabled",
    ]
    if vehicle.fuel_pct is not None:
        words.append(f"fuel {vehicle.fuel_pct} %")
    if vehicle.odometer_m is not None:
        words.append(f"odometer {vehicle.odometer_m / 1000:.1f} km")
    if vehicle.home_distance_m is not None:
        words.append(f"{distance(vehicle.home_distance_m)} from home")
    return words


async def keys(*, car: Car = CAR) -> None:
    """Show the shared keys that the car knows, by their numbers in the vehicle's menu. It takes the main user's key.

    Without `--booking` the phone shows the main user's key of the settings: `owner_key`.
    """
    output = car.output()
    if car.booking is None:
        car = replace(car, booking=str(car.settings().path("owner_key")))
    async with session(car, output) as opened:
        found = await (await opened.open()).keys()
    for one in found.keys:
        state = "deleted, and still good" if one.deleted else "activated" if one.activated else "waits for its code"
        until = instant(one.expires_at_ms)
        fields: dict[str, object] = {
            "number": one.number,
            "token": one.token_id.hex(),
            "name": one.name,
            "permissions": one.permissions,
            "expires_at_ms": one.expires_at_ms,
            "activated": one.activated,
            "deleted": one.deleted,
        }
        line = f"{one.number}  {one_line(one.name)}: {permissions_in_words(one.permissions)}, until {until}, {state}"
        output.result("shared-key", fields, line)
    if not found.keys:
        output.say("The car knows no shared key.")


async def locate(*, car: Car = CAR) -> None:
    """Show where the car is."""
    output = car.output()
    async with session(car, output) as opened:
        found = await (await opened.open()).locate()
    latitude, longitude = found.latitude_e7 / 1e7, found.longitude_e7 / 1e7
    fields: dict[str, object] = {"latitude": latitude, "longitude": longitude, "age_ms": found.age_ms}
    output.result("position", fields, f"{latitude:.6f}, {longitude:.6f}  ({duration(found.age_ms)} old)")


async def outcome(command: str, /, *, car: Car = CAR) -> None:
    """Ask how an earlier command ended.

    Parameters
    ----------
    command
        The command's identifier: 16 hexadecimal digits, as `--json` shows it.
    """
    command_id = parse_hex(command, 8, "a command's identifier")
    output = car.output()
    async with session(car, output) as opened:
        found = await (await opened.open()).outcome(command_id)
    name = found.operation.name.lower().replace("_", " ")
    doubt = " It may have been carried out all the same." if found.may_have_succeeded else ""
    fields: dict[str, object] = {
        "operation": found.operation.name.lower(),
        "code": found.code.name,
        "may_have_succeeded": found.may_have_succeeded,
    }
    reason = REASONS[found.code]
    output.result("outcome", fields, f"{name}: {reason}.{doubt}")


async def put(file: Path, /, *, car: Car = CAR) -> None:
    """Hand a signed order, revocation list or time attestation to the module.

    Parameters
    ----------
    file
        What `issuer` wrote.
    """
    signed = read_file(file)
    output = car.output()
    async with session(car, output) as opened:
        accepted = await (await opened.open()).put(signed)
    line = "Accepted: it takes effect once the car is parked." if accepted.pending else "Accepted."
    output.result("accepted", {"pending": accepted.pending}, line)


async def nonce(*, car: Car = CAR) -> None:
    """Fetch a nonce from the module, to have the time signed for it."""
    output = car.output()
    async with session(car, output) as opened:
        found = await (await opened.open()).get_nonce()
    fields: dict[str, object] = {
        "nonce": found.nonce.hex(),
        "module": found.module_id.hex(),
        "valid_ms": found.valid_ms,
    }
    output.result("nonce", fields, found.nonce.hex())
    output.say(f"Good for {duration(found.valid_ms)}.")


async def set_time(
    *, issuer: Annotated[Path | None, Parameter(help="The issuer's private key.")] = None, car: Car = CAR
) -> None:
    """Give the module the time, signed by the development issuer."""
    signer = Issuer(read_key(issuer or car.settings().path("issuer")), os.urandom)
    output = car.output()
    async with session(car, output) as opened:
        phone = await opened.open()
        found = await phone.get_nonce()
        now_s = int(time.time())
        await phone.put(signer.time_attestation(module_id=found.module_id, nonce=found.nonce, now_s=now_s))
        access = (await phone.status()).access
    output.result("time", {"now_ms": now_s * 1000, "granted": access.granted}, f"Time set: {instant(now_s * 1000)}.")
