"""The exploration itself: a small depth of every scene, that it finds what is planted, that its stories are stories."""

import random

import pytest

from firmware.core.state import Durable
from tests.exploration.life import SPARSE_MS, Life
from tests.exploration.scenes import BOOKINGS, EVERYTHING, HEADERS, KEYS, SCENES, Scene
from tests.exploration.search import clock_text, explore
from tests.simulation.defects import DEFECTS
from tests.simulation.planting import planted
from tests.support.story import Story
from tests.support.story_world import World

BY_NAME = {scene.name: scene for scene in SCENES}
NOT_IN_STORIES = {"privacy", "disk", "satellites", "liars"}
"""A deaf broker, the pump's second attempt to save, and a car that drives without a fix."""


@pytest.mark.req(
    "ACC-3", "ACC-5", "ACC-7", "BKG-2", "CUT-2", "CUT-3", "CUT-4", "CUT-5", "PRV-1", "PRV-2", "CLK-1", "CLK-3",
    "KEY-1", "KEY-3", "KEY-4", "KEY-6", "OWN-3", "OWN-4", "OWN-5",
)  # fmt: skip
@pytest.mark.parametrize("scene", [*SCENES, EVERYTHING], ids=lambda scene: scene.name)
def test_nothing_that_must_never_happen_happens_in_the_first_lines_of_a_scene(scene: Scene) -> None:
    found = explore(scene, 18, 200)
    assert not found.story, found.story
    assert found.states >= 200


@pytest.mark.parametrize(
    ("defect", "scene"),
    [
        ("no_debounce", "commands"),
        ("stale_is_fresh", "takeover"),
        ("death_not_recorded", "unheard"),
        ("grace_too_short", "unheard"),
        ("any_link_is_admitted", "takeover"),
        ("boot_arms_the_overdue", "cutoff"),
    ],
)
def test_a_planted_defect_is_found_and_told_as_a_story(defect: str, scene: str) -> None:
    (wrong,) = (each for each in DEFECTS if each.name == defect)
    with planted(wrong):
        found = explore(BY_NAME[scene], 18, 3_000)
    assert found.story.startswith("bookings: A driver")
    lines = found.story.partition("   <- ")[0]
    # The story plays, and without the defect nothing is wrong with it.
    world = Story(World(BY_NAME[scene].first().now, dense_ms=SPARSE_MS)).play(lines)
    assert world.state.durable.floor_ms > 0


def test_the_bookings_of_the_scenes_are_those_that_their_stories_begin_with() -> None:
    world = World()
    for header in HEADERS.values():
        Story(world).play(header)
    assert world.bookings == BOOKINGS
    assert world.keys == KEYS


@pytest.mark.parametrize("scene", [scene for scene in SCENES if scene.name not in NOT_IN_STORIES], ids=lambda s: s.name)
def test_a_line_means_here_what_it_means_in_a_story(scene: Scene) -> None:
    chance = random.Random(scene.name)
    for _ in range(6):
        life = scene.first()
        world = World(life.now, dense_ms=SPARSE_MS, profile=life.profile)
        story = Story(world)
        story.play("\n".join(HEADERS[name] for name in scene.phones))
        for line in scene.before:
            story.play(f"{clock_text(life.now)} {line}")
        for _ in range(12):
            now, line = chance.choice(list(scene.next(life)))
            life.advance(now)
            life.play(line)
            story.play(f"{clock_text(now)} {line}")
            assert _told(life) == _played(world), f"{clock_text(now)} {line}"


def _told(life: Life) -> tuple[object, ...]:
    durable = life.disk if life.state is None else life.state.durable
    return (life.locked, life.immobilised, sorted(name for name, _ in life.links), *_kept(durable))


def _played(world: World) -> tuple[object, ...]:
    return (world.car.locked, world.car.immobilised, sorted(world.links), *_kept(world.state.durable))


def _kept(durable: Durable | None) -> tuple[object, ...]:
    assert durable is not None
    dead = [(each.booking_id, each.reason) for each in durable.dead]
    trip, slot = durable.trip, durable.slot
    return (
        trip.phase,
        trip.end_requested,
        durable.drive_enabled,
        dead,
        slot.point is None,
        slot.parking,
        durable.revoked,
    )
