"""RootCanal, the virtual Bluetooth controllers of the Android project, as a process: a foreign controller.

Each host that connects to its port gets a controller of its own; all of them hear each other. It listens on every
address of the machine, and can not be told otherwise.
"""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.support.needs import PACKAGES
from tests.support.programs import free_port

UP_S: Final = 30.0
KEPT_LINES: Final = 1000
_READY: Final = b"initialize: Finished"


class RootCanal:
    """`async with rootcanal() as air:`. `port`: where hosts get their controllers; `said`: what it has logged last."""

    def __init__(self) -> None:
        self.port = free_port()
        self.said: deque[str] = deque(maxlen=KEPT_LINES)
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """On the same port as before; returns when it takes connections."""
        assert self._process is None
        ports = {name: free_port() for name in ("test_port", "link_port", "link_ble_port")}
        self._process = await asyncio.create_subprocess_exec(
            PACKAGES["rootcanal"] / "rootcanal",
            *(f"-{name}={port}" for name, port in {"hci_port": self.port, **ports}.items()),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
        )
        ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read(self._process, ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({waiting, self._reading}, timeout=UP_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert ready.is_set(), "RootCanal does not start"

    async def kill(self) -> None:
        """Every controller is gone, without a word. One that is not there is no error."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.wait()
        if self._reading is not None:
            await self._reading

    async def _read(self, process: Process, ready: asyncio.Event) -> None:
        """It says a lot, and stands still when nobody reads it."""
        assert process.stdout is not None
        async for line in process.stdout:
            self.said.append(line.decode(errors="replace").rstrip())
            if _READY in line:
                ready.set()


@asynccontextmanager
async def rootcanal() -> AsyncIterator[RootCanal]:
    """One that runs, and is gone afterwards."""
    air = RootCanal()
    try:
        await air.start()
        yield air
    finally:
        await air.kill()
