"""Certificates for the way to the broker: an authority, and what it vouches for (TEL-8).

Decides: what stands in each certificate, and how long it lasts. The name in a certificate is the only identity that
the broker goes by. Time is an argument. Refuses to know: files, and what a name may do (`rights`).
"""

import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocol.keys import PrivateKey

DAY_S: Final = 86_400
AUTHORITY_LASTS_S: Final = 3650 * DAY_S
BROKER_LASTS_S: Final = 398 * DAY_S
"""A year and a month: it is within reach, and renewed easily."""
MODULE_LASTS_S: Final = 1095 * DAY_S
"""Three years: a car comes to the workshop."""
CLIENT_LASTS_S: Final = 398 * DAY_S

BACKDATED_S: Final = DAY_S
"""Others' clocks may be behind ours."""

MODULE_ID_BYTES: Final = 8
_CLIENT: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_MODULE: Final = re.compile(r"[0-9a-f]{16}")
_HOST: Final = re.compile(r"(?=.{1,253}$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


class PkiError(Exception):
    """A name, a time or an authority that cannot be used: one line with what, why and what to do."""


class Issued(NamedTuple):
    """A certificate and the private key that belongs to it."""

    private: PrivateKey
    certificate: x509.Certificate


class Authority:
    """Vouches for the broker, the modules and the clients of one installation."""

    def __init__(self, private: PrivateKey, certificate: x509.Certificate) -> None:
        self.private = private
        self.certificate = certificate

    @classmethod
    def found(cls, now_s: int, lasts_s: int = AUTHORITY_LASTS_S) -> Self:
        """A new one, with a key of its own."""
        private = _new_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
        name = _named(f"Sharebox authority {identifier.digest[:4].hex()}")
        builder = (
            _builder(name, name, private, now_s, lasts_s)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
        )
        return cls(private, builder.sign(private, hashes.SHA256()))

    @classmethod
    def load(cls, private: PrivateKey, pem: bytes) -> Self:
        """The one whose key and certificate (PEM) these are. Raises PkiError when they are not."""
        certificate = read_certificate(pem)
        if certificate.public_key() != private.public_key():
            raise PkiError("the authority's key does not belong to its certificate: restore the two files together")
        return cls(private, certificate)

    def broker(self, hosts: Sequence[str], now_s: int, lasts_s: int = BROKER_LASTS_S) -> Issued:
        """For the broker that is reached by `hosts`: names and addresses. Raises PkiError."""
        if not hosts:
            raise PkiError("a broker needs a name: say by which host name or address modules reach it")
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        return self._issue("broker", ExtendedKeyUsageOID.SERVER_AUTH, now_s, lasts_s, names)

    def module(self, module_id: bytes, now_s: int, lasts_s: int = MODULE_LASTS_S) -> Issued:
        """For a module, whose name is its identifier in hex. Raises PkiError."""
        if len(module_id) != MODULE_ID_BYTES:
            raise PkiError(f"'{module_id.hex()}' is no module: an identifier has {2 * MODULE_ID_BYTES} digits")
        return self._issue(module_id.hex(), ExtendedKeyUsageOID.CLIENT_AUTH, now_s, lasts_s)

    def client(self, name: str, now_s: int, lasts_s: int = CLIENT_LASTS_S) -> Issued:
        """For a backend or another listener called `name`. Raises PkiError."""
        check_client(name)
        return self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, now_s, lasts_s)

    def _issue(
        self,
        name: str,
        use: x509.ObjectIdentifier,
        now_s: int,
        lasts_s: int,
        names: x509.SubjectAlternativeName | None = None,
    ) -> Issued:
        end = self.certificate.not_valid_after_utc
        if _time(now_s + lasts_s) > end:
            raise PkiError(
                f"a certificate cannot outlast its authority, which ends on {end:%Y-%m-%d}: "
                "ask for a shorter time, or begin with a new authority"
            )
        private = _new_key()
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.private.public_key())
        builder = (
            _builder(_named(name), self.certificate.subject, private, now_s, lasts_s)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(issuer, critical=False)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return Issued(private, builder.sign(self.private, hashes.SHA256()))


def check_client(name: str) -> None:
    """Raises PkiError when `name` is no name for a client, or could be taken for a module's."""
    if _MODULE.fullmatch(name) is not None:
        raise PkiError(f"'{name}' is a module's identifier: choose another name for a client")
    if _CLIENT.fullmatch(name) is None:
        raise PkiError(
            f"'{name}' is no name for a client: take small letters, digits, '-' and '_', at most 32, a letter first"
        )


def read_certificate(pem: bytes) -> x509.Certificate:
    """The certificate in `pem`. Raises PkiError."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise PkiError("there is no certificate in it: it is not PEM, or damaged; restore it") from None


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """As it is written to a file."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """The names and addresses in a broker's certificate, in order."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if _HOST.fullmatch(host) is None:
        raise PkiError(f"'{host}' is no host: write a name such as broker.example, or an address")
    return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, private: PrivateKey, now_s: int, lasts_s: int
) -> x509.CertificateBuilder:
    if lasts_s <= 0:
        raise PkiError("a certificate has to last some time: ask for more than nothing")
    public = private.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return x509.CertificateBuilder(
        issuer, subject, public, x509.random_serial_number(), _time(now_s - BACKDATED_S), _time(now_s + lasts_s)
    ).add_extension(identifier, critical=False)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _time(at_s: int) -> datetime:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=at_s)
    except OverflowError:
        raise PkiError("a certificate cannot last so long: ask for fewer years") from None


def _new_key() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
