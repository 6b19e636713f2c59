"""What the main user's phone makes of its key."""

from collections.abc import Callable

import msgspec
import pytest

from host_tools.phone.handshake import fresh_key
from host_tools.phone.sharing import CODE_TTL_S, Shared, ShareRefused, Terms, draw_code, share
from protocol import keys, sealing, sharing
from protocol.errors import Role
from protocol.provisioning import KeyFile
from protocol.sharing import Activation, Hours
from protocol.tokens import trust_of
from tests.support.module_peer import NOW_S, ModulePeer, seeded

TERMS = Terms("Zoë", 5, NOW_S, NOW_S + 7 * 86_400, Hours(1320, 360))


class Owner:
    """A main user's phone, and the phone of somebody else."""

    def __init__(self) -> None:
        self.peer = ModulePeer()
        self.file = self.peer.key_file()
        self.guest = fresh_key(self.peer.entropy)

    def shares(
        self, terms: Terms = TERMS, file: KeyFile | None = None, holder: keys.PrivateKey | None = None
    ) -> Shared:
        return share(
            file or self.file,
            holder or self.peer.holder,
            self.guest.public_key(),
            terms,
            now_s=NOW_S,
            entropy=self.peer.entropy,
        )


@pytest.mark.req("KEY-1", "KEY-2")
def test_what_was_shared_is_what_the_car_reads() -> None:
    owner = Owner()
    shared = owner.shares()
    trust = trust_of(owner.peer.module_id, (owner.peer.issuer.public,))
    parent, key = sharing.verify_share(shared.file.parent, shared.file.share, trust)
    assert key == shared.key
    assert (key.name, key.permissions, key.hours) == ("Zoë", 5, Hours(1320, 360))
    assert (key.not_before_s, key.expires_s) == (TERMS.starts_s, TERMS.ends_s)
    assert (key.activation, key.code_until_s) == (Activation.VEHICLE_CODE, NOW_S + CODE_TTL_S)
    assert key.parent == parent.token_id
    assert key.holder == keys.public_to_bytes(owner.guest.public_key())


@pytest.mark.req("PRV-7")
def test_a_guests_phone_gets_to_know_the_car_on_the_air() -> None:
    owner = Owner()
    known = msgspec.structs.replace(owner.file, beacon_key=bytes(range(16)))
    assert owner.shares(file=known).file.beacon_key == bytes(range(16))
    assert owner.shares().file.beacon_key == b""


@pytest.mark.req("KEY-3", "KEY-4")
def test_the_code_goes_to_the_main_user_and_sealed_to_the_car_and_nowhere_else() -> None:
    owner = Owner()
    shared = owner.shares()
    assert sealing.unseal(shared.key.sealed_code, owner.peer.handshake_key, shared.key.token_id) == shared.code
    assert shared.code.encode() not in shared.file.share


@pytest.mark.req("KEY-2")
def test_a_share_without_a_code_is_good_at_once() -> None:
    shared = Owner().shares(msgspec.structs.replace(TERMS, code_ttl_s=None, hours=None))
    assert (shared.code, shared.key.activation, shared.key.hours) == ("", Activation.NONE, None)


@pytest.mark.req("KEY-4")
def test_a_code_can_not_be_entered_after_the_end_of_its_key() -> None:
    shared = Owner().shares(msgspec.structs.replace(TERMS, ends_s=NOW_S + 60))
    assert shared.key.code_until_s == NOW_S + 60


@pytest.mark.req("KEY-1", "KEY-2")
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"permissions": 32}, "permits more than the key that it was shared from"),
        ({"ends_s": NOW_S + 400 * 86_400}, "good for longer"),
        ({"starts_s": NOW_S - 1}, "begins before"),
        ({"ends_s": NOW_S}, "expires before it begins"),
        ({"name": ""}, "not a text of 1 to 32"),
        ({"name": "n" * 33}, "not a text of 1 to 32"),
        ({"hours": Hours(5, 5)}, "two different minutes"),
        ({"code_ttl_s": -NOW_S}, "not a number from 1"),
    ],
)
def test_what_a_car_would_refuse_is_not_shared(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ShareRefused, match=why) as refused:
        Owner().shares(msgspec.structs.replace(TERMS, **changes))
    assert "\n" not in str(refused.value)


@pytest.mark.req("KEY-1")
def test_only_the_phone_that_has_the_key_can_share_it() -> None:
    owner = Owner()
    with pytest.raises(ShareRefused, match="signed by another phone"):
        owner.shares(holder=owner.guest)
    with pytest.raises(ShareRefused, match="only an owner's key"):
        owner.shares(file=owner.peer.key_file(Role.SERVICE), terms=msgspec.structs.replace(TERMS, permissions=0))
    with pytest.raises(ShareRefused, match="not a standing key"):
        owner.shares(file=msgspec.structs.replace(owner.file, token=owner.shares().file.share))
    with pytest.raises(ShareRefused, match="a public key has 33 bytes"):
        owner.shares(file=msgspec.structs.replace(owner.file, module_handshake_public=b""))


@pytest.mark.req("KEY-4")
def test_codes_have_six_digits_and_leading_zeros_count() -> None:
    draws: list[Callable[[int], bytes]] = [bytes, lambda size: (10**6 + 42).to_bytes(size, "big")]
    assert [draw_code(draw) for draw in draws] == ["000000", "000042"]
    entropy = seeded(3)
    drawn = {draw_code(entropy) for _ in range(1000)}
    assert len(drawn) > 990
    assert all(sealing.is_code(code) for code in drawn)
