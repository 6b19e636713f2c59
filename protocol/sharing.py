"""Digital keys: the owner's standing key, and what the owner shares of it (SPEC section 6).

Decides whether bytes are a genuine key for this module, and whether a share keeps within what it was shared from.
Refuses to know what time it is, which keys are deleted and whether a code was entered: that is `firmware.core.keys`.
"""

from enum import IntEnum, unique

import msgspec

from protocol.errors import Role


@unique
class Activation(IntEnum):
    """What has to happen in the vehicle before a shared key is good (KEY-2)."""

    NONE = 0
    VEHICLE_CODE = 1


@unique
class Deletion(IntEnum):
    """When a shared key that the main user deleted stops working (KEY-6). UNTIL_KEY_CYCLE is the default."""

    IMMEDIATE = 0
    UNTIL_KEY_CYCLE = 1
    AFTER_LAST_DRIVE_OR_48H = 2


class Hours(msgspec.Struct, frozen=True, gc=False):
    """The part of each day at which a key is good: minutes after midnight UTC, `from_min` in it and `to_min` no more.
    `from_min` above `to_min` goes over midnight."""

    from_min: int
    to_min: int


class Key(msgspec.Struct, frozen=True, gc=False):
    """The claims of a standing key (role OWNER or SERVICE, `parent` empty) or of a shared one (role GUEST). Times are
    UTC seconds; `permissions` are the bits of `messages.Permission`; `holder` is the compressed point of the phone's
    key; `parent` is the token id of the standing key that it was shared from; `code_until_s`: the activation code may
    be entered before it."""

    token_id: bytes
    not_before_s: int
    expires_s: int
    issued_s: int
    module_id: bytes
    role: Role
    permissions: int
    key_epoch: int
    user: bytes
    holder: bytes
    device_generation: int = 0
    parent: bytes = b""
    name: str = ""
    activation: Activation = Activation.NONE
    code_until_s: int = 0
    sealed_code: bytes = b""
    hours: Hours | None = None
    issuer: bytes = b""
