"""A pytest plugin: a module with its car, its owner and its phones, for tests of other people's apps.

Decides when a test runs on virtual time, and that a failing test shows what its modules did. pytest imports this file
in every run of everybody who has the package, so it imports nothing of the project until a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    import asyncio

    from firmware.inprocess.garage import Garage

FIXTURES: Final = frozenset(
    {"sharebox_module", "sharebox_modules", "sharebox_booking", "sharebox_phone", "sharebox_broker"}
)
VIRTUAL: Final = "virtual"
_NAME: Final = "sharebox-fixtures"
_HOOK: Final = "pytest_asyncio_loop_factories"
_MARKER: Final = (
    "sharebox(mtu, begins, broker): the ATT MTU that phones ask for, the UTC time at which "
    "it begins (ISO 8601), and HOST:PORT of a real MQTT broker (then time is real)"
)

GARAGE: Final[pytest.StashKey[Garage]] = pytest.StashKey()
"""The modules of a test, for its report."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The command line's part."""
    group = parser.getgroup("sharebox", "Sharebox modules")
    group.addoption(
        "--sharebox-link",
        default=VIRTUAL,
        metavar="LINK",
        help="where the module of the sharebox fixtures is: virtual (default: in this process, on virtual time), "
        "serial:PATH, rfc2217://HOST:PORT, socket://HOST:PORT, or ble:ADDRESS",
    )
    group.addoption(
        "--sharebox-bench",
        default=".",
        metavar="DIR",
        help="the directory that `shareboxctl module init` made for a module that is not in this process",
    )
    group.addoption(
        "--sharebox-console",
        default="",
        metavar="PATH",
        help="the serial line of such a module's console, where the link itself is none (ble:ADDRESS)",
    )
    group.addoption(
        "--sharebox-capture",
        default=None,
        metavar="DIR",
        help="keep what was on the air in a pcapng file for each test, with the keys to read it; for tests only",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The fixtures need pytest-asyncio, and nothing else does."""
    config.addinivalue_line("markers", _MARKER)
    if config.pluginmanager.hasplugin("asyncio"):
        from firmware.inprocess import fixtures

        config.pluginmanager.register(fixtures, _NAME)
    else:
        from firmware.inprocess import without_asyncio

        config.pluginmanager.register(without_asyncio, _NAME)


class _VirtualTime:
    """While registered, the test that is being collected runs on a loop whose time jumps."""

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_asyncio_loop_factories(self) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
        from host_tools.virtual_time import VirtualTimeLoop

        return {VIRTUAL: VirtualTimeLoop}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, object, object]:
    """Virtual time for the tests that use a module in this process, and for no other test."""
    plugins = metafunc.config.pluginmanager
    if not _on_virtual_time(metafunc) or not hasattr(metafunc.config.hook, _HOOK):
        return (yield)
    # Registered for this one test alone: pytest-asyncio gives loops of a hook to every test while there is one.
    name = plugins.register(_VirtualTime())
    try:
        return (yield)
    finally:
        plugins.unregister(name=name)


def _on_virtual_time(metafunc: pytest.Metafunc) -> bool:
    if FIXTURES.isdisjoint(metafunc.fixturenames) or metafunc.config.getoption("--sharebox-link") != VIRTUAL:
        return False
    chosen = metafunc.definition.get_closest_marker("asyncio")
    marker = metafunc.definition.get_closest_marker("sharebox")
    has_loop = chosen is not None and chosen.kwargs.get("loop_factories") is not None
    return not has_loop and not (marker is not None and marker.kwargs.get("broker"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """A failing test shows what its modules did."""
    garage = item.stash.get(GARAGE, None)
    if garage is not None and call.excinfo is not None:
        for title, text in garage.told():
            # What is called a log goes into JUnit files as well, with `junit_logging`.
            item.add_report_section(call.when, f"log of {title}, in", text)
