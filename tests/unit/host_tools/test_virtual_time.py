"""The loop on virtual time: jumps, real file descriptors, threads, signals, deadlocks, shutdown."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncGenerator

import pytest

from host_tools.virtual_time import VirtualTimeLoop, run


def virtual_loop() -> VirtualTimeLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop


def test_time_starts_at_zero_and_a_year_passes_at_once() -> None:
    async def main() -> tuple[float, float]:
        start = asyncio.get_running_loop().time()
        await asyncio.sleep(365 * 86400.0)
        return start, asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run(main()) == (0.0, 31_536_000.0)
    assert time.monotonic() - began < 5.0


def test_a_timer_fires_at_exactly_its_own_instant_even_after_many_roundings() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        fired: list[float] = []
        instants = [0.1 * n for n in range(1, 200)] + [1e7 + 0.1 * n for n in range(20)]
        for instant in instants:
            loop.call_at(instant, lambda: fired.append(loop.time()))
        await asyncio.sleep(2e7)
        assert fired == instants

    run(main())


def test_timers_of_one_instant_fire_in_the_order_of_their_time_and_twice_the_same() -> None:
    async def main() -> list[str]:
        trace: list[str] = []

        async def worker(name: str, period: float) -> None:
            for _ in range(20):
                await asyncio.sleep(period)
                trace.append(f"{asyncio.get_running_loop().time():.3f} {name}")

        await asyncio.gather(worker("a", 0.3), worker("b", 0.2), worker("c", 0.5))
        return trace

    first = run(main())
    assert first == run(main())
    assert first == sorted(first, key=lambda line: float(line.split()[0]))


def test_nothing_scheduled_is_a_deadlock_that_names_who_waits_and_the_loop_still_closes() -> None:
    async def waits_for_nobody() -> None:
        await asyncio.Event().wait()

    closed: list[str] = []

    async def main() -> None:
        async def numbers() -> AsyncGenerator[int, None]:
            try:
                while True:
                    yield 1
            finally:
                closed.append("generator")

        generator = numbers()
        await anext(generator)
        task = asyncio.create_task(waits_for_nobody(), name="lonely")
        try:
            await task
        finally:
            closed.append("main")

    with pytest.raises(RuntimeError, match=r"deadlock: nothing is scheduled.*lonely.*waits_for_nobody"):
        run(main())
    assert sorted(closed) == ["generator", "main"]


def test_a_ready_socket_is_served_before_time_moves() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            far.send(b"x")
            async with asyncio.timeout(1.0):
                assert await loop.sock_recv(near, 1) == b"x"
        return loop.time()

    assert run(main()) == 0.0


def test_with_nothing_scheduled_a_foreign_file_descriptor_is_waited_for() -> None:
    async def main() -> bytes:
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            timer = threading.Timer(0.05, far.send, [b"late"])
            timer.start()
            data = await asyncio.get_running_loop().sock_recv(near, 4)
            timer.join()
        return data

    assert run(main()) == b"late"


def test_while_held_time_passes_as_on_the_wall_and_goes_on_from_there() -> None:
    async def main() -> None:
        loop = virtual_loop()
        await asyncio.sleep(100)
        began = time.monotonic()
        with loop.hold(), loop.hold():
            await asyncio.sleep(0.05)
        real = time.monotonic() - began
        assert real >= 0.05
        assert 100.05 <= loop.time() <= 100.0 + real
        at_release = loop.time()
        await asyncio.sleep(3600)
        assert loop.time() == at_release + 3600

    run(main())


def test_tcp_on_loopback_works_while_held() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async def main() -> bytes:
        with virtual_loop().hold():
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            async with asyncio.timeout(5):
                line = await reader.readline()
            writer.close()
            await writer.wait_closed()
            server.close()
            await server.wait_closed()
        return line

    assert run(main()) == b"hello\n"


def test_work_in_a_thread_takes_no_virtual_time() -> None:
    async def main() -> tuple[int, float]:
        def work() -> int:
            threading.Event().wait(0.05)
            return os.getpid()

        async with asyncio.timeout(0.001):
            pid = await asyncio.to_thread(work)
        return pid, asyncio.get_running_loop().time()

    assert run(main()) == (os.getpid(), 0.0)


def test_while_held_a_thread_can_be_waited_for_with_a_timeout() -> None:
    async def main() -> None:
        gate = threading.Event()
        with virtual_loop().hold():
            work = asyncio.get_running_loop().run_in_executor(None, gate.wait, 10.0)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(work), 0.02)
            gate.set()
            assert await work

    run(main())


def test_another_thread_can_wake_the_loop_while_it_is_held() -> None:
    async def main() -> None:
        loop = virtual_loop()
        event = asyncio.Event()
        with loop.hold():
            timer = threading.Timer(0.02, loop.call_soon_threadsafe, [event.set])
            timer.start()
            await event.wait()
            timer.join()

    run(main())


def test_endless_work_in_a_thread_is_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_tools.virtual_time.EXECUTOR_LIMIT_S", 0.05)
    gate = threading.Event()

    async def main() -> None:
        try:
            await asyncio.to_thread(gate.wait, 10.0)
        finally:
            gate.set()

    with pytest.raises(RuntimeError, match=r"deadlock: work in a thread.*hold\(\)"):
        run(main())


def test_an_interrupt_stops_a_busy_virtual_loop() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(10.0, os.kill, os.getpid(), signal.SIGINT)
        for _ in range(1_000_000):
            await asyncio.sleep(0.1)

    with pytest.raises(KeyboardInterrupt):
        run(main())


def test_a_signal_handler_is_served_though_the_loop_is_never_idle() -> None:
    async def main() -> float:
        loop = virtual_loop()
        served = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, served.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        for _ in range(1_000_000):
            await asyncio.sleep(0)
            if served.is_set():
                break
        loop.remove_signal_handler(signal.SIGUSR1)
        assert served.is_set()
        return loop.time()

    assert run(main()) == 0.0


def test_a_signal_handler_is_served() -> None:
    async def main() -> float:
        loop = virtual_loop()
        event = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, event.set)
        with loop.hold():
            timer = threading.Timer(0.02, os.kill, [os.getpid(), signal.SIGUSR1])
            timer.start()
            async with asyncio.timeout(5):
                await event.wait()
            timer.join()
        loop.remove_signal_handler(signal.SIGUSR1)
        return loop.time()

    assert run(main()) < 5.0


def test_time_stands_still_while_bytes_are_on_their_way() -> None:
    async def main() -> float:
        loop = virtual_loop()
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            received = 0
            timer = threading.Timer(0.05, far.send, [b"late"])
            with loop.awaiting(lambda: received == 0):
                timer.start()
                async with asyncio.timeout(1.0):
                    received = len(await loop.sock_recv(near, 4))
                assert loop.time() == 0.0
                await asyncio.sleep(5)
            timer.join()
        return loop.time()

    assert run(main()) == 5.0


def test_bytes_that_never_come_are_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_tools.virtual_time.EXECUTOR_LIMIT_S", 0.05)

    async def main() -> None:
        with virtual_loop().awaiting(lambda: True):
            await asyncio.sleep(1)

    with pytest.raises(RuntimeError, match=r"deadlock: what is on its way.*hold\(\)"):
        run(main())
