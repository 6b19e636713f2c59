"""The plugin in other people's projects: free when it is not used. In use: tests/integration/test_plugin_example.py."""

from pathlib import Path

import pytest

from tests.support.project import project, pytest_in

UNUSED = """
import asyncio, sys
import pytest

OURS = ("firmware", "protocol", "host_tools", "hil", "pytest_sharebox", "bumble", "bleak", "structlog", "msgspec")

def test_nothing_of_it_is_loaded():
    loaded = sorted(name for name in sys.modules if name.partition(".")[0] in OURS)
    assert loaded == [
        "firmware", "firmware.inprocess", "firmware.inprocess.fixtures", "firmware.inprocess.plugin", "pytest_sharebox"
    ]

@pytest.mark.asyncio
async def test_others_keep_their_loop():
    assert type(asyncio.get_running_loop()).__module__.startswith("asyncio.")
    assert "host_tools.virtual_time" not in sys.modules
"""


@pytest.mark.req("BEN-3")
def test_it_costs_nothing_until_a_test_asks_for_a_module(tmp_path: Path) -> None:
    ran = pytest_in(project(tmp_path / "app", "strict", test_app=UNUSED))
    assert "2 passed in" in ran.out, ran.out


@pytest.mark.req("BEN-3")
def test_without_pytest_asyncio_only_the_fixtures_are_missing(tmp_path: Path) -> None:
    text = "def test_sync(): ...\ndef test_asks(sharebox_module): ...\n"
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "test_a.py").write_text(text)
    ran = pytest_in(folder, "-p", "no:asyncio")
    assert "the sharebox fixtures need pytest-asyncio, which is not active. Install pytest-asyncio" in ran.out
    assert "1 passed, 1 error" in ran.out
