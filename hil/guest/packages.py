"""Debian's packages without installing them: names, versions, dependencies, files.

Decides: which packages belong to a program. Refuses to know: what they are for.
"""

import os
import shutil
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from hil.guest.problems import GuestUnavailable

APT_S: Final = 600
_ONLY_NEEDED: Final = tuple(
    f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
)
_OF_THE_SYSTEM: Final = ("libc6", "libc-bin")
"""The guest's root is the machine's, so its C library is there, and must be that one."""


def run(*command: str | Path, limit_s: float = APT_S, cwd: Path | None = None) -> str:
    """What the command printed. Raises GuestUnavailable with its last line when it fails, or takes longer than that."""
    words = [str(word) for word in command]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        process = subprocess.Popen(  # noqa: S603 - programs of the system, with our own words
            words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise GuestUnavailable(f"{words[0]} is not here: the guest is built from packages of Debian") from None
    what = f"`{' '.join(words[:3])}`"
    with process:
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise GuestUnavailable(f"{what} took more than {limit_s:g} s") from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
    if process.returncode != 0:
        last = [line.strip() for line in (err or out).splitlines() if line.strip()]
        raise GuestUnavailable(f"{what} failed: {last[-1] if last else process.returncode}")
    return out


def dependencies(listing: str) -> dict[str, tuple[str, ...]]:
    """From what `apt-cache depends` prints: the packages that each one needs, the first of several that would do."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    package, alternative = "", False
    for line in listing.splitlines():
        kind, _, name = line.strip(" |").partition(": ")
        if line and not line.startswith(" "):
            package = line.strip().strip("<>").partition(":")[0]
            found[package] = []
            alternative = False
        elif kind in ("Depends", "PreDepends"):
            if not alternative:
                found[package].append(name.strip("<>").partition(":")[0])
            alternative = line.startswith(" |")
    return {package: tuple(needs) for package, needs in found.items()}


def with_libraries(roots: Iterable[str], needs: Mapping[str, Sequence[str]]) -> list[str]:
    """`roots` and every library that they need, and that those need: nothing else, and not the C library."""
    wanted: dict[str, None] = dict.fromkeys(roots)
    waiting = list(wanted)
    while waiting:
        for name in needs.get(waiting.pop(), ()):
            library = name.startswith("lib") or name == "zlib1g"
            if library and name not in _OF_THE_SYSTEM and name in needs and name not in wanted:
                wanted[name] = None
                waiting.append(name)
    return sorted(wanted)


def candidates(listing: str) -> dict[str, str]:
    """From what `apt-cache policy` prints: the version of each package that would be installed."""
    found: dict[str, str] = {}
    package = ""
    for line in listing.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            package = line[:-1].partition(":")[0]
        elif line.startswith("  Candidate: ") and not line.endswith("(none)"):
            found[package] = line.removeprefix("  Candidate: ")
    return found


def needs_of(*roots: str) -> dict[str, tuple[str, ...]]:
    """All that the packages need, directly and indirectly. Package lists are fetched when there are none."""
    try:
        return dependencies(run("apt-cache", "depends", "--recurse", *_ONLY_NEEDED, *roots))
    except GuestUnavailable:
        _fetch_lists(roots)
        return dependencies(run("apt-cache", "depends", "--recurse", *_ONLY_NEEDED, *roots))


def _fetch_lists(wanted: Sequence[str]) -> None:
    if shutil.which("apt-get") is None:
        raise GuestUnavailable("apt-get is not here: the guest is built from packages of Debian (or Ubuntu)")
    if os.geteuid() != 0:
        raise GuestUnavailable(f"apt knows no package {wanted[0]}; fetch its lists once: sudo apt-get update")
    run("apt-get", "-qq", "update")


def versions(names: Iterable[str]) -> dict[str, str]:
    """The version of each package that apt would take."""
    return candidates(run("apt-cache", "policy", *names))


def unpack(names: Iterable[str], into: Path) -> None:
    """Fetch packages and put their files below `into`; nothing is installed, and root is not needed."""
    fetched = into / "fetched"
    fetched.mkdir()
    # As root apt would drop its rights, and could not write where this user can.
    download = ("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *names)
    try:
        run(*download, cwd=fetched)
    except GuestUnavailable:
        if os.geteuid() != 0:
            raise
        run("apt-get", "-qq", "update")  # lists that are out of date name files that are no longer there
        run(*download, cwd=fetched)
    for file in sorted(fetched.glob("*.deb")):
        run("dpkg-deb", "-x", file, into)
    shutil.rmtree(fetched)
