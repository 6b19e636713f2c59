"""What a test says about its modules: the command line's options and the marker `sharebox`.

Decides what is wrong with them, in one line.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from firmware.demo.rig import BEGINS_S
from firmware.inprocess.garage import Options
from protocol import gatt

_KNOWN: Final = frozenset({"mtu", "begins", "broker"})
_LOOP_SCOPES: Final = ("loop_scope", "scope")


def options_of(request: pytest.FixtureRequest) -> Options:
    """The options of the test that asks. Raises UsageError."""
    node, config = request.node, request.config
    marker = node.get_closest_marker("sharebox")
    said = {} if marker is None else marker.kwargs
    unknown = sorted(set(said) - _KNOWN)
    if unknown or (marker is not None and marker.args):
        raise pytest.UsageError(f"{node.nodeid}: the marker sharebox knows {', '.join(sorted(_KNOWN))} only, by name")
    check_age(config.hook)
    _check_loop(node, config)
    capture = config.getoption("--sharebox-capture")
    return Options(
        test=node.name,
        link=config.getoption("--sharebox-link"),
        console=config.getoption("--sharebox-console"),
        bench=Path(config.getoption("--sharebox-bench")),
        capture=None if capture is None else Path(capture),
        mtu=_mtu(node, said.get("mtu", gatt.MAX_ATT_MTU)),
        begins_s=_begins(node, said.get("begins")),
        broker=_broker(node, said.get("broker")),
    )


def check_age(hooks: object) -> None:
    """Without the hook for loops there is no virtual time, and an hour would be one. Raises UsageError."""
    if not hasattr(hooks, "pytest_asyncio_loop_factories"):
        raise pytest.UsageError("the sharebox fixtures need pytest-asyncio 1.4 or later; this one is older. Update it.")


def _check_loop(node: pytest.Item, config: pytest.Config) -> None:
    """The fixtures live on the loop of one test; on a loop of several tests they would be elsewhere."""
    marker = node.get_closest_marker("asyncio")
    chosen = [marker.kwargs[name] for name in _LOOP_SCOPES if marker is not None and name in marker.kwargs]
    scope = chosen[0] if chosen else config.getini("asyncio_default_test_loop_scope")
    if scope != "function":
        raise pytest.UsageError(
            f"{node.nodeid}: the sharebox fixtures need an event loop of the test's own. "
            'Mark it @pytest.mark.asyncio(loop_scope="function").'
        )


def _mtu(node: pytest.Item, mtu: object) -> int:
    if not isinstance(mtu, int) or not gatt.MIN_ATT_MTU <= mtu <= gatt.MAX_ATT_MTU:
        raise pytest.UsageError(f"{node.nodeid}: mtu={mtu!r} is not from {gatt.MIN_ATT_MTU} to {gatt.MAX_ATT_MTU}")
    return mtu


def _begins(node: pytest.Item, begins: object) -> int:
    if begins is None:
        return BEGINS_S
    try:
        at = datetime.fromisoformat(str(begins))
    except ValueError:
        raise pytest.UsageError(f"{node.nodeid}: begins={begins!r} is no time such as 2026-10-30T10:00Z") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def _broker(node: pytest.Item, broker: object) -> tuple[str, int] | None:
    if broker is None:
        return None
    host, _, port = str(broker).rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise pytest.UsageError(f"{node.nodeid}: broker={broker!r} is not HOST:PORT")
    return host, int(port)
