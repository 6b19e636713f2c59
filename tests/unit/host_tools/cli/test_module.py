"""`shareboxctl module init`."""

import tomllib
from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from host_tools.phone.keyring import read_key
from protocol import keys
from protocol.provisioning import VehicleFacts, decode_provisioning
from tests.support.command import shareboxctl

VIN = "WMWXM520X0T123456"


def test_a_bench_has_an_issuer_a_module_that_trusts_it_and_a_phone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ran = shareboxctl(capsys)("module", "init", "b", "--home", "52.5", "13.4")
    assert ran.code == 0
    assert "sharebox run --config b/sharebox.toml" in ran.err
    provisioning = decode_provisioning((tmp_path / "b" / "provisioning.json").read_text())
    issuer = read_key(tmp_path / "b" / "issuer.pem")
    assert provisioning.issuers == (keys.public_to_bytes(issuer.public_key()),)
    assert provisioning.home == (525_000_000, 134_000_000)
    assert provisioning.module_id.hex() in ran.out
    assert (tmp_path / "b" / "provisioning.json").stat().st_mode & 0o777 == 0o600
    read_key(tmp_path / "b" / "holder.pem")
    module = tomllib.loads((tmp_path / "b" / "sharebox.toml").read_text())
    assert module["module"] == {"provisioning": "provisioning.json", "state_dir": "state"}
    assert module["ble"] == {"transport": "virtual", "hub_port": 6402}
    assert module["broker"] == {"host": "127.0.0.1", "port": 1883}
    assert module["vehicle"] == {"kind": "simulated", "latitude": 52.5, "longitude": 13.4}
    assert module["bench"] == {"enabled": True}
    name = f"console-{provisioning.module_id.hex()[:4]}"
    assert module["serial"] == [{"name": name, "device": "pty", "level": "service"}]


def test_the_tools_settings_point_at_the_bench(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shareboxctl(capsys)
    run("module", "init", "b", "--hub-port", "7000")
    monkeypatch.chdir(tmp_path / "b")
    settings = {one["name"]: one["value"] for one in run("config", "show", "--json").objects()}
    assert settings["link"] == "virtual:127.0.0.1:7000"
    assert settings["key"] == str(tmp_path / "b" / "holder.pem")


def test_a_bench_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    run = shareboxctl(capsys)
    run("module", "init", "b")
    again = run("module", "init", "b", "--json")
    assert again.code == Exit.CONFIGURATION
    assert "not overwritten" in again.err


@pytest.mark.parametrize("extra", [["--hub-port", "0"], ["--home", "91", "0"], ["--home", "x", "0"]])
def test_values_that_cannot_be_are_refused_before_anything_is_written(
    extra: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert shareboxctl(capsys)("module", "init", "b", *extra).code == Exit.USAGE
    assert not (tmp_path / "b").exists()


def test_who_a_module_is_can_be_shown_without_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    run = shareboxctl(capsys)
    (made,) = run("module", "init", "b", "--home", "52.5", "13.4", "--json").objects()
    file = Path("b/provisioning.json")
    shown = run("module", "info", "--provisioning", str(file))
    assert shown.out.startswith(f"Module {made['module']}, key epoch 0\n")
    assert shown.out.endswith(
        "Home           52.500000, 13.400000\nVehicle        VIN not known, owner taken for granted\n"
    )
    (fields,) = run("module", "info", "--provisioning", str(file), "--json").objects()
    assert (fields["module"], fields["home"]) == (made["module"], {"latitude": 52.5, "longitude": 13.4})
    secrets = decode_provisioning(file.read_text())
    for private in (secrets.handshake_private, secrets.signing_private, secrets.radio_secret):
        assert private.hex() not in shown.out
        assert private.hex() not in str(fields)
    run("module", "init", "c")
    assert run("module", "info", "--provisioning", "c/provisioning.json").out.splitlines()[4] == "Home           none"


@pytest.mark.req("OWN-1", "OWN-2", "KEY-9")
def test_a_module_from_the_factory_knows_its_vehicle_and_no_owner(capsys: pytest.CaptureFixture[str]) -> None:
    run = shareboxctl(capsys)
    told = ("--factory", "--vin", VIN, "--market", "BE", "--not-prepared", "--no-digital-keys", "--legal-ecall")
    ran = run("module", "init", "b", *told)
    assert "shareboxctl dealer credential && shareboxctl dealer test" in ran.err
    made = decode_provisioning(Path("b/provisioning.json").read_text())
    assert made.vehicle == VehicleFacts(VIN, "BE", prepared=False, digital_keys=False, legal_ecall=True)
    assert not made.coupled
    assert run("module", "info", "--provisioning", "b/provisioning.json").out.endswith(
        f"Vehicle        {VIN}, BE, not prepared for sharing, no digital keys, EU emergency call, "
        "no owner before one is coupled\n"
    )


@pytest.mark.req("OWN-6")
def test_a_vin_that_cannot_be_says_which_character_and_what_may_be_meant(capsys: pytest.CaptureFixture[str]) -> None:
    run = shareboxctl(capsys)
    ran = run("module", "init", "b", "--vin", VIN[:-1] + "I")
    assert (ran.code, ran.out) == (Exit.REFUSED, "")
    assert "rule OWN-6, code VIN_INVALID" in ran.err
    assert "character 17 is 'I', which is in no VIN. It may be 1." in ran.err
    assert "check digit" in run("module", "init", "b", "--vin", VIN, "--market", "US").err
    assert run("module", "init", "b", "--market", "Belgium").code == Exit.USAGE
    assert not Path("b").exists()
