"""Who watches the pump at its seams: everything that the module is told, and everything that it does, in its own order.

A witness changes nothing, must not raise and must not block. This one looks the other way: it is there so that a pump
without a witness asks no questions. What comes between two calls has not changed the module.
"""

from firmware.core.effects import Effect
from firmware.core.events import Event, Trouble
from firmware.core.reports import Record
from firmware.core.state import Durable, State
from firmware.gateway import Heard
from firmware.ports import LinkId, Publication

Step = tuple[State, tuple[Effect, ...]]
"""What a step makes of the module."""


class Witness:
    """Called from the event loop, in the order in which the pump goes."""

    # ------------------------------------------------------------ told
    def posted(self, event: Event) -> None:
        """A fact was put into the queue; what the gateway has just made of a fragment is said by `heard` first."""

    def opened(self, link: LinkId, payload: int) -> None:
        """A central connected; `LinkOpened` is posted next."""

    def payload_changed(self, link: LinkId, payload: int) -> None:
        """The MTU of a link was negotiated."""

    def closed(self, link: LinkId) -> None:
        """A central is gone; `LinkLost` is posted next."""

    def heard(self, link: LinkId, fragment: bytes, now_ms: int, heard: Heard, *, flooded: bool) -> None:
        """The gateway took a fragment. `flooded`: there was no room for what came of it, and the link is hung up."""

    def ordered(self, topic: str, payload: bytes, correlation: bytes, event: Event) -> None:
        """The gateway took what the broker delivered; `event` is posted next."""

    def drew(self, entropy: bytes) -> None:
        """The gateway drew random bytes, for what it says next."""

    # ------------------------------------------------------------ done
    def booted(self, found: Durable | None, trouble: Trouble | None, now_ms: int, made: Step) -> None:
        """The module began with what the store held (None: nothing), and had this to do first."""

    def stepped(self, event: Event, now_ms: int, made: Step) -> None:
        """The core took an event. The state is adopted at once, unless something in it has to be durable first: then
        after `saved`, and never if that failed."""

    def saved(self, worked: bool, *, owes_state: bool) -> None:
        """The keeper has tried to write. `owes_state`: the disk may hold another state than the last one."""

    def did(self, effect: Effect, heard: Heard, *, flooded: bool = False) -> None:
        """An effect was carried out: what it put on its link, and what came of it. An acknowledgement may be another
        one than the core ordered, when nothing is durable."""

    def published(self, publication: Publication, now_ms: int, records: tuple[Record, ...]) -> None:
        """The courier handed this to the broker: `records`, or what follows from the state alone."""
