"""What has to hold in a scenario, looked at: each phrase of `expect` is true, or there are words for what is instead.

Decides what each claim means. It changes nothing at the module, save that asking for the access state is asking.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from host_tools.bench import scenario_key_claims as of_keys
from host_tools.bench.handset import Handset
from host_tools.bench.phrases import Said
from host_tools.bench.scenario_owner import OwnerView
from host_tools.bench.scenario_terms import PERMISSIONS
from host_tools.bench.scenario_words import CONDITIONS, NOTICES, PHASES
from host_tools.bench.scenario_world import World
from protocol import keys
from protocol.errors import FIRST_WARNING, Code, ProtocolError
from protocol.messages import Done, Ended, Outcome, Position, Status
from protocol.tokens import EndReceipt, verify_receipt

Verdict = str
"""Empty: it holds. Else what is instead."""


async def check(world: World, said: Said, before: OwnerView) -> Verdict:
    """Whether it holds now."""
    look = _CLAIMS[said.name]
    return await look(world, said, before)


# ---------------------------------------------------------------- phones
def _of_phone(look: Callable[[Handset, Said], Verdict]) -> "_Claim":
    async def claim(world: World, said: Said, _before: OwnerView) -> Verdict:
        return look(world.phone(said.word("who")), said)

    return claim


def _told(phone: Handset) -> Verdict:
    return f"it was: {phone.last.text}{f' ({phone.last.why})' if phone.last.why else ''}"


async def _granted(world: World, said: Said, _before: OwnerView) -> Verdict:
    phone = world.phone(said.word("who"))
    last = phone.last
    status = await phone.status()
    phone.last = last
    return "" if phone.is_granted else f"it is: {status.text}"


def _refused(phone: Handset, said: Said) -> Verdict:
    refusal = phone.last.refusal
    return "" if refusal is not None and refusal.code is Code[said.word("code")] else _told(phone)


def _refused_by(phone: Handset, said: Said) -> Verdict:
    refusal = phone.last.refusal
    return _refused(phone, said) or ("" if refusal is not None and refusal.rule == said.word("rule") else _told(phone))


def _remedy(phone: Handset, said: Said) -> Verdict:
    refusal = phone.last.refusal
    return "" if refusal is not None and said.word("words")[1:-1] in refusal.remedy else _told(phone)


def _temporary(wanted: bool) -> Callable[[Handset, Said], Verdict]:
    def look(phone: Handset, _said: Said) -> Verdict:
        refusal = phone.last.refusal
        if refusal is None:
            return _told(phone)
        return "" if refusal.temporary is wanted else f"a retry can{'' if refusal.temporary else 'not'} help"

    return look


def _succeeded(phone: Handset, _said: Said) -> Verdict:
    code = phone.last.code
    there = phone.last.refusal is None and code is not None and (code is Code.OK or code >= FIRST_WARNING)
    return "" if there else _told(phone)


def _already(phone: Handset, _said: Said) -> Verdict:
    return "" if phone.last.body == Done(already=True) else _told(phone)


def _warned(phone: Handset, said: Said) -> Verdict:
    return "" if phone.last.code is Code[said.word("code")] and phone.last.refusal is None else _told(phone)


def _no_answer(phone: Handset, _said: Said) -> Verdict:
    return "" if phone.last.unanswered else _told(phone)


def _unreachable(phone: Handset, _said: Said) -> Verdict:
    return "" if phone.last.unreachable else _told(phone)


def _learned(phone: Handset, said: Said) -> Verdict:
    body = phone.last.body
    return "" if isinstance(body, Outcome) and body.code is Code[said.word("code")] else _told(phone)


async def _permitted(world: World, said: Said, _before: OwnerView) -> Verdict:
    phone = world.phone(said.word("who"))
    last, found = phone.last, (await phone.status()).body
    phone.last = last
    bits = found.access.permissions if isinstance(found, Status) else 0
    may = ", ".join(name for name, bit in PERMISSIONS.items() if bits & bit) or "nothing"
    return "" if bits == said.whole("permissions") else f"{said.word('who')} may {may}"


def _sees_car(wanted: bool) -> Callable[[Handset, Said], Verdict]:
    def look(phone: Handset, _said: Said) -> Verdict:
        body = phone.last.body
        return "" if isinstance(body, Status) and (body.vehicle is not None) is wanted else _told(phone)

    return look


def _located(phone: Handset, _said: Said) -> Verdict:
    return "" if isinstance(phone.last.body, Position) else _told(phone)


def _connected(phone: Handset, _said: Said) -> Verdict:
    return "" if phone.is_open else "there is no session"


def _not_connected(phone: Handset, _said: Said) -> Verdict:
    return "there is a session" if phone.is_open else ""


def _heard(phone: Handset, said: Said) -> Verdict:
    wanted = NOTICES[said.word("notice")]
    return "" if any(notice.kind is wanted for notice in phone.notices) else f"heard: {_notices(phone)}"


def _heard_nothing(phone: Handset, _said: Said) -> Verdict:
    return f"heard: {_notices(phone)}" if phone.notices else ""


def _notices(phone: Handset) -> str:
    return ", ".join(notice.kind.name.lower().replace("_", " ") for notice in phone.notices) or "nothing"


def _receipt(*, offline: bool) -> "_Claim":
    async def claim(world: World, said: Said, _before: OwnerView) -> Verdict:
        body = world.phone(said.word("who")).last.body
        if not isinstance(body, Ended):
            return _told(world.phone(said.word("who")))
        try:
            public = keys.public_from_bytes(world.bench.identity.signing_public)
            receipt: EndReceipt = verify_receipt(body.receipt, public)
        except ProtocolError as error:
            return f"the receipt is not genuine: {error.detail}"
        if receipt.booking_id != world.booking(said.word("who").partition("'")[0]).booking_id:
            return "it is for another booking"
        return "it says that there was a network" if offline and not receipt.offline else ""

    return claim


# ---------------------------------------------------------------- the car and the module
async def _car(world: World, said: Said, _before: OwnerView) -> Verdict:
    seen = await world.look("vehicle")
    speed = seen.get("speed_kmh")
    seen |= {
        "open": bool(seen.get("open_doors")) or bool(seen.get("boot_open")),
        "moving": isinstance(speed, int | float) and speed > 0,
    }
    field, wanted = CONDITIONS[said.word("condition")]
    instead = next(name for name, (other, value) in CONDITIONS.items() if (other, value) == (field, not wanted))
    return "" if seen.get(field) is wanted else f"it is {instead}"


async def _booking(world: World, said: Said, _before: OwnerView) -> Verdict:
    phase = (await world.look("state")).get("phase")
    wanted = said.word("phase")
    assert wanted in PHASES
    return "" if phase == wanted else f"it is {phase or 'not known: the module is off'}"


async def _clock_sure(world: World, _said: Said, _before: OwnerView) -> Verdict:
    quality = await _quality(world)
    return "" if quality == "synced" else f"its time is of quality {quality}"


async def _clock_unsure(world: World, _said: Said, _before: OwnerView) -> Verdict:
    quality = await _quality(world)
    return f"its time is of quality {quality}" if quality in ("synced", None) else ""


async def _quality(world: World) -> object:
    module = (await world.look("time")).get("module")
    return module.get("quality") if isinstance(module, dict) else None


async def _powered(world: World, _said: Said, _before: OwnerView) -> Verdict:
    return "" if await _has_power(world) else "it is off"


async def _unpowered(world: World, _said: Said, _before: OwnerView) -> Verdict:
    return "it is on" if await _has_power(world) else ""


async def _has_power(world: World) -> bool:
    return (await world.look("state")).get("power") is True


async def _queued(world: World, _said: Said, _before: OwnerView) -> Verdict:
    return "" if await _waiting(world) else "nothing waits"


async def _not_queued(world: World, _said: Said, _before: OwnerView) -> Verdict:
    return "something waits" if await _waiting(world) else ""


async def _waiting(world: World) -> int:
    records = (await world.look("queue")).get("count")
    return records if isinstance(records, int) else 0


async def _desk_refuses(world: World, _said: Said, _before: OwnerView) -> Verdict:
    refused, world.refused_by_desk = world.refused_by_desk, ""
    return "" if refused else "it did what it was told"


# ---------------------------------------------------------------- owner and backend
def _of_owner(look: Callable[[OwnerView, OwnerView, Said], Verdict]) -> "_Claim":
    async def claim(world: World, said: Said, before: OwnerView) -> Verdict:
        return look(await world.owner(), before, said)

    return claim


def _position(now: OwnerView, _before: OwnerView, _said: Said) -> Verdict:
    return "" if now.position else "there is none"


def _parking(now: OwnerView, _before: OwnerView, _said: Said) -> Verdict:
    return "" if now.position and now.parking else "it is no parking position" if now.position else "there is none"


def _no_position(now: OwnerView, _before: OwnerView, _said: Said) -> Verdict:
    if now.position:
        return "there is one"
    return "the track has told one while a driver had the car" if now.followed else ""


def _reported(now: OwnerView, before: OwnerView, said: Said) -> Verdict:
    news = now.since(before)
    return "" if said.word("kind") in news else f"told: {', '.join(news) or 'nothing'}"


def _not_reported(now: OwnerView, before: OwnerView, said: Said) -> Verdict:
    return "it was told" if said.word("kind") in now.since(before) else ""


async def _answered(world: World, said: Said, before: OwnerView) -> Verdict:
    answers = (await world.owner()).answers_since(before, world.backend.last_id)
    return "" if said.word("code") in answers else f"answered: {', '.join(answers) or 'nothing'}"


async def _not_answered(world: World, _said: Said, before: OwnerView) -> Verdict:
    answers = (await world.owner()).answers_since(before, world.backend.last_id)
    return f"answered: {', '.join(answers)}" if answers else ""


_Claim = Callable[[World, Said, OwnerView], Awaitable[Verdict]]
_CLAIMS: Final[dict[str, _Claim]] = {
    **of_keys.CLAIMS,
    "granted": _granted,
    "refused": _of_phone(_refused),
    "refused_by": _of_phone(_refused_by),
    "told": _of_phone(_remedy),
    "temporary": _of_phone(_temporary(True)),
    "final": _of_phone(_temporary(False)),
    "succeeded": _of_phone(_succeeded),
    "already": _of_phone(_already),
    "warned": _of_phone(_warned),
    "no_answer": _of_phone(_no_answer),
    "unreachable": _of_phone(_unreachable),
    "learned": _of_phone(_learned),
    "permitted": _permitted,
    "sees_car": _of_phone(_sees_car(True)),
    "sees_no_car": _of_phone(_sees_car(False)),
    "located": _of_phone(_located),
    "connected": _of_phone(_connected),
    "not_connected": _of_phone(_not_connected),
    "heard": _of_phone(_heard),
    "heard_nothing": _of_phone(_heard_nothing),
    "receipt": _receipt(offline=False),
    "offline_receipt": _receipt(offline=True),
    "car": _car,
    "booking": _booking,
    "position": _of_owner(_position),
    "parking": _of_owner(_parking),
    "no_position": _of_owner(_no_position),
    "reported": _of_owner(_reported),
    "not_reported": _of_owner(_not_reported),
    "answered": _answered,
    "not_answered": _not_answered,
    "queued": _queued,
    "not_queued": _not_queued,
    "clock_sure": _clock_sure,
    "clock_unsure": _clock_unsure,
    "powered": _powered,
    "unpowered": _unpowered,
    "desk_refuses": _desk_refuses,
}
KNOWN: Final = frozenset(_CLAIMS)
"""The names of all phrases that can be checked."""
