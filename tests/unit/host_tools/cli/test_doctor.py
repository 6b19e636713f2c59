"""`shareboxctl bench doctor`: one line a check, each with its remedy."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from host_tools.cli import doctor, issue
from host_tools.cli.exits import Exit
from host_tools.phone.keyring import read_shown, write_shown
from protocol.messages import PublicInfo, encode_public_info
from protocol.provisioning import BookingFile, KeyFile
from protocol.serial import Frame, Kind
from tests.support.command import Ran, in_loop
from tests.support.lines import held, lay
from tests.support.programs import free_port
from tests.support.scripted_console import ScriptedConsole
from tests.support.serial_peer import SerialPeer

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.req("BEN-1")]


def spoil(name: str, mode: int = 0o600, text: str = "{}") -> None:
    Path(name).write_text(text)
    Path(name).chmod(mode)


class Doctor:
    """Runs `bench doctor --only NAME`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    async def checks(self, *names: str) -> Ran:
        only = [word for name in names for word in ("--only", name)]
        return await in_loop(self.capsys, "bench", "doctor", *only)

    async def says(self, name: str, state: str, text: str) -> None:
        ran = await self.checks(name)
        assert re.search(text, ran.out), ran.out
        assert ran.out.startswith(state), ran.out
        assert ran.out.count("\n") == 1
        assert ran.code == (Exit.CONFIGURATION if state == "wrong" else 0)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(capsys)


async def test_a_fresh_bench_is_in_order_but_for_what_does_not_run(
    ask: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port = free_port()
    await in_loop(ask.capsys, "module", "init", ".", "--hub-port", str(port))
    for name in ("settings", "provisioning", "issuer", "key"):
        await ask.says(name, "ok", r"\.\n")
    await ask.says("booking", "note", "Make one: `shareboxctl issuer booking")
    await in_loop(ask.capsys, "issuer", "booking", "--for", "2h")
    await ask.says("booking", "ok", "until 20")
    await ask.says("link", "wrong", "the virtual radio at .* cannot be reached: Connection refused. Start the module")
    async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port):
        await ask.says("link", "ok", "answers")
    await ask.says("console", "note", "no module with a console runs here")
    found = (await in_loop(ask.capsys, "bench", "doctor", "--json")).objects()
    assert [one["name"] for one in found] == list(doctor.CHECKS)
    assert {str(one["type"]) for one in found} == {"check"}
    link = found[list(doctor.CHECKS).index("link")]
    assert (link["state"], str(link["fix"])[:16]) == ("wrong", "Start the module")


async def test_an_empty_directory_is_told_what_to_make(ask: Doctor) -> None:
    for name in ("provisioning", "issuer", "key"):
        await ask.says(name, "note", "there is no .*Make ")


async def test_files_that_are_wrong_are_named(ask: Doctor) -> None:
    await in_loop(ask.capsys, "module", "init", ".")
    spoil("holder.pem", 0o644)
    await ask.says("key", "wrong", "others may read it. Run `chmod 600")
    spoil("provisioning.json")
    await ask.says("provisioning", "wrong", "is wrong")
    spoil("booking.json")
    await ask.says("booking", "wrong", "is wrong")


@pytest.mark.parametrize(
    ("alter", "state", "text"),
    [
        (lambda: Path("issuer.pem").unlink(), "ok", "without its issuer's key"),
        (lambda: Path("other.pem").replace("issuer.pem"), "ok", "of another issuer"),
    ],
)
async def test_a_booking_of_somebody_else_is_taken_as_it_is(
    alter: Callable[[], object], state: str, text: str, ask: Doctor
) -> None:
    await in_loop(ask.capsys, "module", "init", ".")
    await in_loop(ask.capsys, "issuer", "booking")
    await in_loop(ask.capsys, "module", "key", "new", "other.pem")
    alter()
    await ask.says("booking", state, text)


@pytest.mark.req("KEY-1")
async def test_keys_and_shares_are_looked_at_like_bookings(ask: Doctor) -> None:
    await in_loop(ask.capsys, "module", "init", ".")
    await ask.says("owner_key", "note", "there is no .*owner-key.json. Only for sharing keys. Make one")
    await ask.says("dealer_key", "note", "Only for dealers. Make one")
    await ask.says("shares", "ok", "nothing was shared")
    for tokens in (
        ("key", "create"),
        ("dealer", "credential"),
        ("key", "request", "Ana"),
        ("key", "share", "invitation.json"),
    ):
        await in_loop(ask.capsys, *tokens)
    for name in ("owner_key", "dealer_key"):
        await ask.says(name, "ok", r"-key\.json\.")
    await ask.says("shares", "ok", r"shares\.json: 1 shared\.")
    for name in ("share.json", "owner-key.json"):
        write_shown(Path("booking.json"), read_shown(Path(name)))
        await ask.says("booking", "ok", "until 20")
    file = read_shown(Path("owner-key.json"))
    assert isinstance(file, KeyFile)
    other = BookingFile(file.token, file.module_handshake_public, file.module_signing_public, file.module_id)
    write_shown(Path("owner-key.json"), other)
    await ask.says("owner_key", "note", "is no standing key")
    await in_loop(ask.capsys, "issuer", "booking")
    booked = read_shown(Path("booking.json"))
    assert isinstance(booked, BookingFile)
    write_shown(Path("booking.json"), KeyFile(booked.token, *(file.module_handshake_public,) * 2, file.module_id))
    await ask.says("booking", "wrong", "cannot be used: typ 65001 is not a standing key. Ask for a new key")


@pytest.mark.req("OWN-2")
async def test_the_register_of_cars_is_looked_at(ask: Doctor) -> None:
    await ask.says("cars", "ok", "the backend knows of no car")
    await in_loop(ask.capsys, "module", "init", ".", "--vin", "WMWXM520X0T123456")
    await ask.says("cars", "ok", r"cars\.json: 1 known")
    spoil("cars.json", text="[]")
    await ask.says("cars", "wrong", "is no register of cars")


@pytest.mark.req("KEY-1")
async def test_a_key_that_is_over_is_noticed(ask: Doctor) -> None:
    await in_loop(ask.capsys, "module", "init", ".")
    await in_loop(ask.capsys, "key", "create", "--from", "2020-01-01", "--until", "2020-02-01", "--out", "booking.json")
    await ask.says("booking", "note", "is over since .* Ask for a new key")


async def test_a_booking_that_is_over_is_noticed(ask: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    await in_loop(ask.capsys, "module", "init", ".")
    with monkeypatch.context() as patch:
        yesterday_s = time.time() - 86_400
        patch.setattr(issue, "time", SimpleNamespace(time=lambda: yesterday_s))
        await in_loop(ask.capsys, "issuer", "booking", "--for", "1h")
    await ask.says("booking", "note", "is over since .*Make one")


async def test_settings_that_are_wrong_are_told_with_their_origin(ask: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHAREBOXCTL_LINK", "virtul")
    await ask.says("settings", "wrong", "'virtul' is no link")
    await ask.says("link", "wrong", "'virtul' is no link")
    monkeypatch.setenv("SHAREBOXCTL_LINK", "in-process")
    await ask.says("link", "ok", "for each scenario")
    monkeypatch.setenv("SHAREBOXCTL_BROKER", "host:port")
    await ask.says("broker", "wrong", "broker is wrong")


async def test_this_machines_bluetooth_is_looked_for(
    ask: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "SYSTEM_BUS", tmp_path / "bus")
    await ask.says("link", "wrong", "Install and start bluez")
    (tmp_path / "bus").touch()
    await ask.says("link", "ok", "`shareboxctl phone scan` tries it")


async def test_a_serial_line_is_asked_who_is_there(ask: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def telling(peer: SerialPeer, _: Frame) -> None:
        peer.send(Frame(Kind.INFO, 0, encode_public_info(PublicInfo(1, 4160, 4096, (2,), (3,)))))

    async with SerialPeer(telling) as peer:
        ScriptedConsole(peer)
        monkeypatch.setenv("SHAREBOXCTL_LINK", peer.path)
        await ask.says("link", "ok", "a module answers on /dev/.*, protocol version 1")
        await ask.says("console", "ok", f"module {'ab' * 8}, 0.1.0, level operate")
    await ask.says("link", "wrong", "there is no such port. Start the module")
    await ask.says("console", "note", "there is no such port")


async def test_a_line_that_a_killed_module_left_behind_is_named_with_its_remedy(ask: Doctor, tmp_path: Path) -> None:
    (tmp_path / "sharebox.toml").write_text("[[serial]]\n")
    async with SerialPeer() as peer:
        ScriptedConsole(peer)
        console = tmp_path / "state" / "run" / "console"
        lay(console, peer.path)
        await ask.says("console", "note", f"a module that was killed has left {console} behind.* or: rm {console}")
        assert peer.text == b"", "nothing was typed into it"
        with held(console):
            await ask.says("console", "ok", f"{console}: module")


async def test_a_broker_that_is_not_there_is_a_note(ask: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("SHAREBOXCTL_BROKER", f"127.0.0.1:{port}")
    await ask.says("broker", "note", "Connection refused. Start one")
    async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port):
        await ask.says("broker", "ok", "answers")


async def test_a_host_that_keeps_silent_is_waited_for_a_bounded_time(
    ask: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "CONNECT_TIMEOUT_S", 0.0)
    await ask.says("broker", "note", "no answer in time")


async def test_programs_that_are_missing_are_named(
    ask: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    await ask.says("tshark", "note", "tshark is not installed.*`apt-get install tshark`")
    (tmp_path / "tshark").touch(0o755)
    await ask.says("tshark", "ok", f"{tmp_path}/tshark")


async def test_a_check_that_there_is_not_is_a_usage_error(ask: Doctor) -> None:
    ran = await ask.checks("frobnication")
    assert ran.code == Exit.USAGE
    assert "Checks are: settings, provisioning" in ran.err
