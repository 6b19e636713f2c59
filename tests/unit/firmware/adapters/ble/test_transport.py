"""Opening controllers by moniker: one clear line when it cannot be done."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.adapters.ble.transport import open_moniker, unavailable
from firmware.ports import RadioUnavailable

real_time = pytest.mark.asyncio(loop_factories=["real"])


async def refusal(moniker: str) -> str:
    with pytest.raises(RadioUnavailable) as raised:
        async with open_moniker(moniker):
            pytest.fail("it was opened")
    return str(raised.value)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_transport_nobody_has_heard_of_is_named_with_those_that_exist() -> None:
    line = await refusal("bluetooth:0")
    assert line.startswith("no Bluetooth transport is called 'bluetooth' (in 'bluetooth:0'): use one of usb, hci-")
    assert "\n" not in line


@real_time
async def test_a_hub_that_is_not_there_is_told_with_what_to_do() -> None:
    moniker = f"tcp-client:127.0.0.1:{free_port()}"
    assert await refusal(moniker) == (
        f"Bluetooth controller {moniker!r} cannot be opened: Connect call failed ('127.0.0.1', "
        f"{moniker.rpartition(':')[2]}); start the controller or radio hub that listens there, or correct host and port"
    )


@real_time
@pytest.mark.parametrize(
    ("moniker", "why"),
    [
        ("tcp-client:127.0.0.1:radio", "invalid literal for int"),
        ("tcp-client", "unknown transport scheme"),
        ("usb:", "something is missing after the colon"),
        ("unix-client:nowhere.socket", "No such file or directory"),
        ("file:nowhere.h4", "No such file or directory"),
        ("serial:nowhere,1000000", "could not open port nowhere"),
        ("tcp-server:127.0.0.1:radio", "invalid literal for int"),
    ],
)
async def test_whatever_is_wrong_is_said_in_one_line(moniker: str, why: str) -> None:
    line = await refusal(moniker)
    assert line.startswith(f"Bluetooth controller {moniker!r} cannot be opened: ")
    assert why in line
    assert "\n" not in line
    assert "; " in line


@real_time
async def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        line = await refusal(f"tcp-server:127.0.0.1:{taken.getsockname()[1]}")
    assert "ddress already in use" in line
    assert line.endswith("choose another port, or stop the program that uses it")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (TimeoutError(), "nobody answered in time"),
        (AssertionError(), "something is missing after the colon"),
        (ModuleNotFoundError("No module named 'usb1'", name="usb1"), "the Python module usb1 is not installed"),
        (PermissionError(1, "Operation not permitted"), "Operation not permitted"),
        (ValueError("two\n lines"), "two lines"),
        (KeyError(), "KeyError"),
    ],
)
def test_every_kind_of_failure_has_its_words(error: Exception, why: str) -> None:
    line = str(unavailable("hci-socket:0", error))
    assert line == (
        f"Bluetooth controller 'hci-socket:0' cannot be opened: {why}; "
        "check that the kernel has an adapter of that number (hci0 is 0), and run with CAP_NET_ADMIN"
    )


@real_time
async def test_a_pseudo_terminal_opens_and_leaves_no_link_behind(tmp_path: Path) -> None:
    link = tmp_path / "hci"
    async with open_moniker(f"pty:{link}") as (source, sink):
        assert link.is_symlink()
        assert not source.terminated.done()
        sink.on_packet(b"\x01\x03\x0c\x00")
    assert not link.is_symlink()


@real_time
async def test_a_server_that_nobody_connects_to_is_told_and_leaves_its_port() -> None:
    port = free_port()

    async def wait() -> None:
        async with open_moniker(f"tcp-server:127.0.0.1:{port}"):
            pytest.fail("somebody connected")

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.wait([waiting])
    with socket.socket() as again:
        again.bind(("127.0.0.1", port))


def test_naming_a_transport_costs_no_import_of_bumble() -> None:
    program = (
        "import sys, firmware.adapters.ble.bumble_radio, firmware.adapters.ble.transport;"
        "sys.exit(any(name.split('.')[0] == 'bumble' for name in sys.modules))"
    )
    root = Path(__file__).resolve().parents[5]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
