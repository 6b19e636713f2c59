"""What the store does to files beside SQLite."""

from pathlib import Path

import pytest

from firmware.adapters.store.files import DiskFiles


def test_a_file_is_written_in_places_and_read_whole(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path)
    assert files.read("a") is None
    files.write("a", 4, b"late")
    files.write("a", 0, b"soon")
    assert files.read("a") == b"soonlate"
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0, "nobody else reads it"


def test_names_change_and_go(tmp_path: Path) -> None:
    files = DiskFiles(tmp_path)
    files.write("b", 0, b"1")
    files.write("a", 0, b"2")
    assert files.names() == ["a", "b"]
    files.rename("a", "b")
    files.sync_names()
    assert (files.names(), files.read("b")) == (["b"], b"2")
    files.remove("b")
    files.remove("b")
    assert files.names() == []


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        DiskFiles(tmp_path / "nowhere").write("a", 0, b"1")
