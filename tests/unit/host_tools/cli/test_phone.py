"""`shareboxctl phone init`."""

from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from host_tools.phone.keyring import read_key
from protocol import keys
from tests.support.command import shareboxctl


@pytest.mark.req("KEY-2", "ACC-12")
def test_a_phone_has_a_key_of_its_own_and_the_way_to_the_same_car(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shareboxctl(capsys)
    run("module", "init", "b", "--hub-port", "7000")
    monkeypatch.chdir(tmp_path / "b")
    (made,) = run("phone", "init", "ana", "--json").objects()
    assert made["public"] == keys.public_to_bytes(read_key(Path("ana/holder.pem")).public_key()).hex()
    monkeypatch.chdir(tmp_path / "b" / "ana")
    settings = {one["name"]: one["value"] for one in run("config", "show", "--json").objects()}
    assert settings["link"] == "virtual:127.0.0.1:7000"
    assert settings["booking"] == str(tmp_path / "b" / "ana" / "booking.json")
    assert run("key", "request", "Ana").out == "invitation.json: Ana asks for a key\n"
    monkeypatch.chdir(tmp_path / "b")
    assert run("phone", "init", "ana").code == Exit.CONFIGURATION
    assert "cd ben && shareboxctl key request NAME" in run("phone", "init", "ben").err
