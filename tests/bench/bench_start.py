"""How long the module takes to start, as ratios to importing `bumble.device` alone in the same run.

    python -m tests.bench.bench_start [--rounds 15] [--json]

Each go is a fresh process and real time. The boot is `sharebox run` with its radio in this process: from the start of
the program until its first advertisement is heard on the virtual air.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from host_tools.radio.air import Frame, VirtualAir
from host_tools.radio.devices import virtual_central
from host_tools.radio.hub import Hub
from tests.bench.turns import medians, parser, ratios, show

ROOT: Final = Path(__file__).resolve().parents[2]
BUMBLE: Final = "import bumble.device"
BOOT: Final = "sharebox run, to the first advertisement"
IMPORTS: Final = {
    "Python alone": "pass",
    BUMBLE: BUMBLE,
    "import protocol.tokens": "import protocol.tokens",
    "import firmware.core.module": "import firmware.core.module",
    "import firmware.app": "import firmware.app",
    "import host_tools.phone.client": "import host_tools.phone.client",
}
PATIENCE_S: Final = 60.0


async def process(*arguments: str) -> asyncio.subprocess.Process:
    """A fresh Python; what it logs is not wanted."""
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


async def imported(statement: str) -> float:
    """Seconds of a process that runs one statement."""
    began = time.perf_counter()
    code = await (await process("-c", statement)).wait()
    if code:
        sys.exit(f"`{statement}` failed with exit code {code}: run it by hand to see why")
    return time.perf_counter() - began


class Ear:
    """Waits for the first advertisement on an air."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    def on_frame(self, frame: Frame) -> None:
        """To be told every frame."""
        if frame.kind == "advertisement":
            self.heard.set()


def configured(folder: str, hub: Hub) -> Path:
    """The file of a module whose radio is behind `hub`."""
    config = Path(folder, "module.toml")
    ble = f'[ble]\ntransport = "tcp-client:{hub.host}:{hub.port}"\n'
    config.write_text(f'[module]\nprovisioning = "provisioning.json"\n{ble}')
    return config


async def booted(config: Path, ear: Ear, hub: Hub) -> float:
    """Seconds until a fresh module is heard. It is stopped in good order, so that the next go finds its state."""
    assert not hub.connections, "the last module is still on the air"
    ear.heard.clear()
    began = time.perf_counter()
    module = await process("-m", "firmware", "run", "--config", str(config))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ear.heard.wait()
        return time.perf_counter() - began
    finally:
        module.terminate()
        await module.wait()


async def measured(rounds: int) -> dict[str, float]:
    """Median seconds of one go of each."""
    ear = Ear()
    air = VirtualAir(on_frame=ear.on_frame)
    with TemporaryDirectory() as folder:
        await (await process("-m", "host_tools.cli", "module", "init", folder)).wait()
        async with Hub(air, port=0) as hub:
            config = configured(folder, hub)
            central = await virtual_central(air)
            await central.start_scanning()
            times: dict[str, list[float]] = {name: [] for name in (*IMPORTS, BOOT)}
            for turn in range(rounds + 1):
                found = {name: await imported(statement) for name, statement in IMPORTS.items()}
                found[BOOT] = await booted(config, ear, hub)
                for name, seconds in found.items():
                    if turn:  # the first one warms the disk's cache
                        times[name].append(seconds)
            await central.power_off()
    return medians(times)


def main() -> int:
    """Exit code: 0."""
    options = parser(__doc__, 15).parse_args()
    found = asyncio.run(measured(options.rounds))
    show("start, fresh processes", ratios(found, BUMBLE), "ms", as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
