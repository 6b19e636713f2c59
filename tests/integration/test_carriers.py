"""A module without a Bluetooth adapter, but with a serial line."""

from pathlib import Path

import pytest

from tests.integration.test_sharebox_run import FILE, Bench
from tests.support.programs import Program, free_port

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.req("BEN-2")]

SERIAL = '[[serial]]\ndevice = "pty"\n'


async def made(directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Its configuration names an adapter that is not there."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    bench = await Bench(directory, capsys, monkeypatch).made()
    bench.edit("[ble]", "[vehicle]", f'[ble]\ntransport = "tcp-client:127.0.0.1:{free_port()}"\n\n')
    file = directory / FILE
    file.write_text(file.read_text().partition("[bench]")[0])
    return bench


async def test_phones_are_served_over_the_line_and_the_adapter_is_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await made(tmp_path, capsys, monkeypatch)
    file = tmp_path / FILE
    file.write_text(file.read_text() + SERIAL)
    line = tmp_path / "state" / "run" / "console"
    assert (await bench.ctl("issuer", "booking", "--for", "2h")).code == 0
    module = await Program.start("firmware", "run", "--config", FILE, "--json", directory=tmp_path, XDG_RUNTIME_DIR="")
    try:
        await module.said("on the air")
        assert "cannot be opened" in await module.said("a carrier is missing, the others work")
        unlocked = await bench.ctl("phone", "unlock", "--link", f"serial:{line}")
        assert (unlocked.code, unlocked.err) == (0, "")
        module.process.terminate()
        assert (await module.ended()).code == 0
        assert not line.is_symlink()
    finally:
        await module.kill()


async def test_without_a_line_a_missing_adapter_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await made(tmp_path, capsys, monkeypatch)
    code, said = await bench.refused()
    assert code == 4
    assert "cannot be opened" in said
