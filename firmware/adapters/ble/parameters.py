"""How often a central and the module meet: the connection parameters that the module asks for (SPEC section 3.2).

Decides what to ask for and when: often while something is said, seldom while nothing is. The central decides; a
refusal is no error, and changes nothing but speed and current.
Refuses to know: what is said.
"""

import asyncio
import logging
from typing import Final, NamedTuple

from bumble import core, hci
from bumble.device import Connection, Device

from firmware.adapters.ble import screen

IDLE_S: Final = 30.0
"""Without a fragment for so long, a link is idle."""

ANSWER_S: Final = 5.0
"""Longest time for command and answer: six events of the slowest interval, and the central's own thoughts."""

_INTERVAL_MS: Final = 1.25
_TIMEOUT_MS: Final = 10
_UPDATE_REQUEST: Final = 0x12

log = logging.getLogger(__name__)


class Wish(NamedTuple):
    """Connection parameters. Intervals and timeout in ms; `latency`: how many events the module may leave out."""

    least_ms: float
    most_ms: float
    latency: int
    timeout_ms: int

    def is_granted(self, connection: Connection) -> bool:
        """Whether the connection has such parameters already."""
        now = connection.parameters
        return (
            self.least_ms <= now.connection_interval <= self.most_ms
            and now.peripheral_latency == self.latency
            and now.supervision_timeout == self.timeout_ms
        )

    def numbers(self) -> tuple[int, int, int, int]:
        """In the units of the specification: 1.25 ms, 1.25 ms, events, 10 ms."""
        return (
            round(self.least_ms / _INTERVAL_MS),
            round(self.most_ms / _INTERVAL_MS),
            self.latency,
            self.timeout_ms // _TIMEOUT_MS,
        )


BUSY: Final = Wish(15.0, 30.0, 0, 4_000)
IDLE: Final = Wish(90.0, 120.0, 4, 4_000)
"""Both within what Apple's guidelines for accessories allow. After a pause the first word to the module may take five
intervals, 600 ms; the module's own words one."""

_NOT_BY_LINK_LAYER: Final = frozenset(
    {
        hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR,
        hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR,
        hci.HCI_ErrorCode.UNSUPPORTED_FEATURE_OR_PARAMETER_VALUE_ERROR,
        hci.HCI_ErrorCode.UNSUPPORTED_REMOTE_FEATURE_ERROR,
        hci.HCI_ErrorCode.UNSUPPORTED_LMP_OR_LL_PARAMETER_VALUE_ERROR,
    }
)
"""The controllers can not do it among themselves: the hosts can (Core Vol 3 Part A 4.20)."""


class Tempo:
    """The parameters of one connection: `run` it as a task, `stir` it at each fragment, and `close` it at the end."""

    def __init__(self, device: Device, connection: Connection) -> None:
        self._device = device
        self._connection = connection
        self._stirred_s = asyncio.get_running_loop().time()
        self._traffic = asyncio.Event()
        self._closed = asyncio.Event()
        self._answered = asyncio.Event()
        self._by_hosts = False
        self._requests = 0

    def stir(self) -> None:
        """Something was said, by either side."""
        self._stirred_s = asyncio.get_running_loop().time()
        self._traffic.set()

    def close(self) -> None:
        """The connection is over, or about to be."""
        for each in (self._closed, self._traffic, self._answered):
            each.set()

    async def run(self) -> None:
        """Until `close`. Never raises for what controller or central say to it."""
        loop = asyncio.get_running_loop()
        while not self._closed.is_set():
            await self._ask(BUSY)
            while not self._closed.is_set() and (left_s := self._stirred_s + IDLE_S - loop.time()) > 0:
                await _within(self._closed, left_s)
            self._traffic.clear()
            if not self._closed.is_set():
                await self._ask(IDLE)
                await self._traffic.wait()

    async def _ask(self, wish: Wish) -> None:
        if wish.is_granted(self._connection):
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                refusal = None if self._by_hosts else await self._by_link_layer(wish)
        except core.BaseBumbleError as error:
            refusal = getattr(error, "error_code", None)
        except TimeoutError:
            refusal = None
            log.debug("nobody answers whether other connection parameters will do")
        self._by_hosts = self._by_hosts or refusal in _NOT_BY_LINK_LAYER
        if self._by_hosts and not self._closed.is_set():
            self._by_signalling(wish)

    async def _by_link_layer(self, wish: Wish) -> int | None:
        """The controllers agree among themselves. Returns the code of a refusal, None when they agreed."""
        least, most, latency, timeout = wish.numbers()
        codes: list[int] = []

        def granted() -> None:
            self._answered.set()

        def failed(code: int) -> None:
            codes.append(code)
            self._answered.set()

        connection = self._connection
        connection.on(connection.EVENT_CONNECTION_PARAMETERS_UPDATE, granted)
        connection.on(connection.EVENT_CONNECTION_PARAMETERS_UPDATE_FAILURE, failed)
        self._answered.clear()
        try:
            await self._device.send_async_command(
                hci.HCI_LE_Connection_Update_Command(
                    connection_handle=connection.handle,
                    connection_interval_min=least,
                    connection_interval_max=most,
                    max_latency=latency,
                    supervision_timeout=timeout,
                    min_ce_length=0,
                    max_ce_length=0,
                )
            )
            if not self._closed.is_set():
                await self._answered.wait()
        finally:
            connection.remove_listener(connection.EVENT_CONNECTION_PARAMETERS_UPDATE, granted)
            connection.remove_listener(connection.EVENT_CONNECTION_PARAMETERS_UPDATE_FAILURE, failed)
        return codes[0] if codes else None

    def _by_signalling(self, wish: Wish) -> None:
        """The host asks the central's host. Its answer is not waited for: nothing is done about it."""
        self._requests = self._requests % 255 + 1
        body = b"".join(number.to_bytes(2, "little") for number in wish.numbers())
        request = bytes((_UPDATE_REQUEST, self._requests, len(body), 0)) + body
        self._device.send_l2cap_pdu(self._connection.handle, screen.SIGNALLING_CID, request)


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Wait for `event`, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
