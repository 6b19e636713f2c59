"""A scenario on the stage: its people press their phones by themselves, and the page shows what comes of it.

Decides when the next step is due, and what a played phone shows. What a step does, and what has to hold then, is the
affair of `host_tools.bench`.
"""

from collections.abc import Callable
from typing import Final

from firmware.dashboard.handset import Seen
from host_tools.bench.bench import Bench, BenchFailed
from host_tools.bench.handset import Handset
from host_tools.bench.scenario import Scenario
from host_tools.bench.scenario_run import play
from host_tools.bench.scenario_world import World
from host_tools.bench.transcript import Entry
from protocol.messages import Position, Status
from protocol.provisioning import BookingFile
from protocol.sharing import Key
from protocol.tokens import Booking

_WEIGHTS: Final = {"begin": "quiet", "did": "news", "holds": "quiet", "fails": "alert", "end": "news"}
_MARKS: Final = {"holds": "+ ", "fails": "- "}


class Story:
    """One scenario, played once. `tell` takes a line of the log and its weight."""

    def __init__(self, scenario: Scenario, bench: Bench, tell: Callable[[str, str], None]) -> None:
        self.scenario = scenario
        self.plays = True
        """False once it has come to its end."""
        self._bench = bench
        self._tell = tell
        self._world: World | None = None

    async def play(self) -> None:
        """To its end; what goes wrong is told."""
        if self.scenario.story:
            self._tell(self.scenario.story, "news")
        try:
            await play(self.scenario, self._bench, told=self._told, begun=self._begun)
        except BenchFailed as error:
            self._tell(str(error), "alert")
        finally:
            self.plays = False

    def _begun(self, world: World) -> None:
        self._world = world

    def _told(self, entry: Entry) -> None:
        mark = _MARKS.get(entry.kind, "")
        self._tell(f"{mark}{entry.said}: {entry.came}" if entry.came else f"{mark}{entry.said}", _WEIGHTS[entry.kind])

    def phone(self, name: str) -> Handset | None:
        """Somebody's newest phone; None before the story begins, and for somebody who is not in it."""
        return None if self._world is None else self._world.phones.get(name)

    def shown(self, name: str) -> Booking | Key | None:
        """What somebody's phone presents."""
        world, phone = self._world, self.phone(name)
        if world is None or phone is None:
            return None
        key = world.keychain.claims(name)
        return world.bookings.get(name) if key is None or isinstance(phone.shown, BookingFile) else key

    def next_step_ms(self, utc_ms: int) -> int | None:
        """How long until the next step; None after the last one."""
        world = self._world
        if world is None or not self.plays:
            return None
        due = (world.utc_s(step.at_s) * 1000 - utc_ms for step in self.scenario.steps)
        return next((each for each in due if each > 0), None)

    def seen(self, name: str, utc_ms: int, now_ms: int) -> Seen:
        """What somebody's phone shows while the story plays. `now_ms`: the page's clock of phones."""
        handset = self.phone(name)
        phone = None if handset is None else handset.phone
        if handset is None or phone is None:
            return Seen()
        last, access = handset.last, phone.access
        refusal = access.refusal if phone.is_open and not access.granted else last.refusal
        link = "on" if phone.is_open else "refused" if last.refusal is not None else "off"
        return Seen(
            link=link,
            access=access,
            heard_at_ms=now_ms - max(0, utc_ms - access.now_ms),
            vehicle=last.body.vehicle if phone.is_open and isinstance(last.body, Status) else None,
            position=last.body if phone.is_open and isinstance(last.body, Position) else None,
            refusal=refusal,
            notice=handset.notices[-1] if handset.notices else None,
        )
