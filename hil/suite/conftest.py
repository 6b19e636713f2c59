"""What holds for every numbered test: a module with power, a bounded time, a rule that it shows, figures at the end.

An environment file says what stands on the table (`--lg-env`). What needs something that it has not is left out and
named at the end of the run; nothing is skipped in silence.
"""

import re
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from os import environ
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import pytest

from hil.stand import Figure, Stand
from host_tools.bench.bench import Bench

if TYPE_CHECKING:
    from labgrid import Target

PROCESS: Final = Path(__file__).parents[1] / "environments" / "process.yaml"
DIRECTORY: Final = "LG_MODULE"
HUB_PORT: Final = "LG_HUB_PORT"
FEATURE: Final = "lg_feature"
BEFORE: Final = "before"

_FIGURES: Final = pytest.StashKey[list[str]]()
_LEFT_OUT: Final = pytest.StashKey[list[str]]()
_OURS: Final = pytest.StashKey[Path]()
_SECONDS: Final = {"s": 1, "min": 60, "h": 3600}


# ---------------------------------------------------------------- the run
def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", default="20s", help="how long the soak lasts: 20s, 30min, 12h (default: 20s)")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before labgrid reads the environment: without one it is a module process, in a directory of its own."""
    config.addinivalue_line("markers", "limit(seconds): how long the test may take; each names it")
    config.stash[_FIGURES] = []
    if not config.pluginmanager.hasplugin("labgrid"):
        raise pytest.UsageError("the numbered tests need labgrid: run them with `make hil`")
    config.option.lg_env = config.option.lg_env or environ.get("LG_ENV") or str(PROCESS)
    if DIRECTORY not in environ:
        config.stash[_OURS] = Path(tempfile.mkdtemp(prefix="sharebox-hil-"))
        environ[DIRECTORY] = str(config.stash[_OURS])
    environ.setdefault(HUB_PORT, str(_free_port()))


def pytest_unconfigure(config: pytest.Config) -> None:
    """The module's directory goes with the run."""
    if _OURS in config.stash:
        shutil.rmtree(config.stash[_OURS])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each test has its limit and its rule. What the table has not leaves tests out: before labgrid would skip them."""
    there = _features(config)
    left_out: dict[str, list[str]] = {}
    for item in list(items):
        wanted = {name for marker in item.iter_markers(FEATURE) for name in _names(marker)}
        if wanted - there:
            left_out.setdefault(", ".join(sorted(wanted - there)), []).append(item.name)
            items.remove(item)
    config.stash[_LEFT_OUT] = [f"left out, for want of {why}: {', '.join(names)}" for why, names in left_out.items()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, and what was left out."""
    for line in (*terminalreporter.config.stash[_FIGURES], *terminalreporter.config.stash.get(_LEFT_OUT, [])):
        terminalreporter.write_line(line)


def _features(config: pytest.Config) -> set[str]:
    from labgrid.pytestplugin.hooks import LABGRID_ENV_KEY

    env = config.stash[LABGRID_ENV_KEY]
    return {*env.get_features(), *env.get_target_features()}


def _names(marker: pytest.Mark) -> list[str]:
    (wanted,) = marker.args
    return [wanted] if isinstance(wanted, str) else list(wanted)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


# ---------------------------------------------------------------- each test
@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that hangs fails, with the place where it hung."""
    marker = item.get_closest_marker("limit")
    assert marker is not None
    extra_s = _soak_s(item.config) if "soak_s" in getattr(item, "fixturenames", ()) else 0
    with _limit(float(marker.args[0]) + extra_s):
        return (yield)


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def expired(_signal: int, _frame: FrameType | None) -> None:
        pytest.fail(f"still running after {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _soak_s(config: pytest.Config) -> float:
    text = str(config.getoption("soak"))
    found = re.fullmatch(r"(\d+)(s|min|h)", text)
    if found is None:
        raise pytest.UsageError(f"--soak {text}: write 20s, 30min or 12h")
    return int(found[1]) * _SECONDS[found[2]]


@pytest.fixture
def soak_s(pytestconfig: pytest.Config) -> float:
    """How long the soak lasts, in seconds."""
    return _soak_s(pytestconfig)


@pytest.fixture
def figure(request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]) -> Figure:
    """Tells something that was measured: at the end of the run, and in the results file."""

    def tell(name: str, value: str) -> None:
        record_testsuite_property(name, value)
        request.config.stash[_FIGURES].append(f"{name}: {value}")

    return tell


# ---------------------------------------------------------------- what stands on the table
@pytest.fixture(scope="session")
def stand(target: "Target") -> Iterator[Stand]:
    """The module of the environment file, with power; without any when all is over."""
    driver, power = target.get_driver("StandDriver"), target.get_driver("PowerProtocol")
    power.on()
    try:
        yield driver.stand
    finally:
        power.off()


@pytest.fixture
async def bench(stand: Stand) -> AsyncIterator[Bench]:
    """The module's desk, and phones beside it. What the test does to module, car and time is undone after it."""
    await stand.power_on()
    async with stand.desk() as bench:
        await bench.control(f"state save {BEFORE}")
        yield bench
        await bench.control(f"state load {BEFORE}")
    # A program that starts anew takes the computer's time for the world's.
    await stand.power_off()
    await stand.power_on()
