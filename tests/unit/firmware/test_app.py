"""The wiring: which radio, car, store and broker a module gets from its files."""

import asyncio
import json
import os
import signal
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from firmware import VERSION, app
from firmware.adapters.clocks import SystemClock
from firmware.adapters.store import SqliteStore
from firmware.config import ConfigError
from firmware.core.effects import Effect
from firmware.core.events import Event, OrderReceived, OrderUnreadable, TimeOffered
from firmware.core.state import Profile, State, Vehicle
from firmware.pace import PacedLoop
from firmware.ports import RadioUnavailable, StoreFailed
from firmware.simulated.car import Car
from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Recorder
from host_tools.radio.air import VirtualAir
from host_tools.radio.hub import Hub
from protocol import keys, tokens
from protocol.errors import Code
from protocol.provisioning import VehicleFacts
from tests.support import credentials
from tests.support.command import ROOT
from tests.support.module_files import PROVISIONING, config

real = pytest.mark.asyncio(loop_factories=["real"])
LIMIT_S = 10.0


def test_the_core_gets_its_profile_from_the_provisioning_file() -> None:
    profile = Profile(credentials.MODULE_ID, 3, (481_371_540, 115_761_240), 1_780_000_000_000)
    assert app.make_profile(PROVISIONING) == profile


@pytest.mark.req("OWN-1", "OWN-2", "KEY-9")
def test_what_the_dealer_wrote_down_of_the_vehicle_reaches_the_core() -> None:
    facts = VehicleFacts("1M8GDM9AXKP042788", "US", prepared=False, digital_keys=False, legal_ecall=True)
    profile = app.make_profile(msgspec.structs.replace(PROVISIONING, vehicle=facts, coupled=False))
    assert profile.vehicle == Vehicle("1M8GDM9AXKP042788", "US", prepared=False, digital_keys=False, legal_ecall=True)
    assert not profile.coupled


def test_the_gateway_trusts_the_issuers_of_the_file_and_signs_with_its_keys() -> None:
    gateway = app.make_gateway(PROVISIONING)
    topic = "sharebox/0011223344556677/order"
    order = tokens.mint_order(credentials.ORDER, credentials.ISSUER)
    assert gateway.order(topic, order, b"") == OrderReceived(credentials.ORDER)
    stranger = tokens.mint_order(credentials.ORDER, credentials.key("a stranger"))
    assert gateway.order(topic, stranger, b"") == OrderUnreadable(Code.UNKNOWN_ISSUER)
    signed = gateway.receipt(credentials.RECEIPT)
    assert tokens.verify_receipt(signed, credentials.SIGNER.public_key()) == credentials.RECEIPT


def test_the_car_stands_where_the_file_says(tmp_path: Path) -> None:
    assert app.make_car(config(tmp_path)) == Car()
    stands = app.make_car(config(tmp_path, "[vehicle]\nlatitude = 52.5\nlongitude = 13.4\n"))
    assert stands.position == (52.5, 13.4)
    assert stands.route.loop


@pytest.mark.req("SEC-2")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_private_keys_are_recorded_on_a_bench_alone(tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    with pytest.raises(ConfigError, match="on a bench alone"):
        await app.run(config(tmp_path), record=path, record_keys=True)
    assert not path.exists()


@pytest.mark.req("BEN-4")
def test_a_trace_takes_the_cars_place_if_the_file_says_so(tmp_path: Path) -> None:
    assert app.make_vehicle(config(tmp_path), SystemClock()).player is None
    trace = ROOT / "tests" / "vectors" / "openxc-drive.json"
    table = f'[vehicle]\nkind = "trace"\nspeed = 2\nfile = "{trace}"\n'
    player = app.make_vehicle(config(tmp_path, table), SystemClock()).player
    assert player is not None
    assert player.path == trace
    with pytest.raises(ConfigError, match=r"^\[vehicle\]: .*No such file"):
        app.make_vehicle(config(tmp_path, '[vehicle]\nkind = "trace"\nfile = "nowhere"\n'), SystemClock())


@pytest.mark.parametrize("latitude", [-90, 0, 90])
@pytest.mark.parametrize("longitude", [-180, 0, 180])
def test_the_round_stays_on_the_map(tmp_path: Path, latitude: float, longitude: float) -> None:
    car = app.make_car(config(tmp_path, f"[vehicle]\nlatitude = {latitude}\nlongitude = {longitude}\n"))
    for share in range(100):
        at = car.route.position(car.route.length_m * share / 100)
        assert abs(at.latitude) <= 90
        assert abs(at.longitude) <= 180


# ---------------------------------------------------------------- running
class Watch:
    """Sees every step; `booted` is set when the module knows the time."""

    def __init__(self) -> None:
        self.booted = asyncio.Event()

    def __call__(self, event: Event, state: State, effects: tuple[Effect, ...]) -> None:
        if isinstance(event, TimeOffered):
            self.booted.set()


async def until_logged(logged: Sequence[Mapping[str, object]], what: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not any(line["event"] == what for line in logged):
            await asyncio.sleep(0.01)


@real
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_works_until_a_signal_stops_it_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    watch = Watch()
    with capture_logs() as logged:
        running = asyncio.create_task(app.run(config(tmp_path), watch))
        await until_logged(logged, "on the air")
        os.kill(os.getpid(), number)
        async with asyncio.timeout(LIMIT_S):
            await running
    assert watch.booted.is_set()
    assert [line["event"] for line in logged] == ["virtual radio", "on the air", "stopped"]
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    store = SqliteStore(tmp_path / "state/module.db", capacity_records=10)
    assert await store.load() is not None
    await store.close()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@real
async def test_the_broker_of_the_file_is_tried(tmp_path: Path) -> None:
    with capture_logs() as logged:
        text = '[ble]\nhub_port = 0\n[broker]\nhost = "127.0.0.1"\nport = 9\n'
        running = asyncio.create_task(app.run(config(tmp_path, text)))
        await until_logged(logged, "broker")
        running.cancel()
        await asyncio.wait({running})
    (note,) = (str(line["note"]) for line in logged if line["event"] == "broker")
    assert note.startswith("broker 127.0.0.1:9: ")


@real
async def test_a_module_appears_on_a_dashboard_when_the_file_says_so(tmp_path: Path) -> None:
    topic = f"homeassistant/device/sharebox/{PROVISIONING.module_id.hex()}/config"
    async with Broker() as broker, Recorder(broker.host, broker.port) as recorder:
        table = f'[broker]\nhost = "{broker.host}"\nport = {broker.port}\nhome_assistant = true\n'
        running = asyncio.create_task(app.run(config(tmp_path, f"[ble]\nhub_port = 0\n{table}")))
        announced = await recorder.wait_for(lambda raw: raw.topic == topic, 20)
        running.cancel()
        await asyncio.wait({running})
    assert json.loads(announced.payload)["dev"]["sw"] == VERSION


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == VERSION


@real
@pytest.mark.parametrize(
    ("text", "error", "complaint"),
    [
        ('[broker]\nhost = "10.1.2.3"\n', ConfigError, r"\[broker\]: .* set ca, certificate, key \(here: tls_ca, "),
        ('[module]\nwatchdog = "/dev/null"\n', ConfigError, r"^\[module\] watchdog: /dev/null: .*ioctl.*; name a"),
        (
            '[vehicle]\nkind = "hardware"\n[vehicle.can]\ndbc = "x"\nsignals = {"a" = {signal = "b"}}\n',
            ConfigError,
            "x: No",
        ),
        ('[module]\nstate_dir = "sharebox.toml"\n', ConfigError, r"File exists; set \[module\] state_dir"),
    ],
)
async def test_what_it_can_not_start_with_is_one_line(
    tmp_path: Path, text: str, error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint) as refused:
        await app.run(config(tmp_path, f"[ble]\nhub_port = 0\n{text}"))
    assert "\n" not in str(refused.value)


@real
async def test_a_module_that_has_the_state_already_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    store = SqliteStore(tmp_path / "state/module.db", capacity_records=10)
    await store.commit(b"\x01", ())
    with pytest.raises(StoreFailed, match="stop the other module"):
        await app.run(config(tmp_path, "[ble]\nhub_port = 0\n"))
    await store.close()


@real
async def test_a_hub_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    async with Hub(VirtualAir(), port=0) as other:
        with pytest.raises(ConfigError, match=rf"\[ble\]: the hub can not listen on 127.0.0.1:{other.port}.*"):
            await app.run(config(tmp_path, f"[ble]\nhub_port = {other.port}\n"))


@real
async def test_a_radio_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(BaseExceptionGroup) as failed:
        await app.run(config(tmp_path, '[ble]\ntransport = "tcp-client:127.0.0.1:9"\n'))
    (cause,) = failed.value.exceptions
    assert isinstance(cause, RadioUnavailable)
    assert "\n" not in str(cause)


# ---------------------------------------------------------------- on a bench
BENCH = '[bench]\nenabled = true\nuplink = "recorded"\n[[serial]]\nlevel = "service"\n[ble]\nhub_port = 0\n'


def test_a_bench_lives_on_a_loop_whose_time_can_be_moved(tmp_path: Path) -> None:
    assert app.loop_factory(config(tmp_path)) is None
    assert app.loop_factory(config(tmp_path, BENCH)) is PacedLoop


def test_lines_have_their_names_in_the_runtime_directory(tmp_path: Path) -> None:
    assert app.runtime_dir(tmp_path, {}) == tmp_path / "run"
    assert app.runtime_dir(tmp_path, {"XDG_RUNTIME_DIR": "/run/user/1"}) == Path("/run/user/1/sharebox")


def test_what_may_be_known_of_a_module_is_public() -> None:
    facts = app.make_facts(PROVISIONING)
    assert facts.module_id == credentials.MODULE_ID
    assert facts.handshake_key == keys.public_to_bytes(credentials.HANDSHAKE.public_key())
    assert facts.signing_key == keys.public_to_bytes(credentials.SIGNER.public_key())
    assert facts.issuers == (keys.key_id(credentials.ISSUER.public_key()),)


@pytest.mark.req("BEN-1")
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            f"{BENCH}[module]\n[vehicle]\n".replace("enabled = true", 'enabled = true\npassword_file = "none"'),
            "none: No",
        ),
        (
            BENCH.replace("[[serial]]", '[[serial]]\nname = "taken"'),
            r"\[\[serial\]\]: the console .*taken cannot be made",
        ),
    ],
)
def test_a_bench_that_can_not_be_set_up_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    (tmp_path / "state/run/taken").mkdir(parents=True)
    with asyncio.Runner(loop_factory=PacedLoop) as runner, pytest.raises(ConfigError, match=complaint) as refused:
        runner.run(app.run(config(tmp_path, text)))
    assert "\n" not in str(refused.value)
