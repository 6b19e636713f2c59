"""A booking or a digital key as a test holds it: what a phone is given, and the private key that it belongs to."""

from pathlib import Path

import msgspec

from firmware.bench.kinds import duration_s
from firmware.demo.rig import Holder
from host_tools.phone.keyring import write_key, write_new
from protocol import keys
from protocol.messages import Push
from protocol.provisioning import BookingFile, KeyFile, ShareFile, encode_booking_file, encode_phone_file
from protocol.sharing import Key


def seconds(duration: str | float) -> float:
    """Seconds of "2h", "1h30m", "90s" or of a number. Raises ValueError."""
    if not isinstance(duration, str):
        return float(duration)
    try:
        return duration_s(duration)
    except ValueError:
        raise ValueError(
            f"{duration!r} is no duration of at most a year; write it like 90s, 45m, 1h30m or 2d"
        ) from None


class Held(msgspec.Struct, frozen=True):
    """One digital key. `holder`: whose phone it is for; `key`: what it says; `code`: what has to be entered in the
    vehicle, empty when nothing has."""

    holder: Holder
    file: KeyFile | ShareFile
    key: Key
    code: str = ""

    @property
    def holder_private(self) -> bytes:
        """The phone's private key: P-256, 32 bytes."""
        return keys.private_to_bytes(self.holder.key)

    @property
    def pushes(self) -> list[Push]:
        """What the module has told that phone unasked."""
        return self.holder.pushes

    def json(self) -> str:
        """The key file or share file, as a phone gets it (SPEC section 11)."""
        return encode_phone_file(self.file)


class Booked(msgspec.Struct, frozen=True):
    """One booking. `holder`: whose phone it is for. Times in seconds, UTC."""

    holder: Holder
    file: BookingFile
    starts_s: int
    ends_s: int

    @property
    def token(self) -> bytes:
        """The signed booking token (SPEC section 6.3)."""
        return self.file.token

    @property
    def holder_private(self) -> bytes:
        """The phone's private key: P-256, 32 bytes."""
        return keys.private_to_bytes(self.holder.key)

    @property
    def pushes(self) -> list[Push]:
        """What the module has told that phone unasked."""
        return self.holder.pushes

    def json(self) -> str:
        """The booking file, as a backend gives it to an app (SPEC section 11)."""
        return encode_booking_file(self.file)

    def save(self, directory: Path) -> None:
        """`booking.json` and `holder.pem` in `directory`, as `shareboxctl` reads them. Raises KeyringError."""
        write_new(directory / "booking.json", self.json().encode(), 0o600)
        write_key(directory / "holder.pem", self.holder.key)
