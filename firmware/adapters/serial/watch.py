"""Linux tells when a file is opened: `inotify`, which the standard library does not offer.

Decides nothing. Where the kernel has none, `watch_opens` says so with None.
"""

import ctypes
import os
from typing import Final

_IN_OPEN: Final = 0x20


def watch_opens(path: str) -> int | None:
    """A descriptor that becomes readable whenever `path` is opened; the caller drains and closes it."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    except AttributeError:
        return None
    if fd < 0:
        return None
    if libc.inotify_add_watch(fd, os.fsencode(path), _IN_OPEN) < 0:
        os.close(fd)
        return None
    return fd
