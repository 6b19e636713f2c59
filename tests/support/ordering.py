"""What a backend orders, in the words of a story: `order unlock as r1`, `subscription 2 sharing 12:00:00 ...`."""

from typing import Final

from protocol.orders import Order, OrderKind, Subscription
from tests.support.story_world import BASE_MS, MODULE_ID, milliseconds

TTL_S: Final = 120
KINDS: Final = {
    "unlock": OrderKind.UNLOCK,
    "lock": OrderKind.LOCK,
    "flash": OrderKind.FLASH,
    "state": OrderKind.REQUEST_STATE,
}


def remote(verb: str, name: str, now: int) -> Order:
    """An order called `name`, issued at `now` (ms after BASE) and good for two minutes."""
    issued_s = (BASE_MS + now) // 1000
    return Order(name.encode().ljust(16, b"r"), KINDS[verb], MODULE_ID, issued_s, issued_s + TTL_S)


def subscription(number: str, sharing: str, remote_until: str, now: int, *, paused: bool) -> Order:
    """What the owner has paid for, until these times of a story; the order is good for a day."""
    issued_s = (BASE_MS + now) // 1000
    sharing_s, remote_s = ((BASE_MS + milliseconds(text.replace("T", " "))) // 1000 for text in (sharing, remote_until))
    told = Subscription(int(number), sharing_s, remote_s, paused)
    order_id = b"subscription" + number.encode().rjust(4, b"0")
    return Order(order_id, OrderKind.SUBSCRIPTION, MODULE_ID, issued_s, issued_s + 86_400, told)
