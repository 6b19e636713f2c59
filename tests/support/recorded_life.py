"""A module's life that holds everything once, recorded: `python -m tests.support.recorded_life` renews the vector.

A booking from the first unlock to the cutoff, a network that fails, an order from afar, a disk that hangs, a reboot in
motion, a power cut in the middle of a write. The car says nothing while nothing happens, so that the file stays small.
The keys in it come from the rig's seed and are worth nothing.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from firmware.bench.disk import DiskFault
from firmware.core.events import Action
from firmware.demo.rig import Rig
from firmware.ports import Arrived, Publication
from firmware.simulated.vehicle import ActuatorFault
from host_tools.phone.errors import LinkClosed, Refused
from host_tools.virtual_time import VirtualTimeLoop
from protocol import telemetry
from protocol.errors import Code
from protocol.messages import Phase
from protocol.orders import OrderKind
from protocol.telemetry import Channel

VECTOR: Final = Path(__file__).resolve().parents[1] / "vectors" / "recording-v1.jsonl"
LASTS_S: Final = 600


class Uplink:
    """A broker that takes everything, a moment later."""

    def __init__(self) -> None:
        self.deliver: Arrived
        self.taken: list[Publication] = []

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        self.deliver = received
        connected()
        await asyncio.Event().wait()

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.taken.append(publication)
        asyncio.get_running_loop().call_later(0.05, _acknowledge, acknowledged)
        return acknowledged

    def sever(self, why: str, *, last: bool = False) -> None:
        """Nothing is ever under way for long."""


def _acknowledge(publication: "asyncio.Future[None]") -> None:
    if not publication.done():
        publication.set_result(None)


def _phase(rig: Rig) -> Phase:
    return rig.pump.state.durable.trip.phase


async def live(path: Path | None, seed: str = "a recorded life") -> Rig:
    """The whole life, recorded into `path`. Returns the rig, without power."""
    uplink = Uplink()
    async with Rig(seed, broker=lambda _: uplink, record=path) as rig:
        assert rig.rack.broker is not None
        anna = rig.holder("Anna")
        booking, file = rig.book(anna, lasts_s=LASTS_S)
        async with rig.phone(anna, file) as phone:
            await phone.unlock()
            rig.vehicle.break_actuator(Action.LOCK, ActuatorFault.DEAD)
            with suppress(Refused):
                await phone.lock()
            rig.vehicle.repair_actuators()
            await phone.enable_drive()
            rig.vehicle.turn_ignition(True)
            rig.vehicle.drive()
            await asyncio.sleep(4)
        rig.rack.broker.switch(False)
        rig.vehicle.silence_bus()
        await rig.until(rig.begins_s + LASTS_S + 60)
        # A reboot in motion: the car drives on, and the module knows nothing of the network.
        rig.vehicle.silence_bus(False)
        await rig.shut_down()
        await asyncio.sleep(1)
        await rig.boot()
        assert _phase(rig) is Phase.OVERDUE
        await asyncio.sleep(2)
        rig.vehicle.silence_bus()
        await rig.until(rig.begins_s + LASTS_S + 1_801)
        rig.vehicle.silence_bus(False)
        rig.vehicle.park()
        async with rig.phone(anna, file) as phone:
            while _phase(rig) is not Phase.CUT_OFF:
                await asyncio.sleep(0.5)
        rig.rack.broker.switch(True)
        await asyncio.sleep(2)
        order = rig.issuer.remote_order(OrderKind.FLASH, module_id=rig.provisioning.module_id, now_s=rig.now_s)
        uplink.deliver(telemetry.topic(rig.provisioning.module_id, Channel.ORDER), order, b"ask")
        await asyncio.sleep(2)
        await _next_driver(rig)
        await rig.rack.power_on(rtc_offset_s=None)
        await asyncio.sleep(2)
        assert booking.booking_id in [dead.booking_id for dead in rig.pump.state.durable.dead]
    return rig


async def _next_driver(rig: Rig) -> None:
    """The disk hangs: what must be durable is refused; and in the middle of it the power is cut."""
    ben = rig.holder("Ben")
    file = rig.book(ben, lasts_s=LASTS_S)[1]
    async with rig.phone(ben, file) as phone:
        await phone.unlock()
        rig.rack.store.suffer(DiskFault.HANGING)
        with suppress(Refused):
            await phone.enable_drive()
        rig.rack.store.suffer(None)
        await asyncio.sleep(1)
        command = phone.new_command_id()
        asking = asyncio.create_task(phone.lock(command))
        await asyncio.sleep(0.1)
        rig.rack.store.suffer(DiskFault.FULL)
        with suppress(Refused):
            await asking
        rig.rack.store.suffer(None)
        await asyncio.sleep(11)
        assert (await phone.outcome(command)).code is Code.OK
        rig.rack.store.suffer(DiskFault.HANGING)
        asked = asyncio.create_task(phone.unlock())
        await asyncio.sleep(0.1)
        await rig.rack.power_off(cut=True)
        rig.rack.store.suffer(None)
        with suppress(LinkClosed):
            await asked


def record(path: Path) -> None:
    """Live it on a loop of virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(live(path))


if __name__ == "__main__":
    VECTOR.unlink(missing_ok=True)
    record(VECTOR)
    VECTOR.chmod(0o644)
