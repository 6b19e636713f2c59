"""What has to hold in a scenario of keys, owners, services and emergency calls: a part of `scenario_claims`.

Decides what each claim means. It changes nothing at the module.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from host_tools.bench.handset import Handset
from host_tools.bench.phrases import Said
from host_tools.bench.scenario_owner import OwnerView
from host_tools.bench.scenario_world import World
from protocol import keys, selftest
from protocol.errors import Code, ProtocolError
from protocol.messages import KeyList, SelfTested

Verdict = str
Claim = Callable[[World, Said, OwnerView], Awaitable[Verdict]]


# ---------------------------------------------------------------- keys
async def _menu_takes(world: World, _said: Said, _before: OwnerView) -> Verdict:
    return "" if world.menu == Code.OK.name else f"it said: {world.menu or 'nothing'}"


async def _menu_refuses(world: World, said: Said, _before: OwnerView) -> Verdict:
    return "" if world.menu == said.word("code") else f"it said: {world.menu or 'nothing'}"


async def _key_is(world: World, said: Said, _before: OwnerView) -> Verdict:
    standing = await _standing(world, world.keychain.shared(said.word("person")).token_id)
    return "" if standing == said.word("standing") else f"it is {standing}"


async def _standing(world: World, token_id: bytes) -> str:
    """One of `scenario_key_words.STANDINGS`."""
    listed = (await world.look("menu keys")).get("keys")
    for entry in listed if isinstance(listed, list) else []:
        if entry["token"] == token_id.hex():
            if not entry["activated"]:
                return "waiting for its code"
            return "deleted and still good" if entry["deleted"] else "good"
    return "not listed"


def _of_phone(look: Callable[[Handset, Said], Verdict]) -> Claim:
    async def claim(world: World, said: Said, _before: OwnerView) -> Verdict:
        return look(world.phone(said.word("who")), said)

    return claim


def _listed(phone: Handset) -> int | None:
    return len(phone.last.body.keys) if isinstance(phone.last.body, KeyList) else None


def _sees_keys(phone: Handset, said: Said) -> Verdict:
    count = _listed(phone)
    return "" if count == said.whole("number") else _seen(phone, count)


def _sees_no_keys(phone: Handset, _said: Said) -> Verdict:
    count = _listed(phone)
    return "" if count == 0 else _seen(phone, count)


def _seen(phone: Handset, count: int | None) -> Verdict:
    return f"there is no list: {phone.last.text}" if count is None else f"there are {count}"


# ---------------------------------------------------------------- owners and dealers
def _has_report(*, passed: bool) -> Claim:
    async def claim(world: World, said: Said, _before: OwnerView) -> Verdict:
        body = world.phone(said.word("who")).last.body
        if not isinstance(body, SelfTested):
            return f"there is none: {world.phone(said.word('who')).last.text}"
        try:
            report = selftest.verify(body.report, keys.public_from_bytes(world.bench.identity.signing_public))
        except ProtocolError as error:
            return f"it is not genuine: {error.detail}"
        failed = ", ".join(each.part.name.lower() for each in report.results if not each.passed)
        return "" if report.passed is passed else f"failed: {failed or 'nothing'}"

    return claim


async def _belongs(world: World, said: Said, _before: OwnerView) -> Verdict:
    owned = await world.look("ownership")
    if not owned.get("coupled"):
        return "it belongs to nobody"
    wanted = world.customers[said.word("person")].user.hex()
    return "" if owned.get("owner") == wanted else "it belongs to somebody else"


async def _belongs_to_nobody(world: World, _said: Said, _before: OwnerView) -> Verdict:
    return "it belongs to somebody" if (await world.look("ownership")).get("coupled") else ""


# ---------------------------------------------------------------- services and emergency calls
async def _sim(world: World, said: Said, _before: OwnerView) -> Verdict:
    sim = (await world.look("services")).get("sim")
    return "" if sim == said.word("sim") else f"it is {sim}"


async def _call_is(world: World, said: Said, _before: OwnerView) -> Verdict:
    call = (await world.look("emergency")).get("call")
    return "" if call == said.word("call") else f"it is {call}"


CLAIMS: Final[dict[str, Claim]] = {
    "menu_takes": _menu_takes,
    "menu_refuses": _menu_refuses,
    "key_is": _key_is,
    "sees_keys": _of_phone(_sees_keys),
    "sees_no_keys": _of_phone(_sees_no_keys),
    "has_report": _has_report(passed=True),
    "has_bad_report": _has_report(passed=False),
    "belongs": _belongs,
    "belongs_to_nobody": _belongs_to_nobody,
    "sim": _sim,
    "call_is": _call_is,
}
