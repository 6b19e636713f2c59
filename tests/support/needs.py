"""Tests that need a program of the system: deselected where it is missing, and named at the end of the run.

A test says `@pytest.mark.needs("tmux")`. It is never skipped in silence. A test marked `guest` needs a kernel with
Bluetooth, CAN and GPIO, which the guest of `hil.guest` has.
"""

import os
import shutil
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import pytest

MISSING: Final = pytest.StashKey[Counter[str]]()
"""How many tests were left out for want of each program."""
WORKER_OUTPUT: Final = "left_out_for_want_of"
"""Under what a worker of pytest-xdist hands its count to the process that prints."""
GUEST: Final = "guest"
"""The marker, and what stands in the list of programs for it."""
INSIDE: Final = "SHAREBOX_GUEST"
"""Environment variable that is set inside of the guest."""
OUTPUT: Final = "SHAREBOX_GUEST_OUT"
"""And the one with a directory whose contents outlive it."""
PACKAGES: Final = {
    "noble": Path(__file__).parents[2] / "docs/phone-js/node_modules/@stoprocent/noble",
    "labgrid": Path(sys.prefix) / "hil",
    "rootcanal": Path(sysconfig.get_path("purelib")) / "rootcanal/bin/linux-x86_64",
}
"""What is no program, but a package for one: where it is kept."""
_HOW: Final = {
    "node": "sudo apt-get install nodejs",
    "noble": "npm ci --prefix docs/phone-js",
    "labgrid": "make setup-hil",
    "rootcanal": "make setup, on Linux and x86-64",
}
"""How to install what its package manager calls otherwise."""
_SBIN: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def inside() -> bool:
    """Whether this is the guest."""
    return INSIDE in os.environ


def find(program: str) -> str | None:
    """Where `program` is: on the path, or where Debian keeps those of the administrator; and one of PACKAGES."""
    if program in PACKAGES:
        return str(PACKAGES[program]) if PACKAGES[program].is_dir() else None
    return shutil.which(program) or shutil.which(program, path=":".join(_SBIN))


def missing(item: pytest.Item) -> list[str]:
    """The programs that this test needs and that are not here."""
    wanted = [program for marker in item.iter_markers("needs") for program in marker.args]
    outside = item.get_closest_marker(GUEST) is not None and not inside()
    return [*([GUEST] if outside else []), *(program for program in wanted if find(program) is None)]


def deselect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out of `items` what can not run here, and remember why."""
    counted: Counter[str] = Counter()
    out = []
    for item in list(items):
        programs = missing(item)
        if programs:
            counted.update(programs)
            items.remove(item)
            out.append(item)
    config.stash[MISSING] = counted
    if out:
        config.hook.pytest_deselected(items=out)


def merge(config: pytest.Config, counted: Mapping[str, int]) -> None:
    """What one worker has left out: each has collected the same."""
    config.stash[MISSING] = Counter(counted)


def note(config: pytest.Config) -> Iterable[str]:
    """One line for each missing program."""
    for program, count in sorted(config.stash.get(MISSING, Counter[str]()).items()):
        tests = "1 test was" if count == 1 else f"{count} tests were"
        if program == GUEST:
            yield f"{tests} left out, of the guest with a kernel of its own. To run them: make test-bluez"
        else:
            how = _HOW.get(program, f"sudo apt-get install {program}")
            yield f"{tests} left out: {program} is not here. Install it: {how}"
