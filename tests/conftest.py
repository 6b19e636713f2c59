"""What holds for every test: which clock it runs on, and what it must not leave behind.

Async tests run on virtual time. A test that needs real sockets or processes says so:
`@pytest.mark.asyncio(loop_factories=["real"])`.
"""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from functools import cache
from pathlib import Path

import hypothesis
import pytest
import structlog
from pytest_asyncio.plugin import is_async_test

from host_tools.virtual_time import VirtualTimeLoop
from tests.support import asyncapi, coverage_gate, guards, interface, matrix, needs
from tests.tidy import mirror

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "virtual": VirtualTimeLoop,
    "real": asyncio.SelectorEventLoop,
}

network = guards.LoopbackOnly()
network.install()
interface.install()
# A shell that starts a program in the background has SIGINT ignored, which the programs under test would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = (
    "tests/integration/test_dashboard.py",
    "tests/integration/test_demo.py",
    "tests/integration/test_plugin_example.py",
    "tests/integration/test_scenario_links.py",
    "tests/mutation/",
    "tests/tidy/test_matrix.py",
)
"""Where the tests are that take longest: they begin first, so that no worker is left alone with one at the end."""

# The same inputs on every machine, and no verdict that depends on how busy the machine is.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-gate", action="store_true", help="leave out what the coverage gate runs by itself")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make test` runs the coverage gate, and with it the tests of the pure parts: once is enough."""
    if not config.getoption("without_gate"):
        return None
    return True if collection_path in _of_the_gate(config.rootpath) else None


@cache
def _of_the_gate(root: Path) -> frozenset[Path]:
    return frozenset(root / mirror.test_file(module) for module in coverage_gate.modules(root))


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Virtual time, unless the test's marker names its loops."""
    marker = item.get_closest_marker("asyncio")
    wanted = marker.kwargs.get("loop_factories") if marker else None
    if wanted is None:
        loop = "real" if needs.inside() else "virtual"  # the guest's own clock is the one that jumps
        return {loop: LOOPS[loop]}
    unknown = [name for name in wanted if name not in LOOPS]
    if unknown:
        raise pytest.UsageError(f"{item.nodeid}: no loop is called {unknown[0]!r}, only {', '.join(LOOPS)}")
    return LOOPS


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that names a rule which does not exist stops the run; one whose program is missing is left out; the
    longest come first."""
    known = {rule.id for rule in matrix.read_rules(config.rootpath / matrix.REQUIREMENTS)}
    for item in items:
        for name in matrix.rules_named_by(item):
            if name not in known:
                raise pytest.UsageError(f"{item.nodeid}: {name!r} is no rule of {matrix.REQUIREMENTS}")
    needs.deselect(config, items)
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end; whoever collects garbage need not look at it each time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands on what it has left out."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[needs.WORKER_OUTPUT] = dict(session.config.stash.get(needs.MISSING, {}))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """What a worker has left out is known here, in the process that prints."""
    output, config = getattr(node, "workeroutput", None), getattr(node, "config", None)
    if isinstance(output, dict) and isinstance(config, pytest.Config):
        needs.merge(config, output.get(needs.WORKER_OUTPUT, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, and what to do."""
    for line in needs.note(terminalreporter.config):
        terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that hangs fails, with the place where it hung."""
    limit_s = guards.GUEST_TEST_LIMIT_S if needs.inside() else guards.TEST_LIMIT_S
    with guards.time_limit(0 if item.get_closest_marker("slow") else limit_s):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test shows nothing, so it counts as failed."""
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped or expected to fail: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set up before every other fixture, so it looks after all of them are gone."""
    interface.watch.made_up = request.node.get_closest_marker("made_up_messages") is not None
    if is_async_test(request.node):
        request.getfixturevalue("_ends_its_tasks")
    yield
    structlog.reset_defaults()  # some mute the log for themselves; the next test has its own
    unlike = interface.watch.take_faults()
    if unlike:
        pytest.fail(f"not as {asyncapi.DOCUMENT} has it: {'; '.join(unlike)}", pytrace=False)
    refused = network.take_refused()
    if refused:
        pytest.fail(f"traffic outside loopback: {', '.join(refused)}", pytrace=False)


@pytest.fixture
async def _ends_its_tasks() -> AsyncIterator[None]:
    """Tasks that still run when the test and its fixtures are done belong to nobody."""
    yield
    leaked = await guards.unfinished_tasks()
    if leaked:
        pytest.fail(f"tasks left running: {', '.join(leaked)}", pytrace=False)
