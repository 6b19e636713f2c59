"""Which Bumble central bleak code uses, and what several bleak objects share on it.

Decides: which central (installed for the process, or for one task and its children), one scan for all scanners,
one connection attempt at a time, and that an attempt given up is taken back on the air.
Refuses to know: GATT, and what an advertisement says.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError
from bumble import core, hci
from bumble.device import Connection, Device

Provider = Device | Callable[[], Device | Awaitable[Device]]
"""A powered-on Bumble device, or a function (plain or async) that gives one on the running loop."""

SMALLEST_MTU = 23
LARGEST_MTU = 517
"""Largest useful ATT MTU: the longest attribute value (512 bytes) in one write, as phones and BlueZ ask for."""

_WITHDRAWALS = 50
_WITHDRAWAL_S = 0.1


class Source(msgspec.Struct, frozen=True):
    """Where bleak objects get their central, and the ATT MTU they ask for."""

    provider: Provider
    preferred_mtu: int = LARGEST_MTU

    def __post_init__(self) -> None:
        check_mtu(self.preferred_mtu)


_installed: list[Source] = []
_used: ContextVar[Source | None] = ContextVar("virtual_central", default=None)
_centrals: WeakKeyDictionary[Device, Central] = WeakKeyDictionary()


def check_mtu(mtu: int) -> None:
    """Raises ValueError outside of SMALLEST_MTU to LARGEST_MTU."""
    if not SMALLEST_MTU <= mtu <= LARGEST_MTU:
        raise ValueError(f"an ATT MTU of {mtu} is not possible here; choose {SMALLEST_MTU} to {LARGEST_MTU}")


def push(source: Source) -> Callable[[], None]:
    """Makes `source` the one of the process. Returns what undoes it."""
    _installed.append(source)

    def undo() -> None:
        with contextlib.suppress(ValueError):
            _installed.remove(source)

    return undo


@contextlib.contextmanager
def using(provider: Provider, *, preferred_mtu: int = LARGEST_MTU) -> Iterator[None]:
    """bleak objects made in this block (and in tasks started in it) use `provider`, whatever is installed.

    So that several phones can live in one process: each task makes its bleak objects inside its own `using`.
    """
    token = _used.set(Source(provider, preferred_mtu))
    try:
        yield
    finally:
        _used.reset(token)


def current_source() -> Source:
    """The source for a bleak object made now. BleakError if there is none."""
    source = _used.get() or (_installed[-1] if _installed else None)
    if source is None:
        raise BleakError("no virtual central: call host_tools.radio.bleak_backend.install(central) first")
    return source


async def open_central(source: Source) -> Central:
    """The central of `source`; BleakBluetoothNotAvailableError if it is switched off or its hub is gone."""
    found = source.provider if isinstance(source.provider, Device) else source.provider()
    device = await found if inspect.isawaitable(found) else found
    if not device.powered_on:
        raise BleakBluetoothNotAvailableError(
            "the virtual central is switched off or has lost its hub",
            BleakBluetoothNotAvailableReason.POWERED_OFF,
        )
    if device not in _centrals:
        _centrals[device] = Central(device)
    return _centrals[device]


def as_bleak_error(error: BaseException, doing: str) -> BleakError:
    """Bumble's exception in bleak's words."""
    return BleakError(f"{doing} failed: {str(error) or type(error).__name__}")


class Central:
    """What all scanners and clients on one Bumble device share."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._scanners: dict[Hashable, bool] = {}
        self._scanning: bool | None = None  # None: off, otherwise whether actively
        self._scan_lock = asyncio.Lock()
        self._connect_lock = asyncio.Lock()
        self._attempt: asyncio.Task[Connection] | None = None
        self._background: set[asyncio.Future[Any]] = set()

    def keep(self, task: asyncio.Future[Any]) -> None:
        """Holds a background task until it is done; its failure is nobody's concern any more."""
        self._background.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Future[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            task.exception()

    # Scanning

    async def start_scan(self, scanner: Hashable, *, active: bool) -> None:
        """Scanning goes on until every scanner has stopped; it is active as long as one wants that."""
        self._scanners[scanner] = active
        try:
            await self._update_scan()
        except BaseException:
            self._scanners.pop(scanner, None)
            self.keep(asyncio.ensure_future(self._follow_scanners()))  # or it would scan for nobody
            raise

    async def stop_scan(self, scanner: Hashable) -> None:
        """See `start_scan`. Does nothing for a scanner that has not started."""
        self._scanners.pop(scanner, None)
        await self._update_scan()

    async def _update_scan(self) -> None:
        """To its end, also when whoever asked is cancelled: a command half way leaves a radio that nobody knows."""
        if not self._scan_lock.locked() and self._wanted() == self._scanning:
            return
        update = asyncio.ensure_future(self._follow_scanners())
        self.keep(update)
        await asyncio.shield(update)

    def _wanted(self) -> bool | None:
        return any(self._scanners.values()) if self._scanners else None

    async def _follow_scanners(self) -> None:
        async with self._scan_lock:
            wanted = self._wanted()
            if wanted == self._scanning or not self.device.powered_on:
                return
            try:
                if self._scanning is not None:
                    self._scanning = None
                    await self.device.stop_scanning()
                if wanted is not None:
                    await self.device.start_scanning(active=wanted, filter_duplicates=False)
                    self._scanning = wanted
            except core.BaseBumbleError as error:
                raise as_bleak_error(error, "scanning") from error

    # Connecting

    async def connect(self, address: hci.Address) -> Connection:
        """A connection, as soon as the peer advertises. Cancel to give up. Raises BleakError."""
        attempt = asyncio.ensure_future(self._connect(address))
        self.keep(attempt)
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            if not attempt.cancelled():
                self.keep(asyncio.ensure_future(self._withdraw(attempt)))
                raise
            raise BleakError("the virtual central was switched off while connecting") from None
        except core.BaseBumbleError as error:
            raise as_bleak_error(error, f"connecting to {address.to_string(False)}") from error

    async def _connect(self, address: hci.Address) -> Connection:
        async with self._connect_lock:
            self._attempt = asyncio.current_task()
            try:
                return await self.device.connect(address, timeout=None)
            finally:
                self._attempt = None

    async def _withdraw(self, attempt: asyncio.Task[Connection]) -> None:
        if self._attempt is not attempt and not attempt.done():
            attempt.cancel()  # still waiting for its turn: nothing is on the air
            return
        for _ in range(_WITHDRAWALS):
            if attempt.done():
                break
            # Refused as long as the attempt has not reached the controller, hence again.
            with contextlib.suppress(core.BaseBumbleError):
                await self.device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
            await asyncio.wait({attempt}, timeout=_WITHDRAWAL_S)
        attempt.cancel()
        await asyncio.wait({attempt})
        if not attempt.cancelled() and attempt.exception() is None:
            with contextlib.suppress(core.BaseBumbleError):
                await attempt.result().disconnect()
