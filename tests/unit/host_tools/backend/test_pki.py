"""What stands in a certificate, and what cannot be certified."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from host_tools.backend import pki
from host_tools.backend.pki import Authority, Issued, PkiError
from host_tools.phone.keyring import new_key

MODULE_ID = bytes.fromhex("a1b2c3d4e5f60718")
NOW_S = 1_800_000_000
DAY_S = 86_400

AUTHORITY = Authority.found(NOW_S)


def name(certificate: x509.Certificate) -> str:
    (common,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common.value)


def lasts(certificate: x509.Certificate) -> tuple[int, int]:
    """From and until, in seconds from NOW_S."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return int(begin.timestamp()) - NOW_S, int(end.timestamp()) - NOW_S


def uses(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def verify_server(issued: Issued, host: str, authority: Authority = AUTHORITY, at_s: int = NOW_S) -> None:
    builder = PolicyBuilder().store(Store([authority.certificate])).time(datetime.fromtimestamp(at_s, UTC))
    builder.build_server_verifier(x509.DNSName(host)).verify(issued.certificate, [])


def test_an_authority_signs_certificates_and_nothing_else() -> None:
    certificate = AUTHORITY.certificate
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert (basic.value.ca, basic.value.path_length, basic.critical) == (True, 0, True)
    assert (usage.value.key_cert_sign, usage.value.digital_signature, usage.critical) == (True, False, True)
    assert lasts(certificate) == (-DAY_S, 3650 * DAY_S)
    assert name(certificate) != name(Authority.found(NOW_S).certificate), "two authorities can be told apart"


@pytest.mark.req("TEL-8")
def test_a_broker_is_known_by_its_names_and_serves_only() -> None:
    issued = AUTHORITY.broker(["broker.example", "10.0.0.7", "::1"], NOW_S)
    assert pki.hosts_of(issued.certificate) == ["broker.example", "10.0.0.7", "::1"]
    assert uses(issued.certificate) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert lasts(issued.certificate) == (-DAY_S, 398 * DAY_S)
    verify_server(issued, "broker.example")
    with pytest.raises(VerificationError):
        verify_server(issued, "other.example")
    with pytest.raises(VerificationError):
        verify_server(issued, "broker.example", Authority.found(NOW_S))
    with pytest.raises(VerificationError):
        verify_server(issued, "broker.example", at_s=NOW_S + 399 * DAY_S)


@pytest.mark.req("TEL-8")
def test_a_module_is_named_by_its_identifier_and_cannot_play_the_broker() -> None:
    issued = AUTHORITY.module(MODULE_ID, NOW_S)
    assert name(issued.certificate) == "a1b2c3d4e5f60718"
    assert uses(issued.certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert lasts(issued.certificate) == (-DAY_S, 1095 * DAY_S)
    assert issued.certificate.public_key() == issued.private.public_key()
    assert pki.hosts_of(issued.certificate) == []
    store = PolicyBuilder().store(Store([AUTHORITY.certificate])).time(datetime.fromtimestamp(NOW_S, UTC))
    with pytest.raises(VerificationError):
        store.build_client_verifier().verify(AUTHORITY.broker(["x"], NOW_S).certificate, [])


def test_a_client_has_a_name_that_no_module_could_have() -> None:
    assert name(AUTHORITY.client("home-assistant", NOW_S).certificate) == "home-assistant"
    assert lasts(AUTHORITY.client("b", NOW_S, 7 * DAY_S).certificate) == (-DAY_S, 7 * DAY_S)
    for wrong in ("", "Backend", "a b", "1st", "x" * 33, "a+", "a/b", "#"):
        with pytest.raises(PkiError, match="is no name for a client"):
            AUTHORITY.client(wrong, NOW_S)
    with pytest.raises(PkiError, match="is a module's identifier"):
        AUTHORITY.client("a1b2c3d4e5f60718", NOW_S)
    with pytest.raises(PkiError, match="is no module"):
        AUTHORITY.module(b"short", NOW_S)


@pytest.mark.parametrize("host", ["", "-x", "x-", "a..b", "*.example", "a b", "x" * 64, "exämple", "a." * 130 + "a"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(PkiError, match="is no host"):
        AUTHORITY.broker(["broker.example", host], NOW_S)


def test_a_broker_without_a_name_is_refused() -> None:
    with pytest.raises(PkiError, match="a broker needs a name"):
        AUTHORITY.broker([], NOW_S)


def test_nothing_outlasts_its_authority() -> None:
    short = Authority.found(NOW_S, 100 * DAY_S)
    assert lasts(short.client("b", NOW_S, 100 * DAY_S).certificate)[1] == 100 * DAY_S
    with pytest.raises(PkiError, match=r"ends on 2027-04-25"):
        short.client("b", NOW_S, 100 * DAY_S + 1)


@pytest.mark.parametrize("lasts_s", [0, -1])
def test_a_certificate_lasts_some_time(lasts_s: int) -> None:
    with pytest.raises(PkiError, match="more than nothing"):
        AUTHORITY.client("b", NOW_S, lasts_s)
    with pytest.raises(PkiError, match="fewer years"):
        Authority.found(NOW_S, 10**15)


def test_an_authority_comes_back_from_its_files_and_from_no_others() -> None:
    pem = pki.certificate_pem(AUTHORITY.certificate)
    again = Authority.load(AUTHORITY.private, pem)
    verify_server(again.broker(["broker.example"], NOW_S), "broker.example")
    with pytest.raises(PkiError, match="does not belong"):
        Authority.load(new_key(), pem)
    with pytest.raises(PkiError, match="no certificate"):
        Authority.load(AUTHORITY.private, b"-----BEGIN CERTIFICATE-----\n")
