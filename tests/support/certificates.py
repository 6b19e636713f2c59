"""A certificate authority for one test."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_BEGIN = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_END = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """Writes its own certificate and those that it issues into `directory`, as PEM files."""

    def __init__(self, directory: Path, name: str = "test authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.certificate = str(directory / "ca.pem")
        basic = x509.BasicConstraints(ca=True, path_length=0)
        signs = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = self._builder(self._name, self._key.public_key()).add_extension(basic, critical=True)
        made = made.add_extension(signs, critical=True)  # Python 3.13 asks for it
        self._write("ca.pem", made.sign(self._key, hashes.SHA256()))

    def issue(self, name: str) -> tuple[str, str]:
        """Paths of a certificate for `name` (also good for 127.0.0.1) and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = self._builder(_named(name), key.public_key()).add_extension(address, critical=False)
        self._write(f"{name}.pem", made.sign(self._key, hashes.SHA256()))
        path = self._directory / f"{name}.key"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(self._directory / f"{name}.pem"), str(path)

    def _builder(self, subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder(self._name, subject, public, x509.random_serial_number(), _BEGIN, _END)
            .add_extension(identifier, critical=False)
            .add_extension(issuer, critical=False)
        )

    def _write(self, name: str, certificate: x509.Certificate) -> None:
        (self._directory / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
