"""Captures for Wireshark: what crosses an HCI or a serial line, as pcapng or btsnoop.

Decides the bytes of such a file and how large it may grow. Refuses to know what the packets say (the dissector
`sharebox.lua` does) and what time it is: the caller brings the clock, so virtual time is right.
"""

import os
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, Protocol, Self

from protocol.serial import Frame

DLT_BLUETOOTH_HCI_H4_WITH_PHDR: Final = 201
DLT_USER0: Final = 147
"""Ours: one byte of direction (0 to the module, 1 from it), then a frame's kind, channel, payload and CRC-32."""

MOST_BYTES: Final = 1 << 28
"""A capture that has grown to 256 MiB takes no more packets."""
LONGEST_PACKET: Final = 1 << 16
MOST_NAMES: Final = 1000
"""In a directory, for captures that begin in the same second."""

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_OPT_NAME: Final = 2
_OPT_APPLICATION: Final = 4
_OPT_FLAGS: Final = 2
_INBOUND, _OUTBOUND = 1, 2
_BTSNOOP_H4: Final = 1002
_BTSNOOP_EPOCH_US: Final = 0x00DCDDB30F2F8000
"""Microseconds from the year 0 to 1970."""
_H4_NO_DATA: Final = (b"\x01", b"\x04")
"""Commands and events."""

Tap = Callable[[bytes, bool], None]
"""Takes one packet; True: from the host, towards the controller."""
FrameTap = Callable[[Frame, bool], None]
"""Takes one frame; True: to the module."""


class CaptureError(Exception):
    """A capture cannot be written: one line with what, why and what to do."""


class _Format(Protocol):
    """One kind of file."""

    def head(self) -> bytes: ...

    def interface(self, name: str, link_type: int) -> bytes: ...

    def packet(self, interface: int, at_us: int, data: bytes, *, outward: bool) -> bytes: ...


class Capture:
    """A new file that takes packets, and is nobody else's to read. `path`: its name, or a directory where it gets one
    of its own. `utc_us`: microseconds since 1970, of whatever time the packets live in.

    `noted` hears in one line why nothing more is written: a capture that fails takes nothing else down with it.
    """

    def __init__(self, path: Path, utc_us: Callable[[], int], *, noted: Callable[[str], None] | None = None) -> None:
        """Raises CaptureError."""
        self._utc_us = utc_us
        self._noted = noted or (lambda _line: None)
        self._links: list[int] = []
        self._size = 0
        self._file: BinaryIO | None
        self.path, self._file = _in_directory(path, utc_us()) if path.is_dir() else (path, _new(path))
        self._format = _format_of(self.path)
        self._write(self._format.head())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """No more packets. Closing twice is no error."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def hci(self, name: str) -> Tap:
        """Where the packets of one controller go, each with its H4 type; True: from the host."""
        interface = self._interface(name, DLT_BLUETOOTH_HCI_H4_WITH_PHDR)

        def tap(packet: bytes, from_host: bool) -> None:
            self._packet(interface, packet, outward=from_host)

        return tap

    def serial(self, name: str) -> FrameTap:
        """Where the frames of one serial line go; True: to the module."""
        interface = self._interface(name, DLT_USER0)

        def tap(frame: Frame, to_module: bool) -> None:
            body = bytes([frame.kind, frame.channel]) + frame.payload
            crc = zlib.crc32(body).to_bytes(4, "big")
            self._packet(interface, bytes([not to_module]) + body + crc, outward=to_module)

        return tap

    def _interface(self, name: str, link_type: int) -> int:
        if self._links and isinstance(self._format, _Btsnoop):
            raise CaptureError(f"{self.path}: a btsnoop file holds one radio only; write to a .pcapng file")
        self._write(self._format.interface(name, link_type))
        self._links.append(link_type)
        return len(self._links) - 1

    def _packet(self, interface: int, data: bytes, *, outward: bool) -> None:
        if len(data) <= LONGEST_PACKET:
            if self._links[interface] == DLT_BLUETOOTH_HCI_H4_WITH_PHDR:
                data = self._pseudo_header(outward) + data
            self._write(self._format.packet(interface, self._utc_us(), data, outward=outward))

    def _pseudo_header(self, outward: bool) -> bytes:
        return b"" if isinstance(self._format, _Btsnoop) else struct.pack(">I", not outward)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            return
        if self._size + len(data) > MOST_BYTES:
            self._give_up(f"the capture has reached {MOST_BYTES >> 20} MiB and ends here")
            return
        try:
            self._file.write(data)
        except OSError as error:
            self._give_up(f"the capture ends here: {error.strerror}")
        self._size += len(data)

    def _give_up(self, why: str) -> None:
        self.close()
        self._noted(f"{self.path}: {why}")


def _new(path: Path) -> BinaryIO:
    _format_of(path)
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise CaptureError(f"{path}: it is there already; give another name, or a directory") from None
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror}; name a file that can be written") from None
    return open(number, "wb", buffering=0)


def _in_directory(directory: Path, utc_us: int) -> tuple[Path, BinaryIO]:
    """A file named after the second in which it begins."""
    stem = datetime.fromtimestamp(utc_us // 1_000_000, UTC).strftime("capture-%Y%m%dT%H%M%SZ")
    names = (f"{stem}-{number}" if number else stem for number in range(MOST_NAMES))
    path = next((path for name in names if not os.path.lexists(path := directory / f"{name}.pcapng")), None)
    if path is None:
        raise CaptureError(f"{directory}: {MOST_NAMES} captures begin in this second; give another directory")
    return path, _new(path)


def _format_of(path: Path) -> _Format:
    if path.suffix == ".pcapng":
        return _Pcapng()
    if path.suffix == ".btsnoop":
        return _Btsnoop()
    raise CaptureError(f"{path}: a capture is a .pcapng or a .btsnoop file; name it so")


class _Pcapng:
    """https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/, little endian."""

    def head(self) -> bytes:
        return _block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + _options((_OPT_APPLICATION, b"sharebox")))

    def interface(self, name: str, link_type: int) -> bytes:
        return _block(_INTERFACE, struct.pack("<HHI", link_type, 0, 0) + _options((_OPT_NAME, name.encode())))

    def packet(self, interface: int, at_us: int, data: bytes, *, outward: bool) -> bytes:
        head = struct.pack("<IIIII", interface, at_us >> 32, at_us & 0xFFFFFFFF, len(data), len(data))
        flags = struct.pack("<I", _OUTBOUND if outward else _INBOUND)
        return _block(_PACKET, head + _padded(data) + _options((_OPT_FLAGS, flags)))


class _Btsnoop:
    """RFC 1761 as the Bluetooth world writes it, big endian; link type H4."""

    def head(self) -> bytes:
        return b"btsnoop\0" + struct.pack(">II", 1, _BTSNOOP_H4)

    def interface(self, name: str, link_type: int) -> bytes:
        if link_type != DLT_BLUETOOTH_HCI_H4_WITH_PHDR:
            raise CaptureError(f"a btsnoop file holds no serial frames ({name}); write to a .pcapng file")
        return b""

    def packet(self, interface: int, at_us: int, data: bytes, *, outward: bool) -> bytes:
        flags = (not outward) | (2 if data[:1] in _H4_NO_DATA else 0)
        return struct.pack(">IIIIq", len(data), len(data), flags, 0, at_us + _BTSNOOP_EPOCH_US) + data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _options(*options: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options) + bytes(4)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size
