"""Opening a Bluetooth controller by its moniker.

Decides: how the ways of failing to open one become `RadioUnavailable` with a line that helps.
Refuses to know: what is sent through it.

Monikers are Bumble's: `usb:0`, `hci-socket:0`, `serial:/dev/ttyS1,1000000`, `tcp-client:host:port`,
`tcp-server:host:port`, `pty:`, `unix-client:path`, ...
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

from firmware.ports import RadioUnavailable

OPEN_S: Final = 10.0
"""Longest time to open a transport."""

ATTACH_S: Final = 60.0
"""Longest wait for a controller to connect to a `tcp-server:`."""

log = logging.getLogger(__name__)


class PacketSink(Protocol):
    """Takes HCI packets, H4 framing, one whole packet a call."""

    def on_packet(self, packet: bytes) -> None:
        """Take one packet."""


class PacketSource(Protocol):
    """Gives HCI packets. `terminated` is done when there will be no more."""

    terminated: asyncio.Future[None]

    def set_packet_sink(self, sink: PacketSink) -> None:
        """Where packets go from now on. A sink's `on_transport_lost()`, if any, is called at the end."""


OpenController = Callable[[], AbstractAsyncContextManager[tuple[PacketSource, PacketSink]]]
"""Opens a controller; leaving the context releases it. Raises RadioUnavailable on entering."""

_KNOWN: Final = (
    "usb", "hci-socket", "serial", "pty", "tcp-client", "tcp-server", "unix", "unix-client", "unix-server",
    "ws-client", "ws-server", "udp", "file", "vhci", "pyusb", "android-netsim", "android-emulator",
)  # fmt: skip

_HINTS: Final = {
    "usb": "plug a Bluetooth adapter in, and give this user access to it (udev rule or root)",
    "hci-socket": "check that the kernel has an adapter of that number (hci0 is 0), and run with CAP_NET_ADMIN",
    "serial": "check the device path and speed, and that this user may open it (group dialout)",
    "tcp-client": "start the controller or radio hub that listens there, or correct host and port",
    "tcp-server": "choose another port, or stop the program that uses it",
    "pty": "check the path of the link to the pseudo-terminal",
}
_OTHER_HINT: Final = "check the moniker after the colon"


@contextlib.asynccontextmanager
async def open_moniker(moniker: str) -> AsyncIterator[tuple[PacketSource, PacketSink]]:
    """A controller's packet source and sink for as long as the context lasts. Raises RadioUnavailable."""
    scheme = moniker.partition(":")[0]
    if scheme not in _KNOWN:
        raise RadioUnavailable(
            f"no Bluetooth transport is called {scheme!r} (in {moniker!r}): use one of {', '.join(_KNOWN)}"
        )
    try:
        async with asyncio.timeout(ATTACH_S if scheme == "tcp-server" else OPEN_S):
            transport = await _open(scheme, moniker)
    except Exception as error:  # broad: Bumble's transports let through what their libraries raise
        raise unavailable(moniker, error) from error
    try:
        yield transport.source, transport.sink
    finally:
        await transport.close()


def unavailable(moniker: str, error: BaseException) -> RadioUnavailable:
    """One line: what could not be opened, why, and what to do."""
    hint = _HINTS.get(moniker.partition(":")[0], _OTHER_HINT)
    match error:
        case TimeoutError():
            why = "nobody answered in time"
        case AssertionError():
            why = "something is missing after the colon"
        case ModuleNotFoundError():
            why = f"the Python module {error.name} is not installed"
        case OSError() if error.strerror:
            why = error.strerror
        case _:
            why = " ".join(str(error).split()) or type(error).__name__
    return RadioUnavailable(f"Bluetooth controller {moniker!r} cannot be opened: {why}; {hint}")


async def _open(scheme: str, moniker: str) -> Any:
    # Imported here: Bumble costs half a second, and a wrong moniker should not.
    if scheme == "tcp-server":
        from firmware.adapters.ble.listening import open_tcp_server

        return await open_tcp_server(moniker.partition(":")[2])
    if scheme == "hci-socket":
        from firmware.adapters.ble.hci_socket import open_hci_socket

        return await open_hci_socket(moniker.partition(":")[2])
    from bumble.transport import open_transport

    return await open_transport(moniker)
