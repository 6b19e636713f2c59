"""The modules of one test: made when asked for, in one air, and taken down in order.

Decides what a module is like, from the options of a test. Refuses to know pytest.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from firmware.adapters.ble.tapped import Tap
from firmware.adapters.mqtt.broker import MqttBroker
from firmware.adapters.mqtt.settings import BrokerSettings
from firmware.bench.loopback import LoopbackBroker
from firmware.demo.rig import BEGINS_S, Rig
from firmware.inprocess.bench import InProcessBench
from firmware.inprocess.module import Module, NotHere
from firmware.inprocess.owner import Owner
from firmware.inprocess.timeline import Timeline
from firmware.ports import BrokerPort
from host_tools.bench.capture import Capture
from host_tools.bench.keylog import key_log
from host_tools.radio.air import VirtualAir
from protocol import gatt
from protocol.provisioning import Provisioning

MOST_MODULES: Final = 64
VIRTUAL: Final = "virtual"


class Options(msgspec.Struct, frozen=True):
    """How the modules of a test are made.

    `link`: where the module is; `bench`: the directory of one that is not in this process, `console` its serial line
    where the link has none. `capture`: where to keep what is on the air. `mtu`: what phones ask for. `broker`: host and
    port of a real one.
    """

    test: str = "test"
    link: str = VIRTUAL
    console: str = ""
    bench: Path = Path()
    capture: Path | None = None
    mtu: int = gatt.MAX_ATT_MTU
    begins_s: int = BEGINS_S
    broker: tuple[str, int] | None = None


class Garage:
    """Call it for one more module. Raises NotHere when there can be no other."""

    def __init__(self, options: Options, stack: AsyncExitStack) -> None:
        self._options = options
        self._stack = stack
        self._air = VirtualAir()
        # A loop on real time does not begin at 0, and all modules of a test share one world.
        self._zero_s = options.begins_s - int(asyncio.get_running_loop().time())
        self.modules: list[Module] = []

    async def __call__(self, name: str = "") -> Module:
        """Another car, on the air when this returns. `name` is for the report of a failing test."""
        name = name or ("car" if not self.modules else f"car {len(self.modules) + 1}")
        here = self._options.link == VIRTUAL
        if len(self.modules) >= (MOST_MODULES if here else 1):
            raise NotHere(
                f"{name} cannot be made: a test has at most {MOST_MODULES} modules in its own process, and one at any "
                "other link. Use --sharebox-link=virtual for this test."
            )
        module = await (self._in_process(name) if here else self._far(name))
        self.modules.append(module)
        return module

    def told(self) -> list[tuple[str, str]]:
        """Title and text for a report: what each module did."""
        return [(f"Sharebox {module.name}, module {module.id}", module.timeline.text()) for module in self.modules]

    # ------------------------------------------------------------ in this process
    async def _in_process(self, name: str) -> Module:
        timeline = Timeline()
        loopback = None if self._options.broker else LoopbackBroker()
        tap, secrets = self._captured(name, lambda: rig.clock.rtc().utc_ms * 1000)
        rig = Rig(
            name,
            broker=lambda provisioning: loopback or self._real_broker(provisioning),
            att_mtu=self._options.mtu,
            begins_s=self._zero_s,
            air=self._air,
            observer=lambda *step: timeline.observe(rig.clock.rtc().utc_ms, *step),
            tap=tap,
            key_log=secrets,
        )
        await self._stack.enter_async_context(rig)
        bench = InProcessBench(rig)
        self._stack.push_async_callback(bench.close)
        assert rig.rack.broker is not None
        return Module(bench, name, timeline, rig, Owner(rig.rack.broker, rig.provisioning.module_id, loopback))

    def _real_broker(self, provisioning: Provisioning) -> BrokerPort:
        assert self._options.broker is not None
        host, port = self._options.broker
        return MqttBroker(BrokerSettings(host=host, port=port), provisioning.module_id, entropy=os.urandom)

    def _captured(self, name: str, utc_us: Callable[[], int]) -> tuple[Tap | None, Callable[[str], None] | None]:
        folder = self._options.capture
        if folder is None:
            return None, None
        folder.mkdir(parents=True, exist_ok=True)
        stem = "".join(letter if letter.isalnum() else "_" for letter in f"{self._options.test} {name}")[-120:]
        path = folder / f"{stem}.pcapng"
        path.unlink(missing_ok=True)  # of the same test in an earlier run
        capture = self._stack.enter_context(Capture(path, utc_us))
        return capture.hci(name), key_log(folder / f"{stem}.keys")

    # ------------------------------------------------------------ at the end of a link
    async def _far(self, name: str) -> Module:
        from host_tools.backend.issuer import Issuer
        from host_tools.bench.bench import identity_of
        from host_tools.bench.links import parse_link
        from host_tools.bench.stands import Way, open_bench
        from host_tools.phone.keyring import read_key
        from protocol.provisioning import decode_provisioning

        folder = self._options.bench
        way = Way(
            link=parse_link(self._options.link),
            issuer=lambda: Issuer(read_key(folder / "issuer.pem"), os.urandom),
            identity=lambda: identity_of(decode_provisioning((folder / "provisioning.json").read_text("utf-8"))),
            console=self._console,
        )
        return Module(await self._stack.enter_async_context(open_bench(way)), name, Timeline())

    def _console(self) -> str:
        if not self._options.console:
            raise NotHere(
                f"the module at {self._options.link} has no console there. Name its line with --sharebox-console."
            )
        return self._options.console


@asynccontextmanager
async def opened(options: Options) -> AsyncIterator[Garage]:
    """The modules of one test, until it is over."""
    async with AsyncExitStack() as stack:
        yield Garage(options, stack)
