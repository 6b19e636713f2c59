"""The keys of a scenario: who has a standing key, who shared which one with whom, and the codes.

Decides how the terms of a story become a share. The signatures are those of the owner's phone.
"""

import os
from collections.abc import Callable
from typing import Final

from host_tools.bench.bench import BenchFailed
from host_tools.bench.handset import Handset
from host_tools.bench.scenario_backend import Backend, Customer
from host_tools.bench.scenario_terms import Terms
from host_tools.bench.scenario_times import DAY_S
from host_tools.phone import sharing
from host_tools.phone.sharing import ShareRefused
from protocol import keys
from protocol.provisioning import KeyFile, ShareFile
from protocol.sealing import CODE_DIGITS
from protocol.sharing import Hours, Key

EARLY_S: Final = 60
"""The owner's phone is so slow, and no share begins before it was signed: clocks need not agree to the second."""
LASTS_S: Final = 30 * DAY_S


class Keychain:
    """Of one story. `utc_s`: the module's UTC at a time of it; `now_s`: where it is."""

    def __init__(self, backend: Backend, utc_s: Callable[[int], int], now_s: Callable[[], int]) -> None:
        self._backend = backend
        self._utc_s = utc_s
        self._now_s = now_s
        self._standing: dict[str, KeyFile] = {}
        self._files: dict[str, KeyFile | ShareFile] = {}
        self._shared: dict[str, Key] = {}
        self._codes: dict[str, str] = {}
        self._claims: dict[str, Key] = {}

    def give(self, name: str, customer: Customer, phone: Handset) -> None:
        """A new standing key, on the phone at once."""
        key = self._backend.key(customer, phone.key.public_key(), phone.generation)
        self._standing[name], self._claims[name] = self._backend.key_file(key), key
        phone.shown = self._files[name] = self._standing[name]

    def has_standing(self, name: str) -> bool:
        """Whether somebody has a key that nobody shared."""
        return name in self._standing

    def file(self, name: str) -> KeyFile | ShareFile:
        """What somebody's phone shows of their newest key. Raises BenchFailed for somebody who has none."""
        if name not in self._files:
            raise BenchFailed(f"{name} has no key: the scenario never gave or shared one.")
        return self._files[name]

    def claims(self, name: str) -> Key | None:
        """What somebody's newest key says."""
        return self._claims.get(name)

    def standing(self, name: str) -> KeyFile:
        """Somebody's standing key. Raises BenchFailed for somebody who has none."""
        if name not in self._standing:
            raise BenchFailed(f"{name} has no key of their own: the scenario never gave one. Add `key = true`.")
        return self._standing[name]

    def share(self, owner: str, owner_key: keys.PrivateKey, guest: str, phone: Handset, terms: Terms) -> None:
        """Share a key; it is on the guest's phone at once, and the code goes another way."""
        parent = self.standing(owner)
        signed_s = self._utc_s(self._now_s()) - EARLY_S
        begins_s, ends_s = signed_s, signed_s + LASTS_S
        if terms.window is not None:
            begins_s, ends_s = (self._utc_s(each) for each in terms.window)
        code_until_s = ends_s if terms.code_until_s is None else self._utc_s(terms.code_until_s)
        wish = sharing.Terms(
            guest.capitalize(),
            terms.permissions,
            begins_s,
            ends_s,
            self._hours(terms.daily),
            code_until_s - signed_s if terms.coded else None,
        )
        recipient = phone.key.public_key()
        try:
            shared = sharing.share(parent, owner_key, recipient, wish, now_s=signed_s, entropy=os.urandom)
        except ShareRefused as error:
            raise BenchFailed(f"{owner} cannot share that with {guest}: {error}") from None
        self._shared[guest], self._codes[guest] = shared.key, shared.code
        self._claims[guest] = shared.key
        phone.shown = self._files[guest] = shared.file

    def _hours(self, daily: tuple[int, int] | None) -> Hours | None:
        """The story's hours in the module's UTC; it knows them to the minute."""
        if daily is None:
            return None
        begins_min, ends_min = (self._utc_s(each) % DAY_S // 60 for each in daily)
        return Hours(begins_min, ends_min)

    def shared(self, name: str) -> Key:
        """The newest key that was shared with somebody. Raises BenchFailed when there is none."""
        if name not in self._shared:
            raise BenchFailed(f"nobody has shared a key with {name}. Write 'somebody shares a key with {name}' before.")
        return self._shared[name]

    def code(self, name: str) -> str:
        """The activation code of that key. Raises BenchFailed when it has none."""
        self.shared(name)
        if not self._codes[name]:
            raise BenchFailed(f"{name}'s key has no code: it was shared without one. Write ': with a code'.")
        return self._codes[name]

    def wrong_code(self) -> str:
        """Six digits that are nobody's code."""
        known = set(self._codes.values())
        return next(code for n in range(len(known) + 1) if (code := f"{n:0{CODE_DIGITS}}") not in known)
