"""The checkers themselves: each bad snippet is found, each good one passes."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.tidy import calls, layers, mirror, sizes, source, words
from tests.tidy.source import Finding, Source

Check = Callable[[Source], Iterable[Finding]]


def found(check: Check, path: str, text: str) -> list[str]:
    return [str(finding) for finding in check(Source(path, text))]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("protocol/x.py", "from firmware.core import trip"),
        ("protocol/x.py", "import host_tools"),
        ("firmware/core/x.py", "from firmware.ports import RadioPort"),
        ("firmware/core/x.py", "from .. import ports"),
        ("firmware/core/x.py", "from firmware import adapters"),
        ("firmware/adapters/x.py", "from firmware.adapters.mqtt import Broker"),
        ("firmware/adapters/x.py", "from . import mqtt"),
        ("firmware/adapters/ble/x.py", "from firmware.adapters import mqtt"),
        ("firmware/adapters/x.py", "from firmware.app import main"),
        ("firmware/adapters/x.py", "import firmware.simulated"),
        ("firmware/pump.py", "from firmware.simulated import car"),
        ("firmware/pump.py", "from firmware import app"),
        ("firmware/pump.py", "import host_tools.radio"),
        ("host_tools/phone/x.py", "from firmware.core import events"),
        ("host_tools/x.py", "def late():\n    import firmware"),
        ("host_tools/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hil"),
        ("hil/x.py", "import firmware.app"),
        ("protocol/x.py", "import asyncio"),
        ("protocol/x.py", "from os import urandom"),
        ("firmware/core/x.py", "import time"),
        ("firmware/core/x.py", "import cryptography"),
        ("protocol/x.py", "import requests"),
        ("firmware/core/x.py", "import datetime\nNOW = datetime.datetime.now()"),
        ("firmware/core/x.py", "from datetime import date\nDAY = date.today()"),
        ("firmware/core/x.py", "FILE = open('x')"),
        ("protocol/x.py", "KEY = ec.generate_private_key(ec.SECP256R1())"),
        ("firmware/pump.py", "from bumble.device import Device"),
        ("host_tools/phone/x.py", "import bumble"),
        ("firmware/app.py", "import bleak"),
        ("firmware/app.py", "from tests.support import rig"),
    ],
)
def test_an_import_against_the_direction_is_found(path: str, text: str) -> None:
    findings = found(layers.check, path, text)
    assert len(findings) == 1
    assert findings[0].startswith(f"{path}:{len(text.splitlines())}: ")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("protocol/x.py", "import msgspec\nfrom protocol import cbor\nfrom datetime import UTC"),
        ("protocol/x.py", "from cryptography.hazmat.primitives.asymmetric import ec"),
        ("firmware/core/x.py", "from firmware.core.events import Event\nfrom protocol.tokens import Booking"),
        ("firmware/core/x.py", "import datetime\nAT = draft.now(), datetime.datetime.fromtimestamp(0, UTC)"),
        ("firmware/adapters/ble/x.py", "from firmware.adapters.ble import transport\nimport bumble.device"),
        ("firmware/adapters/ble/x.py", "from . import transport"),
        ("firmware/adapters/x.py", "from firmware.ports import StorePort\nimport asyncio"),
        ("firmware/pump.py", "from firmware.gateway import Gateway\nfrom firmware import outbox"),
        ("firmware/app.py", "from firmware.simulated import car\nimport host_tools.radio.hub"),
        ("firmware/demo/x.py", "from host_tools.phone.client import Phone\nfrom firmware.app import main"),
        ("hil/x.py", "from host_tools.phone.client import Phone"),
        ("tests/unit/x.py", "import firmware.core.trip, host_tools.phone.client, time"),
    ],
)
def test_an_import_along_the_direction_passes(path: str, text: str) -> None:
    assert found(layers.check, path, text) == []


def function(lines: int) -> str:
    return "def f():\n" + "    x = 1\n" * (lines - 1)


def test_a_function_of_61_lines_is_found_and_one_of_60_passes() -> None:
    assert found(sizes.check, "protocol/x.py", function(61)) == ["protocol/x.py:1: f() has 61 lines, at most 60"]
    assert found(sizes.check, "protocol/x.py", function(60)) == []


@pytest.mark.parametrize(("path", "limit"), [("protocol/x.py", 400), ("tests/unit/test_x.py", 600)])
def test_a_file_over_its_limit_is_found(path: str, limit: int) -> None:
    assert found(sizes.check, path, "x = 1\n" * limit) == []
    assert found(sizes.check, path, "x = 1\n" * (limit + 1)) == [
        f"{path}:{limit + 1}: the file has {limit + 1} lines, at most {limit}"
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("firmware/x.py", "print('x')"),
        ("host_tools/x.py", "import time\ntime.sleep(1)"),
        ("tests/test_x.py", "from time import sleep"),
        ("firmware/x.py", "try:\n    f()\nexcept Exception:\n    g()"),
        ("firmware/x.py", "try:\n    f()\nexcept:\n    g()"),
        ("firmware/x.py", "try:\n    f()\nexcept (OSError, builtins.BaseException):  # broad:\n    g()"),
        ("firmware/x.py", "with contextlib.suppress(Exception):\n    f()"),
        ("tests/test_x.py", "from unittest.mock import patch"),
        ("tests/test_x.py", "from unittest import mock"),
        ("tests/test_x.py", "import unittest.mock"),
        ("tests/test_x.py", "x = MagicMock()"),
        ("tests/test_x.py", "pytest.skip('not here')"),
        ("tests/test_x.py", "x = pytest.importorskip('x')"),
        ("tests/test_x.py", "@pytest.mark.skipif(True)\ndef test_x(): ..."),
        ("tests/test_x.py", "@pytest.mark.xfail\ndef test_x(): ..."),
        ("tests/test_x.py", "def test_x():\n    assert True"),
    ],
)
def test_a_forbidden_construct_is_found(path: str, text: str) -> None:
    assert len(found(calls.check, path, text)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("firmware/demo/screen.py", "print('x')"),
        ("host_tools/cli/main.py", "print('x')"),
        ("firmware/x.py", "try:\n    f()\nexcept Exception as error:\n    raise Mine from error"),
        (
            "firmware/x.py",
            "try:\n    f()\nexcept Exception:  # broad: the library raises what it likes\n    g()",
        ),
        ("firmware/x.py", "try:\n    f()\nexcept (OSError, ValueError):\n    g()"),
        ("firmware/x.py", "with suppress(OSError):\n    f()"),
        ("firmware/x.py", "buffer.skip(3)"),
        ("tests/test_x.py", "def test_x():\n    assert x == 1"),
    ],
)
def test_what_only_looks_forbidden_passes(path: str, text: str) -> None:
    assert found(calls.check, path, text) == []


RUNS = "def f():\n    return 1"


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("protocol/cose.py", "tests/unit/protocol/test_cose.py"),
        ("firmware/adapters/ble/radio.py", "tests/unit/firmware/adapters/ble/test_radio.py"),
        ("firmware/__main__.py", "tests/unit/firmware/test_main.py"),
        ("protocol/__init__.py", "tests/unit/protocol/test_init.py"),
    ],
)
def test_a_file_without_its_test_file_is_found(path: str, test: str) -> None:
    assert [str(finding) for finding in mirror.check([Source(path, RUNS)])] == [
        f"{path}:1: has no test file; it would be {test}"
    ]
    assert list(mirror.check([Source(path, RUNS), Source(test, "")])) == []


@pytest.mark.parametrize(
    "text",
    ["", "LIMIT = 3", "class Fix(Struct):\n    x: int", "class Port(Protocol):\n    def f(self): 'Doc.'"],
)
def test_a_file_with_nothing_to_run_needs_no_test_file(text: str) -> None:
    assert list(mirror.check([Source("protocol/x.py", text)])) == []


def test_the_numbered_tests_of_the_bench_are_tests() -> None:
    assert list(mirror.check([Source("hil/suite/test_01_power.py", RUNS)])) == []


@pytest.mark.parametrize(
    "text",
    [
        "# TO" + "DO later",
        "x = 1  # FIX" + "ME",
        "cd /ho" + "me/someone/x",
        "see '/wo" + "rk/x'",
        "pip install -i https://py" + "pi.org/simple",
    ],
)
def test_open_ends_machine_paths_and_registries_are_found(text: str) -> None:
    assert [(finding.path, finding.line) for finding in words.check("a.md", f"\n{text}\n".encode())] == [("a.md", 2)]


@pytest.mark.parametrize("data", [b"/usr/sbin/mosquitto", b"todo", b"docs/work/x", b"\0 TO" + b"DO", b"/dev/ttyUSB0"])
def test_ordinary_words_and_binary_files_pass(data: bytes) -> None:
    assert list(words.check("a.md", data)) == []


def test_the_walk_leaves_out_what_is_built_cached_or_hidden(tmp_path: Path) -> None:
    for name in (
        "a.py",
        ".venv/b.py",
        "build/c.py",
        "x/__pycache__/d.py",
        ".ci/run",
        "e.egg-info/f.py",
        ".hidden",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    assert [path.relative_to(tmp_path).as_posix() for path in source.files(tmp_path)] == ["a.py", ".ci/run"]
    assert [found.path for found in source.sources(tmp_path)] == ["a.py"]
