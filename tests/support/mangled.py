"""A phone's link that does to its fragments what radios, buggy stacks and attackers do."""

from collections.abc import Callable

from bleak.backends.device import BLEDevice

from host_tools.phone.ble import BleakLink

Mangle = Callable[[bytes], list[bytes]]


class MangledLink(BleakLink):
    """Sends what `mangle` makes of each fragment; `mangle` may be changed at any time."""

    def __init__(self, device: BLEDevice) -> None:
        super().__init__(device)
        self.mangle: Mangle = lambda fragment: [fragment]
        self.sent: list[bytes] = []

    async def write(self, fragment: bytes) -> None:
        """As PhoneLink.write, mangled."""
        for part in self.mangle(fragment):
            self.sent.append(part)
            await super().write(part)

    async def inject(self, fragment: bytes) -> None:
        """Send a fragment of one's own making."""
        await super().write(fragment)


def twice(fragment: bytes) -> list[bytes]:
    """Every fragment arrives twice."""
    return [fragment, fragment]
