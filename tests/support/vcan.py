"""A virtual CAN interface of the kernel (vcan): made, taken up and down, and removed, by rtnetlink.

Linux: linux/rtnetlink.h, linux/if_link.h. No program is needed for it.
"""

import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

_NEWLINK, _DELLINK, _ERROR = 16, 17, 2
_REQUEST, _ACK, _CREATE, _EXCLUSIVE = 0x1, 0x4, 0x400, 0x200
_IFNAME, _LINKINFO, _KIND = 3, 18, 1
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1


def _attribute(kind: int, content: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(content), kind) + content + bytes(-len(content) % 4)


def _ask(message: int, flags: int, name: str, *more: bytes) -> None:
    """One rtnetlink request about a link. Raises OSError."""
    content = struct.pack("=BBHiII", socket.AF_UNSPEC, 0, 0, 0, 0, 0)
    content += _attribute(_IFNAME, name.encode() + b"\0") + b"".join(more)
    head = struct.pack("=IHHII", 16 + len(content), message, flags | _REQUEST | _ACK, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(head + content)
        answer = netlink.recv(4096)
    (kind,) = struct.unpack_from("=H", answer, 4)
    (error,) = struct.unpack_from("=i", answer, 16)
    assert kind == _ERROR
    if error:
        raise OSError(-error, os.strerror(-error))


def add(name: str) -> None:
    """It is down at first."""
    _ask(_NEWLINK, _CREATE | _EXCLUSIVE, name, _attribute(_LINKINFO, _attribute(_KIND, b"vcan")))


def remove(name: str) -> None:
    """As if its adapter were unplugged."""
    _ask(_DELLINK, 0, name)


def switch(name: str, up: bool) -> None:
    """`ip link set NAME up` or `down`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        request = struct.pack("=16sh14x", name.encode(), 0)
        (flags,) = struct.unpack_from("=h", fcntl.ioctl(anything, _GET_FLAGS, request), 16)
        flags = flags | _UP if up else flags & ~_UP
        fcntl.ioctl(anything, _SET_FLAGS, struct.pack("=16sh14x", name.encode(), flags))


@contextmanager
def vcan(name: str = "vcan7") -> Iterator[str]:
    """One that is up."""
    add(name)
    try:
        switch(name, True)
        yield name
    finally:
        if name in (there for _, there in socket.if_nameindex()):
            remove(name)
