"""Being found: what is on the air, under which address, and that it comes back.

Decides: the advertisement (SPEC section 3), the private address and when it changes (PRV-7), and that the
module is on the air whenever it is allowed to be (BLE-2).
Refuses to know: links and GATT; whoever knows them says `allow`.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from bumble import core, crypto, hci
from bumble.core import AdvertisingData
from bumble.device import Device

from firmware.ports import Entropy
from protocol import gatt

COMMAND_S: Final = 2.0
"""Longest time for the controller to take a change of advertising."""

RETRIES: Final = 5
RETRY_S: Final = 0.1
"""Five tries within a second and a half; a controller that refuses all of them is lost."""

_IRK_BYTES: Final = 16
_PRAND_BYTES: Final = 3

log = logging.getLogger(__name__)


class ControllerLost(Exception):
    """The controller does not do what it is told; it has to be opened anew."""


def advertisement() -> bytes:
    """Flags and the service UUID, 21 of 31 bytes: a scan filtered by the service finds it without asking."""
    flags = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
    return bytes(
        AdvertisingData(
            [
                (AdvertisingData.FLAGS, bytes([flags])),
                (
                    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
                    core.UUID(gatt.SERVICE_UUID).to_bytes(),
                ),
            ]
        )
    )


def scan_response() -> bytes:
    """The name, the same for every module (PRV-7)."""
    return bytes(AdvertisingData([(AdvertisingData.COMPLETE_LOCAL_NAME, gatt.LOCAL_NAME.encode())]))


class Addresses:
    """Resolvable private addresses under a key that is thrown away: nobody can link two of them."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._key = entropy(_IRK_BYTES)

    def fresh(self) -> hci.Address:
        """A new address: 22 random bits, marked as private, and their hash (Core Vol 6 Part B 1.3.2.2)."""
        first, second, third = self._entropy(_PRAND_BYTES)
        random = bytes((first, second, third & 0x3F | 0x40))
        if random in (b"\x00\x00\x40", b"\xff\xff\x7f"):  # all zeros and all ones are reserved
            random = b"\x01\x00\x40"
        data = crypto.ah(self._key, random) + random
        return hci.Address(data, hci.Address.RANDOM_DEVICE_ADDRESS)


class Advertiser:
    """Keeps the module on the air while it is allowed to be.

    `run` it as a task, and end it with `finish`, not by cancelling: a command that is cut off leaves the
    controller in an unknown state, and on Python 3.11 a cancellation that meets its answer is lost.
    """

    def __init__(
        self, device: Device, fresh_address: Callable[[], hci.Address], interval_ms: float, lifetime_s: float
    ) -> None:
        self._device = device
        self._fresh_address = fresh_address
        self._interval_ms = interval_ms
        self._lifetime_s = lifetime_s
        self._changes_at: float | None = None
        self._allowed = False
        self._may_change = True
        self._on_air = False
        self._finished = False
        self._wake = asyncio.Event()

    def allow(self, allowed: bool, *, may_change_address: bool = True) -> None:
        """Whether to advertise, and whether a due change of address may happen now."""
        self._allowed = allowed and not self._finished
        self._may_change = may_change_address
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
        change = self._allowed and self._change_is_due()
        if self._on_air and (change or not self._allowed):
            await self._device.stop_advertising()
            self._on_air = False
        if change:
            address = self._fresh_address()
            await self._device.send_sync_command(hci.HCI_LE_Set_Random_Address_Command(random_address=address))
            self._device.random_address = address
            self._schedule_change()
        if self._allowed and not self._on_air:
            # Set before the controller is told: `ended` may be called before its answer is seen here.
            self._on_air = True
            try:
                await self._device.start_advertising(
                    advertising_data=advertisement(),
                    scan_response_data=scan_response(),
                    advertising_interval_min=self._interval_ms,
                    advertising_interval_max=self._interval_ms,
                )
            except BaseException:
                self._on_air = False
                raise

    def _schedule_change(self) -> None:
        self._changes_at = asyncio.get_running_loop().time() + self._lifetime_s

    def _change_is_due(self) -> bool:
        due = self._changes_at is not None and asyncio.get_running_loop().time() >= self._changes_at
        return due and self._may_change

    async def _wait(self) -> None:
        changes_at = self._changes_at if self._allowed and self._may_change else None
        try:
            async with asyncio.timeout_at(changes_at):
                await self._wake.wait()
        except TimeoutError:
            return
