"""Fixed keys and ordinary credentials for tests. None of these keys opens anything."""

import hashlib
from typing import Final

import msgspec

from protocol import keys, sealing, sharing, tokens
from protocol.errors import Role
from protocol.orders import (
    REMOTE,
    Coupling,
    DriverRemoval,
    Ending,
    Order,
    OrderKind,
    Place,
    Removal,
    ServicePlan,
    Subscription,
)
from protocol.selftest import Part, Report, Result
from protocol.sharing import Activation, Hours, Key


def key(name: str) -> keys.PrivateKey:
    """The same private key for the same name, on every machine."""
    return keys.private_from_bytes(hashlib.sha256(name.encode()).digest())


ISSUER: Final = key("issuer")
STRANGER: Final = key("stranger")
HOLDER: Final = key("holder")
HANDSHAKE: Final = key("module, handshake")
SIGNER: Final = key("module, signing")
OWNER: Final = key("the owner's phone")
GUEST: Final = key("a guest's phone")
DEALER: Final = key("a dealer's phone")

MODULE_ID: Final = bytes.fromhex("0011223344556677")
TRUST: Final = tokens.trust_of(MODULE_ID, (ISSUER.public_key(),))

BOOKING: Final = tokens.Booking(
    token_id=bytes(range(16)),
    not_before_s=1_790_000_000,
    ends_at_s=1_790_007_200,
    expires_s=1_790_009_000,
    issued_s=1_789_999_000,
    module_id=MODULE_ID,
    booking_id=bytes(range(16, 32)),
    role=Role.DRIVER,
    permissions=15,
    key_epoch=3,
    user=b"a driver",
    delegation_depth=0,
    device_generation=1,
    holder=keys.public_to_bytes(HOLDER.public_key()),
    issuer=keys.key_id(ISSUER.public_key()),
)
ORDER: Final = Order(
    order_id=bytes(range(32, 48)),
    kind=OrderKind.END_BOOKING,
    module_id=MODULE_ID,
    issued_s=1_790_001_000,
    expires_s=1_790_001_600,
    details=Ending(BOOKING.booking_id, BOOKING.expires_s),
    issuer=BOOKING.issuer,
)
SUBSCRIPTION: Final = Subscription(number=4, sharing_until_s=1_820_000_000, remote_until_s=1_800_000_000, paused=False)
SUBSCRIBED: Final = msgspec.structs.replace(
    ORDER, order_id=bytes(range(80, 96)), kind=OrderKind.SUBSCRIPTION, details=SUBSCRIPTION
)
REQUESTED: Final = msgspec.structs.replace(
    ORDER, order_id=bytes(range(96, 112)), kind=OrderKind.REQUEST_STATE, details=None
)
REMOTES: Final = tuple(
    msgspec.structs.replace(ORDER, order_id=bytes([112 + kind]) * 16, kind=kind, details=None)
    for kind in sorted(REMOTE)
)
"""Unlock, lock, flash."""
COUPLING: Final = Coupling(number=1, owner=b"an owner", person=b"a person", vin="WMWXU71090TU12345", subscription=1)
SERVICES: Final = ServicePlan(
    number=2,
    market="BE",
    revision="2021-05-10",
    first_registration=(2020, 2, 29),
    packs=("6AC", "6UM"),
    renewals=(("real-time-traffic", 12, (2023, 2, 1)), ("real-time-traffic", 6, (2024, 8, 31))),
    base_active=True,
)
BRANDENBURG_GATE: Final = Place(525_162_746, 133_777_041, "Brandenburger Tor")
ABOUT_THE_CAR: Final = tuple(
    msgspec.structs.replace(ORDER, order_id=bytes([128 + kind]) * 16, kind=kind, details=details)
    for kind, details in (
        (OrderKind.COUPLE, COUPLING),
        (OrderKind.REMOVE_OWNER, Removal(2, COUPLING.owner)),
        (OrderKind.TAKE_OVER, msgspec.structs.replace(COUPLING, number=3, owner=b"another1")),
        (OrderKind.SERVICES, SERVICES),
        (OrderKind.REMOVE_DRIVER, DriverRemoval(BOOKING.user)),
        (OrderKind.HOME, BRANDENBURG_GATE),
        (OrderKind.SEND_TO_CAR, BRANDENBURG_GATE),
    )
)
"""Whose car it is, who shares it, what was bought for it, and where to."""
ORDERS: Final = (ORDER, SUBSCRIBED, REQUESTED, *REMOTES, *ABOUT_THE_CAR)
REVOCATION_LIST: Final = tokens.RevocationList(
    module_id=MODULE_ID,
    number=7,
    issued_s=1_790_001_000,
    min_key_epoch=2,
    revoked=((bytes(range(48, 64)), 1_790_009_000), (bytes(16), 1_790_009_001)),
    issuer=BOOKING.issuer,
)
FADING_LIST: Final = msgspec.structs.replace(
    REVOCATION_LIST,
    number=8,
    fading=((bytes(range(176, 192)), 1, 1_790_600_000), (bytes(range(192, 208)), 2, 1_790_600_000)),
)
ATTESTATION: Final = tokens.TimeAttestation(
    module_id=MODULE_ID, nonce=bytes(range(64, 80)), now_s=1_790_001_000, issuer=BOOKING.issuer
)
RECEIPT: Final = tokens.EndReceipt(
    module_id=MODULE_ID,
    booking_id=BOOKING.booking_id,
    ended_at_s=1_790_006_000,
    position_known=True,
    offline=False,
)
REPORT: Final = Report(
    module_id=MODULE_ID,
    tested_s=1_790_000_000,
    results=tuple(
        Result(part, passed, detail)
        for part, passed, detail in zip(
            Part, (True, False, True, True, True, True), (1, None, 900, 40, 3, 2), strict=True
        )
    ),
)
"""Of a module without a broker."""


def token(issuer: keys.PrivateKey = ISSUER, /, **changes: object) -> bytes:
    """BOOKING with `changes`, signed."""
    return tokens.mint_booking(msgspec.structs.replace(BOOKING, **changes), issuer)


# ---------------------------------------------------------------- digital keys
STANDING: Final = Key(
    token_id=bytes(range(144, 160)),
    not_before_s=1_789_000_000,
    expires_s=1_820_000_000,
    issued_s=1_789_000_000,
    module_id=MODULE_ID,
    role=Role.OWNER,
    permissions=31,
    key_epoch=3,
    user=b"an owner",
    holder=keys.public_to_bytes(OWNER.public_key()),
    device_generation=1,
    issuer=BOOKING.issuer,
)
"""The owner's."""
SERVICE: Final = msgspec.structs.replace(
    STANDING,
    token_id=bytes(range(160, 176)),
    role=Role.SERVICE,
    permissions=0,
    user=b"a dealer",
    holder=keys.public_to_bytes(DEALER.public_key()),
)
"""A dealer's."""
CODE: Final = "042917"
SHARE_ID: Final = bytes(range(176, 192))
SHARED: Final = Key(
    token_id=SHARE_ID,
    not_before_s=1_790_000_000,
    expires_s=1_790_600_000,
    issued_s=1_789_999_000,
    module_id=MODULE_ID,
    role=Role.GUEST,
    permissions=5,
    key_epoch=3,
    user=sharing.guest_user(keys.public_to_bytes(GUEST.public_key())),
    holder=keys.public_to_bytes(GUEST.public_key()),
    parent=STANDING.token_id,
    name="Zoë",
    activation=Activation.VEHICLE_CODE,
    code_until_s=1_790_086_400,
    sealed_code=sealing.seal(CODE, HANDSHAKE.public_key(), SHARE_ID, key("ephemeral, code")),
    hours=Hours(22 * 60, 6 * 60),
    issuer=keys.key_id(OWNER.public_key()),
)
"""Unlock and lock, at night, once the code was entered."""
PLAIN_SHARE: Final = msgspec.structs.replace(
    SHARED,
    token_id=bytes(range(192, 208)),
    permissions=31,
    activation=Activation.NONE,
    code_until_s=0,
    sealed_code=b"",
    hours=None,
)
"""Everything, always, at once."""


def standing(issuer: keys.PrivateKey = ISSUER, /, **changes: object) -> bytes:
    """STANDING with `changes`, signed."""
    return sharing.mint_key(msgspec.structs.replace(STANDING, **changes), issuer)


def share(holder: keys.PrivateKey = OWNER, parent: bytes | None = None, /, **changes: object) -> bytes:
    """SHARED with `changes`, shared from `parent` (by default STANDING's token)."""
    return sharing.mint_share(msgspec.structs.replace(SHARED, **changes), parent or standing(), holder)
