"""Being found: what is on the air, how often, and that it comes back.

Decides: the advertisement (SPEC section 3.1), its interval by the pace that was advised, when address and beacon
change (PRV-7), and that the module is on the air whenever it is allowed to be (BLE-2).
Refuses to know: links and GATT; whoever knows them says `allow`. What an identity is: `identity`.
"""

import asyncio
import logging
from typing import Final

from bumble import core, hci
from bumble.core import AdvertisingData
from bumble.device import Device

from firmware.adapters.ble.identity import Identities, Identity
from firmware.core.airtime import Pace
from protocol import gatt

COMMAND_S: Final = 2.0
"""Longest time for the controller to take a change of advertising."""

RETRIES: Final = 5
RETRY_S: Final = 0.1
"""Five tries within a second and a half; a controller that refuses all of them is lost."""

PUT_OFF_S: Final = 60.0
"""A controller that refuses another address while somebody is connected is asked again so much later."""

INTERVAL_MS: Final = {Pace.BRISK: 100.0, Pace.CALM: 318.75, Pace.SLOW: 1022.5}
"""Three of those that Apple's guidelines for accessories name: iOS finds them soonest."""

log = logging.getLogger(__name__)


class ControllerLost(Exception):
    """The controller does not do what it is told; it has to be opened anew."""


def advertisement() -> bytes:
    """Flags, service UUID and name, all of the 31 bytes; the same for every module (PRV-7)."""
    flags = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
    return bytes(
        AdvertisingData(
            [
                (AdvertisingData.FLAGS, bytes([flags])),
                (
                    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
                    core.UUID(gatt.SERVICE_UUID).to_bytes(),
                ),
                (AdvertisingData.COMPLETE_LOCAL_NAME, gatt.LOCAL_NAME.encode()),
            ]
        )
    )


def scan_response(beacon: bytes) -> bytes:
    """The beacon as service data, all of the 31 bytes."""
    service = core.UUID(gatt.SERVICE_UUID).to_bytes()
    return bytes(AdvertisingData([(AdvertisingData.SERVICE_DATA_128_BIT_UUID, service + beacon)]))


class Advertiser:
    """Keeps the module on the air while it is allowed to be. `first`: the identity that the device has already.

    `run` it as a task, and end it with `finish`, not by cancelling: a command that is cut off leaves the
    controller in an unknown state, and on Python 3.11 a cancellation that meets its answer is lost.
    """

    def __init__(self, device: Device, identities: Identities, first: Identity, pace: Pace = Pace.BRISK) -> None:
        self._device = device
        self._identities = identities
        self._identity = first
        self._pace = pace
        self._aired_pace = pace
        self._changes_at = 0.0
        self._put_off = False
        self._allowed = False
        self._on_air = False
        self._finished = False
        self._wake = asyncio.Event()

    def allow(self, allowed: bool, *, alone: bool = True) -> None:
        """Whether to advertise. `alone`: nobody is connected, so no controller has a reason to keep its address."""
        self._allowed = allowed and not self._finished
        if alone and self._put_off:
            self.renew()
        self._wake.set()

    def advise(self, pace: Pace) -> None:
        """Advertise that often from now on."""
        self._pace = pace
        self._wake.set()

    def renew(self) -> None:
        """Be somebody else from now on, as soon as the module is on the air."""
        self._changes_at = 0.0
        self._wake.set()

    def ended(self) -> None:
        """The controller stopped advertising by itself: somebody connected, or tried to."""
        self._on_air = False
        self._wake.set()

    def finish(self) -> None:
        """Have `run` take the module off the air, if the controller still listens, and return."""
        self._finished = True
        self._allowed = False
        self._wake.set()

    async def run(self) -> None:
        """Until `finish`. Raises ControllerLost when the controller refuses."""
        self._schedule_change()
        failures = 0
        while True:
            self._wake.clear()
            try:
                async with asyncio.timeout(COMMAND_S):
                    await self._settle()
                failures = 0
            except (core.BaseBumbleError, TimeoutError) as error:
                failures += 1
                if self._finished:
                    log.debug("advertising did not stop: %s", error)
                    return
                if failures > RETRIES:
                    raise ControllerLost(f"it does not advertise: {str(error) or 'no answer'}") from error
                log.debug("advertising refused (%s), trying again", error)
                await asyncio.sleep(RETRY_S * failures)
                continue
            if self._finished:
                return
            await self._wait()

    async def _settle(self) -> None:
        change = self._allowed and asyncio.get_running_loop().time() >= self._changes_at
        if self._on_air and (change or not self._allowed or self._pace is not self._aired_pace):
            await self._device.stop_advertising()
            self._on_air = False
        if change:
            await self._change()
        if self._allowed and not self._on_air:
            # Set before the controller is told: `ended` may be called before its answer is seen here.
            self._on_air, self._aired_pace = True, self._pace
            interval_ms = INTERVAL_MS[self._pace]
            try:
                await self._device.start_advertising(
                    advertising_data=advertisement(),
                    scan_response_data=scan_response(self._identity.beacon),
                    advertising_interval_min=interval_ms,
                    advertising_interval_max=interval_ms,
                )
            except BaseException:
                self._on_air = False
                raise

    async def _change(self) -> None:
        """Address and beacon together, while nothing is on the air: no packet has one of each."""
        fresh = self._identities.fresh()
        if not self._device.supports_le_extended_advertising:  # otherwise it comes with the advertising set
            try:
                await self._device.send_sync_command(
                    hci.HCI_LE_Set_Random_Address_Command(random_address=fresh.address)
                )
            except core.BaseBumbleError as error:
                if not self._device.connections:
                    raise
                log.debug("the address stays while somebody is connected: %s", error)
                self._put_off = True
                self._changes_at = asyncio.get_running_loop().time() + PUT_OFF_S
                return
        self._device.random_address = fresh.address
        self._identity = fresh
        self._schedule_change()

    def _schedule_change(self) -> None:
        self._put_off = False
        self._changes_at = asyncio.get_running_loop().time() + self._identities.lifetime_s()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout_at(self._changes_at if self._allowed else None):
                await self._wake.wait()
        except TimeoutError:
            return
