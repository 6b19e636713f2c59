"""Who has the car's own key on the page, and what is shared of it."""

import pytest

from firmware.dashboard.acts import ActRefused
from firmware.dashboard.handset import Handset
from firmware.dashboard.keyring import OF_A_GUEST, Keyring
from firmware.dashboard.people import CAST, Person
from firmware.demo.rig import Rig
from protocol.errors import Role
from protocol.orders import Coupling, Order, OrderKind
from protocol.provisioning import KeyFile, ShareFile
from protocol.sealing import is_code
from protocol.sharing import Key
from protocol.tokens import trust_of, verify_signed


def person(rig: Rig, name: str) -> Person:
    known = next(each for each in CAST if each.id == name)
    holder = rig.holder(known.name, known.role)
    handset = Handset(
        lambda: pytest.fail("nobody connects"),
        holder.key,
        entropy=rig.entropy,
        now_ms=lambda: 0,
        tell=lambda *_: None,
        every_s=lambda: 1.0,
    )
    return Person(known, holder, handset)


@pytest.mark.req("KEY-1", "KEY-2")
async def test_the_owner_has_a_key_and_shares_less_of_it() -> None:
    async with Rig() as rig:
        ring, owner, guest = Keyring(rig), person(rig, "olivia"), person(rig, "ben")
        with pytest.raises(ActRefused, match="nobody here has a key"):
            ring.share(guest)
        ring.give(owner)
        assert ring.owner is owner
        assert isinstance(owner.handset.file, KeyFile)
        assert is_code(ring.share(guest))
        assert isinstance(guest.handset.file, ShareFile)
        assert isinstance(guest.shown, Key)
        assert (guest.shown.role, guest.shown.permissions, guest.shown.name) == (Role.GUEST, OF_A_GUEST, "Ben")


@pytest.mark.req("OWN-4")
async def test_each_order_to_take_over_has_a_higher_number() -> None:
    async with Rig() as rig:
        ring, buyer = Keyring(rig), person(rig, "nora")
        trust = trust_of(rig.provisioning.module_id, (rig.issuer.public,))
        first, second = (verify_signed(ring.takeover(buyer), trust) for _ in range(2))
        assert isinstance(first, Order)
        assert isinstance(second, Order)
        assert first.kind is OrderKind.TAKE_OVER
        assert isinstance(first.details, Coupling)
        assert isinstance(second.details, Coupling)
        assert (first.details.owner, second.details.number > first.details.number) == (buyer.holder.user, True)
