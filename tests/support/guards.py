"""The limits around a test: time, tasks, network. Knows nothing of pytest's hooks."""

import asyncio
import ipaddress
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

TEST_LIMIT_S = 120
"""Far above the slowest test; reached only by one that hangs."""

GUEST_TEST_LIMIT_S = 3600
"""The same in the guest, whose clock jumps: half an hour until a cutoff takes no time there."""

TASK_GRACE_S = 1.0
"""Time, mostly virtual, in which tasks that are already ending may end."""

_NO_NETWORK = {socket.AF_UNIX, getattr(socket, "AF_CAN", None)}
"""What has no hosts: the CAN interfaces of the tests are virtual ones."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Fail what runs inside for longer than `seconds` of real time; 0 sets no limit."""

    def expired(_signal: int, _frame: FrameType | None) -> None:
        pytest.fail(f"still running after {seconds} s")

    previous = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


async def unfinished_tasks() -> list[str]:
    """Names of the loop's other tasks that do not end within `TASK_GRACE_S`."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if not others:
        return []
    _done, pending = await asyncio.wait(others, timeout=TASK_GRACE_S)
    return sorted(f"{task.get_name()} ({_where(task)})" for task in pending)


def _where(task: "asyncio.Task[object]") -> str:
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", repr(coroutine))


class LoopbackOnly:
    """An audit hook: an address that is not on this machine's loopback is refused and remembered.

    An audit hook cannot be removed or patched away, and sees every use of the `socket` module.
    """

    def __init__(self) -> None:
        self._refused: list[str] = []

    def install(self) -> None:
        """For the life of the process."""
        sys.addaudithook(self.audit)

    def take_refused(self) -> list[str]:
        """What was refused since the last call."""
        refused, self._refused = self._refused, []
        return refused

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        """The hook itself. Raises pytest's Failed, which no `except Exception` swallows."""
        if event in ("socket.connect", "socket.bind", "socket.sendto"):
            opened, address = arguments
            if isinstance(opened, socket.socket):
                self._check(event, opened.family, address)
        elif event == "socket.getaddrinfo":
            self._check(event, socket.AF_INET, arguments[:2])

    def _check(self, event: str, family: int, address: object) -> None:
        if family not in _NO_NETWORK and not _on_loopback(address):
            what = f"{event} {address!r}"
            self._refused.append(what)
            pytest.fail(f"traffic outside loopback: {what}")


def _on_loopback(address: object) -> bool:
    host = address[0] if isinstance(address, tuple) and address else address
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or host == "localhost":
        return True
    try:
        return isinstance(host, str) and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
