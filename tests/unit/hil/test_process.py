"""A module process with a switch on it: made once, started, killed, and started again with the same identity."""

import os
import signal
from pathlib import Path

import pytest

from hil.process import CONSOLE, ModuleProcess, ProcessFailed
from tests.support.programs import alive, free_port


def test_it_is_made_once_and_loses_power_at_once_whatever_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    module = ModuleProcess(tmp_path, free_port())
    assert not module.is_on
    module.off()
    module.make()
    identity = (tmp_path / "provisioning.json").read_text()
    module.make()
    assert (tmp_path / "provisioning.json").read_text() == identity
    assert f'name = "{CONSOLE}"' in (tmp_path / "sharebox.toml").read_text()
    pids: list[int] = []
    for _ in range(2):
        module.on()
        module.on()
        assert module.is_on
        (pid,) = children() - set(pids)
        pids.append(pid)
        os.kill(pid, signal.SIGSTOP)  # one that hangs hears no farewell either
        module.off()
        assert not module.is_on
        assert not alive(pid)


def children() -> set[int]:
    """Those of this process."""
    here = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return {pid for pid in map(int, here.read_text().split()) if alive(pid)}


def test_a_place_where_none_can_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ProcessFailed, match=r"no module could be made in .*below: .*Not a directory\. Check"):
        ModuleProcess(file / "below", 1).make()
