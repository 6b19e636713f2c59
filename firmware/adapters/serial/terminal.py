"""A pseudo-terminal that the module makes itself, under a name that stays (BEN-1).

Decides that nobody at the other end costs nothing: no reading in circles, no output that piles up for the next one.
Refuses to know what is said on it.
"""

import asyncio
import contextlib
import fcntl
import os
import select
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Final

from firmware.adapters.serial.outbox import Outbox
from firmware.adapters.serial.watch import watch_opens
from firmware.adapters.serial.wire import LineUnavailable, Wire, WireUser

_EVENTS_BYTES: Final = 4096


class PseudoTerminal:
    """`Device`. Programs open `path`, a link to a terminal in raw mode; one after the other, or several at once."""

    def __init__(self, path: Path, *, watch: Callable[[str], int | None] = watch_opens) -> None:
        self.path = path
        self._watch_opens = watch
        self._lock = self._master = self._held = self._watch = -1
        self._slave_name = ""
        self._wire: Wire | None = None
        self._outbox: Outbox | None = None
        self._user: WireUser | None = None

    # ------------------------------------------------------------ getting and letting go
    def open(self) -> None:
        """As Device: the link is there afterwards."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._make()
        except BlockingIOError:
            self.close()
            raise LineUnavailable(
                f"the console {self.path} is taken: another module has it; give the line another `name`"
            ) from None
        except OSError as error:
            self.close()
            raise LineUnavailable(
                f"the console {self.path} cannot be made: {error.strerror}; check the directory, and `name`"
            ) from None

    def _make(self) -> None:
        self._master, slave = os.openpty()
        self._slave_name = os.ttyname(slave)
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        watch = self._watch_opens(self._slave_name)
        if watch is None:
            self._held = slave  # nobody tells who comes and goes: as if somebody were always there
        else:
            self._watch = watch
            os.close(slave)
        new = self.path.with_name(f".{self.path.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(self._slave_name)
        new.replace(self.path)

    def close(self) -> None:
        """As Device: the link is gone."""
        if self._slave_name:
            with contextlib.suppress(OSError):
                if self.path.readlink() == Path(self._slave_name):
                    self.path.unlink()
        for fd in (self._watch, self._held, self._master, self._lock):
            if fd >= 0:
                os.close(fd)
        self._lock = self._master = self._held = self._watch = -1
        self._slave_name = ""

    # ------------------------------------------------------------ at work
    async def run(self, outbox: Outbox, user: WireUser) -> None:
        """As Device."""
        loop = asyncio.get_running_loop()
        self._outbox, self._user = outbox, user
        if self._watch >= 0:
            loop.add_reader(self._watch, self._opened)
        try:
            self._look()
            await loop.create_future()
        finally:
            if self._watch >= 0:
                loop.remove_reader(self._watch)
            if self._wire is not None:
                self._wire.close()
                self._wire = None
            self._user = None

    def wake(self) -> None:
        """As Device."""
        if self._wire is not None:
            self._wire.wake()

    def _opened(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._watch, _EVENTS_BYTES)
        self._look()

    def _look(self) -> None:
        """Whether somebody has it open. Events may be old; this is not."""
        if self._wire is None and self._user is not None and self._outbox is not None and not self._is_alone():
            self._wire = Wire(self._master, self._outbox, self._user.heard, self._lost)
            self._user.attached()

    def _is_alone(self) -> bool:
        """Nobody has it open, and whoever had it has left nothing to read."""
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        return any(events & select.POLLHUP and not events & select.POLLIN for _, events in poll.poll(0))

    def _lost(self, _why: str) -> None:
        self._wire = None
        if self._user is not None:
            self._user.detached()
        self._forget_unread()
        self._look()

    def _forget_unread(self) -> None:
        """What the last program did not read is not for the next one."""
        with contextlib.suppress(OSError):
            slave = os.open(self._slave_name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                termios.tcflush(slave, termios.TCIFLUSH)
                tty.setraw(slave)
            finally:
                os.close(slave)
