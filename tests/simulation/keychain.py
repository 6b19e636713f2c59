"""Who made which key for whom: standing keys, what their owners share of them, and the codes that go with it.

Everything here is truly signed; nobody forges anything. What a chain must keep to is the wire's business
(`protocol.sharing`); here every share keeps to it, and what a key may do is judged by `locksmith`.
"""

from hashlib import blake2b
from typing import TYPE_CHECKING

from protocol.errors import Role
from protocol.sharing import Activation, Hours, Key

if TYPE_CHECKING:
    from tests.simulation.world import World

HOUR_MS = 3_600_000


def print_of(digits: str) -> bytes:
    """What stands for a code wherever the code itself must not be: made with a secret that nobody else has."""
    return blake2b(digits.encode(), key=b"the module's", digest_size=16).digest()


class Keychain:
    """All keys of one module."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.keys: dict[bytes, Key] = {}
        self.account: dict[bytes, bytes] = {}
        """Of each token: whose car it was when it was signed."""
        self.codes: dict[bytes, str] = {}
        self.prints: dict[bytes, bytes] = {}
        self.shares: list[Key] = []

    def standing(self, role: Role = Role.OWNER, **changes: object) -> Key:
        """A key without an end for the owner of now, or for a dealer."""
        world = self.world
        number = world.backend.number()
        now_s = world.utc_ms // 1000
        values: dict[str, object] = {
            "token_id": (number + 2_000_000).to_bytes(16, "big"),
            "not_before_s": now_s - 60,
            "expires_s": now_s + 400 * 86_400,
            "issued_s": now_s,
            "module_id": world.device.profile.module_id,
            "role": role,
            "permissions": 31 if role is Role.OWNER else 0,
            "key_epoch": world.backend.epoch,
            "user": b"owner___" if role is Role.OWNER else b"dealer__",
            "holder": b"\x02" + number.to_bytes(32, "big"),
            "device_generation": 1,
        }
        key = Key(**(values | changes))  # type: ignore[arg-type]
        self._note(key, world.estate.owner)
        return key

    def share(self, parent: Key, name: str, begins_ms: int, lasts_ms: int, **changes: object) -> Key:
        """What an owner shares of his key; times are true times since the world began."""
        number = self.world.backend.number()
        begins_s = (self.world.base_ms + begins_ms) // 1000
        holder = b"\x03" + number.to_bytes(32, "big")
        values: dict[str, object] = {
            "token_id": (number + 3_000_000).to_bytes(16, "big"),
            "not_before_s": begins_s,
            "expires_s": min(parent.expires_s, begins_s + lasts_ms // 1000),
            "issued_s": self.world.utc_ms // 1000,
            "module_id": parent.module_id,
            "role": Role.GUEST,
            "permissions": 15,
            "key_epoch": parent.key_epoch,
            "user": blake2b(holder, digest_size=8).digest(),
            "holder": holder,
            "parent": parent.token_id,
            "name": name,
        }
        key = Key(**(values | changes))  # type: ignore[arg-type]
        self._note(key, self.account[parent.token_id])
        self.shares.append(key)
        if key.activation is Activation.VEHICLE_CODE:
            code = f"{self.world.seed * 7919 + number * 104_729:06}"[-6:]
            self.codes[key.token_id] = code
            self.prints[key.token_id] = print_of(code)
        return key

    def _note(self, key: Key, account: bytes) -> None:
        self.keys[key.token_id] = key
        self.account[key.token_id] = account


def hours_of(kind: int, at_utc_ms: int) -> Hours | None:
    """None, some hours around a time of day, or some that are far from it (each over midnight where it comes so)."""
    minute = at_utc_ms // 60_000 % 1440
    match kind:
        case 0:
            return None
        case 1:
            return Hours((minute - 60) % 1440, (minute + 360) % 1440)
        case _:
            return Hours((minute + 300) % 1440, (minute + 420) % 1440)
