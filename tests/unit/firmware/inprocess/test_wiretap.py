"""Captures and key logs of a module that runs."""

from pathlib import Path

import pytest

from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.config import ConfigError
from firmware.inprocess import wiretap
from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import virtual_controller
from tests.support.radio_bench import Recorder


@pytest.mark.req("BEN-4")
async def test_what_crosses_the_controller_is_kept_with_the_time_of_its_world(tmp_path: Path) -> None:
    path = tmp_path / "air.btsnoop"
    controller = virtual_controller(VirtualAir(), "module")
    with wiretap.captured(path, lambda: 1_793_354_400_250) as kept:
        radio = BumbleRadio(kept(controller.attached))
        await radio.start(Recorder())
        await radio.stop()
    data = path.read_bytes()
    assert data[40:44] == b"\x01\x03\x0c\x00"
    assert int.from_bytes(data[32:40], "big") - 0x00DCDDB30F2F8000 == 1_793_354_400_250_000


async def test_without_a_file_the_controller_stays_as_it_is() -> None:
    controller = virtual_controller(VirtualAir(), "module")
    with wiretap.captured(None, lambda: 0) as kept:
        assert kept(controller.attached) == controller.attached


def test_a_file_that_cannot_be_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"\[ble\] capture: .*name a file that can be written"),
        wiretap.captured(tmp_path / "nowhere" / "air.pcapng", lambda: 0),
    ):
        pytest.fail("it was begun")


@pytest.mark.req("SEC-2")
def test_secrets_are_written_down_on_a_bench_that_asks_for_it_and_nowhere_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys"
    asked = {"SHAREBOX_KEYLOG": str(path)}
    assert wiretap.key_log(bench=False, environment=asked) is None
    assert not path.exists()
    assert "is not heeded: this is no bench" in "".join(capsys.readouterr())
    assert wiretap.key_log(bench=True, environment={}) is None
    take = wiretap.key_log(bench=True, environment=asked)
    assert take is not None
    take("SHAREBOX_SESSION")
    assert path.read_text() == "SHAREBOX_SESSION\n"
    assert "for tests only" in "".join(capsys.readouterr())
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        wiretap.key_log(bench=True, environment=asked)
