"""The computer's watchdog (/dev/watchdog): it resets the computer when nobody feeds it.

Decides that it is fed only by a module that does its work: each time it is asked for a step, and takes one. Whoever
stops in good order puts it to rest first; a process that is killed, or that hangs, leaves it armed.
The device: "The Linux Watchdog driver API" of the kernel's documentation.
"""

import asyncio
import fcntl
import os
import struct
from collections.abc import Callable
from typing import Final

import structlog

from protocol.errors import one_line

SET_TIMEOUT: Final = 0xC0045706
"""WDIOC_SETTIMEOUT: seconds in, seconds out."""
FEED: Final = b"\0"
REST: Final = b"V"
"""The magic close."""
MEALS: Final = 4
"""In one timeout: a late one does not kill."""
BOOTS_WITHIN_S: Final = 60.0
"""Before the first step there is nothing that could be asked for."""

log = structlog.get_logger("sharebox")


class WatchdogUnavailable(Exception):
    """It can not be had: one line with what, why and what to do."""


def set_timeout(fd: int, seconds: int) -> int:
    """Ask for so many seconds; returns how many it will be. Raises OSError."""
    answer = fcntl.ioctl(fd, SET_TIMEOUT, struct.pack("i", seconds))
    return int(struct.unpack("i", answer)[0])


class Watchdog:
    """`ask`: posts something to the module that makes it take a step, which `beat` then tells of."""

    def __init__(
        self, path: str, seconds: int, ask: Callable[[], None], *, set_up: Callable[[int, int], int] = set_timeout
    ) -> None:
        self._path = path
        self._seconds = seconds
        self._ask = ask
        self._set_up = set_up
        self._fd: int | None = None
        self._beaten = False
        self._booting = True

    def open(self) -> None:
        """From now on it has to be fed. Raises WatchdogUnavailable."""
        try:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
            granted = self._set_up(self._fd, self._seconds)
        except OSError as error:
            self.rest()
            why = one_line(error.strerror or str(error))
            raise WatchdogUnavailable(
                f"{self._path}: {why}; name a watchdog that nobody else feeds (RuntimeWatchdogSec of systemd)"
            ) from None
        if granted != self._seconds:
            log.warning("the watchdog has a timeout of its own", seconds=granted)
        self._seconds = max(1, granted)
        log.info("watchdog", device=self._path, seconds=self._seconds)

    def beat(self) -> None:
        """The module has taken a step."""
        self._beaten = True
        self._booting = False

    async def run(self) -> None:
        """Feed it until cancelled, as long as the module works. Time is that of the event loop: where it hangs, nobody
        feeds."""
        loop, said = asyncio.get_running_loop(), False
        booted_by_s = loop.time() + BOOTS_WITHIN_S
        while True:
            if self._beaten or (self._booting and loop.time() < booted_by_s):
                self._feed()
                said = False
            elif not said:
                said = True
                log.error("the module does not work: its watchdog is not fed", seconds=self._seconds)
            self._beaten = False
            self._ask()
            await asyncio.sleep(self._seconds / MEALS)

    def _feed(self) -> None:
        if self._fd is not None:
            try:
                os.write(self._fd, FEED)
            except OSError as error:
                log.warning("the watchdog can not be fed", why=error.strerror)

    def rest(self) -> None:
        """Put it to rest. Twice is no error."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            os.write(fd, REST)
        except OSError as error:
            log.warning("the watchdog can not be put to rest", why=error.strerror)
        os.close(fd)
