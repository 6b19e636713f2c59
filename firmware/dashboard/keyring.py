"""The keys of the people on the page: who owns the car and so has a key, and what the owner's phone has shared.

Decides nothing that the module decides. The activation code of a share goes back to whoever asked for it, and is kept
nowhere else.
"""

from typing import Final

from firmware.dashboard.acts import ActRefused
from firmware.dashboard.people import Person
from firmware.demo.rig import Rig
from host_tools.phone import sharing
from host_tools.phone.sharing import Terms
from protocol.messages import Permission
from protocol.orders import Coupling, OrderKind
from protocol.provisioning import KeyFile

LASTS_S: Final = 365 * 86_400
SHARED_S: Final = 7 * 86_400
CODE_S: Final = 3_600
EARLY_S: Final = 60
OF_A_GUEST: Final = int(Permission.UNLOCK | Permission.DRIVE | Permission.LOCK | Permission.BOOT)
VIN: Final = "WBA11AA0107A12345"
"""Of a bench where nobody wrote one down: any that is possible."""


class Keyring:
    """`owner`: whose key it is, None before somebody has one; `key_epoch`: the keys that count, as far as the owner's
    side has been told."""

    def __init__(self, rig: Rig) -> None:
        self.owner: Person | None = None
        self.key_epoch = rig.provisioning.key_epoch
        self._rig = rig
        self._file: KeyFile | None = None
        self._number = 0

    def give(self, person: Person) -> None:
        """The owner's standing key, on the phone at once."""
        rig, facts, now_s = self._rig, self._rig.rack.facts, self._rig.now_s
        key = rig.issuer.key(
            module_id=facts.module_id,
            holder=person.holder.key.public_key(),
            starts_s=now_s - EARLY_S,
            expires_s=now_s + LASTS_S,
            now_s=now_s,
            key_epoch=self.key_epoch,
            user=person.holder.user,
        )
        known = (facts.handshake_key, facts.signing_key, facts.module_id)
        file = KeyFile(rig.issuer.key_token(key), *known, rig.provisioning.beacon_key_of(self.key_epoch))
        self.owner, self._file = person, file
        person.hold(key, file)

    def share(self, guest: Person) -> str:
        """The owner's phone shares a key for a week, which is on the guest's phone at once; its activation code. Raises
        ActRefused."""
        if self.owner is None or self._file is None:
            raise ActRefused("nobody here has a key to share")
        rig, now_s = self._rig, self._rig.now_s
        terms = Terms(guest.known.name, OF_A_GUEST, now_s - EARLY_S, now_s + SHARED_S, None, CODE_S)
        shared = sharing.share(
            self._file,
            self.owner.holder.key,
            guest.holder.key.public_key(),
            terms,
            now_s=now_s - EARLY_S,
            entropy=rig.entropy,
        )
        guest.hold(shared.key, shared.file)
        return shared.code

    def takeover(self, person: Person) -> bytes:
        """The signed order by which this person takes the car over."""
        rig, now_s = self._rig, self._rig.now_s
        self._number = max(self._number + 1, now_s)
        user = person.holder.user
        coupling = Coupling(self._number, user, user, VIN, self._number)
        return rig.issuer.order(OrderKind.TAKE_OVER, coupling, module_id=rig.provisioning.module_id, now_s=now_s)
