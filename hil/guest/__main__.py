"""`python -m hil.guest`: build what the guest needs, and run a command or the tests in it.

Decides: what is said to whom, and with which exit code. 69: the guest can not be had here, and one line says why.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hil.guest import bluez, boot, kernel
from hil.guest.problems import UNAVAILABLE, GuestUnavailable

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = (
    "-m",
    "guest",
    "tests/unit/hil/guest",
    "tests/bluez",
    "tests/guest",
    "tests/integration/test_phone_suite.py",
)
"""What pytest is given: the tests of the guest, and the phone suite over BlueZ."""
FAILED: Final = 70


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _note(line: str) -> None:
    sys.stderr.write(f"guest: {line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hil.guest", description=__doc__)
    parser.add_argument("--real-time", action="store_true", help="the guest's clock goes as ours; else waiting is free")
    parser.add_argument("--capture", action="store_true", help="keep all HCI traffic, as hci.btsnoop")
    parser.add_argument("--out", type=Path, help="a directory that keeps what the run leaves behind")
    parser.add_argument("--memory", type=int, default=768, metavar="MIB")
    parser.add_argument("--limit", type=float, default=20000.0, metavar="S", help="longest time of the guest's clock")
    parser.add_argument("--wall", type=float, default=900.0, metavar="S", help="longest time of ours")
    parser.add_argument(
        "--build-limit", type=float, default=kernel.BUILD_S, metavar="S", help="longest time to build the kernel"
    )
    parser.add_argument(
        "--if-possible", action="store_true", help="a machine on which the guest can not be had is no failure"
    )
    parser.add_argument(
        "what", choices=("build", "run", "test"), help="build what is missing; run a command; run pytest"
    )
    parser.add_argument("words", nargs=argparse.REMAINDER, help="the command, or further words for pytest")
    return parser


def _command(options: argparse.Namespace) -> tuple[str, ...]:
    words = tuple(word for word in options.words if word != "--")
    if options.what == "run":
        return words or ("sh",)
    pytest = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    return pytest + (words or tuple(word for word in TESTS if "/" not in word or (ROOT / word).exists()))


def _do(options: argparse.Namespace) -> int:
    built = kernel.build(_note, limit_s=options.build_limit)
    tree = bluez.fetch()
    if options.what == "build":
        _say(f"{built}\n{tree}")
        return 0
    job = boot.Run(
        command=_command(options),
        directory=Path.cwd() if options.what == "run" else ROOT,
        environment={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/run/bin"},
        limit_s=options.limit,
        wall_s=options.wall,
        memory_mib=options.memory,
        real_time=options.real_time,
        capture=options.capture,
        out=options.out,
    )
    return boot.run(built, tree, job, _say)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: the command's own, 69 without a guest, 70 when it ended without a result."""
    options = _parser().parse_args(arguments)
    try:
        return _do(options)
    except GuestUnavailable as error:
        _note(str(error) if not options.if_possible else f"left out: {error}")
        return 0 if options.if_possible else UNAVAILABLE
    except boot.GuestFailed as error:
        _note(str(error))
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
