"""Which radio a command uses."""

import asyncio
import socket

import pytest
from bleak import BleakScanner

from host_tools.bench.links import Automatic, InProcess, Virtual
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import Car
from host_tools.cli.radio import Session, link_of, radio
from host_tools.cli.settings import Settings
from host_tools.phone.keyring import KeyringError
from host_tools.radio.air import VirtualAir
from host_tools.radio.hub import Hub


def test_a_link_is_what_the_settings_name() -> None:
    assert link_of(Settings({"link": "virtual"})) == Virtual("127.0.0.1", 6402)
    with pytest.raises(CliError, match="is no link") as caught:
        link_of(Settings({"link": "vitual"}))
    assert caught.value.exit_code is Exit.USAGE


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
