"""What each name may do at the broker: files for mosquitto (TEL-8).

Decides: the rights of modules, backends and readers, and how the broker is set up. A module has exactly its own
topics, by the name in its certificate, so a new module needs no new line. An emergency call tells where a car is,
whoever drives it: it is for the emergency centre, and neither owner nor backend may read it (PRV-1). Refuses to know:
certificates and files.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from protocol.telemetry import ACKNOWLEDGEMENT, EMERGENCY, TOPIC_ROOT, Channel

HOME_ASSISTANT: Final = "homeassistant"
"""Where Home Assistant looks for devices; a module announces itself on `.../device/sharebox/<module id>/config`."""

MAX_PACKET_BYTES: Final = 256 * 1024
MAX_QUEUED: Final = 10_000
"""Messages that the broker keeps for somebody who is away."""

AUTOSAVE_S: Final = 60
"""What is retained or kept for somebody survives a power cut of the broker when it is older than this."""


@unique
class Role(StrEnum):
    """What a client is for."""

    BACKEND = "backend"
    """Reads what modules report, and sends orders."""
    READER = "reader"
    """Reads what modules report: a dashboard, Home Assistant."""
    CENTRE = "centre"
    """The emergency centre: reads emergency calls, and says that it has them."""


def acl_patterns() -> str:
    """The head of the rights file: what a module may do."""
    lines = (
        "# Rights at the broker. `%u` is the name in the client's certificate: a module's identifier.",
        "# mosquitto reads this again on SIGHUP.",
        *(f"pattern {_way(channel)} {TOPIC_ROOT}/%u/{channel}" for channel in Channel),
        f"pattern write {TOPIC_ROOT}/%u/{EMERGENCY}",
        f"pattern read {TOPIC_ROOT}/%u/{ACKNOWLEDGEMENT}",
        f"pattern write {HOME_ASSISTANT}/device/{TOPIC_ROOT}/%u/config",
    )
    return "\n".join((*lines, ""))


def acl_client(name: str, role: Role) -> str:
    """The lines that give client `name` its rights."""
    return "\n".join(("", f"user {name}", *_client(role), ""))


def acl_names(text: str) -> set[str]:
    """The clients that a rights file names."""
    return {line.removeprefix("user ").strip() for line in text.splitlines() if line.startswith("user ")}


def configuration(directory: Path, port: int, hosts: Sequence[str], user: str) -> str:
    """The configuration of a mosquitto (2.0 or later) whose files lie in `directory` and belong to `user`. It listens
    on loopback alone when `hosts`, by which it is reached, are nothing else."""
    at = directory.resolve()
    listener = f"listener {port} 127.0.0.1" if all(_is_loopback(host) for host in hosts) else f"listener {port}"
    lines = (
        "# A broker for modules. Start it with: mosquitto -c FILE",
        "# Whom it becomes when root starts it: the owner of the key.",
        f"user {user}",
        "persistence true",
        f"persistence_location {at}/",
        "persistence_file broker.db",
        f"autosave_interval {AUTOSAVE_S}",
        f"max_packet_size {MAX_PACKET_BYTES}",
        f"max_queued_messages {MAX_QUEUED}",
        "allow_anonymous false",
        f"acl_file {at / 'acl'}",
        listener,
        *(f"{word} {at / name}" for word, name in _FILES),
        "tls_version tlsv1.2",
        "require_certificate true",
        "use_identity_as_username true",
    )
    return "\n".join((*lines, ""))


def listener_port(text: str) -> int | None:
    """The port in a configuration, None when it names none."""
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        number = rest.strip().partition(" ")[0]
        if word == "listener" and number.isdecimal():
            return int(number)
    return None


_FILES: Final = (("cafile", "ca.pem"), ("certfile", "broker.pem"), ("keyfile", "broker.key"))


def _client(role: Role) -> Iterator[str]:
    match role:
        case Role.BACKEND:
            yield from (f"topic read {TOPIC_ROOT}/+/{channel}" for channel in Channel)
            yield f"topic write {TOPIC_ROOT}/+/{Channel.ORDER}"
        case Role.READER:
            yield from (f"topic read {TOPIC_ROOT}/+/{channel}" for channel in Channel if channel is not Channel.ORDER)
            yield f"topic read {HOME_ASSISTANT}/#"
            # Home Assistant says there that it has started.
            yield f"topic write {HOME_ASSISTANT}/status"
        case Role.CENTRE:
            yield f"topic read {TOPIC_ROOT}/+/{EMERGENCY}"
            yield f"topic write {TOPIC_ROOT}/+/{ACKNOWLEDGEMENT}"


def _way(channel: Channel) -> str:
    return "read" if channel is Channel.ORDER else "write"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False
