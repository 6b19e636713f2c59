"""The engine that is guided by coverage: `python -m tests.fuzz.guided TARGET --seconds 600`; `make fuzz-nightly`.

Needs the extra `fuzz` (atheris, which brings libFuzzer). What it learns stays under build/fuzz/corpus; `--keep` takes
some of it into tests/fuzz/corpus.
"""

import argparse
import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.fuzz import engine
from tests.fuzz.engine import CORPUS, REGRESSIONS

WORK: Final = Path("build/fuzz")
MOST_KEPT: Final = 24
"""Inputs of a target that are kept in the repository."""
MOST_KEPT_BYTES: Final = 1_500
MEMORY_MB: Final = 1_024
HANG_S: Final = 300
"""So much longer than it was given a process may take; an input on which a target hangs shows by that."""
_ALONE: Final = "--alone"
_INSTRUMENTED: Final = ["protocol", "firmware", "host_tools"]


def names() -> list[str]:
    """All targets, asked of another process: what is imported here could not be instrumented any more."""
    ask = "from tests.fuzz.targets import TARGETS; print(*TARGETS)"
    return subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()


def alone(name: str, arguments: list[str]) -> None:
    """In a process of its own: one target, under libFuzzer, with the arguments that it understands."""
    atheris: Any = importlib.import_module("atheris")  # it has no types, and is not there without its extra
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from tests.fuzz.targets import TARGETS
    engine.quiet()
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name].run)
    atheris.Fuzz()


def _fuzzer(name: str, seconds: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.guided", _ALONE, name, *arguments, f"-max_total_time={seconds}"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + HANG_S)
    except subprocess.TimeoutExpired as error:
        said = error.stderr.decode("utf-8", "replace") if isinstance(error.stderr, bytes) else ""
        return subprocess.CompletedProcess(command, 1, "", f"{said}\nit hangs")


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target; print one line. Whether it found nothing."""
    learnt, faults, begin = (WORK / part / name for part in ("corpus", "faults", "begin"))
    for folder in (learnt, faults, begin):
        folder.mkdir(parents=True, exist_ok=True)
    write = (
        "import sys, pathlib; from tests.fuzz.targets import TARGETS; target = TARGETS[sys.argv[1]]\n"
        "for at, seed in enumerate(target.seeds()): pathlib.Path(sys.argv[2], f'seed{at}').write_bytes(seed)\n"
        "print(target.most_bytes)"
    )
    asked = subprocess.run([sys.executable, "-c", write, name, str(begin)], capture_output=True, text=True, check=True)
    sources = [str(place) for place in (begin, CORPUS / name, REGRESSIONS / name) if place.is_dir()]
    done = _fuzzer(
        name,
        seconds,
        str(learnt),
        *sources,
        f"-max_len={asked.stdout.strip()}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-timeout={HANG_S}",
        f"-artifact_prefix={faults}/",
        "-print_final_stats=1",
    )
    figures = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
    covered = re.findall(r"cov: (\d+)", done.stderr)[-1:] or ["?"]
    runs, peak = (figures.get(key, "?") for key in ("number_of_executed_units", "peak_rss_mb"))
    print(
        f"{name:<13} {runs:>10} inputs, {covered[0]:>5} places, peak {peak:>4} MB, exit {done.returncode}", flush=True
    )
    if done.returncode:
        print(done.stderr[-3_000:], f"\n  the input is in {faults}")
    return done.returncode == 0


def keep(name: str) -> int:
    """Take some of what was learnt into the repository, in place of what is there; how many there are now."""
    place = CORPUS / name
    learnt = sorted((WORK / "corpus" / name).iterdir(), key=lambda path: (path.stat().st_size, path.name))
    small = [path for path in learnt if 0 < path.stat().st_size <= MOST_KEPT_BYTES]
    # Evenly from small to large, so that both early and late refusals are among them.
    chosen = small[:: max(1, -(-len(small) // MOST_KEPT))]
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for path in chosen:
        shutil.copyfile(path, place / path.name[:16])
    return len(chosen)


def main(arguments: Sequence[str]) -> int:
    """0 when nothing was found."""
    if arguments[:1] == [_ALONE]:
        alone(arguments[1], list(arguments[2:]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args(arguments)
    fine = True
    for name in options.targets or names():
        fine = fuzz(name, options.seconds) and fine
        if options.keep:
            print(f"{'':<13} {keep(name):>10} inputs kept", flush=True)
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
