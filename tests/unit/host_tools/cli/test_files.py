"""Files that several commands read."""

from pathlib import Path

import pytest

from host_tools.cli.files import called, read_provisioning
from host_tools.phone.keyring import KeyringError
from tests.support.command import shareboxctl


def test_a_provisioning_file_is_read_or_named_with_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    shareboxctl(capsys)("module", "init", "b")
    assert len(read_provisioning(Path("b/provisioning.json")).module_id) == 8
    bad = Path("bad.json")
    bad.touch(0o600)
    for content in (b"{}", b"\xff"):
        bad.write_bytes(content)
        with pytest.raises(KeyringError, match=r"bad\.json is wrong: "):
            read_provisioning(bad)


def test_a_file_is_called_as_it_lies_from_here(tmp_path: Path) -> None:
    assert called(tmp_path / "b" / "x.json") == called(Path("b/x.json")) == "b/x.json"
    assert called(Path("../x.json")) == "../x.json"
    assert called(Path("/elsewhere/x.json")) == "/elsewhere/x.json"
