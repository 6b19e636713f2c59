"""Pauses grow, are spread at random, stay within their limits, and are long after a refusal."""

import random

import pytest

from firmware.adapters.mqtt.backoff import Backoff
from firmware.adapters.mqtt.settings import BrokerSettings

SETTINGS = BrokerSettings(host="127.0.0.1", port=1883)


def pauses_ms(chance: bytes, attempts: int) -> list[int]:
    backoff = Backoff(SETTINGS, lambda size: chance * size)
    return [backoff.next_ms(refused=False) for _ in range(attempts)]


@pytest.mark.req("TEL-6")
def test_the_longest_pause_doubles_up_to_a_minute_and_the_shortest_is_a_second() -> None:
    assert pauses_ms(b"\xff", 8) == [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]
    assert pauses_ms(b"\x00", 8) == [1_000] * 8
    assert pauses_ms(b"\xff", 10_000)[-1] == 60_000


@pytest.mark.req("TEL-6")
def test_modules_that_lost_the_same_broker_come_back_spread_over_the_whole_time() -> None:
    fifth = []
    for seed in range(200):
        backoff = Backoff(SETTINGS, random.Random(seed).randbytes)
        fifth.append([backoff.next_ms(refused=False) for _ in range(5)][-1])
    assert all(1_000 <= pause <= 32_000 for pause in fifth)
    for quarter in range(4):
        least = 1_000 + quarter * 7_750
        assert sum(least <= pause < least + 7_750 for pause in fifth) > 30


@pytest.mark.req("TEL-6")
def test_after_a_refusal_the_module_waits_a_quarter_of_an_hour_or_more() -> None:
    assert Backoff(SETTINGS, lambda size: b"\x00" * size).next_ms(refused=True) == 900_000
    assert Backoff(SETTINGS, lambda size: b"\xff" * size).next_ms(refused=True) == 1_800_000


@pytest.mark.req("TEL-6")
def test_a_stable_connection_starts_the_pauses_anew() -> None:
    backoff = Backoff(SETTINGS, lambda size: b"\xff" * size)
    assert [backoff.next_ms(refused=False) for _ in range(3)] == [2_000, 4_000, 8_000]
    backoff.reset()
    assert backoff.next_ms(refused=False) == 2_000
