"""Somebody who owns the rig's car and shares keys of it, with the real code of the owner's phone."""

import asyncio
from typing import Final

from firmware.demo.rig import Holder, Rig
from host_tools.phone import sharing
from host_tools.phone.sharing import Shared, Terms
from protocol.errors import Role
from protocol.messages import Permission
from protocol.provisioning import KeyFile, PhoneFile
from protocol.sharing import Hours, Key

EARLY_S: Final = 60
OF_A_GUEST: Final = int(Permission.UNLOCK | Permission.DRIVE | Permission.LOCK)


class Keyholders:
    """Olga and her guest Ben, beside a rig that is open."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.owner = rig.holder("Olga", Role.OWNER)
        self.guest = rig.holder("Ben", Role.GUEST)
        facts = rig.rack.facts
        standing = self.standing(self.owner)
        self.file = KeyFile(
            rig.issuer.key_token(standing), facts.handshake_key, facts.signing_key, rig.provisioning.module_id
        )

    def standing(self, holder: Holder, role: Role = Role.OWNER) -> Key:
        """The claims of a standing key, good for a day."""
        rig, now_s = self.rig, self.rig.now_s
        return rig.issuer.key(
            module_id=rig.provisioning.module_id,
            holder=holder.key.public_key(),
            starts_s=now_s - EARLY_S,
            expires_s=now_s + 86_400,
            now_s=now_s,
            role=role,
            key_epoch=rig.provisioning.key_epoch,
            user=holder.user,
        )

    def share(
        self,
        guest: Holder | None = None,
        *,
        permissions: int = OF_A_GUEST,
        coded: bool = False,
        hours: Hours | None = None,
    ) -> Shared:
        """Share a key for an hour, with a code or without one."""
        to, now_s = guest or self.guest, self.rig.now_s
        code_ttl_s = 600 if coded else None
        terms = Terms(to.name, permissions, now_s - EARLY_S, now_s + 3_600, hours, code_ttl_s)
        return sharing.share(
            self.file, self.owner.key, to.key.public_key(), terms, now_s=now_s - EARLY_S, entropy=self.rig.entropy
        )

    async def bring(self, file: PhoneFile, holder: Holder | None = None) -> None:
        """A phone shows it to the car, and leaves. The car has stood long enough to count as parked."""
        async with self.rig.phone(holder or self.guest, file):
            await asyncio.sleep(6)
