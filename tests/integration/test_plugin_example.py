"""The example project of docs/example, run as an app team runs it: a copy, with pytest, and no part of this tree."""

import shutil
from pathlib import Path

import pytest

from tests.support.command import ROOT
from tests.support.project import pytest_in

MISTAKEN = """
import pytest
from carkey import CarKey

@pytest.mark.asyncio
@pytest.mark.sharebox(begins="2026-12-24T18:00Z")
async def test_that_is_mistaken(sharebox_module, sharebox_booking):
    async with CarKey(sharebox_booking.json(), sharebox_booking.holder_private) as key:
        await key.unlock()
        await sharebox_module.do("version")
        assert not key.granted
"""

BESIDE = """
import asyncio
import pytest
from host_tools.virtual_time import VirtualTimeLoop

@pytest.mark.asyncio
async def test_virtual(sharebox_module):
    assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

@pytest.mark.asyncio
async def test_others_keep_their_loop():
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

@pytest.mark.asyncio(loop_scope="module")
async def test_shared_loop(sharebox_module): ...

@pytest.mark.sharebox(mtu=1)
@pytest.mark.asyncio
async def test_wrong_marker(sharebox_module): ...
"""


@pytest.mark.req("BEN-2", "BEN-3", "CUT-1", "BLE-1", "PRV-1", "TEL-3")
def test_the_example_passes_beside_other_tests_and_one_that_fails_shows_what_the_module_did(tmp_path: Path) -> None:
    folder = tmp_path / "carkey"
    shutil.copytree(ROOT / "docs" / "example", folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    (folder / "tests" / "test_mistaken.py").write_text(MISTAKEN)
    (folder / "tests" / "test_beside.py").write_text(BESIDE)
    options = ["-rA", "-W", "error", "--sharebox-capture", "air"]
    ran = pytest_in(folder, *options, "--junit-xml", "report.xml", "-o", "junit_logging=log")
    passed = {line.partition("::")[2] for line in ran.out.splitlines() if line.startswith("PASSED")}
    assert len(passed) == 10, ran.out
    assert {"test_virtual", "test_others_keep_their_loop"} < passed
    assert "1 failed, 10 passed, 2 errors" in ran.out
    assert 'need an event loop of the test\'s own. Mark it @pytest.mark.asyncio(loop_scope="function")' in ran.out
    assert "mtu=1 is not from 23 to 517" in ran.out
    report = ran.out[ran.out.index("_ test_that_is_mistaken _") :]
    assert "Captured log of Sharebox car, module " in report
    assert "18:00:0" in report
    for line in ("link 1: UNLOCK  [active]", "    to the car: unlock", "    link 1: done", "desk: version"):
        assert line in report
    assert "link 1: UNLOCK  [active]" in (folder / "report.xml").read_text()
    kept = {path.name for path in (folder / "air").iterdir()}
    assert {"test_it_opens_the_car_car.pcapng", "test_it_finds_its_own_car_among_two_other.pcapng"} < kept
