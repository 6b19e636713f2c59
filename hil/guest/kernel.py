"""The guest's kernel: built once from Debian's own source package, then kept.

Decides: which source, which options it must have, and what a machine needs to build it. Refuses to know: what runs
on it.
"""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from hil.guest import cache, packages
from hil.guest.problems import GuestUnavailable

SOURCES: Final = "linux-source"
"""Debian's package that needs the one with the newest source."""
CONFIG: Final = Path(__file__).with_name("kernel.config")
TOOLS: Final = {
    "gcc": "gcc", "make": "make", "flex": "flex", "bison": "bison", "bc": "bc", "xz": "xz-utils", "tar": "tar",
    "strip": "binutils",
}  # fmt: skip
"""Programs that build it, and the packages that have them."""
HEADERS: Final = ("libc6-dev", "libelf-dev")
SPACE_BYTES: Final = 2_500_000_000
BUILD_S: Final = 1500.0
"""Longest time to build it: five minutes on two idle cores."""
NEEDED: Final = (
    "BT", "BT_LE", "BT_HCIVHCI", "CRYPTO_ECDH", "HOSTFS", "UML_TIME_TRAVEL_SUPPORT", "UNIX", "GPIO_CDEV", "GPIO_SIM",
    "CONFIGFS_FS", "CAN_RAW", "CAN_VCAN", "WATCHDOG", "SOFT_WATCHDOG",
)  # fmt: skip
"""Options without which the guest is of no use; a newer source may name them otherwise."""
HOW: Final = "1"
"""Raised when the way of building changes what comes out."""
RECIPE: Final = "recipe"

Say = Callable[[str], None]


def build(say: Say, environment: Mapping[str, str] = os.environ, limit_s: float = BUILD_S) -> Path:
    """The kernel, built now if it is not there, which may take `limit_s`. SHAREBOX_GUEST_KERNEL names one's own. Raises
    GuestUnavailable."""
    own = environment.get("SHAREBOX_GUEST_KERNEL")
    if own:
        if not os.access(own, os.X_OK):
            raise GuestUnavailable(f"{own} is no program; correct or unset SHAREBOX_GUEST_KERNEL")
        return Path(own)
    if platform.machine() != "x86_64":
        raise GuestUnavailable(f"User Mode Linux runs on x86-64, and this machine is {platform.machine()}")
    folder = cache.folder(environment)
    recipe = cache.key(CONFIG.read_bytes(), HOW)
    try:
        source, version = newest()
    except GuestUnavailable:
        if (old := _latest_of(folder, recipe)) is not None:
            return old
        raise

    def make(place: Path) -> None:
        say(f"Building the guest's kernel from {source} {version}: ten minutes of processor time, once ...")
        _get_tools(say)
        with tempfile.TemporaryDirectory(prefix="sharebox-kernel-") as scratch:
            _make(source, Path(scratch), place, limit_s)
        (place / RECIPE).write_text(recipe)

    return cache.kept(folder / f"guest-{cache.key(source, version, recipe)}", make) / "linux"


def newest() -> tuple[str, str]:
    """The package with Debian's newest kernel source, and its version. Raises GuestUnavailable."""
    found = [name for name in packages.needs_of(SOURCES).get(SOURCES, ()) if name.startswith(f"{SOURCES}-")]
    if not found:
        raise GuestUnavailable(f"apt knows no {SOURCES}: the guest's kernel is built from Debian's source package")
    version = packages.versions(found[:1]).get(found[0])
    if version is None:
        raise GuestUnavailable(f"apt can not get {found[0]}; fetch its lists anew: sudo apt-get update")
    return found[0], version


def _latest_of(folder: Path, recipe: str) -> Path | None:
    """One that was built the same way from any source: better than none where apt can not be asked."""
    built = [
        place
        for place in folder.glob("guest-*")
        if (place / RECIPE).is_file() and (place / RECIPE).read_text() == recipe
    ]
    return max(built, key=lambda place: place.stat().st_mtime) / "linux" if built else None


def missing_tools() -> list[str]:
    """Packages whose programs are not here."""
    return sorted({package for program, package in TOOLS.items() if shutil.which(program) is None})


def _get_tools(say: Say) -> None:
    missing = missing_tools()
    if missing and os.geteuid() == 0:
        say(f"Installing {', '.join(missing)} ...")
        packages.run("apt-get", "-qq", "-y", "--no-install-recommends", "install", *missing, *HEADERS)
    elif missing:
        raise GuestUnavailable(
            f"the kernel can not be built without {', '.join(missing)}: "
            f"sudo apt-get install {' '.join([*missing, *HEADERS])}"
        )


def _make(source: str, scratch: Path, place: Path, limit_s: float) -> None:
    if (free := shutil.disk_usage(scratch).free) < SPACE_BYTES:
        raise GuestUnavailable(
            f"{scratch.parent} has {free / 1e9:.1f} GB free, and building the kernel takes {SPACE_BYTES / 1e9:.1f} GB; "
            "name another directory: TMPDIR=..."
        )
    packages.unpack([source], scratch)
    (archive,) = (scratch / "usr/src").glob(f"{source}.tar.*")
    tree = scratch / "tree"
    tree.mkdir()
    packages.run("tar", "-xf", archive, "-C", tree, "--strip-components=1")
    packages.run("make", "-C", tree, "ARCH=um", f"KCONFIG_ALLCONFIG={CONFIG}", "allnoconfig")
    lost = lost_options((tree / ".config").read_text())
    if lost:
        raise GuestUnavailable(f"{source} does not take {', '.join(lost)}: kernel.config has to be brought up to date")
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    packages.run("nice", "-n", "5", "make", "-C", tree, "ARCH=um", jobs, "linux", limit_s=limit_s)
    packages.run("strip", "-o", place / "linux", tree / "linux")


def lost_options(config: str) -> list[str]:
    """Which of the options that are NEEDED the configured source does not have."""
    lines = set(config.splitlines())
    return [option for option in NEEDED if f"CONFIG_{option}=y" not in lines]
