"""Which radio a command uses."""

import asyncio
import socket
from pathlib import Path

import pytest
from bleak import BleakScanner

from host_tools.bench.links import Automatic, InProcess, Virtual
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import Car
from host_tools.cli.radio import Session, captured, radio
from host_tools.cli.settings import Settings
from host_tools.phone.keyring import KeyringError
from host_tools.radio.air import VirtualAir
from host_tools.radio.hub import Hub


async def test_a_module_in_this_process_is_for_scenarios() -> None:
    with pytest.raises(CliError, match="for scenarios alone") as caught:
        async with radio(InProcess()):
            pass
    assert caught.value.exit_code is Exit.USAGE


async def test_the_machines_own_bluetooth_is_left_to_bleak() -> None:
    async with radio(Automatic()):
        scanner = BleakScanner.__init__
    assert scanner is BleakScanner.__init__


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_virtual_link_scans_through_the_hub_and_leaves_bleak_as_it_was() -> None:
    async with Hub(VirtualAir(), port=0) as hub:
        async with radio(Virtual("127.0.0.1", hub.port)):
            assert hub.connections == 1
            assert BleakScanner().backend_id == "BleakScannerVirtual"
        async with asyncio.timeout(5):
            while hub.connections:
                await asyncio.sleep(0.01)


@pytest.mark.req("BEN-4")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_what_crosses_a_virtual_radio_is_kept_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "air.btsnoop"
    with captured(Settings({"capture": str(path)})) as capture:
        async with Hub(VirtualAir(), port=0) as hub, radio(Virtual("127.0.0.1", hub.port), capture):
            pass
    kept = path.read_bytes()
    assert kept[40:44] == b"\x01\x03\x0c\x00", "the first packet is a reset"
    assert b"\x04\x0e\x04\x01\x03\x0c\x00" in kept, "and its answer is there"


async def test_a_capture_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(CliError, match=r"is a .pcapng or a .btsnoop file") as caught,
        captured(Settings({"capture": str(tmp_path / "air.txt")})),
    ):
        pytest.fail("it was begun")
    assert caught.value.exit_code is Exit.CONFIGURATION
    with captured(Settings({"capture": str(tmp_path / "air.pcapng")})) as capture:
        with pytest.raises(CliError, match="Try `btmon") as caught:
            async with radio(Automatic(), capture):
                pass
        assert caught.value.exit_code is Exit.USAGE


def test_without_a_word_nothing_is_kept() -> None:
    with captured(Settings({"capture": ""})) as capture:
        assert capture is None


@pytest.mark.asyncio(loop_factories=["real"])
async def test_without_a_hub_the_error_says_how_to_start_one() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(CliError, match="sharebox run") as caught:
            async with radio(Virtual("127.0.0.1", port)):
                pass
    assert caught.value.exit_code is Exit.NOT_FOUND


def test_a_session_wants_its_files_before_it_touches_the_radio() -> None:
    with pytest.raises(KeyringError, match=r"cannot read booking\.json"):
        Session(Car(), Car().output())
