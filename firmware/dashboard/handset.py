"""One person's phone: the real client over the virtual radio, kept connected as an app would keep it.

Decides when to connect again, and how often to ask. Refuses to know what is shown (`screen`), and the module's inside.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

import msgspec

from host_tools.phone.client import Phone
from host_tools.phone.errors import HandshakeRefused, PhoneError, Refused
from host_tools.phone.links import PhoneLink
from protocol.errors import Refusal, one_line
from protocol.explain import announce, describe
from protocol.keys import PrivateKey
from protocol.messages import Access, Ended, Notice, Permission, Position, Push, VehicleState
from protocol.provisioning import PhoneFile

AGAIN_S: Final = (1.0, 5.0, 20.0, 60.0)
"""Pauses before the phone looks for the car again; the last one stays."""


class Seen(msgspec.Struct, frozen=True):
    """What the phone knows. `heard_at_ms`: when it heard `access`, by its own clock. `refusal`: the last no."""

    link: str = "off"
    """off, looking, on, lost or refused."""
    why: str = ""
    access: Access | None = None
    heard_at_ms: int = 0
    vehicle: VehicleState | None = None
    position: Position | None = None
    refusal: Refusal | None = None
    notice: Notice | None = None
    ended: Ended | None = None
    doing: str = ""


class Handset:
    """`tell`: one line of what happened, with its weight. `now_ms`: the phone's own clock. `every_s`: how often it asks
    for news while it is connected; a session of the module ends after ten quiet minutes. Must be closed."""

    def __init__(
        self,
        new_link: Callable[[], PhoneLink],
        key: PrivateKey,
        *,
        entropy: Callable[[int], bytes],
        now_ms: Callable[[], int],
        tell: Callable[[str, str], None],
        every_s: Callable[[], float],
    ) -> None:
        self.seen = Seen()
        self.file: PhoneFile | None = None
        self._new_link = new_link
        self._key = key
        self._entropy = entropy
        self._now_ms = now_ms
        self._tell = tell
        self._every_s = every_s
        self._phone: Phone | None = None
        self._nudge = asyncio.Event()
        self._settled = asyncio.Event()
        self._living: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ connecting
    @property
    def wants(self) -> bool:
        """Whether the phone is to be connected, as far as it can."""
        return self._living is not None and not self._living.done()

    async def connect(self) -> None:
        """Be connected from now on, also after a loss. Returns when the first try is over."""
        if self.file is None:
            raise PhoneError("the phone cannot connect", "it has no booking and no key", "Ask for one first.")
        await self.disconnect()
        self._know(refusal=None, notice=None, ended=None)
        self._living = asyncio.create_task(self._live(self.file), name="handset")
        self._settled.clear()
        await self._settled.wait()

    async def disconnect(self) -> None:
        """Hang up, and stay away."""
        living, self._living = self._living, None
        if living is not None:
            living.cancel()
            await asyncio.wait({living})
            self._know(link="off", why="", access=None, vehicle=None, position=None)

    async def _live(self, file: PhoneFile) -> None:
        try:
            await self._stay_connected(file)
        except Exception as error:  # broad: whatever it was, whoever pressed hears of it, and can press again
            why = f"the phone's program has failed: {one_line(repr(error))}"
            self._know(link="off", why=why, access=None, vehicle=None, position=None)
            self._tell(why, "alert")
        finally:
            self._settled.set()

    async def _stay_connected(self, file: PhoneFile) -> None:
        tries = 0
        while True:
            self._know(link="looking", why="")
            phone = Phone(self._new_link(), file, self._key, entropy=self._entropy, on_push=self._pushed)
            try:
                await phone.open()
                self._phone, tries = phone, 0
                self._hear(phone)
                self._tell(f"connected. {describe(phone.access)[0]}", "news")
                await self._keep_asking(phone)
                self._lost("the module hung up, or the radio lost it")
            except HandshakeRefused as error:
                self._know(link="refused", why=error.why, refusal=error.refusal, access=None, vehicle=None)
                self._tell(f"no session: {error.why}", "news")
                if not error.refusal.temporary:
                    return
            except PhoneError as error:
                self._lost(error.why)
            finally:
                self._phone = None
                await phone.close()
            await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
            tries += 1

    async def _keep_asking(self, phone: Phone) -> None:
        while phone.is_open:
            try:
                status = await phone.status()
                self._know(vehicle=status.vehicle)
                self._hear(phone)
                await self._locate(phone)
            except Refused as error:
                self._know(refusal=error.refusal)
            self._nudge.clear()
            waits = [asyncio.ensure_future(each.wait()) for each in (self._nudge, phone.closed)]
            try:
                await asyncio.wait(waits, timeout=self._every_s(), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()

    async def _locate(self, phone: Phone) -> None:
        if not (phone.access.granted and phone.access.permissions & Permission.LOCATE):
            self._know(position=None)
            return
        try:
            self._know(position=await phone.locate())
        except Refused:
            self._know(position=None)

    def _lost(self, why: str) -> None:
        if self.seen.link == "on":
            self._tell(f"connection lost: {why}", "news")
        self._know(link="lost", why=why, vehicle=None, position=None)

    # ------------------------------------------------------------ hearing
    def _hear(self, phone: Phone) -> None:
        refusal = phone.access.refusal if not phone.access.granted else self.seen.refusal
        self._know(link="on", why="", access=phone.access, heard_at_ms=self._now_ms(), refusal=refusal)

    def _pushed(self, push: Push) -> None:
        if isinstance(push.body, Notice):
            self._know(notice=push.body)
            self._tell(announce(push.body), "alert")
        else:
            self._know(access=push.body, heard_at_ms=self._now_ms(), refusal=push.body.refusal)
            self._tell(describe(push.body)[0], "plain")
        self._nudge.set()

    def _know(self, **fields: object) -> None:
        self.seen = msgspec.structs.replace(self.seen, **fields)
        if self.seen.link != "looking":
            self._settled.set()

    # ------------------------------------------------------------ commands
    async def unlock(self) -> None:
        """Open the car."""
        await self._command("unlock", lambda phone: phone.unlock())

    async def lock(self) -> None:
        """Close the car."""
        await self._command("lock", lambda phone: phone.lock())

    async def slide(self) -> None:
        """What the slider does: close an open car, else open it."""
        is_unlocked = self.seen.vehicle is not None and self.seen.vehicle.locked is False
        await (self.lock() if is_unlocked else self.unlock())

    async def drive(self) -> None:
        """Release the immobiliser."""
        await self._command("enable drive", lambda phone: phone.enable_drive())

    async def boot(self) -> None:
        """Open the boot."""
        await self._command("open boot", lambda phone: phone.open_boot())

    async def end(self) -> None:
        """End the booking."""
        ended = await self._command("end", lambda phone: phone.end_booking())
        if isinstance(ended, Ended):
            self._know(ended=ended)

    async def _command(self, name: str, send: Callable[[Phone], Coroutine[object, object, object]]) -> object:
        """Raises PhoneError; a refusal stays on the screen until the next command."""
        if self.seen.doing:
            raise PhoneError(f"{name} was not sent", f"{self.seen.doing} is under way", "Wait for it.")
        phone = self._phone
        if phone is None:
            raise PhoneError(f"{name} was not sent", "the phone is not connected to the car", "Connect first.")
        self._know(doing=name, refusal=None)
        try:
            done = await send(phone)
        except Refused as error:
            self._know(refusal=error.refusal)
            raise
        finally:
            self._know(doing="")
            self._nudge.set()
        return done

    async def close(self) -> None:
        """Hang up for good."""
        await self.disconnect()
