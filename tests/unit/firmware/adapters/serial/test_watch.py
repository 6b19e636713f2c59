"""Being told who opens a file."""

import os
from pathlib import Path

import pytest

from firmware.adapters.serial.watch import watch_opens


def test_an_open_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    fd = watch_opens(str(path))
    assert fd is not None
    try:
        with pytest.raises(BlockingIOError):
            os.read(fd, 100)
        path.read_bytes()
        assert os.read(fd, 100)
    finally:
        os.close(fd)


def test_a_path_that_is_not_there_is_not_watched_and_nothing_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert watch_opens(str(tmp_path / "nothing")) is None
    assert len(os.listdir("/proc/self/fd")) == before
