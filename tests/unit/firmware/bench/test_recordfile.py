"""A file that grows by lines, and what becomes of it when the disk does not play along."""

import resource
import signal
from pathlib import Path

import pytest

from firmware.bench.recordfile import RecordFile, RecordingFailed

pytestmark = pytest.mark.req("BEN-4")


def test_lines_are_written_in_order_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    file = RecordFile(path)
    for number in range(1000):
        assert file.put(b"%d\n" % number)
    file.close()
    file.close()
    assert path.read_text().split() == [str(number) for number in range(1000)]
    assert path.stat().st_mode & 0o777 == 0o600
    assert not file.put(b"too late\n")
    assert file.failed == ""


def test_lines_are_there_while_the_file_is_open(tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    file = RecordFile(path)
    assert file.put(b"now\n")
    while path.stat().st_size < 4:
        pass
    file.close()


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    path.write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in (path, tmp_path / "link"):
        with pytest.raises(RecordingFailed, match="is there already"):
            RecordFile(taken)
    assert path.read_text() == "mine"
    with pytest.raises(RecordingFailed, match="No such file"):
        RecordFile(tmp_path / "no" / "where")


def test_what_comes_faster_than_the_disk_takes_it_ends_the_recording_and_delays_nobody(tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    file = RecordFile(path, most_waiting_bytes=100)
    assert not file.put(bytes(101))
    assert file.failed == "the disk does not take it as fast as it comes"
    assert not file.put(b"x")
    file.close()
    assert path.read_bytes() == b""


def test_a_disk_that_refuses_ends_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    file = RecordFile(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        for _ in range(3):
            file.put(bytes(500))
        file.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert file.failed == "File too large"
    assert not file.put(b"x")


def test_a_recording_leaves_room_for_the_module(tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    file = RecordFile(path, least_free_bytes=2**62)
    assert file.put(b"line\n")
    file.close()
    assert file.failed == "there is hardly any room left on the disk"
    assert path.read_bytes().startswith(b"line\n")


def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "it.jsonl", most_file_bytes=10)
    assert file.put(b"12345\n")
    assert not file.put(b"67890\n")
    assert file.failed == "it has become too large"
    file.close()
    assert (tmp_path / "it.jsonl").read_bytes() == b"12345\n"
