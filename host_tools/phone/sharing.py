"""What the main user's phone does to share its key (KEY-1, KEY-2): sign a share, draw and seal its activation code.

Pure: the time and the randomness are arguments. Refuses to know how the file gets to the recipient's phone, and how
the code does: those are two ways on purpose.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from host_tools.phone.handshake import fresh_key
from protocol import keys, sealing, sharing
from protocol.errors import Code, ProtocolError, Role
from protocol.provisioning import KeyFile, ShareFile
from protocol.sharing import Activation, Hours, Key

CODE_TTL_S: Final = 24 * 3600
"""For so long a new activation code may be entered."""


class Terms(msgspec.Struct, frozen=True):
    """What the main user grants: `permissions` of `messages.Permission`, from `starts_s` to `ends_s` (UTC seconds), at
    `hours` of each day or always. `code_ttl_s`: for so long the activation code may be entered; None: it needs none."""

    name: str
    permissions: int
    starts_s: int
    ends_s: int
    hours: Hours | None = None
    code_ttl_s: int | None = CODE_TTL_S


class Shared(msgspec.Struct, frozen=True):
    """`file` is for the recipient. `code`: what to enter in the vehicle, empty when none is needed; it is kept nowhere
    else. `key`: the claims of the share, for the main user's own list."""

    file: ShareFile
    code: str
    key: Key


class ShareRefused(Exception):
    """The key can not be shared like that. One line: what, why, what to do."""


def share(
    file: KeyFile,
    holder: keys.PrivateKey,
    recipient: keys.PublicKey,
    terms: Terms,
    *,
    now_s: int,
    entropy: Callable[[int], bytes],
) -> Shared:
    """Share the standing key of `file`, whose private key is `holder`, with the phone that has the key `recipient`.

    Whatever a module would refuse is refused here first. Raises ShareRefused.
    """
    try:
        parent = sharing.read_key(file.token)
        module = keys.public_from_bytes(file.module_handshake_public)
        key = _claims(parent, recipient, terms, now_s, entropy(16))
        code = "" if key.activation is Activation.NONE else draw_code(entropy)
        if code:
            sealed = sealing.seal(code, module, key.token_id, fresh_key(entropy))
            key = msgspec.structs.replace(key, sealed_code=sealed)
        token = sharing.mint_share(key, file.token, holder)
        _, shared = sharing.read_share(file.token, token)
    except ProtocolError as error:
        remedy = _REMEDIES.get(error.code, "Fetch the key anew.")
        raise ShareRefused(f"the key cannot be shared like that: {error.detail}. {remedy}") from None
    made = ShareFile(
        file.token,
        token,
        file.module_handshake_public,
        file.module_signing_public,
        file.module_id,
        file.beacon_key,
    )
    return Shared(made, code, shared)


_REMEDIES: Final = {
    Code.SHARE_INVALID: "Grant less, or share with the key that the file was made for.",
    Code.TOKEN_MALFORMED: "Look at name, times and hours.",
}


def draw_code(entropy: Callable[[int], bytes]) -> str:
    """Six digits. Of 64 random bits no value is more likely than another by more than one in 10^13."""
    return f"{int.from_bytes(entropy(8), 'big') % 10**sealing.CODE_DIGITS:0{sealing.CODE_DIGITS}}"


def _claims(parent: Key, recipient: keys.PublicKey, terms: Terms, now_s: int, token_id: bytes) -> Key:
    """The claims of the share; user, parent and issuer follow from the signature."""
    holder = keys.public_to_bytes(recipient)
    waits = terms.code_ttl_s is not None
    return Key(
        token_id,
        terms.starts_s,
        terms.ends_s,
        now_s,
        parent.module_id,
        Role.GUEST,
        terms.permissions,
        parent.key_epoch,
        sharing.guest_user(holder),
        holder,
        name=terms.name,
        activation=Activation.VEHICLE_CODE if waits else Activation.NONE,
        code_until_s=min(now_s + (terms.code_ttl_s or 0), terms.ends_s) if waits else 0,
        hours=terms.hours,
    )
