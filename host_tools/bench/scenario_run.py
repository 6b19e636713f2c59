"""A scenario played on a bench: time passes, deeds are done, expectations are looked at, and a transcript comes out.

Decides when each step is due and how long an expectation may take to come true. It does not know what kind of bench
it is; what differs between them stays out of the transcript.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from host_tools.bench.bench import Bench, BenchFailed
from host_tools.bench.phrases import Said
from host_tools.bench.scenario import Scenario, Step
from host_tools.bench.scenario_claims import check
from host_tools.bench.scenario_deeds import carry_out
from host_tools.bench.scenario_owner import OwnerView
from host_tools.bench.scenario_tidy import prepare, tidy_up
from host_tools.bench.scenario_world import World
from host_tools.bench.transcript import Entry, Transcript

LEG_S: Final = 240
"""A phone that is silent for ten minutes is taken for gone, so each says something in between."""
LATE_S: Final = 30
"""A step that begins so much too late shows nothing any more."""
LOOK_AGAIN_S: Final = 0.1
SURELY_NOT_S: Final = 1.0
"""What has not come so long after is taken not to come."""
PATIENCE_S: Final = 5.0
_ABSENCES: Final = frozenset({"heard_nothing", "not_reported", "not_answered"})
_LASTING: Final = frozenset({"no_position"})
"""What has to come, and then to stay: it may hold for a moment before the step takes effect."""


async def play(
    scenario: Scenario,
    bench: Bench,
    *,
    told: Callable[[Entry], None] = lambda _entry: None,
    begun: Callable[[World], None] = lambda _world: None,
    patience_s: float = PATIENCE_S,
    tidy: bool = False,
) -> Transcript:
    """Play it to its end, or to the first step in which something does not hold. Raises BenchFailed when this bench
    can not play it, or has become too slow for it.

    An expectation may take `patience_s` of the event loop's time to come true. `tidy`: the module goes on living, so it
    is put back as it was. `begun` is given the people and their phones, for whoever shows them.
    """
    transcript = Transcript(scenario, told)
    player = _Player(scenario, bench, transcript, patience_s, tidy=tidy)
    player.begun = begun
    await player.play()
    transcript.ends()
    return transcript


class _Player:
    def __init__(
        self, scenario: Scenario, bench: Bench, transcript: Transcript, patience_s: float, *, tidy: bool
    ) -> None:
        self._scenario = scenario
        self._bench = bench
        self._transcript = transcript
        self._patience_s = patience_s
        self._tidy = tidy
        self.begun: Callable[[World], None] = lambda _world: None
        self._world: World

    async def play(self) -> None:
        if self._scenario.home and self._bench.identity.home is None:
            raise BenchFailed(f"{self._scenario.name}: this module has no home position. Provision it with one.")
        if self._tidy:
            await prepare(self._bench)
        # A whole second, so that the story's times are whole seconds of the module's.
        base_ms = (await self._bench.utc_ms() // 1000 + 1) * 1000
        self._world = world = World(self._scenario, self._bench, base_ms)
        self.begun(world)
        try:
            for command in self._scenario.given:
                if await world.desk(command) is None:
                    raise BenchFailed(f"{self._scenario.name}: the desk refuses `{command}`. Is the bench ready?")
            for step in self._scenario.steps:
                if not await self._step(step):
                    break
        finally:
            await (tidy_up(world) if self._tidy else world.close())

    async def _step(self, step: Step) -> bool:
        world, transcript = self._world, self._transcript
        before = await world.owner()
        for phone in world.phones.values():
            phone.notices.clear()
        await self._until(step.at_s)
        transcript.at(step.at_s)
        world.refused_by_desk = ""
        for said in step.do:
            transcript.did(said.text, await carry_out(world, said))
        if not step.do:
            transcript.passed()
        for said in step.expect:
            await self._expect(said, before)
        if world.refused_by_desk and not transcript.failures:
            transcript.fails("the desk does what it is told", f"it refuses: {world.refused_by_desk}")
        return not transcript.failures

    async def _until(self, at_s: int) -> None:
        """In legs, so that phones with a session keep it."""
        world = self._world
        now_s = world.now_s
        while now_s < at_s:
            now_s = min(at_s, now_s + LEG_S)
            await self._bench.until(world.utc_s(now_s) * 1000)
            for phone in list(world.phones.values()):
                await phone.keep_talking()
        world.reached(at_s)
        late_s = await self._bench.utc_ms() / 1000 - world.utc_s(at_s)
        if late_s > LATE_S:
            raise BenchFailed(
                f"{self._scenario.name}: a step began {late_s:.0f} s too late: this bench is too slow for its pace. "
                "Choose a smaller --speed."
            )

    async def _expect(self, said: Said, before: OwnerView) -> None:
        loop = asyncio.get_running_loop()
        if said.name in _ABSENCES:
            await asyncio.sleep(SURELY_NOT_S)
        deadline = loop.time() + self._patience_s
        while instead := await check(self._world, said, before):
            if loop.time() >= deadline or said.name in _ABSENCES:
                self._transcript.fails(said.text, instead)
                return
            await asyncio.sleep(LOOK_AGAIN_S)
        if said.name in _LASTING:
            await asyncio.sleep(SURELY_NOT_S)
            if instead := await check(self._world, said, before):
                self._transcript.fails(said.text, instead)
                return
        self._transcript.holds(said.text)
