"""A project of somebody else: a folder with tests, run with pytest in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.command import ROOT, Ran

LIMIT_S = 110.0
NOT_FOR_OTHERS = ("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT")


def pytest_in(folder: Path, *tokens: str) -> Ran:
    """Run that project's tests. This repository's own settings and conftest have no part in it."""
    environment = {name: value for name, value in os.environ.items() if name not in NOT_FOR_OTHERS}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", *tokens],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def project(folder: Path, mode: str, **files: str) -> Path:
    """A minimal project with these test files, by name without `.py`."""
    folder.mkdir()
    (folder / "pytest.ini").write_text(
        f"[pytest]\nasyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder
