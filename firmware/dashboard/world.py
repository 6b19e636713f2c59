"""The world behind the page: a module with its car, a broker, people with phones, and the desk that moves them all.

Decides where each press goes: to the desk, to the real phone client, or as a signed order to the broker. Refuses to
decide anything that the module decides.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from firmware.adapters.clocks import LoopClock
from firmware.bench.desk import Desk
from firmware.bench.hush import hushed
from firmware.bench.levels import Level
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.paced import PacedTime
from firmware.bench.results import DeskError, Happening, Result
from firmware.bench.stand import Time
from firmware.bench.switches import BrokerNews
from firmware.core.effects import Actuate, Effect
from firmware.core.events import Action, Event
from firmware.core.state import State
from firmware.dashboard import cabin, deskline, people, picture, places, screen
from firmware.dashboard.acts import (
    Act,
    ActRefused,
    DeskAct,
    DriveAct,
    DriverAct,
    FaultAct,
    MenuAct,
    NextAct,
    OwnerAct,
    PersonAct,
    Press,
    StopAct,
)
from firmware.dashboard.faults import Faults
from firmware.dashboard.feed import Line
from firmware.dashboard.handset import Handset, Seen
from firmware.dashboard.keyring import Keyring
from firmware.dashboard.office import Office
from firmware.dashboard.owner import OwnersView
from firmware.dashboard.people import CAST, Known, People, Person
from firmware.dashboard.story import Story
from firmware.dashboard.underway import UnderWay
from firmware.demo.rig import BEGINS_S, Rig
from firmware.inprocess.bench import InProcessBench
from firmware.pace import PacedLoop
from firmware.ports import Publication
from host_tools.bench.scenario import Scenario
from host_tools.phone.errors import PhoneError
from protocol.errors import Role
from protocol.keys import PrivateKey
from protocol.sharing import Key
from protocol.telemetry import Channel, Online, encode, topic
from protocol.tokens import Booking

MIDNIGHT_S: Final = BEGINS_S - BEGINS_S % 86_400
ROUND_TRIP_S: Final = 0.1
ASKS_EVERY_S: Final = 3.0
ASKS_RARELY_S: Final = 60.0
TOLD: Final[dict[str, Callable[[Happening], tuple[str, str, str]]]] = {
    "power": lambda news: ("bench", news.line, "news"),
    "fault": lambda news: ("bench", news.line, "news"),
    "phase": lambda news: ("module", news.line, "news"),
    "refused": lambda news: ("module", news.line, "plain"),
    "order": lambda news: ("module", news.line, "plain"),
    "disk": lambda news: ("module", news.line, "alert"),
    "car": lambda news: ("car", news.line, "quiet" if "confirmed" in news.data else "plain"),
    "link": lambda news: ("module", news.line, "quiet"),
}
"""Which of the desk's news the log shows, whose they are, and how much they weigh. The others come too often."""
POWERLESS: Final = "The module has no power: phones find nothing, and nothing is reported. The vehicle key still works."


class World:
    """As `server.World`; made by `open_world`."""

    def __init__(
        self,
        rig: Rig,
        bench: InProcessBench,
        broker: LoopbackBroker,
        say: Callable[[Line], None],
        scenario: Scenario | None,
    ) -> None:
        self._rig = rig
        self._bench = bench
        self._desk: Desk = rig.desk()
        self._broker = broker
        self._say = say
        self._module_id = rig.provisioning.module_id
        self._owner = OwnersView(self._module_id)
        self._keyring = Keyring(rig)
        self._office = Office(rig, broker, self._owner, self._keyring, lambda *said: self._tell("owner", *said))
        cast = CAST if scenario is None else people.cast_of(scenario)
        self._people = People(tuple(self._person(known) for known in cast), self._office)
        self._faults = Faults(rig.rack, self._do, rig.rack.time.utc_ms)
        self._coming: asyncio.TimerHandle | None = None
        self._way_to: tuple[float, float] | None = None
        self._flashes = 0
        self._moves = 0
        self._under_way = UnderWay()
        rig.rack.steps.add(self._stepped)
        if rig.rack.broker is not None:
            for publication in rig.rack.broker.told:
                self._broker_told(BrokerNews.TOLD, publication)
            if rig.rack.broker.connected:
                self._broker_told(BrokerNews.CONNECTED, None)
            rig.rack.broker.taps.add(self._broker_told)
        self._desk.follow(self._happened)
        self._story: Story | None = None
        self._playing: asyncio.Task[None] | None = None
        if scenario is None:
            self._keyring.give(next(each for each in self._people if each.known.role is Role.OWNER))
            self._office.book(self._people.current)
        else:
            self._story = Story(scenario, bench, lambda text, weight: self._tell("story", text, weight))
            self._playing = asyncio.create_task(self._play(self._story), name="story")

    async def close(self) -> None:
        """Everybody hangs up."""
        if self._coming is not None:
            self._coming.cancel()
        await self._under_way.stop()
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.wait({self._playing})
        await self._faults.close()
        for person in self._people:
            await person.handset.close()

    async def _play(self, story: Story) -> None:
        """To its end; then the phones are whoever's is at the page."""
        await story.play()
        for person in self._people:
            phone = story.phone(person.known.id)
            if phone is not None:
                person.handset = self._handset(person.known, phone.key)
                person.hold(story.shown(person.known.id), phone.shown)

    # ------------------------------------------------------------ people
    def _person(self, known: Known) -> Person:
        holder = self._rig.holder(known.name, known.role)
        return Person(known, holder, self._handset(known, holder.key))

    def _handset(self, known: Known, key: PrivateKey) -> Handset:
        return Handset(
            lambda: self._bench.link(known.id),
            key,
            entropy=self._rig.entropy,
            now_ms=self._rig.clock.monotonic_ms,
            tell=lambda text, weight: self._tell("phone", f"{known.name}'s phone: {text}", weight),
            every_s=self._asks_every_s,
        )

    def _asks_every_s(self) -> float:
        """Often enough to look alive, seldom enough to let time race."""
        return ASKS_RARELY_S if self._moves or self._rig.rack.time.rate > ASKS_RARELY_S / 4 else ASKS_EVERY_S

    # ------------------------------------------------------------ hearing
    def _tell(self, who: str, text: str, weight: str = "plain") -> None:
        self._say(Line(picture.clock(self._rig.rack.time.utc_ms()), who, text, weight))

    def _happened(self, happening: Happening) -> None:
        self._faults.hear(happening)
        if happening.kind in TOLD:
            self._tell(*TOLD[happening.kind](happening))

    def _stepped(self, _event: Event, _state: State, effects: tuple[Effect, ...]) -> None:
        self._flashes += sum(isinstance(each, Actuate) and each.action is Action.FLASH for each in effects)

    def _broker_told(self, news: BrokerNews, publication: Publication | None) -> None:
        match news, publication:
            case BrokerNews.TOLD, Publication(topic=name, payload=payload):
                self._owner_hears(name, payload)
            case BrokerNews.LOST, _:
                self._presence(online=False)  # the last will, which a broker tells of itself
            case _:
                # What the adapter says when it has connected; it needs a round trip.
                self._coming = asyncio.get_running_loop().call_later(ROUND_TRIP_S, self._came)

    def _came(self) -> None:
        if self._rig.rack.broker is not None and self._rig.rack.broker.connected:
            self._presence(online=True)
            self._office.deliver()

    def _presence(self, *, online: bool) -> None:
        self._owner_hears(topic(self._module_id, Channel.ONLINE), encode(Online(online=online)))

    def _owner_hears(self, name: str, payload: bytes) -> None:
        for said in self._owner.hear(name, payload, self._rig.rack.time.utc_ms()):
            self._tell("owner", said.text, said.weight)
        self._office.learn()

    # ------------------------------------------------------------ doing
    async def perform(self, act: Act) -> tuple[str, ...]:
        """As server.World."""
        if isinstance(act, StopAct):
            self._tell("bench", "called off" if await self._under_way.stop() else "nothing is under way", "news")
            return ()
        return await self._under_way.see_through(self._tried(act))

    async def _tried(self, act: Press) -> tuple[str, ...]:
        try:
            return await self._perform(act)
        except DeskError as error:
            self._tell("bench", error.message, "alert")
            raise ActRefused(error.message) from None
        except PhoneError as error:
            self._tell("phone", f"{self._people.current.known.name}'s phone: {error}", "news")
            raise ActRefused(str(error)) from None

    async def _perform(self, act: Press) -> tuple[str, ...]:
        match act:
            case DeskAct(line=line):
                self._tell("bench", f"> {hushed(line)}", "quiet")
                deskline.check(line, self._desk.grammar)
                result = await self._do(line)
                for each in result.lines:
                    self._tell("bench", each)
                return result.lines
            case DriverAct(what=what):
                with self._rig.rack.time.passing():
                    await self._press_phone(what)
            case OwnerAct(what=what):
                self._order(what)
            case PersonAct(who=who):
                self._people.choose(who)
            case DriveAct(place=place):
                await self._drive(place)
            case NextAct():
                await self._to_next()
            case FaultAct(name=name, on=on, lasts=lasts):
                await self._faults.press(name, on, lasts)
            case MenuAct():
                answer = await cabin.press(self._desk.room, act)
                self._tell("car", f"the menu says: {answer}", "news")
                return (answer,)
        return ()

    async def _do(self, line: str) -> Result:
        """The desk, at the level of somebody who may work the car and its surroundings."""
        moves = line.split()[:2] in (["time", "move"], ["time", "until"])
        self._moves += moves
        try:
            return await self._desk.do(line, Level.OPERATE)
        finally:
            self._moves -= moves

    async def _press_phone(self, what: str) -> None:
        person = self._people.current
        handset = person.handset
        if self._story is not None and self._story.plays:
            raise ActRefused("the story plays: its people press for themselves, until its end")
        presses: dict[str, Callable[[], Awaitable[None]]] = {
            "connect": handset.disconnect if handset.wants else handset.connect,
            "unlock": handset.unlock,
            "lock": handset.lock,
            "drive": handset.drive,
            "boot": handset.boot,
            "end": handset.end,
            "slide": handset.slide,
        }
        if what == "ask":
            self._tell("phone", f"{person.known.name}'s phone: {self._people.ask()}", "news")
            if handset.wants and self._people.books_alone(person):
                await handset.connect()
        elif what in presses:
            await presses[what]()
        else:
            raise ActRefused(f"a phone has no {what}")

    def _order(self, what: str) -> None:
        if what in ("accept", "decline"):
            self._tell("owner", self._people.answer(what == "accept"), "news")
        elif what == "end":
            booked = [person for person in self._people if person.booking is not None]
            self._office.end(next((each for each in booked if self._runs(each)), booked[-1] if booked else None))
        else:
            raise ActRefused(f"the owner has no {what}")

    def _runs(self, person: Person) -> bool:
        """By the reports: the owner's side knows bookings by their identifier."""
        return person.booking is not None and person.booking.booking_id.hex() == self._owner.booking

    async def _drive(self, place_id: str) -> None:
        place = places.find(place_id)
        if place is None:
            raise ActRefused(f"there is no place called {place_id}")
        if self._rig.vehicle.snapshot().ignition_on is False:
            await self._do("ignition on")
        await self._do(place.command)
        self._way_to = place.at
        self._tell("car", f"drives to {place.name.lower()}, {place.speed_kmh} km/h", "news")

    async def _to_next(self) -> None:
        ahead = self._next()
        if ahead is None:
            raise ActRefused("no deadline lies ahead")
        await self._do(f"time move {ahead[1] + picture.BEYOND_MS}ms")

    # ------------------------------------------------------------ showing
    def _next(self) -> tuple[str, int] | None:
        if self._story is not None and self._story.plays:
            step_ms = self._story.next_step_ms(self._rig.rack.time.utc_ms())
            return None if step_ms is None else ("the next step", step_ms)
        pump = self._rig.rack.pump
        if pump is None or not pump.state.durable.trip.running:
            return None
        return picture.next_deadline(pump.state.end_at_ms, self._rig.clock.monotonic_ms())

    def _seen(self, person: Person) -> tuple[Seen, Booking | Key | None]:
        """What somebody's phone knows, and what it presents."""
        story, who = self._story, person.known.id
        if story is None or not story.plays:
            return person.handset.seen, person.shown
        return story.seen(who, self._rig.rack.time.utc_ms(), self._rig.clock.monotonic_ms()), story.shown(who)

    def view(self) -> dict[str, Any]:
        """As server.World."""
        rig, person, time = self._rig, self._people.current, self._rig.rack.time
        utc_ms = time.utc_ms()
        return {
            "scene": self._scene(),
            "map": places.layout(),
            "time": picture.time(
                utc_ms, time.rate, moving=self._moves > 0, under_way=bool(self._under_way), next_=self._next()
            ),
            "car": picture.car(rig.vehicle.snapshot(), self._flashes, self._way_to),
            "faults": self._faults.view(),
            "driver": screen.show(*self._seen(person), rig.clock.monotonic_ms(), ask=self._people.label()),
            "menu": cabin.view(self._desk.room),
            "owner": {**self._owner.view(utc_ms), "asked": self._people.asked, "code": self._office.code},
        }

    def _scene(self) -> dict[str, Any]:
        return {
            "title": f"Module {self._module_id.hex()[:8]}" if self._story is None else self._story.scenario.title,
            "person": self._people.current.known.id,
            "people": [
                {"id": each.known.id, "name": each.known.name, "role": self._people.words(each)}
                for each in self._people
            ],
            "places": [{"id": place.id, "name": place.name} for place in places.PLACES],
            "power": self._rig.rack.pump is not None,
            "powerless": POWERLESS,
        }


@asynccontextmanager
async def open_world(
    say: Callable[[Line], None], time: Callable[[LoopClock], Time], scenario: Scenario | None = None
) -> AsyncIterator[World]:
    """A parked car at home, and the first driver with an accepted booking; or a scenario that plays, at its own time
    of the day."""
    async with AsyncExitStack() as stack:
        broker = LoopbackBroker()
        car = places.parked_car() if scenario is None else None
        begins_s = BEGINS_S if scenario is None else MIDNIGHT_S + scenario.begins_s - 1
        rig = await stack.enter_async_context(
            Rig("dashboard", broker=lambda _: broker, car=car, time=time, begins_s=begins_s)
        )
        bench = InProcessBench(rig)
        stack.push_async_callback(bench.close)
        world = World(rig, bench, broker, say, scenario)
        stack.push_async_callback(world.close)
        yield world


def paced(clock: LoopClock) -> Time:
    """The desk's time on the loop that runs: a `PacedLoop`."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PacedLoop)
    return PacedTime(clock, loop)
