"""Words of a story about connected services and emergency calls.

    order services 1 6AP,6AC registered=2023-11-03 renewed=concierge/6/2026-10-31 off
                                      what was bought; the first word is the number of the order; `off`: deactivated
    order send Hotel                  a destination for whoever drives
    network 208                       a network of that country serves the car; `network none`
    crash, sos pressed, sos cancelled, centre acknowledges 1

And what holds then: `sim blocked`, `works remote-services`, `off concierge SERVICE_INACTIVE`, `until concierge
2027-04-30` (or `forever`), `bound for Hotel`, `bound nowhere`; `called 3`: so many messages of emergency calls were
sent since the story began; `nobody called`, `calling`, `silent line`, `msd automatic`, `msd trusted`. Other words:
`story`.
"""

from datetime import date

from firmware.core import services, sim
from firmware.core.effects import CallEmergency, EndEmergency
from firmware.core.events import (
    CrashDetected,
    EmergencyAcknowledged,
    EmergencyCancelled,
    EmergencyPressed,
    NetworkServing,
)
from firmware.core.state import Profile, Vehicle
from protocol.durations import FOREVER
from protocol.msd import Msd, decode, encode
from protocol.orders import Details, Order, OrderKind, Place, ServicePlan
from protocol.packs import Service
from tests.support.story_ownership import VIN
from tests.support.story_world import BASE_MS, HOME, MODULE_ID, World, milliseconds

DAY_S = 86_400


def belgian(at: str = "00:00:00", *, legal_ecall: bool = False) -> World:
    """A car of the Belgian market whose story begins then, sampled while something happens."""
    now = milliseconds(at)
    car = Vehicle(VIN, "BE", legal_ecall=legal_ecall)
    return World(now, profile=Profile(MODULE_ID, 1, HOME, BASE_MS + now - 86_400_000, car))


# ---------------------------------------------------------------- what happens
def signed(world: World, words: list[str]) -> Order | None:
    """The order that these words mean, after the word `order`; None: they mean another one."""
    details: Details
    match words:
        case ["services", number, packs, *said]:
            kind, details = OrderKind.SERVICES, _plan(int(number), packs, said)
        case ["send", name]:
            kind, details = OrderKind.SEND_TO_CAR, Place(508_503_000, 43_517_000, name)
        case _:
            return None
    issued_s = (BASE_MS + world.now) // 1000
    order_id = "/".join(words[:2]).encode().ljust(16, b"o")[:16]
    return Order(order_id, kind, MODULE_ID, issued_s, issued_s + DAY_S, details)


def _plan(number: int, packs: str, said: list[str]) -> ServicePlan:
    fields = dict(word.split("=", 1) for word in said if "=" in word)
    renewals = tuple(
        (service, int(months), _day(bought))
        for service, months, bought in (each.split("/") for each in fields.get("renewed", "").split(",") if each)
    )
    registered = _day(fields.get("registered", "2023-11-03"))
    bought = () if packs == "-" else tuple(packs.split(","))
    return ServicePlan(
        number, fields.get("market", "BE"), "2021-05-10", registered, bought, renewals, base_active="off" not in said
    )


def _day(text: str) -> tuple[int, int, int]:
    day = date.fromisoformat(text)
    return day.year, day.month, day.day


def happened(world: World, words: list[str]) -> bool:
    """Tell the module; False: the words mean something else."""
    match words:
        case ["network", "none"]:
            world.tell(NetworkServing(None))
        case ["network", mcc]:
            world.tell(NetworkServing(int(mcc)))
        case ["crash"]:
            world.tell(CrashDetected())
        case ["sos", "pressed"]:
            world.tell(EmergencyPressed())
        case ["sos", "cancelled"]:
            world.tell(EmergencyCancelled())
        case ["centre", "acknowledges", number]:
            world.tell(EmergencyAcknowledged(int(number)))
        case _:
            return False
    return True


# ---------------------------------------------------------------- what holds then
def messages(world: World) -> list[Msd]:
    """What went to the emergency centre, as it reads it."""
    return [decode(encode(effect.msd)) for effect in world.effects if isinstance(effect, CallEmergency)]


def claims(world: World, words: list[str]) -> bool | None:
    """Claims about services and calls; None: it is none."""
    state, now = world.state, world.mono
    match words:
        case ["sim", *what]:
            return sim.of(state).value == " ".join(what)
        case ["works", service]:
            return services.refusal(state, Service(service), now) is None
        case ["off", service, code]:
            refusal = services.refusal(state, Service(service), now)
            return refusal is not None and refusal.code.name == code
        case ["until", service, last]:
            found = {each.service: each.until for each in services.standings(state, now)}
            return found.get(Service(service)) == (FOREVER if last == "forever" else date.fromisoformat(last))
        case ["bound", "nowhere"]:
            return state.durable.destination is None
        case ["bound", "for", name]:
            return state.durable.destination is not None and state.durable.destination.name == name
        case _:
            return _called(world, words)


def _called(world: World, words: list[str]) -> bool | None:
    if words[0] not in ("nobody", "called", "calling", "silent", "msd"):
        return None  # all effects of a year are many
    line = [effect for effect in world.effects if isinstance(effect, CallEmergency | EndEmergency)]
    match words:
        case ["nobody", "called"]:
            return not line
        case ["called", number]:
            return len(messages(world)) == int(number)
        case ["calling"]:
            return world.state.durable.call is not None
        case ["silent", "line"]:
            return world.state.durable.call is None and isinstance(line[-1], EndEmergency)
        case ["msd", "number", number]:
            return messages(world)[-1].message == int(number)
        case ["msd", "at", *when]:
            return messages(world)[-1].at_s * 1000 == BASE_MS + milliseconds(" ".join(when))
        case ["msd", "place", "unknown"]:
            return messages(world)[-1].latitude_e7 is None
        case ["msd", "place", place]:
            found, wanted = messages(world)[-1], world.car.place if place == "here" else HOME
            assert found.latitude_e7 is not None
            return wanted is not None and abs(found.latitude_e7 - wanted[0]) <= 2
        case ["msd", flag]:
            last = messages(world)[-1]
            return {"automatic": last.automatic, "manual": not last.automatic, "trusted": last.trusted,
                    "doubtful": not last.trusted}[flag]  # fmt: skip
        case _:
            return None
