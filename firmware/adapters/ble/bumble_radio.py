"""The module's radio on Bumble: a `RadioPort` over any Bluetooth controller.

Decides: when a controller counts as usable, and that a lost one is opened again.
Refuses to know: GATT, links and advertising (`peripheral`), and which controller it is (`transport`).
"""

import asyncio
import itertools
import logging
import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from firmware.adapters.ble.transport import OpenController, PacketSink, PacketSource
from firmware.core.airtime import Airtime
from firmware.ports import Entropy, LinkId, LinkListener, RadioUnavailable

if TYPE_CHECKING:
    from firmware.adapters.ble.peripheral import Peripheral

POWER_ON_S: Final = 3.0
"""Longest time for one attempt to reset a controller; it takes a few milliseconds."""

ATTEMPTS: Final = 3
"""A controller at a serial line or pseudo-terminal may come up after us."""

REOPEN_S: Final = (1.0, 2.0, 4.0, 8.0, 10.0)
"""Pauses before a lost controller is opened again; the last one repeats."""

ADDRESS_LIFETIME_S: Final = 900.0
"""15 minutes: the private address time-out of the Core Specification (Vol 3 Part C Appendix A)."""

log = logging.getLogger(__name__)


class BumbleRadio:
    """`RadioPort`. `open_controller` is called at each start and after each loss of the controller.

    `entropy` gives addresses and keys that are thrown away: the module has a new identity on the air at each start,
    whenever the key epoch rises, and after `address_lifetime_s` at the latest (PRV-7). `radio_secret`: of the
    provisioning file; empty: nobody can tell the module on the air.
    """

    def __init__(
        self,
        open_controller: OpenController,
        *,
        radio_secret: bytes = b"",
        entropy: Entropy = os.urandom,
        address_lifetime_s: float = ADDRESS_LIFETIME_S,
    ) -> None:
        self._open_controller = open_controller
        self._entropy = entropy
        self._radio_secret = radio_secret
        self._address_lifetime_s = address_lifetime_s
        self._airtime: Airtime | None = None
        self._numbers = itertools.count(1)
        self._peripheral: Peripheral | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self, listener: LinkListener) -> None:
        """As RadioPort."""
        assert self._keeper is None, "started twice"
        self._stopping = False
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(listener, started), name="radio")
        try:
            await asyncio.wait({started, self._keeper}, return_when=asyncio.FIRST_COMPLETED)
            if not started.done():
                self._keeper.result()
        except BaseException:
            await self.stop()
            raise

    async def notify(self, link: LinkId, fragment: bytes) -> None:
        """As RadioPort."""
        if self._peripheral is not None:
            await self._peripheral.notify(link, fragment)

    async def hang_up(self, link: LinkId) -> None:
        """As RadioPort."""
        if self._peripheral is not None:
            await self._peripheral.hang_up(link)

    def advise(self, airtime: Airtime) -> None:
        """As RadioPort."""
        self._airtime = airtime
        if self._peripheral is not None:
            self._peripheral.advise(airtime)

    async def stop(self) -> None:
        """As RadioPort. Stopping twice is no error."""
        self._stopping = True
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])

    # ------------------------------------------------------------ the keeper
    async def _keep(self, listener: LinkListener, started: asyncio.Future[None]) -> None:
        """Serve on one controller after the other, until cancelled."""
        pauses = iter(REOPEN_S)
        said = ""
        while True:
            try:
                await self._serve(listener, started)
            except RadioUnavailable as error:
                if not started.done():
                    raise
                if str(error) != said:
                    said = str(error)
                    log.warning("%s", said)
            else:
                pauses, said = iter(REOPEN_S), ""
            await asyncio.sleep(next(pauses, REOPEN_S[-1]))

    async def _serve(self, listener: LinkListener, started: asyncio.Future[None]) -> None:
        """One controller's life. Returns when it is lost; RadioUnavailable when it cannot be opened."""
        async with AsyncExitStack() as stack:
            source, sink = await stack.enter_async_context(self._open_controller())
            peripheral = await self._power_on(source, sink, listener)
            self._peripheral = peripheral
            if self._airtime is not None:  # what was advised while it was being reset
                peripheral.advise(self._airtime)
            advertising = asyncio.create_task(peripheral.advertise(), name="advertising")
            watching = asyncio.create_task(peripheral.watch(), name="watching the controller")
            if started.done():
                log.warning("the Bluetooth controller is back")
            else:
                started.set_result(None)
            try:
                await asyncio.wait({advertising, watching, source.terminated}, return_when=asyncio.FIRST_COMPLETED)
                failed = [task.exception() for task in (advertising, watching) if task.done()]
                why = failed[0] if failed else "its transport ended"
                log.warning("the Bluetooth controller is lost: %s; it is opened again", why)
                await peripheral.abandon()
            except asyncio.CancelledError:
                await peripheral.stop()
                raise
            finally:
                self._peripheral = None
                await asyncio.wait({advertising, watching})
                for task in (advertising, watching):
                    task.exception()  # known already, or of no interest any more

    async def _power_on(self, source: PacketSource, sink: PacketSink, listener: LinkListener) -> "Peripheral":
        from firmware.adapters.ble.peripheral import Peripheral

        why = ""
        for _ in range(ATTEMPTS):
            peripheral = Peripheral(
                source,
                sink,
                listener=listener,
                new_number=self._numbers.__next__,
                entropy=self._entropy,
                radio_secret=self._radio_secret,
                address_lifetime_s=self._address_lifetime_s,
                airtime=self._airtime,
            )
            try:
                async with asyncio.timeout(POWER_ON_S):
                    await peripheral.power_on()
            except TimeoutError:
                why = f"no answer to a reset within {POWER_ON_S:g} s"
            except Exception as error:  # broad: a controller's nonsense makes Bumble raise anything
                why = str(error) or type(error).__name__
            else:
                if self._stopping:  # Bumble may have swallowed the cancellation
                    raise asyncio.CancelledError
                return peripheral
        raise RadioUnavailable(
            f"the Bluetooth controller does not start: {why}; reset or replug it, "
            "and check that no other program uses it"
        )
