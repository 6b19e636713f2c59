"""An adapter of this computer's kernel, for this process alone: HCI over a socket of the user channel (Linux).

Decides: that whoever is told to use an adapter gets it, also from bluetoothd, and that its going is noticed. Bumble's
own transport notices neither that, nor that a packet found no room.
Refuses to know: what the packets mean.
"""

import asyncio
import ctypes
import errno
import fcntl
import logging
import os
import socket
import struct
from collections import deque
from typing import Final

from bumble.transport.common import BaseSource, Transport

ATTEMPTS: Final = 40
PAUSE_S: Final = 0.1
"""An adapter that has just appeared is set up by the kernel, and switched on by bluetoothd, at first."""

MAX_WAITING: Final = 256
"""Packets for an adapter that takes none; hosts have buffers for 64."""

_PACKET_BYTES: Final = 4096
# Linux's numbers: a Python that was built without Bluetooth's headers has no names for them.
_AF_BLUETOOTH: Final = 31
_BTPROTO_HCI: Final = 1
_RAW_CHANNEL: Final = 0
_USER_CHANNEL: Final = 1
_NO_ADAPTER: Final = 0xFFFF
_HCIDEVDOWN: Final = 0x400448CA  # _IOW('H', 202, int)

log = logging.getLogger(__name__)


class _Source(BaseSource):
    """What the adapter says."""

    def __init__(self, opened: socket.socket) -> None:
        super().__init__()
        self._socket = opened
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(opened, self._read)

    def _read(self) -> None:
        try:
            packet = self._socket.recv(_PACKET_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(error.strerror or str(error))
            return
        if not packet:
            self.lose("it is gone")
        elif self.sink is not None:
            self.sink.on_packet(packet)

    def lose(self, why: str) -> None:
        """There will be nothing more."""
        if not self.terminated.done():
            log.debug("the adapter is lost: %s", why)
            self._loop.remove_reader(self._socket)
            self.on_transport_lost()

    def close(self) -> None:
        """Listen no more."""
        self._loop.remove_reader(self._socket)


class _Sink:
    """What is said to the adapter, in order, as soon as it takes it."""

    def __init__(self, opened: socket.socket, source: _Source) -> None:
        self._socket = opened
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()

    def on_packet(self, packet: bytes) -> None:
        """Send one packet, now or when there is room."""
        if self._source.terminated.done():
            return
        if len(self._waiting) >= MAX_WAITING:
            self._source.lose("it takes nothing any more")
            return
        self._waiting.append(packet)
        if len(self._waiting) == 1:
            self._send()

    def _send(self) -> None:
        while self._waiting:
            try:
                self._socket.send(self._waiting[0])
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._send)
                return
            except OSError as error:
                self.close()
                self._source.lose(error.strerror or str(error))
                return
            self._waiting.popleft()
        self._loop.remove_writer(self._socket)

    def close(self) -> None:
        """What still waits is forgotten."""
        self._waiting.clear()
        self._loop.remove_writer(self._socket)


class SocketTransport(Transport):
    """HCI packets over a socket that keeps their boundaries."""

    def __init__(self, opened: socket.socket) -> None:
        opened.setblocking(False)
        self._socket = opened
        self._source = _Source(opened)
        self._sink = _Sink(opened, self._source)
        super().__init__(self._source, self._sink)

    async def close(self) -> None:
        """Give the adapter back."""
        self._source.close()
        self._sink.close()
        self._socket.close()


async def open_hci_socket(where: str) -> SocketTransport:
    """The adapter with that number (0 when empty), taken from whoever has it. Raises OSError, ValueError."""
    number = int(where or 0)
    for _ in range(ATTEMPTS):
        opened = _hci_socket()
        try:
            _bind(opened, number, _USER_CHANNEL)
        except OSError as error:
            opened.close()
            if error.errno != errno.EBUSY:
                raise
            _take_down(number)
            await asyncio.sleep(PAUSE_S)
        else:
            return SocketTransport(opened)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def _hci_socket() -> socket.socket:
    return socket.socket(_AF_BLUETOOTH, socket.SOCK_RAW, _BTPROTO_HCI)


def _bind(opened: socket.socket, number: int, channel: int) -> None:
    # Python's own bind knows no channels.
    where = struct.pack("=HHH", _AF_BLUETOOTH, number, channel)
    if ctypes.CDLL(None, use_errno=True).bind(opened.fileno(), where, len(where)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _take_down(number: int) -> None:
    """As `hciconfig hciN down` does: somebody else, bluetoothd for example, has switched it on."""
    log.warning("adapter hci%d is in use by the system: it is switched off there, and taken", number)
    with _hci_socket() as control:
        _bind(control, _NO_ADAPTER, _RAW_CHANNEL)
        fcntl.ioctl(control, _HCIDEVDOWN, number)
