"""How much a phone's way to an unlocked door costs, as a ratio to a bare Bluetooth connection in the same run.

    python -m tests.bench.bench_unlock [--rounds 40] [--json]

Both on one virtual air and in virtual time, so what is measured is CPU time of all sides together: radio, host
stacks, phone and module. Bare: Bumble scans, connects, discovers what there is, writes once and disconnects, with a
Bumble peripheral of one characteristic. Ours: bleak code does the same with the module, the two authenticate each
other, and the doors unlock.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

from bumble.core import UUID
from bumble.device import Advertisement, Peer
from bumble.gatt import Characteristic, Service

from firmware.demo.rig import Rig
from host_tools.radio.devices import RadioDevice, virtual_device
from host_tools.virtual_time import VirtualTimeLoop
from protocol.errors import Role
from tests.bench.turns import medians, parser, ratios, show

BARE: Final = "Bumble: scan, connect, discover, write, disconnect"
OPEN: Final = "sharebox: scan to authenticated, disconnect"
UNLOCK: Final = "sharebox: scan to unlocked, disconnect"
LASTS_S: Final = 7 * 86_400
"""Longer than all rounds together in virtual time."""

ATT_MTU: Final = 517
BARE_UUID: Final = UUID("7a0b0001-5f3a-4d8e-9d7e-0c5a5e1f0002")


async def bare(central: RadioDevice, peripheral: RadioDevice) -> None:
    """What any Bluetooth application does before its first word is heard."""
    await peripheral.start_advertising()
    heard: asyncio.Future[Advertisement] = asyncio.get_running_loop().create_future()

    def on_advertisement(advertisement: Advertisement) -> None:
        if not heard.done() and advertisement.address == peripheral.random_address:
            heard.set_result(advertisement)

    central.on("advertisement", on_advertisement)
    await central.start_scanning()
    found = await heard
    await central.stop_scanning()
    central.remove_listener("advertisement", on_advertisement)
    connection = await central.connect(found.address)
    peer = Peer(connection)
    await peer.request_mtu(ATT_MTU)
    await peer.discover_services()
    for discovered in await peer.discover_characteristics():
        await peer.discover_descriptors(discovered)
    (characteristic,) = peer.get_characteristics_by_uuid(BARE_UUID)
    await characteristic.write_value(b"hello", with_response=True)
    await connection.disconnect()


async def measured(rounds: int) -> dict[str, float]:
    """Median CPU seconds of one go of each."""
    async with Rig(att_mtu=ATT_MTU) as rig:
        anna = rig.holder("Anna", Role.OWNER)
        _, file = rig.book(anna, lasts_s=LASTS_S)
        central, peripheral = await virtual_device(rig.air, "central"), await virtual_device(rig.air, "peripheral")
        written: Characteristic[bytes] = Characteristic(
            BARE_UUID, Characteristic.Properties.WRITE, Characteristic.WRITEABLE
        )
        peripheral.add_service(Service(BARE_UUID, [written]))

        async def authenticated() -> None:
            async with rig.phone(anna, file):
                pass

        async def unlocked() -> None:
            async with rig.phone(anna, file) as phone:
                done = await phone.unlock()
                assert not done.already

        async def locked() -> None:
            async with rig.phone(anna, file) as phone:
                await phone.lock()

        candidates: dict[str, Callable[[], Awaitable[None]]] = {
            BARE: lambda: bare(central, peripheral),
            OPEN: authenticated,
            UNLOCK: unlocked,
        }
        times: dict[str, list[float]] = {name: [] for name in candidates}
        for turn in range(rounds + 1):
            for name, go in candidates.items():
                began = time.process_time()
                await go()
                if turn:  # the first one warms up
                    times[name].append(time.process_time() - began)
            await locked()
        await central.power_off()
        await peripheral.power_off()
        return medians(times)


def main() -> int:
    """Exit code: 0."""
    options = parser(__doc__, 40).parse_args()
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        found = runner.run(measured(options.rounds))
    show("unlock, CPU time", ratios(found, BARE), "ms", as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
