"""TLS with certificates on both sides, rights at the broker, and refusals that stop the hammering."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware.ports import BrokerUnavailable, Publication
from host_tools.backend.broker import Broker
from host_tools.backend.ingest import IngestError, Raw, Recorder, Subscription
from protocol.telemetry import Channel, topic
from tests.support.cable import Cable
from tests.support.certificates import Authority
from tests.support.mqtt_module import MODULE_ID, RunningModule, told

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.made_up_messages]

OTHER_ID = MODULE_ID[::-1]
LONG_S = 900.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
async def broker(authority: Authority, tmp_path: Path) -> AsyncIterator[Broker]:
    """TLS; a client is who its certificate names, and has its own topics; `backend` may read everything."""
    rights = tmp_path / "acl"
    rights.write_text("user backend\ntopic read #\npattern readwrite sharebox/%u/#\n")
    certificate, key = authority.issue("server")
    settings = (
        f"cafile {authority.certificate}",
        f"certfile {certificate}",
        f"keyfile {key}",
        "require_certificate true",
        "use_identity_as_username true",
        f"acl_file {rights}",
    )
    async with Broker(settings=settings) as running:
        yield running


def module(broker: Broker, authority: Authority, name: str, module_id: bytes = MODULE_ID) -> RunningModule:
    certificate, key = authority.issue(name)
    ca = authority.certificate
    return RunningModule(broker.port, module_id=module_id, ca=ca, certificate=certificate, key=key)


def backend_tls(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.certificate)
    context.load_cert_chain(*authority.issue("backend"))
    return context


@pytest.mark.req("TEL-8")
async def test_a_module_and_a_backend_meet_over_tls(broker: Broker, authority: Authority) -> None:
    heard: list[Raw] = []
    listening = Subscription(broker.host, broker.port, "#", heard.append, tls=backend_tls(authority))
    async with listening, module(broker, authority, MODULE_ID.hex()) as running:
        await running.connected()
        for number in range(20):
            await running.publish(told(Channel.EVENT, b"%d" % number))
    payloads = [raw.payload for raw in heard if raw.topic == topic(MODULE_ID, Channel.EVENT)]
    assert payloads == [b"%d" % number for number in range(20)]


@pytest.mark.req("TEL-8", "TEL-6")
async def test_a_module_cannot_speak_for_another(broker: Broker, authority: Authority) -> None:
    async with module(broker, authority, MODULE_ID.hex()) as running:
        await running.connected()
        with pytest.raises(BrokerUnavailable, match="Not authorized"):
            await running.publish(Publication(topic(OTHER_ID, Channel.EVENT), b"forged"))
        assert await running.pausing() >= LONG_S
    async with module(broker, authority, OTHER_ID.hex(), MODULE_ID) as impostor:
        assert await impostor.pausing() >= LONG_S
        assert impostor.calls == [], "it may not even say that it is online"


@pytest.mark.req("TEL-8", "TEL-6")
async def test_a_broker_of_another_authority_gets_nothing(broker: Broker, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger", "another authority")
    async with module(broker, stranger, MODULE_ID.hex()) as running:
        assert await running.pausing() >= LONG_S
        assert "CERTIFICATE_VERIFY_FAILED" in running.notes[0]


@pytest.mark.req("TEL-8", "TEL-6")
async def test_a_module_without_a_certificate_is_refused_and_does_not_hammer(
    broker: Broker, authority: Authority
) -> None:
    async with RunningModule(broker.port, ca=authority.certificate) as running:
        assert await running.pausing() >= LONG_S
        assert "certificate" in running.notes[0].lower()


@pytest.mark.req("TEL-6")
async def test_a_module_that_the_broker_does_not_know_does_not_hammer() -> None:
    async with Broker(anonymous=False) as broker, RunningModule(broker.port) as running:
        assert await running.pausing() >= LONG_S
        assert "Not authorized" in running.notes[0]


@pytest.mark.req("TEL-6")
async def test_a_broker_that_dies_under_tls_is_no_refusal(broker: Broker, authority: Authority) -> None:
    async with module(broker, authority, MODULE_ID.hex()) as running:
        await running.connected()
        await broker.kill()
        await running.lost()
        assert await running.pausing() <= 2.0


async def test_a_module_stopped_in_the_middle_of_a_handshake_is_gone_afterwards(
    broker: Broker, authority: Authority
) -> None:
    async with Cable(broker.port) as cable:
        cable.freeze(up=True)
        certificate, key = authority.issue(MODULE_ID.hex())
        running = RunningModule(cable.port, ca=authority.certificate, certificate=certificate, key=key)
        async with running:
            await asyncio.wait_for(cable.plugged_in.wait(), 5)
            stopping = asyncio.create_task(running.stop())
            await asyncio.sleep(0)
            cable.thaw()
            await stopping
            assert running.calls == []
            await asyncio.wait_for(cable.unused(), 5)


async def test_a_listener_without_rights_is_told_in_one_line() -> None:
    async with Broker(anonymous=False) as broker:
        with pytest.raises(IngestError, match="cannot be listened to") as refused:
            await Recorder(broker.host, broker.port).__aenter__()
        assert "\n" not in str(refused.value)
