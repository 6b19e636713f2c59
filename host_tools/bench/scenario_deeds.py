"""What happens in a scenario, carried out: each phrase of `do` becomes calls of phones, backend and desk.

Decides nothing about what should come of it; every deed gives the words for the transcript.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final

from host_tools.bench import scenario_key_deeds as of_keys
from host_tools.bench.bench import BenchFailed
from host_tools.bench.handset import UNREACHABLE, TappedLink
from host_tools.bench.phrases import Said
from host_tools.bench.scenario_words import DEEDS, LOST
from host_tools.bench.scenario_world import World
from host_tools.phone.errors import LinkFailed, NotFound
from protocol.framing import fragments
from protocol.messages import MessageType
from protocol.orders import OrderKind

JUNK_BYTES: Final = 48
METRES_IN_A_DEGREE: Final = 111_195.08
DRIVE_KMH: Final = 50
LISTENING_S: Final = 2.0
"""How long somebody who may not be answered waits for an answer."""


async def carry_out(world: World, said: Said) -> str:
    """Do it; returns what came of it, in words that are the same on every bench."""
    if said.name.removesuffix(LOST) in DEEDS:
        phone = world.phone(said.word("who"))
        lose = said.name.endswith(LOST)
        return (await phone.command(DEEDS[said.name.removesuffix(LOST)], lose=lose)).text
    return await _DEEDS[said.name](world, said)


# ---------------------------------------------------------------- phones
async def _connect(world: World, said: Said) -> str:
    return (await world.phone(said.word("who")).connect()).text


async def _connect_with(world: World, said: Said) -> str:
    who = said.word("who")
    booking = world.booking(who.partition("'")[0])
    return (await world.phone(who).connect(world.backend.spoilt(booking, said.word("token")))).text


async def _leave(world: World, said: Said) -> str:
    await world.phone(said.word("who")).leave()
    return "gone"


async def _repeat(world: World, said: Said) -> str:
    return (await world.phone(said.word("who")).repeat()).text


async def _outcome(world: World, said: Said) -> str:
    return (await world.phone(said.word("who")).outcome()).text


async def _status(world: World, said: Said) -> str:
    return (await world.phone(said.word("who")).status()).text


async def _locate(world: World, said: Said) -> str:
    return (await world.phone(said.word("who")).locate()).text


async def _new_phone(world: World, said: Said) -> str:
    await world.new_phone(said.word("who"))
    return "a new key"


async def _bring_time(world: World, said: Said) -> str:
    phone = world.phone(said.word("who"))
    nonce = await phone.nonce()
    if nonce is None:
        return phone.last.text
    return (await phone.put(world.backend.time(nonce))).text


async def _bring_old_time(world: World, said: Said) -> str:
    return (await world.phone(said.word("who")).put(world.backend.time(os.urandom(16)))).text


async def _bring(world: World, said: Said) -> str:
    return (await world.phone(said.word("who")).put(world.backend.last)).text


# ---------------------------------------------------------------- strangers
class _Ear:
    """What a stranger hears."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()
        self.closed = asyncio.Event()

    def fragment(self, _fragment: bytes) -> None:
        self.heard.set()

    def hung_up(self) -> None:
        self.closed.set()

    async def wait(self) -> str:
        """For an answer or the end of the connection, for a while."""
        waiting = [asyncio.ensure_future(each.wait()) for each in (self.heard, self.closed)]
        await asyncio.wait(waiting, timeout=LISTENING_S, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
        return "an answer" if self.heard.is_set() else "hung up on" if self.closed.is_set() else "no answer"


async def _approach(world: World) -> tuple[TappedLink, _Ear] | None:
    link, ear = TappedLink(world.bench.link(f"stranger-{len(world.strangers)}")), _Ear()
    try:
        await link.connect(ear.fragment, ear.hung_up)
    except (LinkFailed, NotFound):
        return None
    return link, ear


async def _stranger(world: World, _said: Said) -> str:
    there = await _approach(world)
    if there is None:
        return UNREACHABLE.text
    world.strangers.append(there[0])
    return "connected"


async def _stranger_leaves(world: World, _said: Said) -> str:
    for link in world.strangers:
        await link.close()
    world.strangers.clear()
    return "gone"


async def _flood(world: World, said: Said) -> str:
    """One after the other, each on a connection of its own, as fast as the module lets it."""
    for _ in range(said.whole("number")):
        await _say_to_module(world, bytes([MessageType.EDHOC]) + os.urandom(JUNK_BYTES))
    return "junk sent"


async def _say_to_module(world: World, message: bytes) -> None:
    there = await _approach(world)
    if there is None:
        return
    link, ear = there
    try:
        for fragment in fragments(message, link.payload, 0):
            await link.write(fragment)
        await ear.wait()
    except LinkFailed:
        pass  # hung up on in the middle of a word: that is the module's right
    finally:
        await link.close()


async def _replay(world: World, said: Said) -> str:
    """Whatever comes back, nothing may have moved: that is for `expect` to say."""
    there = await _approach(world)
    if there is None:
        return UNREACHABLE.text
    link, ear = there
    try:
        for fragment in world.phone(said.word("who")).sent:
            await link.write(fragment)
        await ear.wait()
    except LinkFailed:
        pass  # as above
    finally:
        await link.close()
    return "replayed"


# ---------------------------------------------------------------- the backend
async def _give(world: World, said: Said) -> str:
    world.give(said.word("person"), said.span("window"))
    return "on the phone"


async def _write_end(world: World, said: Said) -> str:
    world.backend.end(world.booking(said.word("person")))
    return "signed"


async def _order_end(world: World, said: Said) -> str:
    return await _send(world, world.backend.end(world.booking(said.word("person"))))


async def _revoke(world: World, said: Said) -> str:
    return await _send(world, world.backend.revocation(world.booking(said.word("person"))))


async def _change_keys(world: World, _said: Said) -> str:
    return await _send(world, world.backend.revocation(None))


async def _sharing_until(world: World, said: Said) -> str:
    return await _send(world, world.backend.subscription(world.utc_s(said.whole("time"))))


async def _pause(world: World, _said: Said) -> str:
    return await _send(world, world.backend.subscription(world.a_year_on(), paused=True))


async def _resume(world: World, _said: Said) -> str:
    return await _send(world, world.backend.subscription(world.a_year_on()))


def _remote(kind: OrderKind) -> Callable[[World, Said], Awaitable[str]]:
    async def send(world: World, _said: Said) -> str:
        return await _send(world, world.backend.remote(kind))

    return send


async def _send_again(world: World, _said: Said) -> str:
    return await _send(world, world.backend.last)


async def _send(world: World, signed: bytes) -> str:
    return "sent" if await world.send(signed) else "it does not reach the car"


async def _drive(world: World, said: Said) -> str:
    """North of home: one degree of latitude is as long everywhere."""
    home = world.bench.identity.home
    if home is None:
        raise BenchFailed("the car cannot drive home: this module has no home position. Provision it with one.")
    latitude = home[0] / 1e7 + said.whole("number") / METRES_IN_A_DEGREE
    answer = await world.desk(f"drive {DRIVE_KMH} --to {latitude:.7f} {home[1] / 1e7:.7f}")
    return "done" if answer is not None else f"the desk refuses: {world.refused_by_desk}"


async def _desk(world: World, said: Said) -> str:
    answer = await world.desk(said.word("command"))
    return "done" if answer is not None else f"the desk refuses: {world.refused_by_desk}"


_DEEDS: Final[dict[str, Callable[[World, Said], Awaitable[str]]]] = {
    **of_keys.DEEDS,
    "desk": _desk,
    "drive": _drive,
    "connect": _connect,
    "connect_with": _connect_with,
    "leave": _leave,
    "repeat": _repeat,
    "outcome": _outcome,
    "status": _status,
    "locate": _locate,
    "new_phone": _new_phone,
    "bring_time": _bring_time,
    "bring_old_time": _bring_old_time,
    "bring": _bring,
    "stranger": _stranger,
    "stranger_leaves": _stranger_leaves,
    "flood": _flood,
    "replay": _replay,
    "give": _give,
    "write_end": _write_end,
    "order_end": _order_end,
    "revoke": _revoke,
    "change_keys": _change_keys,
    "sharing_until": _sharing_until,
    "pause": _pause,
    "resume": _resume,
    "remote_unlock": _remote(OrderKind.UNLOCK),
    "remote_lock": _remote(OrderKind.LOCK),
    "remote_flash": _remote(OrderKind.FLASH),
    "send_again": _send_again,
}
KNOWN: Final = frozenset(_DEEDS) | DEEDS.keys() | {deed + LOST for deed in DEEDS}
"""The names of all phrases that can be carried out."""
