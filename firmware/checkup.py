"""`sharebox check`: is everything there that a real car's parts need, and what do they say?

Decides what is worth a note. No relay is moved; but the lines are taken, so a module must not be at work meanwhile.
"""

import asyncio
import os
from pathlib import Path
from typing import Final, Literal

import msgspec

from firmware.adapters.clocks import SystemClock
from firmware.config import Config, ConfigError
from firmware.fittings import parts
from firmware.ports import PartLost, VehiclePart

NAMES: Final = {
    "gpio": "`gpiodetect` lists the chips; another program, or a module at work, may have the lines",
    "can": "bring it up: ip link set can0 up type can bitrate 500000 restart-ms 100",
    "gnss": "see that the device is there and nobody else reads it, or that gpsd runs",
}
"""What to do where a part is out of reach."""


class Finding(msgspec.Struct, frozen=True):
    """One line. "note": it works, and something is missing; "wrong": it does not work."""

    name: str
    state: Literal["ok", "note", "wrong"]
    detail: str


async def check(config: Config, seconds: float) -> list[Finding]:
    """Let each part work for so long. Raises ConfigError: the file is wrong, or a library is missing."""
    if config.vehicle.kind != "hardware":
        raise ConfigError(f'[vehicle] kind = "{config.vehicle.kind}": there is nothing to be checked')
    made = parts(config, SystemClock().monotonic_ms)
    findings = list(await asyncio.gather(*(_part(name, part, seconds) for name, part in made.items())))
    told = frozenset[str]().union(*(part.gives for part in made.values()))
    if not config.vehicle.simulate and (missing := sorted({"ignition_on", "speed_kmh"} - told)):
        why = f"nothing tells {' and '.join(missing)}, so the car is never parked and no booking is ever cut off"
        findings.append(Finding("parked", "wrong", why))
    if config.module.watchdog:
        findings.append(_watchdog(config.module.watchdog))
    return findings


async def _part(name: str, part: VehiclePart, seconds: float) -> Finding:
    working = asyncio.create_task(part.run(lambda _: None, lambda: None))
    await asyncio.wait({working}, timeout=seconds)
    seen = part.look()
    heard = {field: getattr(seen, field) for field in sorted(part.gives) if getattr(seen, field) is not None}
    working.cancel()
    try:
        await working
    except PartLost as lost:
        return Finding(name, "wrong", f"{lost}; {NAMES[name]}")
    except asyncio.CancelledError:
        pass
    unheard = sorted(part.gives - {*heard})
    says = ", ".join(f"{field} {msgspec.json.encode(value).decode()}" for field, value in heard.items())
    if unheard:
        says = f"{says}{'; ' if says else ''}nothing about {', '.join(unheard)}"
    return Finding(name, "note" if unheard else "ok", says or "relays alone")


def _watchdog(path: str) -> Finding:
    """Looked at, not opened: that would arm it."""
    if not Path(path).is_char_device():
        return Finding(
            "watchdog", "wrong", f"{path} is no device; load its driver, on a Raspberry Pi dtparam=watchdog=on"
        )
    if not os.access(path, os.W_OK):
        return Finding("watchdog", "wrong", f"{path} may not be written by this user")
    return Finding("watchdog", "ok", f"{path} is there")
