"""A broker's connection that lives in real time, beside a module whose time is moved, raced or frozen.

A broker is another program: keep-alive, answers and back-off are between it and the computer's clock. So the connection
gets a thread and an event loop of its own. What the module's loop waits for takes it no moved or raced time.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Final

from firmware.ports import Arrived, BrokerPort, BrokerUnavailable, Publication

SEVERED_WITHIN_S: Final = 2.0


class AsideBroker:
    """A `BrokerPort`. `make` is called in the thread; `held`: what takes no moved time happens inside of it."""

    def __init__(self, make: Callable[[], BrokerPort], held: Callable[[], AbstractContextManager[None]]) -> None:
        self._make = make
        self._held = held
        self._broker: BrokerPort | None = None
        self._aside: asyncio.AbstractEventLoop | None = None

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        """As BrokerPort. What is received counts as taken when the thread has passed it on."""
        here = asyncio.get_running_loop()
        aside = asyncio.SelectorEventLoop()
        threading.Thread(target=_serve, args=(aside,), name="broker", daemon=True).start()

        connecting = ExitStack()
        connecting.enter_context(self._held())

        def tell(callback: Callable[[], None]) -> Callable[[], None]:
            def told() -> None:
                connecting.close()
                callback()

            return lambda: _soon(here, told)

        async def work() -> None:
            self._broker = self._make()
            await self._broker.run(tell(connected), tell(lost), lambda *what: _soon(here, lambda: received(*what)))

        try:
            self._aside = aside
            await _elsewhere(work(), aside)
        finally:
            connecting.close()
            self._aside = self._broker = None
            # Not waited for: an attempt to connect may sit in the thread for as long as the network likes.
            aside.call_soon_threadsafe(aside.stop)

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        """As BrokerPort."""
        here = asyncio.get_running_loop()
        acknowledged: asyncio.Future[None] = here.create_future()
        if self._aside is None:
            acknowledged.set_exception(BrokerUnavailable("there is no connection"))
            return acknowledged
        waiting = ExitStack()
        waiting.enter_context(self._held())
        acknowledged.add_done_callback(lambda _: waiting.close())

        def settle(error: BaseException | None) -> None:
            if acknowledged.done():
                return
            if error is None:
                acknowledged.set_result(None)
            else:
                acknowledged.set_exception(error)

        def ended(future: "asyncio.Future[None]") -> None:
            error = BrokerUnavailable("given up") if future.cancelled() else future.exception()
            _soon(here, lambda: settle(error))

        def hand_over() -> None:
            if self._broker is None:
                _soon(here, lambda: settle(BrokerUnavailable("there is no connection")))
            else:
                self._broker.publish(publication).add_done_callback(ended)

        self._aside.call_soon_threadsafe(hand_over)
        return acknowledged

    def sever(self, why: str, *, last: bool = False) -> None:
        """As BrokerPort: returns when it is done, for nothing may leave afterwards (PRV-1)."""
        aside, done = self._aside, threading.Event()
        if aside is None:
            return

        def cut() -> None:
            if self._broker is not None:
                self._broker.sever(why, last=last)
            done.set()

        aside.call_soon_threadsafe(cut)
        done.wait(SEVERED_WITHIN_S)


def _serve(aside: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(aside)
    try:
        aside.run_forever()
        aside.run_until_complete(aside.shutdown_default_executor())
    finally:
        aside.close()


async def _elsewhere(work: Coroutine[None, None, None], aside: asyncio.AbstractEventLoop) -> None:
    """Run it there; when this is cancelled, cancel that and wait for its end."""
    here = asyncio.get_running_loop()
    ended: asyncio.Future[None] = here.create_future()
    tasks: list[asyncio.Task[None]] = []

    def settle(task: asyncio.Task[None]) -> None:
        if ended.cancelled():
            return
        error = None if task.cancelled() else task.exception()
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def begin() -> None:
        tasks.append(aside.create_task(work))
        tasks[0].add_done_callback(lambda task: _soon(here, lambda: settle(task)))

    def give_up() -> None:
        tasks[0].cancel()

    aside.call_soon_threadsafe(begin)
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        aside.call_soon_threadsafe(give_up)
        await ended
        raise


def _soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    """Call it there; a loop that is closed hears nothing any more."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
