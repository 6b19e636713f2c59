"""One run of the guest: boots, does one job, ends; with the job's output and exit code, whatever happens.

Decides: the guest's memory and clock, and the limits in its time and in ours. Refuses to know: what the job is.
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from hil.guest import bluez
from hil.guest.problems import GuestUnavailable

HERE: Final = Path(__file__).parent
COVERED: Final = ("/run", "/var/lib")
"""Directories of the machine that the guest has afresh."""
OUT: Final = "/run/out"
"""Where the guest sees the directory of the run."""
READY: Final = "[guest "
ENDED: Final = "] ended with "
"""What init.sh says when it has begun and when it is done; what comes before and after is the kernel's."""
_LAST_LINES: Final = 12
_NO_TRACING: Final = (
    "User Mode Linux needs ptrace, which this machine or container forbids; "
    "in a container: --cap-add=SYS_PTRACE --security-opt seccomp=unconfined"
)


class GuestFailed(Exception):
    """The guest booted and ended without a result: one line."""


class Run(msgspec.Struct, frozen=True):
    """What is to be done. `limit_s`: guest's time. `wall_s`: ours. `real_time`: the guest's clock goes as ours does,
    otherwise waiting takes none. `out`: a directory that keeps what the run leaves behind. `capture`: also all HCI
    traffic, as hci.btsnoop."""

    command: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = {}
    limit_s: float = 3600.0
    wall_s: float = 900.0
    memory_mib: int = 768
    real_time: bool = False
    capture: bool = False
    out: Path | None = None


def run(kernel: Path, tree: Path, job: Run, say: Callable[[str], None]) -> int:
    """The job's exit code; its output goes to `say`, line by line. Raises GuestUnavailable, GuestFailed."""
    memory = place_for_memory(job.memory_mib)
    with tempfile.TemporaryDirectory(prefix="sharebox-guest-") as scratch:
        out = (job.out or Path(scratch) / "out").resolve()
        out.mkdir(parents=True, exist_ok=True)
        if any(character.isspace() for character in str(out)):
            raise GuestUnavailable(f"{out} has a space in its name, which no kernel's command line can; choose another")
        (out / "rc").unlink(missing_ok=True)
        shutil.copyfile(HERE / "init.sh", out / "init.sh")
        shutil.copyfile(HERE / "bus.conf", out / "dbus.conf")
        (out / "settings").write_text(settings(tree, job))
        (out / "job.sh").write_text(script(job))
        before = _boot(kernel, out, Path(scratch), memory, job, say)
        if not (out / "rc").is_file():
            raise _why(before, job)
        return int((out / "rc").read_text())


def place_for_memory(mib: int, places: Sequence[str] = ("/dev/shm", tempfile.gettempdir())) -> Path:  # noqa: S108
    """Where the guest's memory is kept while it runs: in memory if there is room, else in a file."""
    for place in places:
        if os.access(place, os.W_OK) and shutil.disk_usage(place).free > mib << 20 and _may_execute(place):
            return Path(place)
    raise GuestUnavailable(
        f"the guest's memory needs {mib} MiB in {' or '.join(places)}, from where programs may be run; "
        "in a container: --shm-size=1g, or name another directory: TMPDIR=..."
    )


def _may_execute(place: str) -> bool:
    return not os.statvfs(place).f_flag & os.ST_NOEXEC


def settings(tree: Path, job: Run) -> str:
    """The variables of init.sh."""
    values = {f"TREE_{name.upper().replace('-', '_')}": str(bluez.find(tree, name)) for name in bluez.PROGRAMS}
    values["TREE_SETTINGS"] = str(tree / bluez.SETTINGS)
    values["TREE_LIBRARIES"] = bluez.library_path(tree)
    values["COVERED"] = " ".join(covered((job.directory, tree, Path(sys.prefix), Path(sys.base_prefix))))
    values["LIMIT_S"] = f"{job.limit_s:g}"
    values["CAPTURE"] = "yes" if job.capture else ""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def covered(needed: Sequence[Path]) -> list[str]:
    """Those of the directories that the guest would not see any more, without the leading slash."""
    hidden = [path for path in needed if any(path.is_relative_to(place) for place in COVERED)]
    return sorted({str(path).lstrip("/") for path in hidden})


def script(job: Run) -> str:
    """job.sh: the command in its directory, with its environment."""
    variables = {"SHAREBOX_GUEST": "1", "SHAREBOX_GUEST_OUT": OUT, "PYTHONDONTWRITEBYTECODE": "1", **job.environment}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return f"cd {shlex.quote(str(job.directory))} || exit 1\n{exports}exec {shlex.join(job.command)}\n"


def command_line(kernel: Path, out: Path, scratch: Path, job: Run) -> list[str]:
    """What User Mode Linux is started with."""
    clock = [] if job.real_time else ["time-travel=inf-cpu"]
    return [
        str(kernel), f"mem={job.memory_mib}M", "root=none", "rootfstype=hostfs", "rootflags=/", "ro", "loglevel=1",
        "con=null", "con0=null,fd:1", "random.trust_cpu=on", f"uml_dir={scratch}/", "umid=guest", *clock,
        "init=/bin/sh", "--", str(out / "init.sh"), str(out),
    ]  # fmt: skip


def _boot(kernel: Path, out: Path, scratch: Path, memory: Path, job: Run, say: Callable[[str], None]) -> list[str]:
    """Run it to its end, or to the end of our patience. Returns the last lines that did not come from inside."""
    # glibc from 2.35 on registers restartable sequences; the stub process of User Mode Linux inherits that, unmaps
    # the area and is killed by the machine's kernel.
    environment = {**os.environ, "TMPDIR": str(memory), "GLIBC_TUNABLES": "glibc.pthread.rseq=0", "HOME": str(scratch)}
    outside: deque[str] = deque(maxlen=_LAST_LINES)
    booted = ended = False
    with _started(command_line(kernel, out, scratch, job), environment) as process:
        assert process.stdout is not None
        alarm = threading.Timer(job.wall_s, _kill, (process,))
        alarm.start()
        try:
            for line in process.stdout:
                text = line.decode(errors="replace").rstrip("\r\n")
                booted = booted or text.startswith(READY)
                if booted and not ended:
                    say(text)
                elif not booted:
                    outside.append(text)
                ended = ended or (text.startswith(READY) and ENDED in text)
        finally:
            alarm.cancel()
    return [] if booted else [line for line in outside if line.strip()]


@contextlib.contextmanager
def _started(words: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = subprocess.Popen(  # noqa: S603 - our own kernel
            words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise GuestUnavailable(f"the guest's kernel {words[0]} does not start: {error.strerror}") from None
    with process:
        try:
            yield process
        finally:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The kernel and every process in it: they share a session of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _why(before: list[str], job: Run) -> Exception:
    """What is to be said about a guest that left no result."""
    if not before:
        return GuestFailed(f"the guest ended without a result, or was still running after {job.wall_s:g} s")
    if any("ptrace" in line.lower() for line in before):
        return GuestUnavailable(_NO_TRACING)
    return GuestUnavailable(f"User Mode Linux does not boot here: {before[-1].strip()}")
