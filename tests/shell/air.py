"""One short life of a whole rig on a shuffled loop: the real module, the virtual radio, phones with the real client.

At one step of the loop something happens: a phone is switched off in the middle of whatever it does, the link is lost,
the phone goes out of range, the module loses its power. Afterwards the next phone must be served, and nothing is left.
"""

import asyncio
from contextlib import suppress
from enum import Enum, unique
from random import Random
from typing import Final

from firmware.demo.rig import Holder, Rig
from host_tools.phone.client import Phone
from host_tools.phone.errors import PhoneError
from protocol.provisioning import BookingFile
from tests.shell.loop import ShuffledLoop
from tests.shell.surroundings import Broken
from tests.support.guards import unfinished_tasks

SHUT_DOWN_WITHIN_S: Final = 30
VISIT_WITHIN_S: Final = 120
AWAY_S: Final = 15
"""Longer than the supervision timeout, after which both ends know."""
TRIES: Final = 3
LINK_GONE_WITHIN_S: Final = 30


@unique
class Mishap(Enum):
    """What happens."""

    NONE = "nothing"
    PHONE_OFF = "the phone's program is ended"
    LINK_LOST = "the link is lost at once"
    AWAY = "the phone goes out of range"
    POWER_CUT = "the module loses its power"


class AirLife:
    """`steps`: how many steps of the loop the visits took. `happened`: the mishap came while there was a visit."""

    def __init__(self, loop: ShuffledLoop, seed: int) -> None:
        self.loop = loop
        self.rng = Random(f"air {seed}")
        self.rig: Rig
        self._name = f"air {seed}"
        self.visits: list[asyncio.Task[None]] = []
        self.away = False
        self.happened = False
        self.steps = 0

    async def live(self, mishap: Mishap, step: int) -> None:
        """Two phones come at once; something happens; a third one is served."""
        self.rig = Rig(self._name, att_mtu=self.rng.choice((23, 185, 517)))
        async with self.rig as rig:
            anna, ben = rig.holder("Anna"), rig.holder("Ben")
            _, for_anna = rig.book(anna, lasts_s=7200)
            _, for_ben = rig.book(ben, lasts_s=7200)
            begun = self.loop.steps
            self.visits = [
                asyncio.create_task(self._visit(anna, for_anna)),
                asyncio.create_task(self._visit(ben, for_ben)),
            ]
            if mishap is not Mishap.NONE:
                self.loop.at_step(begun + step, lambda: self._happen(mishap))
            done, late = await asyncio.wait(self.visits, timeout=VISIT_WITHIN_S)
            if late:
                raise Broken("a phone waits for ever")
            for visit in done:
                if not visit.cancelled():
                    visit.result()
            self.steps = self.loop.steps - begun
            await self._recover()
            await self._served(anna, for_anna)
            await self._links_gone()
            working = rig.rack.working
            assert working is not None
            try:
                async with asyncio.timeout(SHUT_DOWN_WITHIN_S):
                    await rig.shut_down()
            except TimeoutError:
                raise Broken("the module does not shut down") from None
        left = await unfinished_tasks()
        if left:
            raise Broken(f"tasks left: {left}")

    async def _visit(self, holder: Holder, file: BookingFile) -> None:
        """Open, drive, close; whatever the radio does ends it as a PhoneError."""
        await asyncio.sleep(self.rng.random())
        with suppress(PhoneError):
            async with self.rig.phone(holder, file) as phone:
                await self._use(phone)

    async def _use(self, phone: Phone) -> None:
        for _ in range(2):
            await phone.unlock()
            await asyncio.gather(phone.status(), phone.locate(), phone.get_nonce())
            await asyncio.sleep(self.rng.choice((0, 0.1, 2)))
            await phone.lock()

    def _happen(self, mishap: Mishap) -> None:
        if all(visit.done() for visit in self.visits):
            return
        self.happened = True
        match mishap:
            case Mishap.PHONE_OFF:
                self.visits[0].cancel()
            case Mishap.LINK_LOST:
                self.rig.air.drop(self.rig.module_radio)
            case Mishap.AWAY:
                self.rig.air.out_of_range(self.rig.module_radio)
                self.away = True
            case Mishap.POWER_CUT if self.rig.rack.working is not None:
                self.rig.rack.working.cancel()
            case _:
                pass

    async def _recover(self) -> None:
        if self.away:
            await asyncio.sleep(AWAY_S)
            self.rig.air.in_range(self.rig.module_radio)
        working = self.rig.rack.working
        assert working is not None
        if working.done() or working.cancelling():
            ended, _ = await asyncio.wait({working}, timeout=SHUT_DOWN_WITHIN_S)
            if not ended:
                raise Broken("the module does not end")
            with suppress(asyncio.CancelledError):
                working.result()
            await self.rig.boot()

    async def _served(self, holder: Holder, file: BookingFile) -> None:
        """A phone gets in, or is told why not; as people do, it tries again when the radio was in its way."""
        trouble: Exception | None = None
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(VISIT_WITHIN_S), self.rig.phone(holder, file) as phone:
                    access = (await phone.status()).access
                    if not access.granted and access.refusal is None:
                        raise Broken("a phone is neither let in nor told why")
                    return
            except (PhoneError, TimeoutError) as error:
                trouble = error
        raise Broken(f"a phone is not served: {trouble}") from trouble

    async def _links_gone(self) -> None:
        """Within a while after the last phone has gone, the module has forgotten every link."""
        pump = self.rig.pump
        with suppress(TimeoutError):
            async with asyncio.timeout(LINK_GONE_WITHIN_S):
                while held(self.rig):
                    await asyncio.sleep(0.5)
        if held(self.rig):
            raise Broken(f"links left: {held(self.rig)}, {pump.state.links}")


def held(rig: Rig) -> dict[str, int]:
    """What the module holds for links, where it is not nothing."""
    pump = rig.pump
    parts = {
        "links": pump.state.links,
        "sessions": pump._gateway._sessions,
        "queues": pump._switchboard._queues,
        "senders": pump._switchboard._senders,
        "farewells": pump._switchboard._farewells,
        "connections": [*rig.module_radio.connections()],
    }
    return {name: len(part) for name, part in parts.items() if part}


def live(seed: int, mishap: Mishap, step: int = 1) -> AirLife:
    """One life, judged. Raises Broken, or whatever was let out."""
    with asyncio.Runner(loop_factory=lambda: ShuffledLoop(seed)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, ShuffledLoop)
        life = AirLife(loop, seed)
        runner.run(life.live(mishap, step))
    return life
