"""Find the car of a booking or a key among the modules in range.

Modules do not say who they are (PRV-7). A phone whose file has a beacon key knows its own by that, and connects to no
other. Without one, or when nothing fits, it asks each module to prove that it holds the key in the phone's file; only
then does the token leave the phone.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from bleak.backends.device import BLEDevice

from host_tools.phone.ble import BleakLink, Found, listen
from host_tools.phone.client import Phone
from host_tools.phone.errors import HandshakeRefused, LinkFailed, NotFound, PhoneError
from host_tools.phone.links import PhoneLink
from protocol import beacon
from protocol.errors import Code, refuse

RECOGNISE_S: Final = 3.0
"""How long a phone waits for its own car's beacon before it asks others: almost three times the longest interval."""
AGAIN_S: Final = 0.5
"""The same before each further one."""
OWN_TRIES: Final = 3
"""How often the own car is connected to before the others get their turn."""

NewPhone = Callable[[PhoneLink], Phone]


async def open_nearest(
    new_phone: NewPhone,
    *,
    beacon_key: bytes = b"",
    timeout_s: float = 10.0,
    link_to: Callable[[BLEDevice], PhoneLink] = BleakLink,
) -> Phone:
    """An open session with the one module that holds the file's key; `new_phone` makes the session object, and
    `beacon_key` is that of the file.

    Begins no connection later than `timeout_s` after the beginning. Raises NotFound when no module is in range,
    HandshakeRefused when those in range are other cars or the right one refuses, LinkFailed when none could be
    connected to.
    """
    search = _Search(beacon_key, timeout_s)
    last: PhoneError | None = None
    while (found := await search.next()) is not None:
        phone = new_phone(link_to(found.device))
        try:
            await phone.open()
        except LinkFailed as error:
            last = last or error
            search.unreachable(found)
        except HandshakeRefused as error:
            if not error.wrong_module:
                raise
            search.is_other(found)
            last = _other_cars(len(search.others))
        else:
            return phone
    if last is not None:
        raise last
    why = f"no module was heard within {timeout_s:g} s"
    raise NotFound("the car was not found", why, "Go nearer to the car; check that the module is running.")


class _Search:
    """Which module to try next."""

    def __init__(self, beacon_key: bytes, timeout_s: float) -> None:
        self._key = beacon_key
        self._ends_at = asyncio.get_running_loop().time() + timeout_s
        self._patience_s = RECOGNISE_S
        self._own_tries = OWN_TRIES
        self._done: set[str] = set()
        self.others: set[str] = set()
        """Those that are not the car that is looked for."""

    async def next(self) -> Found | None:
        """The own car as soon as it is heard; otherwise, after a while, the likeliest of those that were not tried.
        None: the time is over."""
        while (left_s := self._left_s()) > 0:
            if self._key:
                heard = await listen(min(left_s, self._patience_s), self._is_own)
                self._patience_s = AGAIN_S
            else:
                heard = await listen(left_s, self._is_new)
            candidates = [one for one in heard if self._is_new(one)]
            if candidates:
                return min(candidates, key=self._rank)
        return None

    def unreachable(self, found: Found) -> None:
        """It could not be connected to. The own car is tried again: it is the right one."""
        if self._is_own(found) and self._own_tries > 1:
            self._own_tries -= 1
        else:
            self._done.add(found.address)

    def is_other(self, found: Found) -> None:
        """It is not the car, whatever its beacon says: anybody can send one again."""
        self._done.add(found.address)
        self.others.add(found.address)

    def _left_s(self) -> float:
        return self._ends_at - asyncio.get_running_loop().time()

    def _is_new(self, one: Found) -> bool:
        return one.address not in self._done

    def _is_own(self, one: Found) -> bool:
        return self._is_new(one) and bool(self._key) and beacon.is_of(self._key, one.beacon)

    def _rank(self, one: Found) -> tuple[int, int]:
        """The own car, then those whose beacon was not heard, then those that are of somebody else or of another key
        epoch; of equals the strongest."""
        return 0 if self._is_own(one) else 2 if self._key and one.beacon else 1, -one.rssi


def _other_cars(count: int) -> HandshakeRefused:
    heard = "the module in range is" if count == 1 else f"the {count} modules in range are"
    no = refuse(Code.WRONG_VEHICLE, remedy="Walk to the car that it is for.")
    return HandshakeRefused(no, f"{heard} not the one that is looked for", wrong_module=True)


__all__ = ["Found", "NewPhone", "open_nearest"]
