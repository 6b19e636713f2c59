"""bluetoothd and a message bus as Debian has them, unpacked beside the system.

Decides: which packages, and where in them the programs and their libraries are. Refuses to know: how they are run.
"""

import shutil
from pathlib import Path
from typing import Final

from hil.guest import cache, packages
from hil.guest.problems import GuestUnavailable

ROOTS: Final = ("bluez", "dbus-daemon", "dbus-bin", "busybox-static")
PROGRAMS: Final = ("bluetoothd", "btmon", "dbus-daemon", "dbus-send", "busybox")
SETTINGS: Final = "etc/bluetooth/main.conf"
"""As the package has it: adapters are switched on when they appear."""
_UNREAD: Final = ("usr/share/doc", "usr/share/man", "usr/share/locale")


def fetch() -> Path:
    """The directory with everything; fetched once for each set of versions. Raises GuestUnavailable."""
    names = packages.with_libraries(ROOTS, packages.needs_of(*ROOTS))
    known = packages.versions(names)
    name = cache.key(*(f"{name}={known.get(name, '')}" for name in names), Path(__file__).read_bytes())

    def make(place: Path) -> None:
        packages.unpack(names, place)
        for part in _UNREAD:
            shutil.rmtree(place / part, ignore_errors=True)
        for program in PROGRAMS:
            find(place, program)

    return cache.kept(cache.folder() / f"bluez-{name}", make)


def find(tree: Path, program: str) -> Path:
    """Where a program is in the tree. Raises GuestUnavailable: another release may have it in another package."""
    for directory in ("usr/bin", "usr/sbin", "bin", "sbin", "usr/libexec/bluetooth", "usr/lib/bluetooth"):
        file = tree / directory / program
        if file.is_file():
            return file
    raise GuestUnavailable(f"this system's packages have no {program}; the guest is made for Debian 12 and later")


def library_path(tree: Path) -> str:
    """Every directory of the tree that holds shared libraries, as the dynamic linker takes it."""
    return ":".join(sorted({str(file.parent) for file in tree.glob("**/*.so*") if file.is_file()}))
