"""A phone's link that does to its fragments what radios, buggy stacks and attackers do."""

from collections.abc import Callable

from bleak.backends.device import BLEDevice

from host_tools.phone.ble import BleakLink
from host_tools.phone.links import PhoneLink

Mangle = Callable[[bytes], list[bytes]]


class MangledLink:
    """A `PhoneLink` over another one, or to a device. Sends what `mangle` makes of each fragment; `mangle` may be
    changed at any time."""

    def __init__(self, over: BLEDevice | PhoneLink) -> None:
        self.mangle: Mangle = lambda fragment: [fragment]
        self.sent: list[bytes] = []
        self._link: PhoneLink = BleakLink(over) if isinstance(over, BLEDevice) else over

    @property
    def payload(self) -> int:
        """As PhoneLink.payload."""
        return self._link.payload

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        """As PhoneLink.connect."""
        await self._link.connect(on_fragment, on_closed)

    async def write(self, fragment: bytes) -> None:
        """As PhoneLink.write, mangled."""
        for part in self.mangle(fragment):
            self.sent.append(part)
            await self._link.write(part)

    async def inject(self, fragment: bytes) -> None:
        """Send a fragment of one's own making."""
        await self._link.write(fragment)

    async def close(self) -> None:
        """As PhoneLink.close."""
        await self._link.close()


def twice(fragment: bytes) -> list[bytes]:
    """Every fragment arrives twice."""
    return [fragment, fragment]
