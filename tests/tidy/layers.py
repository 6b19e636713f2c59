"""Who may import whom, and what the pure parts may not touch."""

import ast
import sys
from collections.abc import Iterator

from tests.tidy.source import PACKAGES, Finding, Source, dotted, within

SHELLS = (
    "firmware.app",
    "firmware.brokers",
    "firmware.fittings",
    "firmware.checkup",
    "firmware.demo",
    "firmware.inprocess",
    "firmware.dashboard",
    "firmware.__main__",
)
WIRED = ("firmware.adapters", "firmware.simulated", "firmware.bench", *SHELLS)
"""What only the shells put together."""

MAY_IMPORT: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("protocol", ("protocol",)),
    ("firmware.app", ("protocol", "firmware", "host_tools")),
    ("firmware.brokers", ("protocol", "firmware")),
    ("firmware.fittings", ("protocol", "firmware")),
    ("firmware.checkup", ("protocol", "firmware")),
    ("firmware.demo", ("protocol", "firmware", "host_tools")),
    ("firmware.inprocess", ("protocol", "firmware", "host_tools")),
    ("firmware.dashboard", ("protocol", "firmware", "host_tools")),
    ("firmware.bench", ("protocol", "firmware", *(f"-{part}" for part in ("firmware.adapters", *SHELLS)))),
    ("firmware.__main__", ("protocol", "firmware")),
    ("firmware.core", ("protocol", "firmware.core")),
    ("firmware.simulated", ("protocol", "firmware.core", "firmware.ports", "firmware.nmea", "firmware.simulated")),
    ("firmware.adapters", ("protocol", "firmware.core", "firmware.ports", "firmware.nmea")),  # and each its own package
    ("firmware", ("protocol", "firmware", *(f"-{part}" for part in WIRED))),
    ("host_tools", ("protocol", "host_tools")),
    ("hil", ("protocol", "host_tools", "hil")),
)
"""The first entry that holds the importing module decides; a minus takes a part out again."""

PURE = ("protocol", "firmware.core")
"""Bytes and values in, bytes and values out: no clock, no randomness, no input or output."""

IMPURE_MODULES = frozenset(
    {
        "asyncio",
        "concurrent",
        "glob",
        "http",
        "importlib",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "queue",
        "random",
        "sched",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    }
)
IMPURE_CALLS = frozenset({"open", "print", "input", "breakpoint", "__import__"})
IMPURE_METHODS = frozenset({"generate_private_key", "urandom", "getrandbits"})
WALL_CLOCK = frozenset(f"{kind}.{call}" for kind in ("datetime", "date") for call in ("now", "utcnow", "today"))

LIBRARIES = {
    "protocol": frozenset({"asn1tools", "cbor2", "cryptography", "dateutil", "msgspec"}),
    "firmware.core": frozenset({"msgspec"}),
}
"""Third-party packages that the pure parts may import."""

WALLS = {
    "asn1tools": ("protocol.msd",),
    "bumble": ("firmware.adapters.ble", "host_tools.radio", "hil"),
    "aiomqtt": ("firmware.adapters.mqtt", "firmware.demo", "host_tools", "hil"),
    "bleak": ("firmware.demo", "firmware.inprocess", "host_tools", "hil"),
    "prompt_toolkit": ("firmware.bench", "host_tools"),
    "can": ("firmware.adapters.can",),
    "cantools": ("firmware.adapters.can",),
    "gpiod": ("firmware.adapters.gpio",),
    "pynmeagps": ("firmware.nmea",),
    "serial": ("firmware.adapters.gnss", "firmware.adapters.serial", "host_tools", "hil"),
    "starlette": ("firmware.dashboard",),
    "uvicorn": ("firmware.dashboard",),
}
"""Libraries that are to be replaceable, and the only places that know them."""


def check(source: Source) -> Iterator[Finding]:
    """Every breach of the layering in one file."""
    if not source.module.startswith(PACKAGES):
        return
    for node, name in imported(source):
        if within(name, "tests"):
            yield source.finding(node, f"{name} is imported outside the tests")
        if name.partition(".")[0] in PACKAGES and not _allowed(source.module, name):
            yield source.finding(node, f"{source.module} may not import {name}")
        walls = WALLS.get(name.partition(".")[0])
        if walls and not any(within(source.module, wall) for wall in walls):
            yield source.finding(node, f"{source.module} may not import {name}, only {', '.join(walls)} may")
    for package in PURE:
        if within(source.module, package):
            yield from _impure(source, package)


def imported(source: Source) -> Iterator[tuple[ast.stmt, str]]:
    """Each imported name in full: `from a import b` gives `a.b`, whether b is a module or not."""
    parents = source.path.split("/")[:-1]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = parents[: len(parents) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node, f"{base}.{alias.name}"


def _allowed(module: str, name: str) -> bool:
    above, allowed = next(entry for entry in MAY_IMPORT if within(module, entry[0]))
    if above == "firmware.adapters":
        allowed = (*allowed, ".".join(module.split(".")[:3]))
    taken_out = any(within(name, part.removeprefix("-")) for part in allowed if part.startswith("-"))
    return not taken_out and any(within(name, part) for part in allowed)


def _impure(source: Source, package: str) -> Iterator[Finding]:
    for node, name in imported(source):
        top = name.partition(".")[0]
        if top in IMPURE_MODULES:
            yield source.finding(node, f"{package} is pure and may not import {top}")
        elif top not in sys.stdlib_module_names and top not in PACKAGES and top not in LIBRARIES[package]:
            yield source.finding(node, f"{package} may not import the library {top}")
    for used in ast.walk(source.tree):
        if isinstance(used, ast.Name) and used.id in IMPURE_CALLS:
            yield source.finding(used, f"{package} is pure and may not use {used.id}()")
        elif isinstance(used, ast.Attribute) and (used.attr in IMPURE_METHODS or _reads_clock(used)):
            yield source.finding(used, f"{package} is pure and may not use {dotted(used) or used.attr}()")


def _reads_clock(node: ast.Attribute) -> bool:
    return ".".join(dotted(node).split(".")[-2:]) in WALL_CLOCK
