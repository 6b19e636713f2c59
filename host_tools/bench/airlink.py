"""A phone's link over Bluetooth on a bench: it looks for the module each time it connects.

It decides which module it takes: the first in range that it has not been told to leave out. It knows no booking.
"""

import contextlib
from collections.abc import Callable

from host_tools.phone.ble import BleakLink, find_module
from host_tools.phone.errors import NotFound
from host_tools.radio import bleak_backend
from host_tools.radio.bleak_backend import Provider

LOOKING_S = 10.0


class AirLink:
    """A `PhoneLink`. `adapter`: the virtual adapter to use; None is what bleak finds on this machine, and there `hci`
    may name one, such as "hci1". `address`: of the module, where it is known."""

    def __init__(
        self, adapter: Provider | None = None, *, address: str = "", hci: str = "", looking_s: float = LOOKING_S
    ) -> None:
        self._adapter = adapter
        self._hci = hci
        self._wanted = address
        self._looking_s = looking_s
        self._link: BleakLink | None = None
        self._address = ""
        self._others: frozenset[str] = frozenset()

    @property
    def payload(self) -> int:
        """See `PhoneLink.payload`."""
        assert self._link is not None, "not connected"
        return self._link.payload

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        """Find a module and connect to it; see `PhoneLink.connect`."""
        with contextlib.nullcontext() if self._adapter is None else bleak_backend.using(self._adapter):
            self._link = await self._found()
            await self._link.connect(on_fragment, on_closed)

    async def _found(self) -> BleakLink:
        if self._wanted:
            return BleakLink(self._wanted)
        found = await find_module(self._looking_s, self._others, adapter=self._hci)
        if found is None:
            why = f"no module was heard within {self._looking_s:g} s"
            raise NotFound("the car was not found", why, "Check that the module is running and its radio is on.")
        self._address = found.address
        return BleakLink(found.device)

    async def write(self, fragment: bytes) -> None:
        """See `PhoneLink.write`."""
        assert self._link is not None, "not connected"
        await self._link.write(fragment)

    async def close(self) -> None:
        """See `PhoneLink.close`."""
        if self._link is not None:
            await self._link.close()

    def leave_out(self) -> None:
        """It was another car: do not take it again."""
        self._others |= {self._address}
