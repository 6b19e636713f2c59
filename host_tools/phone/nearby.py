"""Find the car of a booking or a key among the modules in range.

Modules do not say who they are (PRV-7), so the phone asks each to prove that it holds the key in the phone's file; only
then does the token leave the phone.
"""

import asyncio
from collections.abc import Callable

from bleak.backends.device import BLEDevice

from host_tools.phone.ble import BleakLink, Found, find_module
from host_tools.phone.client import Phone
from host_tools.phone.errors import HandshakeRefused, LinkFailed, NotFound, PhoneError
from host_tools.phone.links import PhoneLink
from protocol.errors import Code, refuse

NewPhone = Callable[[PhoneLink], Phone]


async def open_nearest(
    new_phone: NewPhone, *, timeout_s: float = 10.0, link_to: Callable[[BLEDevice], PhoneLink] = BleakLink
) -> Phone:
    """An open session with the one module that holds the file's key; `new_phone` makes the session object.

    Scans for at most `timeout_s` altogether, besides the time of connecting. Raises NotFound when no module is
    in range, HandshakeRefused when those in range are other cars or the right one refuses, LinkFailed when none
    could be connected to.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    tried: frozenset[str] = frozenset()
    last: PhoneError | None = None
    while (left_s := deadline - loop.time()) > 0:
        found = await find_module(left_s, tried)
        if found is None:
            break
        tried |= {found.address}
        phone = new_phone(link_to(found.device))
        try:
            await phone.open()
        except LinkFailed as error:
            last = last or error
        except HandshakeRefused as error:
            if not error.wrong_module:
                raise
            last = _other_cars(len(tried))
        else:
            return phone
    if last is not None:
        raise last
    why = f"no module was heard within {timeout_s:g} s"
    raise NotFound("the car was not found", why, "Go nearer to the car; check that the module is running.")


def _other_cars(count: int) -> HandshakeRefused:
    heard = "the module in range is" if count == 1 else f"the {count} modules in range are"
    no = refuse(Code.WRONG_VEHICLE, remedy="Walk to the car that it is for.")
    return HandshakeRefused(no, f"{heard} not the one that is looked for", wrong_module=True)


__all__ = ["Found", "NewPhone", "open_nearest"]
