"""The limits around each test hold: time, tasks, network, loops, skips, unknown rules."""

import asyncio
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.support import needs
from tests.support.guards import LoopbackOnly, time_limit, unfinished_tasks
from tests.tidy.source import ROOT

SUITE = """\
import asyncio, socket
import pytest

kept = []

async def test_time_is_virtual():
    await asyncio.sleep(86_400)

@pytest.mark.asyncio(loop_factories=["real"])
async def test_time_is_real():
    assert asyncio.get_running_loop().time() > 1

@pytest.fixture
async def worker():
    task = asyncio.create_task(asyncio.sleep(86_400))
    yield task
    task.cancel()

async def test_fixture_ends_its_task(worker):
    assert not worker.done()

async def test_leaks():
    kept.append(asyncio.create_task(asyncio.sleep(86_400), name="orphan"))

def test_goes_out():
    try:
        socket.getaddrinfo("example.org", 80)
    except Exception:
        pass

def test_hides_behind_a_skip():
    pytest.skip("not today")

@pytest.mark.xfail
def test_hides_behind_an_xfail():
    assert kept == 0
"""


def run(folder: Path, text: str, *tokens: str) -> subprocess.CompletedProcess[str]:
    suite = folder / "test_suite.py"
    suite.write_text(text)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", "-rA"]
    return subprocess.run([*command, *tokens, str(suite)], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_test_that_leaks_skips_or_goes_out_fails(tmp_path: Path) -> None:
    said = run(tmp_path, SUITE).stdout
    verdicts = {tuple(line.split()[:2]) for line in said.splitlines() if "::test_" in line}
    assert {(verdict, test.partition("::")[2]) for verdict, test in verdicts} == {
        ("PASSED", "test_time_is_virtual"),
        ("PASSED", "test_time_is_real"),
        ("PASSED", "test_fixture_ends_its_task"),
        ("PASSED", "test_leaks"),
        ("ERROR", "test_leaks"),
        ("FAILED", "test_goes_out"),
        ("ERROR", "test_goes_out"),
        ("FAILED", "test_hides_behind_a_skip"),
        ("FAILED", "test_hides_behind_an_xfail"),
    }
    assert "tasks left running: orphan (sleep)" in said
    assert "traffic outside loopback: socket.getaddrinfo ('example.org', 80)" in said


NEEDY = """\
import pytest

@pytest.mark.needs("sh")
def test_there():
    pass

@pytest.mark.needs("sh", "no-such-program")
@pytest.mark.parametrize("case", [1, 2])
def test_missing(case):
    pass
"""


@pytest.mark.parametrize("tokens", [(), ("--numprocesses=2",)])
def test_a_test_whose_program_is_missing_is_left_out_and_the_end_of_the_run_says_so(
    tmp_path: Path, tokens: tuple[str, ...]
) -> None:
    done = run(tmp_path, NEEDY, *tokens)
    assert done.returncode == 0
    assert "1 passed" in done.stdout
    assert done.stdout.count("2 tests were left out: no-such-program is not here. Install it: sudo apt-get") == 1
    assert "sh is not here" not in done.stdout


def test_a_missing_package_is_named_with_the_way_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(needs.PACKAGES, "noble", tmp_path / "nowhere")
    assert needs.find("noble") is None
    config = cast(pytest.Config, SimpleNamespace(stash={needs.MISSING: Counter(noble=2)}))
    (line,) = needs.note(config)
    assert line == "2 tests were left out: noble is not here. Install it: npm ci --prefix docs/phone-js"
    monkeypatch.setitem(needs.PACKAGES, "noble", tmp_path)
    assert needs.find("noble") == str(tmp_path)


@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        ('req("CUT-99")', "'CUT-99' is no rule of docs/requirements.md"),
        ('asyncio(loop_factories=["slow"])', "no loop is called 'slow', only virtual, real"),
    ],
)
def test_an_unknown_rule_or_loop_stops_the_run(tmp_path: Path, marker: str, complaint: str) -> None:
    done = run(tmp_path, f"import pytest\n\n@pytest.mark.{marker}\nasync def test_x():\n    pass\n")
    assert done.returncode not in (0, 1)
    assert complaint in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("event", "family", "address"),
    [
        ("socket.connect", socket.AF_INET, ("192.0.2.1", 80)),
        ("socket.connect", socket.AF_INET6, ("2001:db8::1", 80, 0, 0)),
        ("socket.bind", socket.AF_INET, ("", 1883)),
        ("socket.bind", socket.AF_INET, ("0.0.0.0", 1883)),
        ("socket.sendto", socket.AF_INET, ("broker.example", 80)),
    ],
)
def test_an_address_outside_loopback_is_refused_and_remembered(
    event: str, family: socket.AddressFamily, address: tuple[object, ...]
) -> None:
    guard = LoopbackOnly()
    with socket.socket(family) as opened, pytest.raises(pytest.fail.Exception, match="outside loopback"):
        guard.audit(event, (opened, address))
    assert guard.take_refused() == [f"{event} {address!r}"]
    assert guard.take_refused() == []


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, ("127.0.0.1", 80)),
        (socket.AF_INET, ("localhost", 80)),
        (socket.AF_INET6, ("::1", 80, 0, 0)),
        (socket.AF_UNIX, "broker.sock"),
    ],
)
def test_loopback_is_free(family: socket.AddressFamily, address: object) -> None:
    guard = LoopbackOnly()
    with socket.socket(family) as opened:
        guard.audit("socket.connect", (opened, address))
    assert guard.take_refused() == []


def test_what_runs_over_its_time_limit_fails() -> None:
    def hang() -> None:
        while True:
            pass

    with time_limit(0.05), pytest.raises(pytest.fail.Exception, match=r"still running after 0\.05 s"):
        hang()


async def test_a_task_that_is_ending_may_end_and_one_that_is_not_is_named() -> None:
    ending = asyncio.create_task(asyncio.sleep(0.5))
    staying = asyncio.create_task(asyncio.sleep(5), name="stays")
    assert await unfinished_tasks() == ["stays (sleep)"]
    assert ending.done()
    await staying
    assert await unfinished_tasks() == []
