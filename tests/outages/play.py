"""Seeds of bad network, one after the other at one broker, and what they came across."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from host_tools.backend.broker import Broker
from tests.outages.ear import Ear
from tests.outages.life import Life
from tests.outages.weather import Weather

QUICK_BROKER: Final = ("max_inflight_messages 0", "max_queued_messages 0")
"""What is acknowledged to the module is on its way to the receiver: a killed broker holds nothing back."""


async def play(seeds: Iterable[int]) -> tuple[Counter[str], list[str]]:
    """What was reached, and which seeds failed, and how."""
    reached: Counter[str] = Counter()
    failed = []
    with tempfile.TemporaryDirectory(prefix="sharebox-outages-") as folder:
        async with Broker(settings=QUICK_BROKER) as broker:
            for seed in seeds:
                async with (
                    Ear(broker.port) as ear,
                    Weather(broker.port) as weather,
                ):
                    life = Life(seed, broker, ear, weather, Path(folder))
                    try:
                        await life.live()
                    except (AssertionError, TimeoutError) as error:
                        failed.append(f"seed {seed}: {type(error).__name__} {error}")
                    reached += life.reached + Counter(
                        seeds=1, doubled=weather.doubled, swallowed=weather.swallowed, connections=life.connections
                    )
    return reached, failed


def play_some(seeds: list[int]) -> tuple[Counter[str], list[str]]:
    """In a process of its own."""
    return asyncio.run(play(seeds))
