"""A serial port served over TCP, as a terminal server does it: as it is (`socket://`), or by RFC 2217."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import serial
from serial.rfc2217 import PortManager

_POLL_S = 0.05
_JOIN_S = 10.0
Change = Callable[[bytes], bytes]


class _Terminal(serial.Serial):
    """A pseudo-terminal has no modem lines: they are as of a cable that has only three wires."""

    cts = dsr = cd = True
    ri = False

    def _update_rts_state(self) -> None:
        pass

    def _update_dtr_state(self) -> None:
        pass


class _Server:
    """Serves one client after the other."""

    def __init__(self, path: Path, *, rfc2217: bool) -> None:
        self._port = _Terminal(str(path), baudrate=115_200, timeout=_POLL_S, exclusive=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(_POLL_S)
        self._rfc2217 = rfc2217
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="serial server", daemon=True)
        scheme = "rfc2217" if rfc2217 else "socket"
        self.url = f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Hang up, and give the port back."""
        self._stopping.set()
        self._thread.join(_JOIN_S)
        self._listening.close()
        self._port.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listening.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with client:
                    self._relay(client)

    def _changes(self, client: socket.socket) -> tuple[Change, Change]:
        """What is made of the client's bytes, and of those for it."""
        if not self._rfc2217:
            return bytes, bytes
        manager = PortManager(self._port, _Connection(client))  # type: ignore[arg-type]  # any port, any writer
        return (lambda data: b"".join(manager.filter(data))), (lambda data: b"".join(manager.escape(data)))

    def _relay(self, client: socket.socket) -> None:
        gone = threading.Event()
        to_port, to_client = self._changes(client)
        upwards = threading.Thread(target=self._upwards, args=(client, gone, to_client), daemon=True)
        upwards.start()
        client.settimeout(_POLL_S)
        with contextlib.suppress(OSError):
            while not self._stopping.is_set() and not gone.is_set():
                with contextlib.suppress(TimeoutError):
                    data = client.recv(4096)
                    if not data:
                        break
                    self._port.write(to_port(data))
        gone.set()
        upwards.join(_JOIN_S)

    def _upwards(self, client: socket.socket, gone: threading.Event, to_client: Change) -> None:
        with contextlib.suppress(OSError):
            while not self._stopping.is_set() and not gone.is_set():
                data = self._port.read(1)
                if data:
                    client.sendall(to_client(data + self._port.read(self._port.in_waiting)))
        gone.set()


class _Connection:
    """What a PortManager answers the client with."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def write(self, data: bytes) -> None:
        """As a file."""
        self._client.sendall(data)


@contextmanager
def served(path: Path, *, rfc2217: bool = False) -> Iterator[str]:
    """Serve the port at `path` on loopback; the URL for pyserial."""
    server = _Server(path, rfc2217=rfc2217)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
