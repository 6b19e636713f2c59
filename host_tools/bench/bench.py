"""What a scenario needs of a module on a stand, whatever lies between: the desk, phones, an issuer, and time.

It decides which kind of bench an in-process link opens. It does not know how a bench talks to its module: a bench in
this process comes from the entry point group `sharebox.bench`, the others from what the link names.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import entry_points
from typing import Final, Protocol, cast

import msgspec

from host_tools.backend.issuer import Issuer
from host_tools.bench.answer import Answer
from host_tools.phone.links import PhoneLink
from protocol import keys
from protocol.provisioning import BookingFile, KeyFile, Provisioning

GROUP: Final = "sharebox.bench"
IN_PROCESS: Final = "in-process"
_FALLBACK: Final = "firmware.inprocess.bench:open_bench"
"""For a source tree whose installed entry points are older than this group."""


class BenchRefused(Exception):
    """The desk did not do it. `code` is one of the desk's (UNKNOWN, USAGE, LEVEL, NOT_HERE, FAILED, NO_POWER);
    `str()` is one line: what, why, what to do."""

    def __init__(self, code: str, line: str) -> None:
        super().__init__(line)
        self.code = code


class BenchFailed(Exception):
    """The bench itself is gone or wrong, not the module. One line: what, why, what to do."""


class Identity(msgspec.Struct, frozen=True):
    """What the module's bookings need to know of it; no private key. `home` in degrees times 10^7."""

    module_id: bytes
    handshake_public: bytes
    signing_public: bytes
    key_epoch: int
    home: tuple[int, int] | None = None
    beacon_key: bytes = b""

    def booking_file(self, token: bytes) -> BookingFile:
        """What a phone is given with a token."""
        return BookingFile(token, self.handshake_public, self.signing_public, self.module_id, self.beacon_key)

    def key_file(self, token: bytes) -> KeyFile:
        """The same with the token of a standing key."""
        return KeyFile(token, self.handshake_public, self.signing_public, self.module_id, self.beacon_key)


def identity_of(provisioning: Provisioning) -> Identity:
    """The public half of a provisioning file."""
    handshake, signing = (
        keys.public_to_bytes(keys.private_from_bytes(private).public_key())
        for private in (provisioning.handshake_private, provisioning.signing_private)
    )
    return Identity(
        provisioning.module_id,
        handshake,
        signing,
        provisioning.key_epoch,
        provisioning.home,
        provisioning.beacon_key,
    )


class Bench(Protocol):
    """A module on a stand, its desk, and a place for phones beside it.

    Time is the module's: `until` lets it pass, however the bench can, and every other call may let a little pass.
    """

    issuer: Issuer
    """Signs what this module trusts."""
    identity: Identity

    async def control(self, command: str) -> Answer:
        """Give the desk one command line. Raises BenchRefused, BenchFailed."""

    def link(self, name: str) -> PhoneLink:
        """A fresh link for the phone of `name`; the same name is the same phone. Not connected yet."""

    async def until(self, utc_ms: int) -> None:
        """Let time pass until the module's clock says `utc_ms`; at once when it is later already."""

    async def utc_ms(self) -> int:
        """What the module's clock says, as the bench knows it: UTC milliseconds."""


OpenBench = Callable[[], AbstractAsyncContextManager[Bench]]
"""Opens a bench in this process. It has to be called on a `VirtualTimeLoop`."""


def in_process() -> OpenBench:
    """How to open the bench in this process. Raises BenchFailed when this installation has none."""
    found = list(entry_points(group=GROUP, name=IN_PROCESS))
    try:
        if found:
            return cast(OpenBench, found[0].load())
        module, _, name = _FALLBACK.partition(":")
        return cast(OpenBench, getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError):
        raise BenchFailed(
            "no module runs in this process: the package with the firmware is not installed. Install it, or name a "
            "module with --link."
        ) from None


__all__ = [
    "GROUP",
    "IN_PROCESS",
    "Answer",
    "Bench",
    "BenchFailed",
    "BenchRefused",
    "Identity",
    "OpenBench",
    "identity_of",
    "in_process",
]
