"""What happens in a scenario with keys, owners, services and emergency calls: a part of `scenario_deeds`.

Decides nothing about what should come of it. A code is in none of the words for the transcript.
"""

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from host_tools.bench.bench import BenchFailed
from host_tools.bench.handset import Handset
from host_tools.bench.phrases import Said
from host_tools.bench.scenario_backend import CUSTOMER_BYTES, Customer
from host_tools.bench.scenario_terms import Terms
from host_tools.bench.scenario_world import World
from host_tools.phone.keyring import new_key
from protocol.errors import Code, Role
from protocol.messages import Operation
from protocol.orders import DriverRemoval, OrderKind, Place, Removal, ServicePlan
from protocol.sharing import Deletion

VIN: Final = "WBA11AA0107A12345"
"""Of the story's car; a bench where nobody wrote one down takes any that is possible."""
DESTINATION: Final = Place(481_371_000, 115_754_000, "Marienplatz")
MARKET: Final = "BE"
REVISION: Final = "2021-05-10"
SHORT_S: Final = 3_600

Deed = Callable[[World, Said], Awaitable[str]]


# ---------------------------------------------------------------- keys
async def _show(world: World, said: Said) -> str:
    world.show(said.word("who"), said.word("shown"))
    return "chosen"


async def _list_keys(world: World, said: Said) -> str:
    return (await world.phone(said.word("who")).shared_keys()).text


async def _self_test(world: World, said: Said) -> str:
    return (await world.phone(said.word("who")).self_test()).text


async def _give_key(world: World, said: Said) -> str:
    await _learn(world)
    world.give_key(said.word("person"))
    return "on the phone"


async def _learn(world: World) -> None:
    """Which keys count: the module tells the backend with each change of the owner."""
    epoch = (await world.look("credentials")).get("key_epoch")
    if isinstance(epoch, int):
        world.backend.learn(epoch)


async def _share(world: World, said: Said) -> str:
    terms = said.values.get("terms", Terms())
    assert isinstance(terms, Terms)
    world.share(said.word("who"), said.word("person"), terms)
    return "on the phone"


# ---------------------------------------------------------------- the vehicle's menu
async def _enter(world: World, code: str) -> str:
    return _menu(world, await world.look(f"menu activate {code}"))


async def _enter_code(world: World, said: Said) -> str:
    return await _enter(world, world.keychain.code(said.word("person")))


async def _enter_wrong_code(world: World, _said: Said) -> str:
    return await _enter(world, world.keychain.wrong_code())


async def _deactivate(world: World, said: Said) -> str:
    token = world.keychain.shared(said.word("person")).token_id.hex()
    listed = (await world.look("menu keys")).get("keys")
    for entry in listed if isinstance(listed, list) else []:
        if entry["token"] == token:
            return _menu(world, await world.look(f"menu deactivate {entry['number']}"))
    world.menu = ""
    return "it is not in the menu"


def _menu(world: World, data: dict[str, object]) -> str:
    """What the menu answered; nothing when the module is off."""
    match data.get("refused", {}):
        case None:
            world.menu = Code.OK.name
            return "done"
        case {"code": str(code), "rule": str(rule), "remedy": str(remedy)}:
            world.menu = code
            return f"refused {code} by {rule}: {remedy}"
        case _:
            world.menu = ""
            return "the menu is dark"


# ---------------------------------------------------------------- the backend
async def _send(world: World, signed: bytes) -> str:
    return "sent" if await world.send(signed) else "it does not reach the car"


def _delete(how: Deletion) -> Deed:
    async def delete(world: World, said: Said) -> str:
        return await _send(world, world.backend.deletion(world.keychain.shared(said.word("person")), how))

    return delete


async def _write_deletion(world: World, said: Said) -> str:
    world.backend.deletion(world.keychain.shared(said.word("person")), Deletion.UNTIL_KEY_CYCLE)
    return "signed"


async def _couple(world: World, said: Said) -> str:
    customer = world.customers[said.word("person")]
    vin = said.word("vin") if "vin" in said.values else VIN
    return await _send(world, world.backend.ordered(OrderKind.COUPLE, world.backend.coupling(customer, vin)))


async def _take_over(world: World, said: Said) -> str:
    customer = world.customers[said.word("person")]
    return await _send(world, world.backend.ordered(OrderKind.TAKE_OVER, world.backend.coupling(customer, VIN)))


async def _remove_owner(world: World, said: Said) -> str:
    removal = Removal(world.backend.number(), world.customers[said.word("person")].user)
    return await _send(world, world.backend.ordered(OrderKind.REMOVE_OWNER, removal))


async def _remove_driver(world: World, said: Said) -> str:
    removal = DriverRemoval(world.customers[said.word("person")].user)
    return await _send(world, world.backend.ordered(OrderKind.REMOVE_DRIVER, removal))


async def _sell(world: World, said: Said) -> str:
    packs = said.values["packs"]
    assert isinstance(packs, tuple)
    return await _plan(world, packs)


async def _sell_nothing(world: World, _said: Said) -> str:
    return await _plan(world, (), base_active=False)


async def _plan(world: World, packs: tuple[str, ...], *, base_active: bool = True) -> str:
    today = datetime.fromtimestamp(world.utc_s(world.now_s), UTC)
    registered = (today.year, today.month, today.day)
    plan = ServicePlan(world.backend.number(), MARKET, REVISION, registered, packs, (), base_active)
    return await _send(world, world.backend.ordered(OrderKind.SERVICES, plan))


async def _send_to_car(world: World, _said: Said) -> str:
    return await _send(world, world.backend.ordered(OrderKind.SEND_TO_CAR, DESTINATION))


async def _drivers(world: World, said: Said) -> str:
    """One after the other, each with a phone and a booking of their own."""
    for _ in range(said.whole("number")):
        await _drives_once(world)
    return "all have driven"


async def _drives_once(world: World) -> None:
    phone = Handset(new_key(), lambda: world.bench.link("others"))
    window = (world.utc_s(world.now_s) - 60, world.utc_s(world.now_s) + SHORT_S)
    customer = Customer(Role.DRIVER, os.urandom(CUSTOMER_BYTES), int(Terms().permissions))
    phone.shown = world.backend.file(world.backend.book(customer, phone.key.public_key(), window, phone.generation))
    try:
        for operation in (Operation.UNLOCK, Operation.END_BOOKING):
            outcome = await phone.command(operation)
            if outcome.refusal is not None or outcome.code is None:
                raise BenchFailed(f"one of the others could not drive: {outcome.text}. Is the car free and parked?")
    finally:
        await phone.leave()


DEEDS: Final[dict[str, Deed]] = {
    "show": _show,
    "list_keys": _list_keys,
    "self_test": _self_test,
    "give_key": _give_key,
    "share": _share,
    "share_with": _share,
    "enter_code": _enter_code,
    "enter_wrong_code": _enter_wrong_code,
    "deactivate": _deactivate,
    "delete": _delete(Deletion.UNTIL_KEY_CYCLE),
    "delete_now": _delete(Deletion.IMMEDIATE),
    "delete_late": _delete(Deletion.AFTER_LAST_DRIVE_OR_48H),
    "write_deletion": _write_deletion,
    "couple": _couple,
    "couple_vin": _couple,
    "take_over": _take_over,
    "remove_owner": _remove_owner,
    "remove_driver": _remove_driver,
    "drivers": _drivers,
    "sell": _sell,
    "sell_nothing": _sell_nothing,
    "send_to_car": _send_to_car,
}
