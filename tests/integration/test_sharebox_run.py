"""`sharebox run` as a long-running process: found, restarted, killed, stopped, and refused with one line."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Raw, Recorder
from protocol.telemetry import Channel, parse_topic
from tests.support.command import Ran, in_loop
from tests.support.interface import faults_heard
from tests.support.programs import Program

pytestmark = pytest.mark.asyncio(loop_factories=["real"])

FILE = "sharebox.toml"


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class Bench:
    """A directory made by `shareboxctl module init`. `ctl` runs one `shareboxctl` in it, in this process."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._capsys = capsys
        patch.chdir(directory)
        patch.setenv("XDG_CONFIG_HOME", str(directory))

    async def ctl(self, *tokens: str) -> Ran:
        async with asyncio.timeout(20):
            return await in_loop(self._capsys, *tokens)

    async def made(self) -> "Bench":
        assert (await self.ctl("module", "init", ".", "--hub-port", str(free_port()))).code == 0
        self.edit("[broker]", "[vehicle]", "")
        file = self.directory / FILE
        file.write_text(file.read_text().partition("[bench]")[0])  # as in a car
        return self

    def edit(self, since: str, until: str, text: str) -> None:
        """Replace what stands in the file from `since` up to `until`."""
        file = self.directory / FILE
        before, _, rest = file.read_text().partition(since)
        file.write_text(before + text + rest[rest.index(until) :])

    async def start(self, *options: str) -> Program:
        return await Program.start("firmware", "run", "--config", FILE, "--json", *options, directory=self.directory)

    @asynccontextmanager
    async def module(self, *options: str) -> AsyncIterator[Program]:
        """On the air; still running at the end, or ended by the test."""
        program = await self.start(*options)
        try:
            await program.said("on the air")
            yield program
        finally:
            await program.kill()

    async def refused(self) -> tuple[int, str]:
        """Exit code and last line of a module that does not come up; the other lines are log."""
        ran = await (await self.start()).ended()
        *logged, line = ran.err.splitlines()
        assert all(json.loads(one)["level"] in ("info", "warning") for one in logged)
        assert ran.out == ""
        return ran.code, line

    async def status(self) -> dict[str, object]:
        ran = await self.ctl("phone", "status", "--json")
        assert ran.code == 0, ran.err
        return ran.objects()[-1]


@pytest.fixture
async def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    return await Bench(tmp_path, capsys, monkeypatch).made()


@pytest.mark.req("BLE-1", "BLE-3")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_is_found_over_the_hub_and_stops_with_exit_code_0(bench: Bench, number: signal.Signals) -> None:
    async with bench.module() as module:
        (found,) = (await bench.ctl("phone", "scan", "--timeout", "1", "--json")).objects()
        assert found["type"] == "module"
        module.signal(number)
        ran = await module.ended(5)
    assert (ran.code, ran.out) == (0, "")
    assert json.loads(ran.err.splitlines()[-1])["event"] == "stopped"


@pytest.mark.req("ACC-5", "BKG-1", "PWR-1")
async def test_a_running_booking_outlives_a_power_cut_and_an_ended_one_stays_dead(bench: Bench) -> None:
    await bench.ctl("issuer", "booking", "--for", "2h")
    async with bench.module() as module:
        assert (await bench.ctl("phone", "unlock")).code == 0
        assert (await bench.ctl("phone", "drive")).code == 0
        module.signal(signal.SIGKILL)
        assert (await module.ended()).code == -signal.SIGKILL
    async with bench.module() as module:
        assert "booking.started" not in "".join(module.err)
        access = (await bench.status())["access"]
        assert isinstance(access, dict)
        assert (access["granted"], access["phase"]) == (True, "active")
        assert (await bench.ctl("phone", "lock")).code == 0
        # A car counts as parked once it has stood for five seconds, which a fresh module has to see.
        async with asyncio.timeout(20):
            while (await bench.ctl("phone", "end", "--yes")).code != 0:
                await asyncio.sleep(0.2)
        module.signal(signal.SIGKILL)
        await module.ended()
    async with bench.module():
        refused = await bench.ctl("phone", "unlock", "--json")
        assert refused.code == 3
        assert refused.objects()[-1]["code"] == "BOOKING_ENDED"


@pytest.mark.req("BEN-4", "PWR-1")
async def test_a_drive_is_recorded_up_to_the_power_cut_and_comes_out_the_same(bench: Bench) -> None:
    await bench.ctl("issuer", "booking", "--for", "2h")
    recordings = bench.directory / "recordings"
    recordings.mkdir()
    async with bench.module("--record", "recordings") as module:
        assert (await bench.ctl("phone", "unlock")).code == 0
        assert (await bench.ctl("phone", "drive")).code == 0
        (path,) = recordings.iterdir()
        async with asyncio.timeout(20):
            while "ENABLE_DRIVE" not in path.read_text():
                await asyncio.sleep(0.05)
        module.signal(signal.SIGKILL)
        await module.ended()
    assert path.stat().st_mode & 0o777 == 0o600
    replayed = await (await Program.start("firmware", "replay", str(path), "--json", directory=bench.directory)).ended()
    assert replayed.code == 0, replayed.out
    found = json.loads(replayed.out)
    assert (found["same"], found["with_keys"], found["boots"]) == (True, True, 1)
    assert found["compared"] > 8
    refused = await (await bench.start("--record", str(path))).ended()
    assert (refused.code, "it is there already" in refused.err) == (6, True)


@pytest.mark.req("TEL-6", "TEL-1")
async def test_the_broker_may_come_later_and_go_and_access_does_not_care(bench: Bench) -> None:
    async with Broker() as broker, Recorder(broker.host, broker.port) as recorder:
        bench.edit("[vehicle]", "kind", f'[broker]\nhost = "{broker.host}"\nport = {broker.port}\n\n[vehicle]\n')
        await broker.stop()
        await bench.ctl("issuer", "booking")
        async with bench.module() as module:
            await module.said('"broker"')
            assert (await bench.ctl("phone", "unlock")).code == 0
            await broker.start()
            await recorder.resume()
            started = await recorder.wait_for(lambda raw: b"booking.started" in raw.payload, 20)
            assert channel_of(started) is Channel.EVENT
            await broker.kill()
            assert (await bench.ctl("phone", "lock")).code == 0
            module.signal(signal.SIGTERM)
            assert (await module.ended(10)).code == 0
        assert [fault for raw in recorder.messages for fault in faults_heard(raw.topic, raw.payload)] == []


def channel_of(raw: Raw) -> Channel | None:
    parsed = parse_topic(raw.topic)
    return None if parsed is None else parsed[1]


# ---------------------------------------------------------------- what it can not start with
async def test_an_unknown_transport_is_exit_code_4(bench: Bench) -> None:
    bench.edit("[ble]", "[vehicle]", '[ble]\ntransport = "telepathy:0"\n\n')
    code, line = await bench.refused()
    assert code == 4
    assert line.startswith("sharebox: no Bluetooth transport is called 'telepathy'")


async def test_a_controller_that_is_not_there_is_exit_code_4(bench: Bench) -> None:
    bench.edit("[ble]", "[vehicle]", f'[ble]\ntransport = "tcp-client:127.0.0.1:{free_port()}"\n\n')
    code, line = await bench.refused()
    assert code == 4
    assert "start the controller or radio hub that listens there" in line


async def test_a_port_in_use_is_exit_code_6(bench: Bench) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        bench.edit("[ble]", "[vehicle]", f"[ble]\nhub_port = {port}\n\n")
        code, line = await bench.refused()
    assert code == 6
    assert f"127.0.0.1:{port}" in line
    assert "choose another port" in line


async def test_a_missing_provisioning_file_is_exit_code_6(bench: Bench) -> None:
    (bench.directory / "provisioning.json").rename(bench.directory / "elsewhere.json")
    code, line = await bench.refused()
    assert code == 6
    assert line.endswith("provisioning.json: No such file or directory; `shareboxctl module init DIRECTORY` makes one")


@pytest.mark.req("ACC-5", "PWR-1")
async def test_a_damaged_database_is_set_aside_and_the_dead_stay_dead(bench: Bench) -> None:
    await bench.ctl("issuer", "booking", "--for", "2h")
    async with bench.module() as module:
        assert (await bench.ctl("phone", "unlock")).code == 0
        assert (await bench.ctl("phone", "lock")).code == 0
        async with asyncio.timeout(20):
            while (await bench.ctl("phone", "end", "--yes")).code != 0:
                await asyncio.sleep(0.2)
        module.signal(signal.SIGTERM)
        await module.ended()
    (bench.directory / "state" / "module.db").write_bytes(b"what a dying disk left behind" * 100)
    async with bench.module() as module:
        assert "module.store_trouble" in "".join(module.err)
        refused = await bench.ctl("phone", "unlock", "--json")
        assert refused.code == 3
        assert refused.objects()[-1]["code"] == "BOOKING_ENDED"
    assert list((bench.directory / "state").glob("module.db.damaged-*"))


@pytest.mark.req("PWR-1")
async def test_a_second_module_on_the_same_state_is_exit_code_6(bench: Bench) -> None:
    async with bench.module():
        bench.edit("[ble]", "[vehicle]", "[ble]\nhub_port = 0\n\n")
        code, line = await bench.refused()
    assert code == 6
    assert line.endswith("is in use by another process: stop the other module")


async def test_a_broker_elsewhere_without_certificates_is_exit_code_6(bench: Bench) -> None:
    bench.edit("[vehicle]", "kind", '[broker]\nhost = "192.0.2.1"\n\n[vehicle]\n')
    code, line = await bench.refused()
    assert code == 6
    assert line.endswith("set ca, certificate, key (here: tls_ca, tls_cert, tls_key)")
