"""The secrets of sessions in a file: asked for, kept from others, never a reason to stop."""

import os
from pathlib import Path

import pytest

from host_tools.bench.keylog import VARIABLE, KeyLogError, from_environment, key_log


def test_nobody_asked_and_nothing_is_written() -> None:
    assert from_environment({}) is None
    assert from_environment({VARIABLE: ""}) is None


@pytest.mark.req("SEC-2")
def test_the_file_is_for_its_owner_alone_and_grows_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("SHAREBOX_SESSION of yesterday\n")
    path.chmod(0o600)
    take = from_environment({VARIABLE: str(path)})
    assert take is not None
    take("one")
    take("two")
    assert path.read_text() == "SHAREBOX_SESSION of yesterday\none\ntwo\n"
    fresh = tmp_path / "fresh"
    key_log(fresh)
    assert (fresh.stat().st_mode & 0o777, fresh.read_text()) == (0o600, "")


@pytest.mark.req("SEC-2")
def test_a_file_that_others_may_read_or_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.touch(0o644)
    path.chmod(0o644)
    with pytest.raises(KeyLogError, match=r"SHAREBOX_KEYLOG: others may read .*; chmod 600 it, or name another file"):
        key_log(path)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    with pytest.raises(KeyLogError, match=r"cannot be written: .*; name another file, or unset it"):
        key_log(link)


def test_a_line_that_cannot_be_written_is_lost_and_said(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    said: list[str] = []
    silent, take = key_log(folder / "keys"), key_log(folder / "keys", said.append)
    (folder / "keys").unlink()
    folder.rmdir()
    silent("one")
    take("one")
    assert len(said) == 1
    assert "No such file or directory" in said[0]


def test_a_pipe_that_nobody_reads_is_refused_and_holds_nobody_up(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(KeyLogError, match=r"pipe cannot be written: .*; name another file, or unset it"):
        key_log(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(KeyLogError, match="pipe is no regular file; name another, or unset it"):
            key_log(pipe)
    finally:
        os.close(reader)
