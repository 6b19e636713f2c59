"""The radio, from the side of the links: what is sent arrives later, once, or not at all because the link is gone."""

from typing import TYPE_CHECKING, Final

from firmware.core.events import Event, LinkLost, LinkOpened
from protocol.messages import Reply
from tests.simulation.chance import chance

if TYPE_CHECKING:
    from tests.simulation.world import World

FLIGHT_MS: Final = 60
NOTICED_AFTER_MS: Final = 700


class Central:
    """Somebody with a radio."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.link = 0
        self.rng = chance(world.seed, name)

    def lost(self) -> None:
        """The link is gone."""
        self.link = 0

    def let_in(self, *, refused: bool) -> None:
        """The module answered the first message of a handshake."""

    def replied(self, reply: Reply) -> None:
        """The module answered a request."""


class Air:
    """All links of one module. `loss`: how often a message costs its link."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.links: dict[int, Central] = {}
        self.loss = 0.0
        self._count = 0

    def connect(self, central: Central) -> bool:
        """A central connects; False when nobody advertises."""
        if not self.world.device.powered:
            return False
        self._count += 1
        central.link = self._count
        self.links[central.link] = central
        self.world.dense(15_000)
        self.world.device.tell(LinkOpened(central.link))
        return central.link != 0

    def send(self, central: Central, event: Event) -> None:
        """A message of a central is under way."""
        link = central.link
        lost = self.loss and central.rng.random() < self.loss
        late = central.rng.randrange(3) * 200 if self.loss else 0

        def arrives() -> None:
            if self.links.get(link) is not central:
                return
            if lost and central.rng.random() < 0.5:
                self.drop(link)
                return
            self.world.moment("asked")
            self.world.device.tell(event)
            if lost:
                self.drop(link)

        self.world.heap.after(FLIGHT_MS + late, arrives)

    def drop(self, link: int) -> None:
        """The link breaks; each side notices for itself."""
        central = self.links.pop(link, None)
        if central is None:
            return
        central.lost()
        self.world.device.in_this_life(NOTICED_AFTER_MS, lambda: self.world.device.tell(LinkLost(link)))

    def leave(self, central: Central) -> None:
        """A central hangs up."""
        link = central.link
        if self.links.pop(link, None) is not None:
            central.lost()
            self.world.device.in_this_life(FLIGHT_MS, lambda: self.world.device.tell(LinkLost(link)))

    def module_hangs_up(self, link: int) -> None:
        """The module disconnects a central."""
        central = self.links.pop(link, None)
        if central is not None:
            self.world.heap.after(0, central.lost)
            self.world.device.in_this_life(FLIGHT_MS, lambda: self.world.device.tell(LinkLost(link)))

    def all_gone(self) -> None:
        """The module has lost its power."""
        links, self.links = self.links, {}
        for central in links.values():
            central.lost()

    def answer(self, link: int, reply: Reply) -> None:
        """A reply is under way."""

        def arrives() -> None:
            central = self.links.get(link)
            if central is not None:
                central.replied(reply)

        self.world.trace(f"{link} {reply.id} {reply.code}".encode())
        self.world.heap.after(FLIGHT_MS, arrives)

    def handshake_answered(self, link: int, *, refused: bool) -> None:
        """The module answers the first message of a handshake, or says that nobody may try."""

        def arrives() -> None:
            central = self.links.get(link)
            if central is not None:
                central.let_in(refused=refused)

        self.world.heap.after(FLIGHT_MS, arrives)
