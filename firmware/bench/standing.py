"""Commands that look at whose car it is, what was bought for it, and whether it calls for help."""

from datetime import date
from typing import Final

from firmware.bench.grammar import Command, Words
from firmware.bench.levels import Level
from firmware.bench.news import refusal_data
from firmware.bench.results import Data, Result
from firmware.bench.room import Room
from firmware.bench.words import instant, yes_no
from firmware.core import ownership, services, sim, takeover
from firmware.core.services import Standing
from protocol.durations import FOREVER
from protocol.explain import sentence
from protocol.orders import ServicePlan

NOBODY: Final = "a bench that nobody is named on"


async def owned(room: Room, _: Words) -> Result:
    """Who owns the car, who shares it, and how far a takeover is."""
    state, now = room.state, room.now
    durable = state.durable
    known, home, progress = durable.ownership, ownership.home(state), takeover.progress_pct(state, now)
    data: Data = {
        "coupled": known.coupled,
        "owner": known.owner.hex(),
        "since_ms": known.since_ms,
        "number": known.number,
        "key_epoch": durable.key_epoch,
        "home": None if home is None else [each / 1e7 for each in home],
        "drivers": [user.hex() for user in durable.drivers],
        "takeover_pct": progress,
    }
    since = f", since {instant(known.since_ms)}" if known.since_ms else ""
    lines = [
        f"Owner: {known.owner.hex() or NOBODY}{since}" if known.coupled else "It belongs to nobody: nothing moves it.",
        f"Key epoch: {durable.key_epoch}",
        f"Home: {'none' if home is None else f'{home[0] / 1e7:.6f}, {home[1] / 1e7:.6f}'}",
        f"Drivers: {', '.join(user.hex() for user in durable.drivers) or 'none yet'}",
    ]
    if progress is not None:
        lines.append(f"A takeover is being prepared: {progress} %")
    return Result("ownership", data, tuple(lines))


async def bought(room: Room, _: Words) -> Result:
    """What the SIM is for, and how each service stands."""
    state, now = room.state, room.now
    plan, purpose, uplink = state.durable.services, sim.of(state), sim.uplink(state)
    standings = services.standings(state, now)
    data: Data = {
        "sim": purpose.value,
        "uplink": uplink,
        "serving_mcc": state.serving_mcc,
        "plan": None if plan is None else _plan_data(plan),
        "services": [_standing_data(each) for each in standings],
    }
    lines = [
        f"SIM: {purpose.value}; reports may leave: {yes_no(uplink)}",
        f"Network: {'not told' if state.serving_mcc is None else state.serving_mcc}",
    ]
    if plan is None:
        lines.append("Nobody has said which services were bought: all work.")
    lines += [_standing_line(each) for each in standings]
    return Result("services", data, tuple(lines))


def _plan_data(plan: ServicePlan) -> Data:
    return {
        "number": plan.number,
        "market": plan.market,
        "revision": plan.revision,
        "first_registration": list(plan.first_registration),
        "packs": list(plan.packs),
        "renewals": len(plan.renewals),
        "base_active": plan.base_active,
    }


def _standing_data(standing: Standing) -> Data:
    refused = None if standing.refusal is None else refusal_data(standing.refusal)
    return {"service": standing.service.value, "until": _until(standing.until), "refused": refused}


def _standing_line(standing: Standing) -> str:
    until = "for good" if standing.until == FOREVER else f"until {standing.until.isoformat()}"
    no = standing.refusal
    return f"{standing.service.value}: {until}{'' if no is None else f'; not now: {sentence(no)} ({no.code.name})'}"


def _until(day: date) -> str | None:
    return None if day == FOREVER else day.isoformat()


async def called(room: Room, _: Words) -> Result:
    """The emergency call, and what was sent of it."""
    state = room.state
    word, call = room.calls.word(state), state.durable.call
    line = room.stand.emergency
    data: Data = {
        "call": word,
        "number": None if call is None else call.number,
        "automatic": None if call is None else call.automatic,
        "messages": None if call is None else call.message,
        "sent": 0 if line is None else len(line.sent),
    }
    lines = [f"Emergency call: {word}"]
    if call is not None:
        how = "by the crash sensors" if call.automatic else "by hand"
        lines.append(f"Call {call.number}, {how}, sent {call.message} times. `emergency answer` plays the centre.")
    return Result("emergency", data, tuple(lines))


COMMANDS: Final = (
    Command(("ownership",), Level.OBSERVE, "whose car it is, who shares it, and how far a takeover is", owned),
    Command(("services",), Level.OBSERVE, "what the SIM is for, and which services work", bought),
    Command(("emergency",), Level.OBSERVE, "whether the car calls for help", called),
)
