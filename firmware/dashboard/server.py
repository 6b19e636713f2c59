"""The dashboard as a program: the page's server on an ordinary event loop, the car's world on one whose time can be
moved, each in a thread of its own.

Decides how both start and stop, and how often the page gets a new picture. Refuses to know what is in it.
"""

import asyncio
import secrets
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

import uvicorn

from firmware.dashboard.acts import Act, ActRefused
from firmware.dashboard.feed import Feed, Line
from firmware.dashboard.site import Site

T = TypeVar("T")

LOOPBACK: Final = "127.0.0.1"
PICTURE_S: Final = 0.2
STOP_LIMIT_S: Final = 10.0
MOST_CONNECTIONS: Final = 64


class World(Protocol):
    """What is shown. Lives on its own loop, and only there."""

    async def perform(self, act: Act) -> tuple[str, ...]:
        """Carry out what a page asked for. Raises ActRefused."""

    def view(self) -> Mapping[str, object]:
        """The picture at this moment."""


MakeWorld = Callable[[Callable[[Line], None]], AbstractAsyncContextManager[World]]
"""Builds a world; what it is given takes lines for the log."""
NewLoop = Callable[[], asyncio.AbstractEventLoop]


class Unusable(Exception):
    """The dashboard cannot start: one line with what, why and what to do."""


class Backstage:
    """The world in its thread. `async with` on the server's loop; `ended` is done when the world ends by itself."""

    def __init__(self, make_world: MakeWorld, new_loop: NewLoop, feed: Feed) -> None:
        self._make_world = make_world
        self._new_loop = new_loop
        self._feed = feed
        self._front = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._front.create_future()
        self._ready: asyncio.Future[None] = self._front.create_future()
        self._thread = threading.Thread(target=self._run, name="world")
        self._world: World
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    async def __aenter__(self) -> Self:
        self._thread.start()
        await asyncio.wait({self._ready, self.ended}, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done():
            await asyncio.to_thread(self._thread.join, STOP_LIMIT_S)
            self.ended.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.ended.done():
            self._loop.call_soon_threadsafe(self._stop.set)
        await asyncio.to_thread(self._thread.join, STOP_LIMIT_S)

    # ------------------------------------------------------------ in the world's thread
    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._new_loop) as runner:
                runner.run(self._live())
        except BaseException as error:  # broad: whatever it was, the server's side has to hear of it
            self._tell_front(_fail, self.ended, error)
        else:
            self._tell_front(_finish, self.ended)

    async def _live(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._make_world(lambda line: self._tell_front(self._feed.say, line)) as world:
            self._world = world
            self._tell_front(_finish, self._ready)
            await self._stop.wait()

    def _tell_front(self, what: Callable[..., None], *args: object) -> None:
        if not self._front.is_closed():
            self._front.call_soon_threadsafe(what, *args)

    # ------------------------------------------------------------ on the server's loop
    async def _in_world(self, work: Callable[[], Awaitable[T]]) -> T:
        async def there() -> T:
            return await work()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(), self._loop))

    async def perform(self, act: Act) -> tuple[str, ...]:
        """As World."""
        if self.ended.done():
            raise ActRefused("the car's world has ended: look at the terminal")
        return await self._in_world(lambda: self._world.perform(act))

    async def picture(self) -> Mapping[str, object]:
        """As World.view."""

        async def look() -> Mapping[str, object]:
            return self._world.view()

        return await self._in_world(look)

    async def keep_showing(self) -> None:
        """New pictures for as long as somebody looks."""
        while True:
            await self._feed.someone.wait()
            self._feed.show(await self.picture())
            await asyncio.sleep(PICTURE_S)


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: "asyncio.Future[None]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


class _Server(uvicorn.Server):
    """Its signals are ours: the world has to be told as well."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening(port: int) -> socket.socket:
    """A socket of the loopback interface that takes connections: whoever hears the address may ask at once. Raises
    Unusable."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((LOOPBACK, port))
        taken.listen(MOST_CONNECTIONS)
    except OSError as error:
        taken.close()
        raise Unusable(f"port {port}: {error.strerror}; name another with --port, 0 takes a free one") from None
    return taken


async def serve(make_world: MakeWorld, new_loop: NewLoop, taken: socket.socket, at: Callable[[str], None]) -> None:
    """Serve until a signal, or until the world ends; closes `taken`. `at` hears the address, with the key that
    opens it. Raises what the world
    raised."""
    feed = Feed(secrets.token_hex(4))
    with taken:
        async with Backstage(make_world, new_loop, feed) as stage:
            await _show(stage, feed, taken, at)


async def _show(stage: Backstage, feed: Feed, taken: socket.socket, at: Callable[[str], None]) -> None:
    port = taken.getsockname()[1]
    feed.show(await stage.picture())
    key = secrets.token_urlsafe(24)
    site = Site(feed, stage.perform, port=port, key=key)
    server = _Server(
        uvicorn.Config(
            site.asgi,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
    )
    showing = asyncio.create_task(stage.keep_showing())
    serving = asyncio.create_task(server.serve(sockets=[taken]))
    stopped = asyncio.Event()
    waiting = asyncio.create_task(stopped.wait())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    # What stands behind # is not sent by browsers: the page reads it, and shows it with each request.
    at(f"http://{LOOPBACK}:{port}/#{key}")
    try:
        ends: tuple[asyncio.Future[Any], ...] = (showing, serving, waiting, stage.ended)
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        feed.close()
        server.should_exit = True
        waiting.cancel()
        showing.cancel()
        await asyncio.wait({serving, showing, waiting})
    if stage.ended.done():
        stage.ended.result()
    if not showing.cancelled():
        showing.result()
