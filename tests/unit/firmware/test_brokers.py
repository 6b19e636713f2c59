"""Which broker a module gets, and which line to the emergency centre."""

import asyncio
import json
from pathlib import Path

import pytest

from firmware import VERSION, brokers
from firmware.adapters.mqtt.broker import MqttBroker
from firmware.bench.aside import AsideBroker
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.rescue import LoopbackCentre
from firmware.config import BrokerTable, ConfigError
from firmware.emergency import EmergencyLine
from firmware.pace import PacedLoop
from tests.support import credentials
from tests.support.module_files import PROVISIONING, config

ON_LOOPBACK = '[broker]\nhost = "127.0.0.1"\n'


def test_paths_of_the_brokers_files_are_made_absolute_and_missing_ones_stay_missing(tmp_path: Path) -> None:
    read = config(tmp_path)
    plain = brokers.broker_settings(read, BrokerTable("127.0.0.1", 1884))
    assert (plain.address, plain.ca, plain.certificate, plain.key) == ("127.0.0.1:1884", "", "", "")
    tls = brokers.broker_settings(read, BrokerTable("broker.example", 8883, "ca.pem", "a.pem", "a.key"))
    assert (tls.ca, tls.certificate, tls.key) == tuple(str(tmp_path / name) for name in ("ca.pem", "a.pem", "a.key"))


def test_a_module_announces_itself_when_the_file_says_so() -> None:
    assert brokers.announced(BrokerTable("127.0.0.1"), credentials.MODULE_ID) == ()
    (publication,) = brokers.announced(BrokerTable("127.0.0.1", home_assistant=True), credentials.MODULE_ID)
    assert json.loads(publication.payload)["dev"]["sw"] == VERSION


async def test_without_a_table_there_is_no_broker_and_no_line(tmp_path: Path) -> None:
    assert brokers.ordinary(config(tmp_path), PROVISIONING) is None
    assert brokers.emergency(config(tmp_path), PROVISIONING) is None


async def test_a_bench_that_records_its_uplink_has_both_in_memory(tmp_path: Path) -> None:
    bench = config(tmp_path, ON_LOOPBACK + '[bench]\nenabled = true\nuplink = "recorded"\n')
    assert brokers.ordinary(bench, PROVISIONING) is LoopbackBroker
    assert brokers.emergency(bench, PROVISIONING) is LoopbackCentre


@pytest.mark.req("SVC-8")
@pytest.mark.parametrize("text", [ON_LOOPBACK, '[emergency]\nhost = "127.0.0.1"\nport = 9\n'])
async def test_emergency_calls_go_to_a_broker_of_their_own_or_the_ordinary_one(tmp_path: Path, text: str) -> None:
    make = brokers.emergency(config(tmp_path, text), PROVISIONING)
    assert make is not None
    assert isinstance(make(), EmergencyLine)


@pytest.mark.req("TEL-8")
@pytest.mark.parametrize("table", ["broker", "emergency"])
async def test_a_line_that_is_not_on_loopback_needs_its_certificate(tmp_path: Path, table: str) -> None:
    read = config(tmp_path, f'[{table}]\nhost = "10.0.0.7"\n')
    make = brokers.ordinary if table == "broker" else brokers.emergency
    with pytest.raises(ConfigError, match=rf"^\[{table}\]: .* over TLS with a client certificate only"):
        make(read, PROVISIONING)


async def test_each_boot_gets_a_new_client(tmp_path: Path) -> None:
    make = brokers.ordinary(config(tmp_path, ON_LOOPBACK), PROVISIONING)
    assert make is not None
    first, second = make(), make()
    assert isinstance(first, MqttBroker)
    assert first is not second


def test_where_time_is_moved_both_live_beside_the_module(tmp_path: Path) -> None:
    async def made() -> tuple[object, object]:
        read = config(tmp_path, ON_LOOPBACK + "[bench]\nenabled = true\n")
        broker, line = brokers.ordinary(read, PROVISIONING), brokers.emergency(read, PROVISIONING)
        assert broker is not None
        assert line is not None
        return broker(), line()

    with asyncio.Runner(loop_factory=PacedLoop) as runner:
        broker, line = runner.run(made())
    assert isinstance(broker, AsideBroker)
    assert isinstance(line, EmergencyLine)
