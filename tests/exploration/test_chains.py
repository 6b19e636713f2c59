"""Every chain of keys that somebody could build, at the wire: none but the owner of a car grants a key to it (KEY-1).

All signers, parents, roles, rights, windows, epochs and hashes with each other, each chain really signed: which of them
a module takes is compared with the rule in its own words. Together with the scenes of keys, in which a module has only
such as are taken here: there is no path to a new key without an owner's grant, and a shared key never shares.
"""

import itertools
from typing import Final, NamedTuple

import msgspec
import pytest

from protocol import sharing, tokens
from protocol.errors import Code, ProtocolError, Role
from protocol.keys import PrivateKey
from protocol.sharing import Key
from tests.support import credentials
from tests.support.credentials import GUEST, HOLDER, ISSUER, OWNER, PLAIN_SHARE, SERVICE, STANDING, STRANGER, TRUST

SIGNERS: Final[dict[str, PrivateKey]] = {
    "owner": OWNER, "guest": GUEST, "driver": HOLDER, "issuer": ISSUER, "stranger": STRANGER,
}  # fmt: skip
HOUR: Final = 3600
NO: Final = (Code.SHARE_INVALID, Code.TOKEN_MALFORMED, Code.SIGNATURE_INVALID, Code.UNKNOWN_ISSUER)


class Chain(NamedTuple):
    """How a chain is built. `parent`: what it says that it was shared from."""

    signer: str
    parent: str
    permissions: int
    begins: int
    ends: int
    epoch: int
    truthful: bool
    """Whether its hash is that of its parent."""


def parents() -> dict[str, tuple[Key, bytes]]:
    """What somebody could share from, each as it would travel."""
    own = msgspec.structs.replace(STANDING, permissions=7)
    guests = msgspec.structs.replace(own, token_id=b"g" * 16, holder=PLAIN_SHARE.holder)
    forged = msgspec.structs.replace(own, token_id=b"f" * 16)
    return {
        "own": (own, sharing.mint_key(own, ISSUER)),
        "a guest's share": (guests, sharing.mint_share(PLAIN_SHARE, sharing.mint_key(STANDING, ISSUER), OWNER)),
        "a dealer's": (SERVICE, sharing.mint_key(SERVICE, ISSUER)),
        "one that the guest has made": (guests, sharing.mint_key(guests, GUEST)),
        "one that a stranger has made": (forged, sharing.mint_key(forged, STRANGER)),
        "a booking": (own, credentials.token()),
    }


PARENTS: Final = parents()
CHAINS: Final = [
    Chain(*each)
    for each in itertools.product(SIGNERS, PARENTS, (1, 7, 15), (-HOUR, HOUR), (-HOUR, HOUR), (0, 1), (True, False))
]


def built(chain: Chain) -> tuple[bytes, bytes]:
    """The parent and the share, both signed."""
    owner, parent = PARENTS[chain.parent]
    shared = msgspec.structs.replace(
        PLAIN_SHARE,
        permissions=chain.permissions,
        not_before_s=owner.not_before_s + chain.begins,
        expires_s=owner.expires_s + chain.ends,
        key_epoch=owner.key_epoch + chain.epoch,
    )
    named = parent if chain.truthful else PARENTS["own"][1] + b"\0"
    return parent, sharing.mint_share(shared, named, SIGNERS[chain.signer])


def is_granted(chain: Chain) -> bool:
    """KEY-1, KEY-2 in words: signed by the owner's phone, of the owner's own key, and no wider than that."""
    narrower = chain.permissions in (1, 7) and chain.begins >= 0 and chain.ends <= 0 and chain.epoch == 0
    return chain.signer == "owner" and chain.parent == "own" and chain.truthful and narrower


@pytest.mark.req("KEY-1", "KEY-2", "SEC-2")
@pytest.mark.parametrize("signer", SIGNERS)
def test_a_chain_is_taken_exactly_when_the_owner_has_granted_it(signer: str) -> None:
    chains = [chain for chain in CHAINS if chain.signer == signer]
    assert len(chains) == 288
    for chain in chains:
        parent, share = built(chain)
        try:
            owner, shared = sharing.verify_share(parent, share, TRUST)
        except ProtocolError:
            assert not is_granted(chain), chain
        else:
            assert is_granted(chain), chain
            assert (owner.role, shared.role, shared.parent) == (Role.OWNER, Role.GUEST, owner.token_id)


@pytest.mark.req("KEY-1")
def test_what_a_shared_key_shares_is_refused_as_a_share_whoever_its_guest_gives_it_to() -> None:
    for chain in CHAINS:
        if chain.signer == "guest":
            parent, share = built(chain)
            with pytest.raises(ProtocolError) as refused:
                sharing.verify_share(parent, share, TRUST)
            assert refused.value.code in NO, chain


@pytest.mark.req("KEY-1")
def test_some_chains_are_granted_and_most_are_not() -> None:
    granted = sum(is_granted(chain) for chain in CHAINS)
    assert (granted, len(CHAINS)) == (2, 1440)


def test_a_share_cannot_pass_for_a_standing_key() -> None:
    _, share = built(Chain("owner", "own", 1, HOUR, -HOUR, 0, truthful=True))
    with pytest.raises(ProtocolError):
        sharing.verify_key(share, TRUST)
    with pytest.raises(ProtocolError):
        tokens.verify_booking(share, TRUST)
