"""A broker can be started, stopped, killed and started again on its port, whichever program it is."""

import os
import socket
import subprocess
import sys

import pytest

from host_tools.backend.broker import Broker, BrokerFailed, BrokerMissing, Kind, Program, find_broker
from host_tools.backend.ingest import Recorder
from protocol.telemetry import Channel, topic
from tests.support.mqtt_module import MODULE_ID, ROOT, RunningModule, told

pytestmark = pytest.mark.made_up_messages

real_time = pytest.mark.asyncio(loop_factories=["real"])

MOSQUITTO = find_broker()
IOTCORE = find_broker(directories=())
EVENT = topic(MODULE_ID, Channel.EVENT)


def test_mosquitto_comes_first_and_the_wheel_second() -> None:
    assert MOSQUITTO.kind is Kind.MOSQUITTO
    assert os.access(MOSQUITTO.command[0], os.X_OK)
    assert IOTCORE.kind is Kind.IOTCORE


def test_without_any_broker_the_remedy_is_named() -> None:
    with pytest.raises(BrokerMissing) as missing:
        find_broker(directories=(), package="no_such_package")
    assert "apt-get install mosquitto, or pip install iotcore" in str(missing.value)
    assert "\n" not in str(missing.value)


@real_time
@pytest.mark.parametrize("program", [MOSQUITTO, IOTCORE], ids=lambda program: program.kind)
async def test_it_takes_a_module_and_keeps_its_port_over_a_kill(program: Program) -> None:
    async with Broker(program) as broker:
        assert (broker.running, broker.host) == (True, "127.0.0.1")
        port = broker.port
        async with RunningModule(port) as module, Recorder(broker.host, port) as recorder:
            await module.connected()
            await module.publish(told(Channel.EVENT, b"before"))
            await recorder.wait_for(lambda raw: (raw.topic, raw.payload) == (EVENT, b"before"))
            await broker.kill()
            assert not broker.running
            await module.lost()
            await broker.start()
            assert (broker.running, broker.port) == (True, port)
            await recorder.resume()
            await module.connected()
            await module.publish(told(Channel.EVENT, b"after"))
            await recorder.wait_for(lambda raw: (raw.topic, raw.payload) == (EVENT, b"after"))
    assert not broker.running


@real_time
async def test_it_listens_on_127_0_0_1_and_on_no_other_address() -> None:
    for program in (MOSQUITTO, IOTCORE):
        async with Broker(program) as broker:
            with socket.create_connection(("127.0.0.1", broker.port)):
                pass
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.2", broker.port))


@real_time
async def test_only_a_persistent_broker_remembers_over_a_restart() -> None:
    for persistent in (True, False):
        async with Broker(persistent=persistent) as broker:
            async with RunningModule(broker.port) as module:
                await module.connected()
                await module.publish(told(Channel.STATE, b"kept", retain=True))
            await broker.restart()
            async with (
                RunningModule(broker.port) as module,
                Recorder(broker.host, broker.port) as recorder,
            ):
                await module.connected()
                await module.publish(told(Channel.EVENT, b"marker"))
                await recorder.wait_for(lambda raw: raw.payload == b"marker")
                assert (b"kept" in [raw.payload for raw in recorder.messages]) is persistent


@real_time
async def test_starting_twice_and_closing_twice_is_no_error() -> None:
    broker = Broker()
    await broker.stop()
    await broker.start()
    port = broker.port
    await broker.start()
    assert (broker.running, broker.port) == (True, port)
    await broker.close()
    await broker.close()
    assert not broker.running


FORGETFUL = """
import asyncio
from host_tools.backend.broker import Broker

broker = Broker()
asyncio.run(broker.start())
print(broker.port)
"""


def test_a_program_that_forgets_to_close_its_broker_leaves_none_behind() -> None:
    ran = subprocess.run([sys.executable, "-c", FORGETFUL], capture_output=True, text=True, cwd=ROOT, check=True)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(ran.stdout)))


@real_time
async def test_a_broker_that_does_not_come_up_says_why() -> None:
    with pytest.raises(BrokerFailed, match='Unknown configuration variable "nonsense"') as failed:
        await Broker(settings=("nonsense 1",)).__aenter__()
    assert "\n" not in str(failed.value)


@real_time
async def test_a_port_that_was_taken_in_between_is_an_error_of_one_line() -> None:
    async with Broker() as broker:
        await broker.stop()
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind((broker.host, broker.port))
            thief.listen()
            with pytest.raises(BrokerFailed, match="Address already in use"):
                await broker.start()


async def test_it_starts_on_virtual_time_too() -> None:
    async with Broker() as broker:
        assert broker.running


def test_what_the_wheel_cannot_do_is_said_before_it_is_started() -> None:
    with pytest.raises(BrokerMissing, match="install mosquitto"):
        Broker(IOTCORE, persistent=True)
    with pytest.raises(BrokerMissing, match="install mosquitto"):
        Broker(IOTCORE, anonymous=False)
    with pytest.raises(BrokerMissing, match="install mosquitto"):
        Broker(IOTCORE, settings=("max_connections 1",))
