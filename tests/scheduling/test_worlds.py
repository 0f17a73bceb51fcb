"""Nothing is lost and nothing stands still, in random worlds on a clock that jumps."""

from __future__ import annotations

import dataclasses
import random

from tests.scheduling.worlds import DAY, World


def test_nothing_is_lost(long: bool) -> None:
    """Whatever comes: no bookmark passes what was not emitted, every run ends, and it goes on."""
    for seed in range(20_000 if long else 20):
        live_through(seed)


def test_nothing_stands_still(long: bool) -> None:
    """Where nothing fails for good, one run covers everything, and no region waits for long."""
    for seed in range(20_000 if long else 20):
        finish_in_one_night(seed)


def test_what_once_stood_still(long: bool) -> None:
    """Worlds in which a run once ended with 1 or stood still, each for a reason of its own."""
    for seed in (5052, 1129, 302635, 303350, 304665, 910282) if long else (5052, 910282):
        finish_in_one_night(seed)
    for seed in (5117, 301605, 301640) if long else ():
        live_through(seed)


def live_through(seed: int) -> None:
    """Nights full of trouble, then quiet ones; all is there in the end."""
    try:
        random.seed(seed)
        world = World(seed)
        world.starts(world.days * world.chance.choice([0.3, 1]))
        for code in world.nights():
            assert code in (None, 0, 1)
        calm(world)
        world.starts(world.days)
        begin = world.time.seconds
        codes = []
        while not world.covered_to(begin + min(0.0, world.time.shift)):
            codes.append(world.night())
            world.time.seconds += DAY / 2
            assert len(codes) < 30, f"it does not get to its end: {codes}"
        begin = world.time.seconds
        while not world.searched_since(begin):
            codes.append(world.night())
            world.time.seconds += DAY / 2
            assert len(codes) < 40, f"late changes are not looked for: {codes}"
        assert not world.clover.early, world.clover.early[:3]
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise


def finish_in_one_night(seed: int) -> None:
    """One run in a world in which nothing fails for good."""
    try:
        random.seed(seed)
        world = World(seed, calm=True)
        begin = world.time.seconds
        assert world.night() == 0
        assert world.covered_to(begin)
        assert not world.clover.early, world.clover.early[:3]
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise


def calm(world: World) -> None:
    """The trouble is over."""
    world.mood = dataclasses.replace(
        world.mood,
        faults=0.0,
        limits=0.0,
        fails=0.0,
        vanishes=0.0,
        foreign={region: [0] for region in world.mood.slots},
    )
    world.disk = 1 << 30
    world.settings = dataclasses.replace(world.settings, max_wait=3 * DAY, max_run=None)
