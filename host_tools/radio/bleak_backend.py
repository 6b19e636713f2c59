"""Unmodified bleak code over the virtual radio.

Decides: how the backends get into bleak, and out again.
Refuses to know: how they work (bleak_central, bleak_scanner, bleak_client).

    undo = install(central)                     # a Bumble device, or a function that gives one
    async with BleakClient("C0:5B:00:00:00:02") as client:
        ...
    undo()

Or without touching bleak, for one object: `BleakClient(device, backend=BleakClientVirtual)` inside `using(central)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bleak
from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.device import BLEDevice

from host_tools.radio.bleak_central import (
    LARGEST_MTU,
    SMALLEST_MTU,
    Provider,
    Source,
    current_source,
    open_central,
    push,
    using,
)
from host_tools.radio.bleak_client import BleakClientVirtual
from host_tools.radio.bleak_scanner import BleakScannerVirtual

__all__ = [
    "LARGEST_MTU",
    "SMALLEST_MTU",
    "BleakAdapterVirtual",
    "BleakClientVirtual",
    "BleakScannerVirtual",
    "Provider",
    "install",
    "using",
]


class BleakAdapterVirtual(BaseBleakAdapter):
    """The backend of `bleak.BleakAdapter`: the virtual central as an adapter."""

    def __init__(self) -> None:
        self._source = current_source()

    @classmethod
    async def get(cls, **_kwargs: Any) -> BleakAdapterVirtual:
        return cls()

    async def get_connected_devices(self, service_uuids: frozenset[str]) -> list[BLEDevice]:
        """The peers this central is connected to. All of them: services are not remembered."""
        device = (await open_central(self._source)).device
        peers = [connection.peer_address for connection in device.connections.values()]
        return [BLEDevice(peer.to_string(False), None, {"address": peer}) for peer in peers]


_BACKENDS: dict[str, type] = {
    "get_platform_client_backend_type": BleakClientVirtual,
    "get_platform_scanner_backend_type": BleakScannerVirtual,
    "get_platform_adapter_backend_type": BleakAdapterVirtual,
}


def install(provider: Provider, *, preferred_mtu: int = LARGEST_MTU) -> Callable[[], None]:
    """Every `BleakScanner()` and `BleakClient()` made from now on in this process uses `provider`.

    Args:
        provider: a powered-on Bumble device, or a function (plain or async) that gives one.
        preferred_mtu: the ATT MTU that clients ask for, 23 to 517. ValueError otherwise.

    Returns a function that undoes it. Installations may be nested; the last one counts.
    """
    forget = push(Source(provider, preferred_mtu))
    before = {name: getattr(bleak, name) for name in _BACKENDS}
    for name, backend in _BACKENDS.items():
        setattr(bleak, name, _returning(backend))

    def undo() -> None:
        forget()
        for name, original in before.items():
            setattr(bleak, name, original)

    return undo


def _returning(backend: type) -> Callable[[], tuple[type, str]]:
    return lambda: (backend, backend.__name__)
