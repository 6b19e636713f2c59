"""`shareboxctl bench capture`: what a capture says, and where the dissector is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from host_tools.bench.capture import Capture
from host_tools.bench.dissector import DISSECTOR
from host_tools.cli import capture as module
from host_tools.cli.exits import Exit
from protocol.serial import Frame, Kind
from tests.support.command import Ran, shareboxctl


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    return shareboxctl(capsys)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A capture of one error message on a serial line."""
    path = tmp_path / "line.pcapng"
    with Capture(path, lambda: 1_793_354_400_250_000) as capture:
        tap = capture.serial("line")
        tap(Frame(Kind.OPEN, 0, b"\x02\x02"), True)
        body = bytes.fromhex("03821825a50165424c452d3102a003f504f40560")
        tap(Frame(Kind.FRAGMENT, 0, b"\xc0" + len(body).to_bytes(2, "big") + body), False)
    return path


@pytest.mark.needs("tshark")
@pytest.mark.req("BEN-4")
def test_a_capture_is_shown_message_by_message(run: Callable[..., Ran], kept: Path) -> None:
    ran = run("bench", "capture", str(kept))
    assert ran.code == Exit.OK
    assert ran.out.splitlines() == [
        "2026-10-30 10:00:00.250  > OPEN, channel 0",
        '2026-10-30 10:00:00.250  < ERROR FRAMING  [37, {1: "BLE-1", 2: {}, 3: true, 4: false, 5: ""}]',
    ]
    only = run("bench", "capture", str(kept), "--only", "sharebox.refusal.code == 37", "--json")
    shown = only.objects()[0]
    assert (shown["packet"], shown["from_module"], shown["info"]) == (2, True, "< ERROR FRAMING")
    assert shown["time_s"] == 1_793_354_400.25


@pytest.mark.needs("tshark")
def test_what_is_no_capture_and_what_is_no_filter_is_one_line(run: Callable[..., Ran], kept: Path) -> None:
    ran = run("bench", "capture", __file__)
    assert ran.code == Exit.CONFIGURATION
    assert "isn't a capture file" in ran.err
    assert ran.err.count("\n") == 1
    ran = run("bench", "capture", str(kept), "--only", "nonsense ==")
    assert (ran.code, ran.err.count("\n")) == (Exit.CONFIGURATION, 1)


def test_messages_are_shown_as_they_come_and_a_program_without_end_is_ended(
    run: Callable[..., Ran], kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tshark"
    program.write_text("#!/bin/sh\nprintf '1\\0371793354400.5\\0371\\037< ERROR\\n2\\0371793'\nexec /bin/sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "LIMIT_S", 4.0)
    ran = run("bench", "capture", str(kept))
    assert ran.code == Exit.CONFIGURATION
    assert ran.out == "2026-10-30 10:00:00.500  < ERROR\n"
    assert ran.err == (f"shareboxctl: {kept}: tshark was not done within 4 s. Cut the capture into smaller files.\n")


def test_what_is_missing_is_said(run: Callable[..., Ran], kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no capture was named" in run("bench", "capture").err
    monkeypatch.setenv("PATH", str(kept.parent))
    ran = run("bench", "capture", str(kept))
    assert (ran.code, ran.err) == (
        Exit.NOT_FOUND,
        "shareboxctl: tshark is not installed. On Debian: sudo apt-get install tshark.\n",
    )


@pytest.mark.needs("tshark")
def test_files_that_are_not_there_are_named(run: Callable[..., Ran], kept: Path) -> None:
    for tokens in (["nowhere.pcapng"], [str(kept), "--keys", "nowhere.keys"]):
        ran = run("bench", "capture", *tokens)
        assert ran.code == Exit.CONFIGURATION
        assert "there is no such file" in ran.err


def test_the_dissector_is_named_and_installed(
    run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("bench", "capture", "--dissector").out == f"{DISSECTOR}\n"
    monkeypatch.setenv("HOME", str(tmp_path))
    ran = run("bench", "capture", "--install")
    copy = tmp_path / ".local/lib/wireshark/plugins/sharebox.lua"
    assert (ran.out, copy.read_bytes()) == (f"{copy}\n", DISSECTOR.read_bytes())
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    ran = run("bench", "capture", "--install")
    assert ran.code == Exit.CONFIGURATION
    assert "Not a directory. Use `wireshark -X lua_script:" in ran.err
