"""Where the broker is, how patient the module is with it, and what TLS it needs.

Decides: that nothing but loopback is spoken to in the clear or without a client certificate (TEL-8).
"""

import ipaddress
import ssl

import msgspec


class BrokerMisconfigured(Exception):
    """The settings cannot be used: one line with what, why and what to do."""


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ca`, `certificate`, `key`: paths of PEM files; all three for a broker that is not on loopback."""

    host: str
    port: int
    ca: str = ""
    certificate: str = ""
    key: str = ""
    keepalive_s: int = 30
    will_delay_s: int = 10
    """So much later others learn that the module is gone; a shorter cut goes unnoticed."""
    session_expiry_s: int = 86_400
    """So long the broker keeps orders for a module that is away."""
    answer_s: float = 10.0
    """Longest wait for an answer of the broker; a connection that stays silent longer is given up."""
    retry_min_ms: int = 1_000
    retry_max_ms: int = 60_000
    refused_retry_ms: int = 900_000
    """The least pause after the broker has refused this module."""
    stable_ms: int = 60_000
    """A connection that lasted so long starts the back-off anew."""

    @property
    def address(self) -> str:
        """For people."""
        return f"{self.host}:{self.port}"


class _TidySocket(ssl.SSLSocket):
    """Paho leaves a socket behind, open, when its handshake fails."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def tls_context(settings: BrokerSettings) -> ssl.SSLContext | None:
    """TLS 1.2 or later as `settings` ask for it, or None for plain MQTT. Raises BrokerMisconfigured."""
    files = {"ca": settings.ca, "certificate": settings.certificate, "key": settings.key}
    missing = [name for name, path in files.items() if not path]
    if is_loopback(settings.host):
        if len(missing) == len(files):
            return None
        if missing == ["certificate", "key"]:
            missing = []
    if missing:
        raise BrokerMisconfigured(
            f"the broker {settings.address} is spoken to over TLS with a client certificate only, "
            f"unless it is on loopback: set {', '.join(missing)}"
        )
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        context.sslsocket_class = _TidySocket
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate:
            # With an empty password an encrypted key fails; with none OpenSSL would ask on the terminal.
            context.load_cert_chain(settings.certificate, settings.key, password="")
    except (OSError, ValueError) as error:
        raise BrokerMisconfigured(
            f"TLS for the broker {settings.address} cannot be set up ({error}): check the files ca, certificate and key"
        ) from error
    return context


def own_address(host: str) -> str:
    """The local address to connect from: bound to loopback, a socket cannot leave it; else the system's choice."""
    return host if host != "localhost" and is_loopback(host) else ""


def is_loopback(host: str) -> bool:
    """Whether `host` can be nothing but this computer."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
