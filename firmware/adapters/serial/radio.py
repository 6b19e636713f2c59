"""Serial lines as a `RadioPort`: each open channel is a link, numbered over all lines."""

import itertools
from collections.abc import Sequence

from firmware.adapters.serial.line import SerialLine
from firmware.core.airtime import Airtime
from firmware.ports import LinkId, LinkListener


class SerialRadio:
    """`RadioPort`. The lines are carried by whoever made them: text goes on while the module has no power."""

    def __init__(self, lines: Sequence[SerialLine]) -> None:
        self._lines = tuple(lines)
        self._numbers = itertools.count(1)

    async def start(self, listener: LinkListener) -> None:
        """As RadioPort; never fails, for a line that is not there may come."""
        for line in self._lines:
            line.channels.serve(listener, self._numbers.__next__)

    async def notify(self, link: LinkId, fragment: bytes) -> None:
        """As RadioPort."""
        for line in self._lines:
            line.channels.notify(link, fragment)

    async def hang_up(self, link: LinkId) -> None:
        """As RadioPort."""
        for line in self._lines:
            line.channels.hang_up(link)

    def advise(self, airtime: Airtime) -> None:
        """As RadioPort; a line does not advertise."""

    async def stop(self) -> None:
        """As RadioPort."""
        for line in self._lines:
            line.channels.stop()
