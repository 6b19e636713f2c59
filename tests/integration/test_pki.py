"""A real mosquitto with the files that `shareboxctl issuer pki` writes: who gets in, and who may do what."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from firmware import discovery
from firmware.adapters.mqtt import BrokerSettings
from firmware.adapters.mqtt.emergency import emergency_broker
from firmware.config import read_config
from firmware.ports import BrokerUnavailable, Publication
from host_tools.backend import pki
from host_tools.backend.broker import Broker, Kind, find_broker
from host_tools.backend.ingest import Raw, Subscription
from host_tools.backend.pki import Authority, Issued
from host_tools.cli.exits import Exit
from host_tools.cli.main import main
from host_tools.phone.keyring import read_key
from protocol.telemetry import Channel, acknowledgement_topic, emergency_topic, topic
from tests.support.command import in_loop
from tests.support.mqtt_module import RunningModule

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.made_up_messages]

ONE = bytes.fromhex("a1b2c3d4e5f60718")
OTHER = ONE[::-1]
LONG_S = 900.0
DAY_S = 86_400
SOON_S = 8.0


class Site:
    """An installation as the tool makes it: a broker, two modules, a backend and a reader."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        at = ["--directory", str(directory)]
        for words in (
            ["init", "127.0.0.1"],
            ["module", ONE.hex()],
            ["module", OTHER.hex()],
            ["client", "backend"],
            ["client", "watcher", "--role", "reader"],
            ["client", "psap", "--role", "centre"],
        ):
            assert main(["issuer", "pki", *words, *at]) == 0
        self.authority = Authority.load(read_key(directory / "ca.key"), (directory / "ca.pem").read_bytes())

    def broker(self) -> Broker:
        """With what `mosquitto.conf` says of rights and certificates, on a port of its own."""
        lines = (self.directory / "mosquitto.conf").read_text().splitlines()
        (listener,) = [number for number, line in enumerate(lines) if line.startswith("listener ")]
        rights = [line for line in lines[:listener] if line.startswith("acl_file ")]
        return Broker(anonymous=False, settings=(*rights, *lines[listener + 1 :]))

    def module(
        self,
        broker: Broker,
        name: bytes,
        module_id: bytes | None = None,
        announced: tuple[Publication, ...] = (),
    ) -> RunningModule:
        """Module `module_id` with the certificate of module `name`."""
        return self._module(broker, module_id or name, self.directory / name.hex() / "module", announced)

    def stranger(self, broker: Broker, issued: Issued, module_id: bytes = ONE) -> RunningModule:
        """A module with a certificate of one's own making."""
        place = self.directory / "stranger"
        write(place, issued)
        return self._module(broker, module_id, place)

    def _module(
        self, broker: Broker, module_id: bytes, place: Path, announced: tuple[Publication, ...] = ()
    ) -> RunningModule:
        return RunningModule(
            broker.port,
            module_id=module_id,
            announced=announced,
            ca=str(self.directory / "ca.pem"),
            certificate=f"{place}.pem",
            key=f"{place}.key",
        )

    def tls(self, name: str, kind: str = "client") -> ssl.SSLContext:
        """As client `name` (or module, by `kind`)."""
        place = self.directory / name
        context = ssl.create_default_context(cafile=str(place / "ca.pem"))
        context.load_cert_chain(place / f"{kind}.pem", place / f"{kind}.key")
        return context


def write(place: Path, issued: Issued) -> None:
    from cryptography.hazmat.primitives import serialization as written

    pem, plain = written.Encoding.PEM, written.NoEncryption()
    place.with_suffix(".pem").write_bytes(pki.certificate_pem(issued.certificate))
    place.with_suffix(".key").write_bytes(issued.private.private_bytes(pem, written.PrivateFormat.PKCS8, plain))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
async def broker(site: Site) -> AsyncIterator[Broker]:
    async with site.broker() as running:
        yield running


async def until(wanted: "asyncio.Event") -> None:
    async with asyncio.timeout(SOON_S):
        await wanted.wait()


class Ear:
    """Everything that one client gets; `saw` waits for a message."""

    def __init__(self, broker: Broker, tls: ssl.SSLContext, where: str = "#") -> None:
        self.messages: list[Raw] = []
        self._arrival = asyncio.Event()
        self.subscription = Subscription(broker.host, broker.port, where, self._take, tls=tls)

    def _take(self, raw: Raw) -> None:
        self.messages.append(raw)
        self._arrival.set()

    async def saw(self, where: str, payload: bytes) -> None:
        async with asyncio.timeout(SOON_S):
            while (where, payload) not in [(raw.topic, raw.payload) for raw in self.messages]:
                self._arrival.clear()
                await self._arrival.wait()


async def send(broker: Broker, tls: ssl.SSLContext, where: str, payload: bytes) -> None:
    """One message, acknowledged; raises MqttError when the broker does not take it."""
    async with aiomqtt.Client(
        broker.host,
        broker.port,
        tls_context=tls,
        protocol=aiomqtt.ProtocolVersion.V5,
        bind_address=broker.host,
        timeout=SOON_S,
    ) as client:
        answer = asyncio.Event()
        reasons: list[object] = []

        def acknowledged(*arguments: object) -> None:
            reasons.append(arguments[3])
            client._loop.call_soon(answer.set)

        client._client.on_publish = acknowledged
        client._client.publish(where, payload, 1)
        await until(answer)
        if getattr(reasons[0], "is_failure", False):
            raise aiomqtt.MqttError(str(reasons[0]))


@pytest.mark.req("TEL-8", "TEL-1")
async def test_a_module_and_a_backend_meet_and_an_order_comes_back(site: Site, broker: Broker) -> None:
    ear = Ear(broker, site.tls("backend"))
    async with ear.subscription, site.module(broker, ONE) as module:
        await module.connected()
        for channel in Channel:
            if channel not in (Channel.ONLINE, Channel.ORDER):
                await module.publish(Publication(topic(ONE, channel), channel.encode()))
                await ear.saw(topic(ONE, channel), channel.encode())
        await send(broker, site.tls("backend"), topic(ONE, Channel.ORDER), b"an order")
        assert await asyncio.wait_for(module.orders.get(), SOON_S) == b"an order"


@pytest.mark.req("TEL-8")
async def test_a_module_publishes_nothing_on_topics_that_are_not_its_own(site: Site, broker: Broker) -> None:
    foreign = [
        topic(OTHER, Channel.EVENT),
        topic(OTHER, Channel.ORDER),
        topic(ONE, Channel.ORDER),
        f"homeassistant/device/sharebox/{OTHER.hex()}/config",
        "homeassistant/status",
        "elsewhere",
    ]
    ear = Ear(broker, site.tls("backend"))
    async with ear.subscription, site.module(broker, ONE) as module:
        for where in foreign:
            await module.connected()
            with pytest.raises(BrokerUnavailable, match="Not authorized"):
                await module.publish(Publication(where, b"forged"))
            await module.lost()
        assert module.pauses_s[0] >= LONG_S, "asking again soon does not help"
        await module.connected()
        await module.publish(Publication(topic(ONE, Channel.EVENT), b"its own"))
        await ear.saw(topic(ONE, Channel.EVENT), b"its own")
    assert not [raw for raw in ear.messages if raw.payload == b"forged"]


@pytest.mark.req("TEL-8")
async def test_a_module_announces_itself_to_home_assistant_and_nobody_else(site: Site, broker: Broker) -> None:
    own = discovery.config(ONE, "1.2.3")
    ear = Ear(broker, site.tls("watcher"))
    async with ear.subscription, site.module(broker, ONE, announced=(own,)) as module:
        await module.connected()
        await ear.saw(own.topic, own.payload)
    other = discovery.config(OTHER, "1.2.3")
    async with site.module(broker, ONE, announced=(other,)) as module:
        await module.connected()
        assert "is announced no more" in module.notes[0]


@pytest.mark.req("TEL-8")
async def test_a_module_hears_nothing_of_another_however_it_asks(site: Site, broker: Broker) -> None:
    curious = Ear(broker, site.tls(OTHER.hex(), "module"))
    asking = Ear(broker, site.tls(OTHER.hex(), "module"), f"sharebox/{ONE.hex()}/#")
    backend = Ear(broker, site.tls("backend"))
    async with curious.subscription, asking.subscription, backend.subscription, site.module(broker, ONE) as module:
        await module.connected()
        await module.publish(Publication(topic(ONE, Channel.STATE), b"private", retain=True))
        await send(broker, site.tls("backend"), topic(ONE, Channel.ORDER), b"for one")
        await backend.saw(topic(ONE, Channel.STATE), b"private")
        await backend.saw(topic(ONE, Channel.ORDER), b"for one")
        # What was sent last comes last: had anything been let through before, it would be there.
        await send(broker, site.tls("backend"), topic(OTHER, Channel.ORDER), b"for the other")
        await curious.saw(topic(OTHER, Channel.ORDER), b"for the other")
        assert [raw.payload for raw in curious.messages] == [b"for the other"]
        assert asking.messages == []


@pytest.mark.req("TEL-8")
async def test_a_reader_reads_and_sends_no_orders(site: Site, broker: Broker) -> None:
    ear = Ear(broker, site.tls("watcher"))
    async with ear.subscription, site.module(broker, ONE) as module:
        await module.connected()
        with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
            await send(broker, site.tls("watcher"), topic(ONE, Channel.ORDER), b"open")
        with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
            await send(broker, site.tls("backend"), topic(ONE, Channel.STATE), b"forged")
        await send(broker, site.tls("backend"), topic(ONE, Channel.ORDER), b"genuine")
        assert await asyncio.wait_for(module.orders.get(), SOON_S) == b"genuine"
        await module.publish(Publication(topic(ONE, Channel.EVENT), b"told"))
        await ear.saw(topic(ONE, Channel.EVENT), b"told")
    assert topic(ONE, Channel.ORDER) not in [raw.topic for raw in ear.messages]


@pytest.mark.req("TEL-8", "PRV-1", "SVC-8")
async def test_emergency_calls_are_read_and_answered_by_the_emergency_centre_alone(site: Site, broker: Broker) -> None:
    call, answer = emergency_topic(ONE), acknowledgement_topic(ONE)
    centre, backend, watcher = (Ear(broker, site.tls(name)) for name in ("psap", "backend", "watcher"))
    asking = Ear(broker, site.tls("backend"), call)
    settings = BrokerSettings(
        host="127.0.0.1", port=broker.port, ca=str(site.directory / "ca.pem"), will_delay_s=0,
        certificate=str(site.directory / ONE.hex() / "module.pem"), key=str(site.directory / ONE.hex() / "module.key"),
    )  # fmt: skip
    line, up, heard = emergency_broker(settings, ONE, entropy=os.urandom), asyncio.Event(), asyncio.Queue[bytes]()
    async with centre.subscription, backend.subscription, watcher.subscription, asking.subscription:
        running = asyncio.create_task(line.run(up.set, lambda: None, lambda *what: heard.put_nowait(what[2])))
        await until(up)
        await line.publish(Publication(call, b"where it is"))
        await centre.saw(call, b"where it is")
        for name in ("backend", "watcher"):
            with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
                await send(broker, site.tls(name), answer, b"")
        await send(broker, site.tls("psap"), answer, b"")
        assert await asyncio.wait_for(heard.get(), SOON_S) == b""
        assert heard.empty(), "nobody else has answered"
        # What was sent last comes last: had the call been let through, it would be there.
        await line.publish(Publication(topic(ONE, Channel.EVENT), b"told"))
        for ear in (backend, watcher):
            await ear.saw(topic(ONE, Channel.EVENT), b"told")
            assert call not in [raw.topic for raw in ear.messages]
        assert asking.messages == []
        assert [raw.topic for raw in centre.messages] == [call]
        running.cancel()
        await asyncio.wait({running})


@pytest.mark.req("TEL-8", "TEL-6")
async def test_a_module_with_another_ones_certificate_is_not_let_in(site: Site, broker: Broker) -> None:
    async with site.module(broker, OTHER, ONE) as impostor:
        assert await impostor.pausing() >= LONG_S
        assert impostor.calls == []


@pytest.mark.req("TEL-8", "TEL-6")
@pytest.mark.parametrize("kind", ["another authority", "expired", "of a broker"])
async def test_a_certificate_that_is_not_good_is_refused(site: Site, broker: Broker, kind: str) -> None:
    now_s = int(time.time())
    issued = {
        "another authority": lambda: Authority.found(now_s).module(ONE, now_s),
        "expired": lambda: site.authority.module(ONE, now_s - 3 * DAY_S, DAY_S),
        "of a broker": lambda: site.authority.broker(["127.0.0.1"], now_s),
    }[kind]()
    async with site.stranger(broker, issued) as module:
        assert await module.pausing() >= LONG_S
        assert "alert" in module.notes[0].lower()
        assert module.calls == []


@pytest.mark.req("TEL-8", "TEL-6")
async def test_without_a_certificate_nobody_gets_in(site: Site, broker: Broker) -> None:
    async with RunningModule(broker.port, ca=str(site.directory / "ca.pem")) as module:
        assert await module.pausing() >= LONG_S
        assert "certificate" in module.notes[0].lower()


@pytest.mark.req("TEL-8", "TEL-6")
@pytest.mark.parametrize("kind", ["another authority", "expired", "another name", "of a module"])
async def test_a_broker_that_cannot_prove_itself_gets_nothing(site: Site, kind: str) -> None:
    now_s = int(time.time())
    issued = {
        "another authority": lambda: Authority.found(now_s).broker(["127.0.0.1"], now_s),
        "expired": lambda: site.authority.broker(["127.0.0.1"], now_s - 3 * DAY_S, DAY_S),
        "another name": lambda: site.authority.broker(["broker.example"], now_s),
        "of a module": lambda: site.authority.module(OTHER, now_s),
    }[kind]()
    write(site.directory / "broker", issued)
    async with site.broker() as broker, site.module(broker, ONE) as module:
        assert await module.pausing() >= LONG_S
        assert "CERTIFICATE_VERIFY_FAILED" in module.notes[0]
        assert module.calls == []


@pytest.mark.req("TEL-8", "TEL-3")
async def test_the_tool_listens_with_the_files_that_it_made_and_with_no_others(
    site: Site, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["watch", "--broker", f"127.0.0.1:{broker.port}", "--json", "--timeout", "20"]

    def files(name: str, kind: str = "client") -> list[str]:
        place = site.directory / name
        return [
            *at,
            "--tls-ca",
            f"{place}/ca.pem",
            "--tls-cert",
            f"{place}/{kind}.pem",
            "--tls-key",
            f"{place}/{kind}.key",
        ]

    async with site.module(broker, ONE) as module:
        await module.connected()
        ran = await in_loop(capsys, *files("watcher"), "--count", "1")
        assert (ran.code, ran.objects()[0]["module"]) == (0, ONE.hex())
        issued = Authority.found(int(time.time())).client("backend", int(time.time()))
        write(site.directory / "backend" / "client", issued)
        ran = await in_loop(capsys, *files("backend"), "--count", "1")
        assert ran.code == Exit.NOT_FOUND
        assert "cannot be listened to" in ran.err
        assert ran.err.count("\n") == 1


@pytest.mark.req("TEL-8")
async def test_the_files_are_good_as_they_are(tmp_path: Path) -> None:
    program = find_broker()
    assert program.kind is Kind.MOSQUITTO
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        place = tmp_path / str(port)
        at = ["--directory", str(place)]
        assert main(["issuer", "pki", "init", "127.0.0.1", "--port", str(port), *at]) == 0
        assert main(["issuer", "pki", "module", ONE.hex(), *at]) == 0
        table = read_config(place / ONE.hex() / "broker.toml").broker
        assert table is not None
        files = [str(place / ONE.hex() / name) for name in (table.tls_ca, table.tls_cert, table.tls_key)]
        module = RunningModule(table.port, ca=files[0], certificate=files[1], key=files[2])
        process = await asyncio.create_subprocess_exec(*program.command, str(place / "mosquitto.conf"))
        try:
            async with module:
                ended = asyncio.create_task(process.wait())
                up = asyncio.create_task(module.up.wait())
                await asyncio.wait({ended, up}, timeout=SOON_S, return_when=asyncio.FIRST_COMPLETED)
                connected = up.done()
                up.cancel()
                ended.cancel()
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
        if connected:
            return
    raise AssertionError("mosquitto did not take the files")
