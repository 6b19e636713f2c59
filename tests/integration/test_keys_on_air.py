"""Digital keys over the virtual radio, with the module's own loop, gateway, core and menu, and the phone's own code."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from firmware.core.events import KeyButton, VehicleKeyUsed
from firmware.demo.rig import BEGINS_S, Holder, Rig
from host_tools.phone.errors import HandshakeRefused, LinkClosed, Refused
from host_tools.phone.sharing import Shared, Terms, share
from protocol import keys, selftest, sharing
from protocol.errors import Code, Role
from protocol.messages import Done, Notice, NoticeKind, Permission
from protocol.provisioning import KeyFile, ShareFile
from protocol.sharing import Deletion, Key
from protocol.tokens import RevocationList

DAY_S = 86_400
LOCKING = int(Permission.UNLOCK | Permission.LOCK)
TERMS = Terms("Zoë", LOCKING, BEGINS_S - 60, BEGINS_S + DAY_S)


class Family(Rig):
    """A rig with an owner's phone, and a dealer's."""

    def __init__(self, record: Path | None = None, att_mtu: int = 517) -> None:
        super().__init__("keys", record=record, att_mtu=att_mtu)
        self.owner, self.owners = self._standing("owner", Role.OWNER)
        self.dealer, self.dealers = self._standing("dealer", Role.SERVICE)
        self.lists = 0

    def _standing(self, name: str, role: Role) -> tuple[Holder, KeyFile]:
        holder = self.holder(name, role)
        key = self.issuer.key(
            module_id=self.provisioning.module_id,
            holder=holder.key.public_key(),
            starts_s=BEGINS_S - 3600,
            expires_s=BEGINS_S + 365 * DAY_S,
            now_s=BEGINS_S - 3600,
            role=role,
            key_epoch=self.provisioning.key_epoch,
            user=holder.user,
        )
        booking = self.booking_file(b"")
        token = self.issuer.key_token(key)
        return holder, KeyFile(token, booking.module_handshake_public, booking.module_signing_public, booking.module_id)

    def shares(self, terms: Terms = TERMS, name: str = "guest") -> tuple[Holder, Shared]:
        """What the owner shares with somebody new."""
        guest = self.holder(name, Role.GUEST)
        shared = share(self.owners, self.owner.key, guest.key.public_key(), terms, now_s=BEGINS_S, entropy=self.entropy)
        return guest, shared

    def deletes(self, key: Key, policy: Deletion) -> bytes:
        """The signed list on which `key` is deleted."""
        self.lists += 1
        entry = (key.token_id, key.expires_s)
        at_once = (entry,) if policy is Deletion.IMMEDIATE else ()
        later = () if at_once else ((key.token_id, int(policy), key.expires_s),)
        listed = RevocationList(self.provisioning.module_id, self.lists, BEGINS_S, 0, at_once, fading=later)
        return self.issuer.signed_list(listed)

    async def settled(self) -> None:
        """A parked car: some seconds after it was switched off."""
        await asyncio.sleep(6)


@pytest.fixture
async def family() -> AsyncIterator[Family]:
    async with Family() as rig:
        await rig.settled()
        yield rig


def wordless(terms: Terms = TERMS, **changes: object) -> Terms:
    """The same without an activation code."""
    return msgspec.structs.replace(terms, code_ttl_s=None, **changes)


# ---------------------------------------------------------------- from sharing to driving off
@pytest.mark.req("KEY-1", "KEY-2", "KEY-3", "KEY-5", "KEY-7")
@pytest.mark.parametrize("mtu", [23, 517])
async def test_a_key_is_shared_accepted_activated_and_opens_the_car(mtu: int) -> None:
    async with Family(att_mtu=mtu) as rig:
        await rig.settled()
        guest, shared = rig.shares()
        async with rig.phone(rig.owner, rig.owners) as owner, rig.phone(guest, shared.file) as phone:
            assert phone.access.refusal is not None
            assert phone.access.refusal.code is Code.ACTIVATION_REQUIRED
            with pytest.raises(Refused) as refused:
                await phone.unlock()
            assert refused.value.refusal.code is Code.ACTIVATION_REQUIRED
            (listed,) = (await owner.keys()).keys
            assert (listed.name, listed.permissions, listed.activated) == ("Zoë", LOCKING, False)
            wrong = await rig.pump.menu.activate(f"{(int(shared.code) + 1) % 10**6:06}")
            assert wrong is not None
            assert (wrong.code, wrong.number("tries_left")) == (Code.CODE_WRONG, 4)
            await asyncio.sleep(5)
            assert await rig.pump.menu.activate(shared.code) is None
            assert (await phone.status()).access.granted
            assert await phone.unlock() == Done()
            assert await phone.lock() == Done()
            with pytest.raises(Refused) as refused:
                await phone.enable_drive()
            assert refused.value.refusal.code is Code.PERMISSION_MISSING
            (listed,) = (await owner.keys()).keys
            assert listed.activated
        told = [push.body.kind for push in rig.owner.pushes if isinstance(push.body, Notice)]
        assert told == [NoticeKind.KEY_ACCEPTED, NoticeKind.KEY_ACTIVATED]


@pytest.mark.req("KEY-2")
async def test_a_key_for_the_boot_opens_the_boot_alone(family: Family) -> None:
    guest, shared = family.shares(wordless(permissions=int(Permission.BOOT)))
    async with family.phone(guest, shared.file) as phone:
        assert await phone.open_boot() == Done()
        assert family.vehicle.snapshot().boot_open
        assert family.vehicle.snapshot().locked
        with pytest.raises(Refused) as refused:
            await phone.unlock()
        assert refused.value.refusal.code is Code.PERMISSION_MISSING


@pytest.mark.req("KEY-1")
async def test_a_guest_sees_no_list_and_tests_nothing(family: Family) -> None:
    guest, shared = family.shares(wordless())
    async with family.phone(guest, shared.file) as phone:
        for ask in (phone.keys, phone.self_test):
            with pytest.raises(Refused) as refused:
                await ask()
            assert refused.value.refusal.code is Code.ROLE_REQUIRED


# ---------------------------------------------------------------- what opens nothing
@pytest.mark.req("KEY-1")
async def test_a_shared_key_can_not_be_shared_on(family: Family) -> None:
    guest, shared = family.shares(wordless())
    friend = family.holder("friend", Role.GUEST)
    holder = keys.public_to_bytes(friend.key.public_key())
    onward = sharing.mint_share(msgspec.structs.replace(shared.key, holder=holder), shared.file.share, guest.key)
    file = msgspec.structs.replace(shared.file, parent=shared.file.share, share=onward)
    with pytest.raises(HandshakeRefused) as refused:
        async with family.phone(friend, file):
            pass
    assert refused.value.code is Code.SHARE_INVALID


@pytest.mark.req("KEY-1", "SEC-2")
async def test_a_share_that_was_read_on_its_way_is_worth_nothing(family: Family) -> None:
    _, shared = family.shares(wordless())
    thief = family.holder("thief", Role.GUEST)
    with pytest.raises(HandshakeRefused) as refused:
        async with family.phone(thief, shared.file):
            pass
    assert refused.value.code is Code.HOLDER_KEY_MISMATCH


@pytest.mark.req("KEY-1", "ACC-6")
async def test_nobody_grants_a_key_but_the_owners_phone(family: Family) -> None:
    mallory = family.holder("Mallory", Role.OWNER)
    forged = msgspec.structs.replace(
        sharing.read_key(family.owners.token), holder=keys.public_to_bytes(mallory.key.public_key())
    )
    own = msgspec.structs.replace(family.owners, token=sharing.mint_key(forged, mallory.key))
    with pytest.raises(HandshakeRefused) as refused:
        async with family.phone(mallory, own):
            pass
    assert refused.value.code is Code.UNKNOWN_ISSUER
    _, shared = family.shares(wordless())
    signed = sharing.mint_share(shared.key, family.owners.token, mallory.key)
    with pytest.raises(HandshakeRefused) as refused:
        async with family.phone(mallory, msgspec.structs.replace(shared.file, share=signed)):
            pass
    assert refused.value.code is Code.SHARE_INVALID


@pytest.mark.req("KEY-4")
async def test_the_code_is_in_no_recording_no_store_and_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    record = tmp_path / "life.jsonl"
    async with Family(record) as rig:
        await rig.settled()
        guest, shared = rig.shares()
        async with rig.phone(guest, shared.file):
            assert await rig.pump.menu.activate(shared.code) is None
        state = msgspec.msgpack.encode(rig.pump.state.durable)
    told = record.read_bytes() + state + caplog.text.encode()
    assert re.search(rb"(?<!\d)%b(?!\d)" % shared.code.encode(), told) is None
    assert shared.code.encode().hex().encode() not in told
    assert shared.key.sealed_code not in state


# ---------------------------------------------------------------- how it ends
@pytest.mark.req("KEY-6")
async def test_a_key_that_is_deactivated_in_the_car_loses_its_link_at_once(family: Family) -> None:
    guest, shared = family.shares(wordless())
    async with family.phone(guest, shared.file) as phone:
        await phone.unlock()
        (listed,) = family.pump.menu.listed()
        assert await family.pump.menu.deactivate(listed.number) is None
        async with asyncio.timeout(2):
            await phone.closed.wait()
        with pytest.raises(LinkClosed):
            await phone.lock()
    async with family.phone(guest, shared.file) as phone:
        assert phone.access.refusal is not None
        assert phone.access.refusal.code is Code.KEY_DEACTIVATED


@pytest.mark.req("KEY-6")
async def test_a_deleted_key_goes_on_until_the_vehicle_key_has_unlocked_and_then_locked(family: Family) -> None:
    guest, shared = family.shares(wordless())
    async with family.phone(guest, shared.file) as phone:
        await phone.put(family.deletes(shared.key, Deletion.UNTIL_KEY_CYCLE))
        assert await phone.unlock() == Done()
        assert await phone.lock() == Done()
        for button in (KeyButton.LOCK, KeyButton.UNLOCK):
            family.pump.post(VehicleKeyUsed(button))
            assert (await phone.status()).access.granted
        family.pump.post(VehicleKeyUsed(KeyButton.LOCK))
        async with asyncio.timeout(2):
            await phone.closed.wait()
    async with family.phone(guest, shared.file) as phone:
        assert phone.access.refusal is not None
        assert phone.access.refusal.code is Code.KEY_DELETED


@pytest.mark.req("KEY-6", "ACC-5")
async def test_whoever_withdraws_the_owners_phone_withdraws_what_it_shared(family: Family) -> None:
    guest, shared = family.shares(wordless())
    async with family.phone(guest, shared.file) as phone:
        assert await phone.unlock() == Done()
    parent = sharing.read_key(family.owners.token)
    anna = family.holder("Anna")
    async with family.phone(anna, family.book(anna, lasts_s=7200)[1]) as carrier:
        await carrier.put(family.deletes(parent, Deletion.IMMEDIATE))
        await carrier.end_booking()
    for holder, file in ((guest, shared.file), (family.owner, family.owners)):
        assert isinstance(file, KeyFile | ShareFile)
        async with family.phone(holder, file) as phone:
            assert phone.access.refusal is not None
            assert phone.access.refusal.code is Code.TOKEN_REVOKED


# ---------------------------------------------------------------- the dealer
@pytest.mark.req("OWN-1")
async def test_a_dealer_has_the_module_tested_and_gets_its_word_for_it(family: Family) -> None:
    async with family.phone(family.dealer, family.dealers) as phone:
        report = selftest.verify((await phone.self_test()).report, _signing(family))
        failed = {each.part for each in report.results if not each.passed}
        assert failed == {selftest.Part.BROKER}
        with pytest.raises(Refused) as refused:
            await phone.unlock()
        assert refused.value.refusal.code in (Code.PERMISSION_MISSING, Code.ROLE_REQUIRED)
    assert family.vehicle.snapshot().locked


def _signing(rig: Rig) -> keys.PublicKey:
    return keys.private_from_bytes(rig.provisioning.signing_private).public_key()
