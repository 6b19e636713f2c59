"""Whether the controller still lives: one that fell silent while nobody wanted anything of it would be missed by phones
first.

Decides how often it is asked, and what it must not say. Refuses to know what happens then.
"""

import asyncio
from typing import Final

from bumble import core, hci
from bumble.device import Device

from firmware.adapters.ble.advertising import ControllerLost

EVERY_S: Final = 20.0
ANSWER_S: Final = 2.0
"""Both together: the longest time for which a silent controller goes unnoticed."""

_HARDWARE_ERROR: Final = b"\x04\x10\x01"
"""The event, H4 framing (Core Vol 4 Part E 7.7.16): the controller has lost its memory, and with it every link."""


class Pulse:
    """Of one controller. `run` it as a task, show it each packet, and `end` it."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._why = ""
        self._woken = asyncio.Event()

    def saw(self, packet: bytes) -> None:
        """A packet came from the controller, H4 framing."""
        if packet[:3] == _HARDWARE_ERROR:
            self._why = f"it reports a hardware error {packet[3:4].hex()}"
            self._woken.set()

    def end(self) -> None:
        """Have `run` return."""
        self._woken.set()

    async def run(self) -> None:
        """Until `end`. Raises ControllerLost when the controller does not answer, or says that it has failed."""
        while not await self._woken_within(EVERY_S):
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._device.send_sync_command(hci.HCI_Read_Local_Version_Information_Command())
            except hci.HCI_Error:
                continue  # a refusal is an answer
            except (core.BaseBumbleError, TimeoutError):
                self._why = self._why or "it does not answer"
                break
        if self._why:
            raise ControllerLost(self._why)

    async def _woken_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._woken.wait()
        except TimeoutError:
            return False
