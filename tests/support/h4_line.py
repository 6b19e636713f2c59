"""A pseudo-terminal that is a Bluetooth controller: what a program writes to it goes to the virtual radio, and back.

For Bluetooth stacks that take a controller on a serial line only, such as noble.
"""

import asyncio
import contextlib
import os
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 4096


@asynccontextmanager
async def h4_line(port: int) -> AsyncIterator[Path]:
    """The path of a pseudo-terminal that is joined to the hub at `port` of this machine until the end."""
    near, far = os.openpty()
    tty.setraw(far)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    os.set_blocking(near, False)
    upwards = asyncio.create_task(_upwards(near, writer))
    downwards = asyncio.create_task(_downwards(reader, near))
    try:
        yield Path(os.ttyname(far))
    finally:
        for task in (upwards, downwards):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        os.close(near)
        os.close(far)  # it was held open, so that the line outlives the program that uses it


async def _upwards(near: int, writer: asyncio.StreamWriter) -> None:
    while True:
        await _ready(near, reading=True)
        writer.write(os.read(near, CHUNK_BYTES))
        await writer.drain()


async def _downwards(reader: asyncio.StreamReader, near: int) -> None:
    while data := await reader.read(CHUNK_BYTES):
        while data:
            await _ready(near, reading=False)
            data = data[os.write(near, data) :]


async def _ready(near: int, *, reading: bool) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    watch, forget = (loop.add_reader, loop.remove_reader) if reading else (loop.add_writer, loop.remove_writer)
    watch(near, ready.set)
    try:
        await ready.wait()
    finally:
        forget(near)
