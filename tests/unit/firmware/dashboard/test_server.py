"""The two threads: the page's server, and the world behind it."""

import asyncio
import contextlib
import json
import os
import re
import signal
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from firmware.dashboard import server
from firmware.dashboard.acts import Act, ActRefused, DeskAct
from firmware.dashboard.feed import Feed, Line
from firmware.pace import PacedLoop

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


class World:
    """Counts, on its own loop."""

    def __init__(self, say: Callable[[Line], None]) -> None:
        self.say = say
        self.ticks = 0
        self.threads: set[str] = set()

    async def perform(self, act: Act) -> tuple[str, ...]:
        self.threads.add(threading.current_thread().name)
        assert isinstance(asyncio.get_running_loop(), PacedLoop)
        if act == DeskAct("refuse"):
            raise ActRefused("this is why")
        if act == DeskAct("end"):
            os.kill(os.getpid(), signal.SIGTERM)
        self.say(Line("10:00:00", "bench", "did it"))
        return ("done",)

    def view(self) -> Mapping[str, object]:
        self.ticks += 1
        return {"time": self.ticks}


@contextlib.asynccontextmanager
async def world(say: Callable[[Line], None]) -> AsyncIterator[World]:
    yield World(say)


async def request(port: int, text: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.replace("\n", "\r\n").encode())
    return reader, writer


async def served(
    make: Callable[[Callable[[Line], None]], contextlib.AbstractAsyncContextManager[World]] = world,
) -> tuple["asyncio.Task[None]", int, str]:
    """A dashboard that serves, its port, and the headers of whoever opened the address that it told."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    taken = server.listening(0)
    serving = asyncio.create_task(server.serve(make, PacedLoop, taken, address.set_result))
    ends: tuple[asyncio.Future[Any], ...] = (serving, address)
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    told = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#([\w-]{32})", address.result())
    assert told is not None
    return serving, int(told[1]), f"Host: 127.0.0.1:{told[1]}\nX-Sharebox-Key: {told[2]}\n"


async def test_a_page_is_served_kept_up_to_date_and_heard_until_a_signal() -> None:
    serving, port, head = await served()
    events, hanging_up = await request(port, f"GET /events HTTP/1.1\n{head}\n")
    await events.readuntil(b"event: snapshot")
    await events.readuntil(b"event: change")

    body = json.dumps({"act": "desk", "line": "end"})
    more = f"Content-Length: {len(body)}\nConnection: close\n"
    answer, writer = await request(port, f"POST /act HTTP/1.1\n{head}{more}\n{body}")
    assert b'{"lines":["done"]}' in await answer.read()
    await events.readuntil(b"did it")
    await serving
    assert await events.read() is not None
    for each in (writer, hanging_up):
        each.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "world"]


async def test_a_refusal_crosses_the_threads() -> None:
    async with server.Backstage(world, PacedLoop, Feed("run")) as stage:
        with pytest.raises(ActRefused, match="this is why"):
            await stage.perform(DeskAct("refuse"))
        assert await stage.perform(DeskAct("why")) == ("done",)


async def test_a_world_that_does_not_begin_says_why() -> None:
    @contextlib.asynccontextmanager
    async def broken(say: Callable[[Line], None]) -> AsyncIterator[World]:
        raise OSError("no car")
        yield World(say)

    with pytest.raises(OSError, match="no car"):
        await served(broken)


async def test_a_world_that_fails_later_ends_the_server_with_it() -> None:
    class Broken(World):
        def view(self) -> Mapping[str, object]:
            if self.ticks:
                raise ZeroDivisionError("the picture")
            return super().view()

    @contextlib.asynccontextmanager
    async def breaking(say: Callable[[Line], None]) -> AsyncIterator[World]:
        yield Broken(say)

    serving, port, head = await served(breaking)
    reader, writer = await request(port, f"GET /events HTTP/1.1\n{head}\n")
    with pytest.raises(ZeroDivisionError, match="the picture"):
        await serving
    await reader.read()
    writer.close()


async def test_a_port_that_is_taken_is_one_line() -> None:
    taken_already = pytest.raises(server.Unusable, match=r"Address already in use; name another with --port")
    with server.listening(0) as taken, taken_already:
        server.listening(taken.getsockname()[1])


async def test_whoever_hears_the_address_may_ask_at_once() -> None:
    with server.listening(0) as taken:
        _, writer = await asyncio.open_connection(*taken.getsockname())
        assert writer.get_extra_info("peername") == taken.getsockname()
        writer.close()
