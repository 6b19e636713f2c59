"""A step in the making: the state so far and the effects ordered so far. It lives for one `module.step` only."""

import msgspec

from firmware.core.effects import Answer, Effect, HangUp
from firmware.core.state import Durable, Link, State
from protocol.errors import Code, Refusal
from protocol.messages import Body, Reply

replace = msgspec.structs.replace


class Draft:
    """Collects what one event changes. `required`: a failed write must undo this step (see `effects.Persist`)."""

    __slots__ = ("effects", "hang_ups", "now", "required", "state")

    def __init__(self, state: State, now: int) -> None:
        self.state = state
        self.now = now
        self.effects: list[Effect] = []
        self.hang_ups: list[int] = []
        self.required = False

    @property
    def durable(self) -> Durable:
        """What survives a power cut, as far as this step has come."""
        return self.state.durable

    def order(self, effect: Effect) -> None:
        """Add an effect."""
        self.effects.append(effect)

    def answer(self, link_id: int, request_id: int, body: Body, code: Code = Code.OK) -> None:
        """Reply; a refusal brings its own code."""
        code = body.code if isinstance(body, Refusal) else code
        self.order(Answer(link_id, Reply(request_id, code, body)))

    def hang_up(self, link_id: int) -> None:
        """Disconnect once everything else of this step has been sent."""
        self.hang_ups.append(link_id)

    def keep(self, durable: Durable) -> None:
        """Replace the durable part."""
        self.state = replace(self.state, durable=durable)

    def set_link(self, link: Link) -> None:
        """Replace the link with the same number."""
        links = tuple(link if known.id == link.id else known for known in self.state.links)
        self.state = replace(self.state, links=links)

    def finish(self) -> tuple[State, tuple[Effect, ...]]:
        """The state and the effects, hang-ups last."""
        return self.state, (*self.effects, *map(HangUp, self.hang_ups))
