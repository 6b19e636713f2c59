"""The main job as one function, so that it can be told by every stack in the same words: found, opened, driven, closed.

It decides the order of the operations and what a line of the transcript says. It does not know the carrier (`NewLink`),
nor how the car is driven and how time passes (the caller does both). Times are those of the running event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice

from host_tools.phone.ble import BleakLink
from host_tools.phone.client import Phone
from host_tools.phone.errors import NotFound, Refused
from host_tools.phone.links import PhoneLink
from protocol.errors import Code
from protocol.gatt import ATT_HEADER_BYTES, SERVICE_UUID
from protocol.keys import PrivateKey
from protocol.messages import PublicInfo
from protocol.provisioning import PhoneFile

JOB: Final = (
    "scan", "connect", "discover", "mtu", "public information", "subscribe", "handshake", "status", "unlock",
    "start (immobiliser off)", "drive", "stop (immobiliser on)", "lock", "end", "hang up",
)  # fmt: skip
"""What `whole_job` tells over Bluetooth, in this order."""
AFTER: Final = ("cut off", "reconnect")
"""What `cut_off_job` tells."""
PATIENCE_S: Final = 30.0
ASK_S: Final = 240.0
LEAD_S: Final = 0.5
"""So long before the cutoff the phone has to be connected still."""
_T = TypeVar("_T")


class Line(msgspec.Struct, frozen=True):
    """One operation. `ms`: how long it took. `outcome`: "ok", or the name of the code with which it was refused."""

    stack: str
    operation: str
    ms: float
    outcome: str = "ok"
    note: str = ""


Tell = Callable[[str, float, str, str], None]
"""Operation, milliseconds, outcome, note."""


class Transcript:
    """Keeps what one stack tells; `tell` is what the jobs take."""

    def __init__(self, stack: str) -> None:
        self.stack = stack
        self.lines: list[Line] = []

    def tell(self, operation: str, ms: float, outcome: str = "ok", note: str = "") -> None:
        """Add one line."""
        self.lines.append(Line(self.stack, operation, round(ms, 3), outcome, note))

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each operation, in the order in which they were told."""
        return {line.operation: line.outcome for line in self.lines}

    def write(self, path: Path) -> None:
        """As JSON lines."""
        path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in self.lines))


class Shown(msgspec.Struct, frozen=True):
    """What the phone shows: its file, and the private key that it was made for."""

    file: PhoneFile
    holder: PrivateKey


class Steps:
    """Measures from one operation's end to the next one's."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._since_s = asyncio.get_running_loop().time()

    def done(self, operation: str, note: str = "", outcome: str = "ok", *, less_s: float = 0.0) -> None:
        """This took since the last one was done, without the first `less_s` of it."""
        now_s = asyncio.get_running_loop().time()
        self._tell(operation, (now_s - self._since_s - less_s) * 1000, outcome, note)
        self._since_s = now_s

    def begin(self) -> None:
        """What follows is measured from here."""
        self._since_s = asyncio.get_running_loop().time()

    async def do(self, operation: str, doing: Awaitable[_T], note: str = "") -> _T:
        """Do it and tell of it. Raises Refused, having told of it too."""
        try:
            result = await doing
        except Refused as no:
            self.done(operation, note, no.refusal.code.name)
            raise
        self.done(operation, note)
        return result


NewLink = Callable[[Steps], Awaitable[PhoneLink]]
"""Looks for the module and gives a link to it that is not connected yet. What else the link's `connect` consists of it
may tell itself (`SteppedLink`)."""


class SteppedLink(BleakLink):
    """The toolkit's own link over bleak, which tells what its `connect` consists of."""

    def __init__(self, device: BLEDevice, steps: Steps) -> None:
        super().__init__(device, on_public_info=self._hear)
        self._steps = steps
        self._info: PublicInfo | None = None

    def _hear(self, info: PublicInfo) -> None:
        self._info = info

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        """As PhoneLink.connect."""
        await super().connect(on_fragment, on_closed)
        self._steps.done("subscribe")

    async def _tell_public_info(self, client: BleakClient) -> None:
        self._steps.done("connect", "with discovery: bleak does both in one")
        (service,) = [service for service in client.services if service.uuid == SERVICE_UUID]
        self._steps.done("discover", f"{len(service.characteristics)} characteristics")
        self._steps.done("mtu", str(self.payload + ATT_HEADER_BYTES))
        await super()._tell_public_info(client)
        assert self._info is not None, "the module does not say who it is"
        self._steps.done("public information", f"version {self._info.version}")


async def bleak_link(steps: Steps) -> PhoneLink:
    """A `NewLink` over whatever bleak finds on this machine, or over the virtual adapter in use."""
    found = await BleakScanner.find_device_by_filter(lambda *_: True, PATIENCE_S, service_uuids=[SERVICE_UUID])
    if found is None:
        raise NotFound("the car was not found", f"nothing heard within {PATIENCE_S:g} s", "Start the module.")
    return SteppedLink(found, steps)


async def whole_job(new_link: NewLink, booking: Shown, tell: Tell, drive: Callable[[], Awaitable[None]]) -> None:
    """Everything that a driver does with a booking, from looking for the car to walking away.

    `drive`: turns the ignition on, drives and parks, and returns when the module counts the car as parked. Raises what
    the phone raises; the operation that was refused has been told.
    """
    steps = Steps(tell)
    link = await steps.do("scan", new_link(steps))
    phone = Phone(link, booking.file, booking.holder)
    try:
        await steps.do("handshake", phone.open(), "with the first status")
        status = await steps.do("status", phone.status())
        assert status.access.granted, status.access
        await steps.do("unlock", phone.unlock())
        await steps.do("start (immobiliser off)", phone.enable_drive())
        await steps.do("drive", drive())
        await steps.do("stop (immobiliser on)", phone.disable_drive())
        await steps.do("lock", phone.lock())
        ended = await steps.do("end", phone.end_booking())
        assert ended.receipt
    finally:
        steps.begin()
        await phone.close()
    steps.done("hang up")


async def _looked_at_meanwhile(phone: Phone, waiting: Callable[[], Awaitable[None]]) -> None:
    """The app asks for the status now and then: the module hangs up on those who say nothing for long."""
    waited = asyncio.ensure_future(waiting())
    while not (await asyncio.wait({waited}, timeout=ASK_S))[0]:
        await phone.status()
    await waited


async def cut_off_job(new_link: NewLink, booking: Shown, tell: Tell, overrun: Callable[[], Awaitable[None]]) -> None:
    """A driver who does not bring the car back: the module hangs up, and does not let the booking in again.

    `overrun`: lets the time pass until LEAD_S before the cutoff is due. "cut off" is measured from when it is due to
    the news at the central.
    """
    unheard = Steps(Transcript("").tell)
    steps = Steps(tell)
    phone = Phone(await new_link(unheard), booking.file, booking.holder)
    try:
        assert (await phone.open()).granted, phone.access
        await phone.unlock()
        await _looked_at_meanwhile(phone, overrun)
        assert phone.is_open, "the module hung up before it was due"
        steps.begin()
        async with asyncio.timeout(PATIENCE_S):
            await phone.closed.wait()
        steps.done("cut off", "after it was due: hung up by the module", less_s=LEAD_S)
    finally:
        await phone.close()
    steps.begin()
    phone = Phone(await new_link(unheard), booking.file, booking.holder)
    try:
        access = await phone.open()
        refused = "ok" if access.granted or access.refusal is None else access.refusal.code.name
        steps.done("reconnect", "scan, connect and handshake", refused)
    finally:
        await phone.close()
    assert refused == Code.BOOKING_CUT_OFF.name
