"""A module as a test holds it: bookings and keys for it, phones beside it, its desk, its time. Wherever it runs.

Decides what is refused because the module is not in this process. Refuses to know how a bench talks to its module.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Final, NoReturn

from firmware.bench.hush import hushed
from firmware.demo.rig import Holder, Rig
from firmware.inprocess.booked import Booked, Held, seconds
from firmware.inprocess.owner import Owner
from firmware.inprocess.timeline import Timeline
from host_tools.bench.bench import Answer, Bench, BenchRefused
from host_tools.phone import sharing
from host_tools.phone.client import Phone
from host_tools.phone.sharing import Terms
from protocol import tokens
from protocol.errors import Role
from protocol.messages import Permission
from protocol.provisioning import KeyFile
from protocol.sharing import Hours

ALL: Final = Permission.UNLOCK | Permission.DRIVE | Permission.LOCK | Permission.LOCATE
OF_A_GUEST: Final = Permission.UNLOCK | Permission.DRIVE | Permission.LOCK
EARLY_S: Final = 60
"""A booking or key begins a minute before it is wanted, so that clocks need not agree to the second."""


class NotHere(Exception):
    """This module is not in this process, so a test cannot do that to it: one line with what, why, what to do."""


class Module:
    """One car. `rig` and `owner` are None for a module that is not in this process."""

    def __init__(
        self, bench: Bench, name: str, timeline: Timeline, rig: Rig | None = None, owner: Owner | None = None
    ) -> None:
        self.name = name
        self.timeline = timeline
        self._bench = bench
        self._rig = rig
        self._owner = owner
        self._entropy: Callable[[int], bytes] = os.urandom if rig is None else rig.entropy
        self._holders: dict[str, Holder] = {}

    @property
    def id(self) -> str:
        """The module's identifier, 16 hexadecimal digits."""
        return self._bench.identity.module_id.hex()

    # ------------------------------------------------------------ bookings and phones
    async def book(
        self,
        lasts: str | float = "2h",
        *,
        who: str = "driver",
        role: str = "driver",
        starts_in: str | float = 0,
        permissions: Permission = ALL,
    ) -> Booked:
        """A booking of this car, signed by its backend. `lasts`, `starts_in`: "2h", "90m", or seconds; `role`: owner,
        vip, driver or guest. The same `who` is the same phone."""
        holder = self._holders.setdefault(who, Holder(who, Role[role.upper()], self._entropy))
        now_s = await self._bench.utc_ms() // 1000
        starts_s = now_s + round(seconds(starts_in))
        ends_s = starts_s + round(seconds(lasts))
        booking = self._sign(holder, Role[role.upper()], permissions, (starts_s - EARLY_S, ends_s, now_s))
        return Booked(holder, self._bench.identity.booking_file(self._bench.issuer.token(booking)), starts_s, ends_s)

    def _sign(self, holder: Holder, role: Role, permissions: Permission, times: tuple[int, int, int]) -> tokens.Booking:
        starts_s, ends_s, now_s = times
        return self._bench.issuer.booking(
            module_id=self._bench.identity.module_id,
            holder=holder.key.public_key(),
            starts_s=starts_s,
            ends_s=ends_s,
            now_s=now_s,
            role=role,
            permissions=int(permissions),
            key_epoch=self._bench.identity.key_epoch,
            user=holder.user,
        )

    async def key(self, lasts: str | float = "30d", *, who: str = "owner", role: str = "owner") -> Held:
        """A standing key of this car, signed by its backend, good from now on. `role`: owner, or service (a dealer).
        The same `who` is the same phone."""
        holder = self._holders.setdefault(who, Holder(who, Role[role.upper()], self._entropy))
        now_s, issuer, identity = await self._bench.utc_ms() // 1000, self._bench.issuer, self._bench.identity
        key = issuer.key(
            module_id=identity.module_id,
            holder=holder.key.public_key(),
            starts_s=now_s - EARLY_S,
            expires_s=now_s + round(seconds(lasts)),
            now_s=now_s,
            role=Role[role.upper()],
            key_epoch=identity.key_epoch,
            user=holder.user,
        )
        return Held(holder, identity.key_file(issuer.key_token(key)), key)

    async def share(
        self,
        key: Held,
        who: str = "guest",
        *,
        lasts: str | float = "1d",
        permissions: Permission = OF_A_GUEST,
        hours: Hours | None = None,
        code: bool = False,
    ) -> Held:
        """Share a standing key, as the owner's phone does. With `code` it waits for its activation code, which is
        entered with `do(f"menu activate {shared.code}")`. Raises ShareRefused."""
        assert isinstance(key.file, KeyFile), "a shared key cannot be shared"
        holder = self._holders.setdefault(who, Holder(who, Role.GUEST, self._entropy))
        signed_s = await self._bench.utc_ms() // 1000 - EARLY_S
        ends_s = signed_s + EARLY_S + round(seconds(lasts))
        terms = Terms(who, int(permissions), signed_s, ends_s, hours, ends_s - signed_s if code else None)
        shared = sharing.share(
            key.file, key.holder.key, holder.key.public_key(), terms, now_s=signed_s, entropy=self._entropy
        )
        return Held(holder, shared.file, shared.key, shared.code)

    def phone(self, held: Booked | Held) -> AbstractAsyncContextManager[Phone]:
        """A phone with that booking or key and an open session. The session may be refused its access: see
        `phone.access`."""
        if self._rig is not None:
            return self._rig.phone(held.holder, held.file)
        return self._far_phone(held)

    @asynccontextmanager
    async def _far_phone(self, held: Booked | Held) -> AsyncIterator[Phone]:
        link = self._bench.link(held.holder.name)
        async with Phone(link, held.file, held.holder.key, on_push=held.pushes.append) as phone:
            yield phone

    # ------------------------------------------------------------ the desk
    async def do(self, command: str) -> Answer:
        """One command of the desk, such as "drive 120" or "door open". Raises BenchRefused, with a `code`."""
        now_ms = await self._bench.utc_ms()
        self.timeline.note(now_ms, f"desk: {hushed(command)}")
        try:
            return await self._bench.control(command)
        except BenchRefused as error:
            self.timeline.note(now_ms, f"    {error}")
            raise

    # ------------------------------------------------------------ time
    async def now(self) -> datetime:
        """What time it is in the world of this module."""
        return datetime.fromtimestamp(await self._bench.utc_ms() / 1000, UTC)

    async def wait(self, duration: str | float) -> None:
        """Let time pass, such as "31m"; no time at all on a virtual link."""
        await self._bench.until(await self._bench.utc_ms() + round(seconds(duration) * 1000))

    # ------------------------------------------------------------ only in this process
    @property
    def rig(self) -> Rig:
        """Everything that the module is made of. Raises NotHere."""
        return self._rig or self._not_here("be taken apart")

    @property
    def owner(self) -> Owner:
        """What the owner's side has been told. Raises NotHere."""
        return self._owner or self._not_here("be listened to at its broker")

    def lose_links(self) -> None:
        """Every connection breaks now, as by an interference: both sides notice at once. Raises NotHere."""
        self.rig.air.drop(self.rig.module_radio)

    def out_of_range(self) -> None:
        """Nobody hears the module any more; phones notice at their supervision timeout. Raises NotHere."""
        self.rig.air.out_of_range(self.rig.module_radio)

    def in_range(self) -> None:
        """It is heard again. Raises NotHere."""
        self.rig.air.in_range(self.rig.module_radio)

    def _not_here(self, what: str) -> NoReturn:
        raise NotHere(
            f"{self.name} cannot {what}: it is not in this process. Use --sharebox-link=virtual for this test."
        )
