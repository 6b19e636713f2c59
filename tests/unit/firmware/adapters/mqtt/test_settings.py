"""Only loopback may be spoken to in the clear."""

import ssl
from pathlib import Path
from typing import Literal, TypedDict

import pytest

from firmware.adapters.mqtt.settings import BrokerMisconfigured, BrokerSettings, own_address, tls_context
from tests.support.certificates import Authority


class Files(TypedDict):
    ca: str
    certificate: str
    key: str


@pytest.fixture
def files(tmp_path: Path) -> Files:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("module")
    return {"ca": authority.certificate, "certificate": certificate, "key": key}


@pytest.mark.req("TEL-8")
@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_plain_mqtt_is_for_loopback(host: str) -> None:
    assert tls_context(BrokerSettings(host=host, port=1883)) is None


@pytest.mark.req("TEL-8")
@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "broker.example", "127.0.0.1.example", "::", ""])
def test_any_other_broker_needs_tls_and_a_client_certificate(host: str, files: Files) -> None:
    with pytest.raises(BrokerMisconfigured) as refused:
        tls_context(BrokerSettings(host=host, port=8883))
    assert str(refused.value) == (
        f"the broker {host}:8883 is spoken to over TLS with a client certificate only, unless it is on "
        "loopback: set ca, certificate, key"
    )
    with pytest.raises(BrokerMisconfigured, match="set certificate, key"):
        tls_context(BrokerSettings(host=host, port=8883, ca=files["ca"]))
    context = tls_context(BrokerSettings(host=host, port=8883, **files))
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.req("TEL-8")
def test_on_loopback_the_client_certificate_may_be_left_out_but_not_half_of_it(files: Files) -> None:
    settings = BrokerSettings(host="127.0.0.1", port=8883, ca=files["ca"])
    assert tls_context(settings) is not None
    with pytest.raises(BrokerMisconfigured, match="set key"):
        tls_context(BrokerSettings(host="127.0.0.1", port=8883, ca=files["ca"], certificate=files["certificate"]))


@pytest.mark.parametrize("broken", ["ca", "certificate", "key"])
def test_a_file_that_cannot_be_used_is_told_in_one_line(
    broken: Literal["ca", "certificate", "key"], files: Files
) -> None:
    for content in (None, "no certificate"):
        path = Path(files[broken])
        path.unlink() if content is None else path.write_text(content)
        with pytest.raises(BrokerMisconfigured, match="check the files ca, certificate and key") as refused:
            tls_context(BrokerSettings(host="10.0.0.1", port=8883, **files))
        assert "\n" not in str(refused.value)


def test_to_loopback_a_socket_is_bound_to_loopback() -> None:
    assert [own_address(host) for host in ("127.0.0.1", "::1", "localhost", "10.0.0.1", "broker.example")] == [
        "127.0.0.1",
        "::1",
        "",
        "",
        "",
    ]
