"""The computer's pins as a part of the car.

Decides what confirms an action. Where a wire tells of what was moved, it must say so in time. Where none does, the
pulse itself is all that can be known: given in full, it confirms the action, and the sample goes on saying that nobody
knows, because the vehicle key may have moved it since. The immobiliser's relay is nobody else's: its own line says how
it stands.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from firmware.adapters.gpio.inputs import LOOK_EVERY_S, Inputs
from firmware.adapters.gpio.lines import RequestLines, output, reason
from firmware.adapters.gpio.relays import Relays
from firmware.adapters.gpio.settings import Wiring
from firmware.core.events import Action, VehicleSampled
from firmware.ports import PartLost, VehicleFact

CONFIRMED_WITHIN_S: Final = 1.8
"""From the order on; the port allows 2 s."""

_TELLS: Final = {
    Action.UNLOCK: ("locked", False),
    Action.LOCK: ("locked", True),
    Action.OPEN_BOOT: ("boot_open", True),
    Action.RELEASE_IMMOBILISER: ("immobilised", False),
    Action.ARM_IMMOBILISER: ("immobilised", True),
}
"""The field, and what it says after the action."""
_OF_IMMOBILISER: Final = frozenset({Action.RELEASE_IMMOBILISER, Action.ARM_IMMOBILISER})


class Pins:
    """`VehiclePart`. `request`: the chip's lines. `mono_ms`: the module's monotonic clock."""

    def __init__(self, wiring: Wiring, request: RequestLines, mono_ms: Callable[[], int]) -> None:
        self._wiring = wiring
        self._request = request
        self._mono_ms = mono_ms
        self._relays: Relays | None = None
        self._inputs: Inputs | None = None
        self._is_open = False
        self._broken: asyncio.Future[str] | None = None
        has_immobiliser = wiring.immobiliser is not None
        self.gives = frozenset({*wiring.inputs, *(["immobilised"] if has_immobiliser else [])})
        self.actions = frozenset({*wiring.pulses, *(_OF_IMMOBILISER if has_immobiliser else ())})

    def open(self) -> None:
        """Take the lines, and with that the safe posture: no relay is energised. Twice is no error. Raises PartLost."""
        if self._is_open:
            return
        wiring = self._wiring
        relays = [*wiring.pulses.values(), *([wiring.immobiliser] if wiring.immobiliser else [])]
        try:
            if relays:
                request = self._request({relay.line: output(relay) for relay in relays})
                self._relays = Relays(request, wiring.pulses, wiring.immobiliser)
            if wiring.inputs:
                self._inputs = Inputs(self._request, wiring.inputs, self._mono_ms)
        except (OSError, ValueError) as error:
            self.close()
            raise PartLost(f"{wiring.chip}: {reason(error)}") from None
        self._is_open = True

    def close(self) -> None:
        """No relay is energised, and the lines are given back. Twice is no error."""
        relays, self._relays = self._relays, None
        inputs, self._inputs = self._inputs, None
        self._is_open = False
        if relays is not None:
            relays.close()
        if inputs is not None:
            inputs.close()

    async def run(self, told: Callable[[VehicleFact], None], changed: Callable[[], None]) -> None:
        """As VehiclePart."""
        self.open()
        broken = self._broken = asyncio.get_running_loop().create_future()
        watching = asyncio.create_task(self._watch(changed))
        try:
            await asyncio.wait({watching, broken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._broken = None
            watching.cancel()
            await asyncio.wait({watching})
            self.close()
        raise PartLost(f"{self._wiring.chip}: {broken.result() if broken.done() else watching.result()}")

    async def _watch(self, changed: Callable[[], None]) -> str:
        """Until the inputs are lost; why they are."""
        nobody_tells: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        return await (nobody_tells if self._inputs is None else self._inputs.watch(changed))

    def look(self) -> VehicleSampled:
        """As VehiclePart."""
        known: dict[str, bool | None] = {}
        if self._inputs is not None:
            try:
                known = self._inputs.look()
            except OSError as error:
                self._fail(reason(error))
        has_own = self._wiring.immobiliser is not None and "immobilised" not in self._wiring.inputs
        if self._relays is not None and has_own:
            enabled = self._relays.enabled()
            known["immobilised"] = None if enabled is None else not enabled
        return VehicleSampled(**known)  # type: ignore[arg-type]  # fields that a wire can tell are flags

    async def actuate(self, action: Action) -> bool:
        """As VehiclePart."""
        until_s = asyncio.get_running_loop().time() + CONFIRMED_WITHIN_S
        try:
            self.open()
        except PartLost:
            return False
        relays = self._relays
        assert relays is not None, "whoever has no relay has no actions"
        if action in _OF_IMMOBILISER:
            given = relays.enable(action is Action.RELEASE_IMMOBILISER)
        else:
            given = await relays.pulse(action)
        if relays.given_back:
            self._fail("a relay could not be moved")
        return given and await self._confirmed(action, until_s)

    async def _confirmed(self, action: Action, until_s: float) -> bool:
        field, wanted = _TELLS.get(action, ("", None))
        if field not in self._wiring.inputs:
            return True
        while getattr(self.look(), field) is not wanted:
            if asyncio.get_running_loop().time() >= until_s:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
        return True

    def _fail(self, why: str) -> None:
        if self._broken is not None and not self._broken.done():
            self._broken.set_result(why)
