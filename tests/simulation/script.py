"""A seed becomes a script: operations at times. Each draws its own chance, so taking one away leaves the others."""

from random import Random
from typing import Final, NamedTuple

from tests.simulation.attacks import ATTACKS
from tests.simulation.chance import chance
from tests.simulation.estate import DEEDS
from tests.simulation.faults import DAY, FAULTS, HOUR, MINUTE, SECOND
from tests.simulation.mischief import KEY_ATTACKS, KEY_FAULTS
from tests.simulation.reached import MOMENTS
from tests.simulation.rescue import CALLS


class Operation(NamedTuple):
    """Something that happens to the world. `number` is its own for ever: chance hangs on it."""

    number: int
    at_ms: int
    kind: str
    args: tuple[int | str, ...] = ()
    car: int = 0
    """The first car, or the one beside it."""


AIMS: Final = {
    "booted": "power silent rtc_lost gnss_lost link_loss key_drive",
    "asked": "link_loss power cut_before_commit cut_after_commit disk_full dead mute slow silent doors reuse_command",
    "started": "gnss_spoof network_wrong far_future power order_end revoke rival rebind disk_full broker_drop "
    "order_end link_loss other_outcome rtc_wrong",
    "unlocked": "power power power cut_before_commit cut_after_commit link_loss mute dead reuse_command naked "
    "gone_link",
    "released": "card_lost card_rolled_back power power power cut_before_commit cut_after_commit mute dead slow zero "
    "order_end silent link_loss gone_link",
    "armed": "dead mute slow power key_drive",
    "overdue": "gnss_spoof gnss_spoof network_wrong network_wrong power rival rival rival rtc_wrong rtc_lost zero "
    "broker_down revoke",
    "near_cutoff": "power silent disk_full rtc_wrong rtc_lost gnss_spoof network_wrong cut_before_commit zero "
    "link_loss unknown rival far_future",
    "pending": "dim zero nan unknown negative dim silent power rtc_wrong order_end broker_drop disk_full",
    "cut": "card_lost card_rolled_back power cut_before_commit cut_after_commit stale dead rival "
    "replay_order disk_full broker_drop",
    "ended": "card_lost card_rolled_back power cut_before_commit cut_after_commit stale rival broker_drop "
    "dead disk_full gnss_lost reuse_command",
    "ordered": "power zero silent cut_before_commit nan replay_order revoke",
    "hung_up": "stale gone_link naked rival",
    "published": "broker_drop power cut_before_commit cut_after_commit broker_down",
    "connected": "broker_drop rival network_wrong replay_order power withdrawn cancelled",
    "nonce": "replay_time replay_time power link_loss forged_nothing",
    "drove_off": "rtc_fast rtc_fast far_future rtc_wrong zero dim power silent order_end nan gnss_lost revoke "
    "disk_full rival",
    "parked": "silent rival zero power unknown order_end doors gnss_lost",
    "moving_overdue": "dim dim zero power silent nan negative rival order_end rtc_wrong rtc_lost",
    "committed": "power",
    "superseded": "broker_drop broker_down power",
}
"""At which moment which trouble is most likely to hurt."""
KEY_AIMS: Final = {
    "accepted": "power cut_before_commit cut_after_commit disk_full deactivate delete_key link_loss guest_comes",
    "tried": "power power power cut_before_commit cut_after_commit disk_full wrong_code deactivate card_rolled_back",
    "activated": "power cut_before_commit cut_after_commit code_again deactivate delete_key card_rolled_back card_lost",
    "deleted": "power card_lost card_rolled_back guest_comes guest_comes cut_after_commit code_again",
    "half_way": "power power press_lock press_lock press_unlock guest_comes cut_before_commit rtc_lost",
    "taking_over": "power power broker_drop key_taken key_taken silent dim key_drive rival cut_before_commit disk_full",
    "changed_hands": "power card_lost card_rolled_back stale stale_key stale_key guest_comes replay_order broker_drop",
    "crashed": "power power cut_after_commit cut_before_commit broker_down disk_full rtc_lost rtc_wrong",
    "released": "delete_key deactivate deactivate owner_comes power",
    "drove_off": "delete_key delete_key deactivate deactivate press_lock rival power silent",
    "parked": "deactivate delete_key press_unlock rival",
    "asked": "deactivate cut_before_commit cut_after_commit power delete_key",
    "unlocked": "deactivate power guest_comes",
}
"""The same for digital keys and owners."""
DELAYS: Final = (0, 1, 40, 120, 210, 700, 1_900, 2_500, 4_000, 8_000, 30_000)
_DRAWN: Final = (*("afar",) * 12, "renewed", "renewed", "paused", "ending")
ENDINGS: Final = ("driver", "driver", "driver", "order", "revoke", "leave", "leave")


def script(seed: int, days: float) -> list[Operation]:
    """The operations of a seed, in order of time. In every fifth world a second car stands beside the first."""
    operations = _life(chance(seed, "script"), days, 0)
    if seed % 5 == 0:
        operations += _life(chance(seed, "second script"), days, 1)
        operations.sort(key=lambda operation: operation.at_ms)
    operations += _orders(chance(seed, "orders"), days)
    operations += _second_thoughts(chance(seed, "second thoughts"), days)
    operations += _keys(chance(seed, "keys"), days)
    operations += _deeds(chance(seed, "deeds"), days)
    operations += _calls(chance(seed, "calls"), days)
    return [operation._replace(number=number) for number, operation in enumerate(operations)]


def _orders(rng: Random, days: float) -> list[Operation]:
    """What the backend orders beside the ends of bookings: most from afar, some about the subscription."""
    often = int(days * rng.choice((0, 2, 8, 16)))
    drawn = ((rng.randrange(int(days * DAY)), rng.choice(_DRAWN)) for _ in range(often))
    return [Operation(0, at, "order", (what,)) for at, what in sorted(drawn)]


def _second_thoughts(rng: Random, days: float) -> list[Operation]:
    """Drivers who waver, and now and then trouble between the answers to what their two minds left for the broker: not
    always, for a new connection mends much."""
    times = sorted(rng.randrange(int(days * DAY)) for _ in range(int(days * rng.choice((0, 0, 4)))))
    found = []
    for at in times:
        if rng.random() < 0.3:
            found.append(Operation(0, at, "trap", ("superseded", 1, rng.choice(AIMS["superseded"].split()), 0)))
        found.append(Operation(0, at, "fault", ("waver",)))
    return found


def _keys(rng: Random, days: float) -> list[Operation]:
    """Shared keys, what is done with vehicle keys and in the menu, and who tries what."""
    end, often = int(days * DAY), rng.choice((0, 0, 1, 1, 3))
    found: list[tuple[int, str, tuple[int | str, ...]]] = []
    for _ in range(int(days * often)):
        permissions, hours = rng.choice((31, 15, 15, 1, 16, 5)), rng.choice((0, 0, 0, 1, 2))
        coded, deletion = rng.choice((0, 1, 1)), rng.choice((-1, 0, 1, 1, 1, 2))
        found.append((rng.randrange(end), "share", (permissions, hours, coded, deletion, rng.choice((HOUR, 2 * DAY)))))
    for _ in range(int(days * rng.choice((0, 1, 3)) * min(often, 1))):
        found.append((rng.randrange(end), "fault", (rng.choice(list(KEY_FAULTS)),)))
    for _ in range(int(days * rng.choice((0, 0, 1, 2)))):
        found.append((rng.randrange(end), "attack", (rng.choice(list(KEY_ATTACKS)),)))
    for _ in range(int(days * rng.choice((0, 2, 6)) * min(often, 1))):
        moment = rng.choice([each for each in KEY_AIMS if each != "crashed"])
        nth, what, delay = rng.randrange(1, 3), rng.choice(KEY_AIMS[moment].split()), rng.choice(DELAYS)
        found.append((rng.randrange(end), "trap", (moment, nth, what, delay)))
    return [Operation(0, at, kind, args) for at, kind, args in sorted(found)]


def _calls(rng: Random, days: float) -> list[Operation]:
    """Crashes, the emergency button, other countries, and what is bought: in some worlds."""
    often = int(days * rng.choice((0, 0, 1, 3)))
    kinds = [kind for kind in CALLS if rng.random() < 0.7] or ["crash"]
    drawn = sorted((rng.randrange(int(days * DAY)), rng.choice(kinds)) for _ in range(often))
    found = [Operation(0, at, "deed", (what,)) for at, what in drawn]
    for at, what in drawn:
        if what == "crash" and rng.random() < 0.4:
            found.append(Operation(0, at, "trap", ("crashed", 1, rng.choice(KEY_AIMS["crashed"].split()), 40)))
    return sorted(found, key=lambda operation: operation.at_ms)


def _deeds(rng: Random, days: float) -> list[Operation]:
    """Owners: most stay for ever; some cars come from the dealer, some change hands."""
    end, found = int(days * DAY), []
    fresh = rng.random() < 0.15
    vehicle = (int(not fresh), int(not fresh or rng.random() < 0.8), int(rng.random() < 0.92), int(rng.random() < 0.5))
    if fresh:
        found = [(5 * MINUTE, "self_test"), (rng.randrange(10 * MINUTE, 3 * HOUR), "couple")]
    often = rng.choice((0, 0, 1, 3))
    kinds = [kind for kind in DEEDS if rng.random() < 0.6] or ["own_visit"]
    found += [(rng.randrange(end), rng.choice((*kinds, "own_visit"))) for _ in range(int(days * often))]
    first = [Operation(0, 0, "vehicle", vehicle)]
    # Some lose their power while they prepare to change hands.
    cuts = [at + rng.randrange(20_000, 180_000) for at, what in sorted(found) if what == "take_over"]
    cut = [Operation(0, at, "fault", ("power",)) for at in cuts if rng.random() < 0.4]
    return first + [Operation(0, at, "deed", (what,)) for at, what in sorted(found)] + cut


def _life(rng: Random, days: float, car: int) -> list[Operation]:
    """What happens to one car. Each kind of trouble is on or off for the whole of it (swarm)."""
    settings = _settings(rng)
    found: list[tuple[int, str, tuple[int | str, ...]]] = [(0, "settings", settings)]
    end = int(days * DAY)
    if not any(settings[2:5]):
        # Whoever brings the time is worth attacking here.
        found += [(rng.randrange(end), "attack", ("replay_time",)) for _ in range(int(days * 2))]
    at = rng.randrange(10 * MINUTE, 3 * HOUR)
    while at < end:
        length, args = _booking(rng)
        found.append((at, "booking", args))
        at += length + rng.randrange(20 * MINUTE, 10 * HOUR)
    level = rng.choice((0, 1, 1, 2, 4))
    drawn = [kind for kind in FAULTS if kind != "waver"]  # that is aimed, in `_second_thoughts`
    kinds = [kind for kind in drawn if rng.random() < 0.5]
    for _ in range(int(days * level * 2)):
        found.append((rng.randrange(end), "fault", (rng.choice(kinds or drawn),)))
    for _ in range(int(days * rng.choice((0, 1, 3)))):
        found.append((rng.randrange(end), "attack", (rng.choice(list(ATTACKS)),)))
    moments = [moment for moment in MOMENTS if moment != "superseded" and rng.random() < 0.7]
    for _ in range(int(days * rng.choice((0, 4, 8, 16)))):
        moment = rng.choice(moments)
        often = 40 if moment in ("committed", "published", "asked") else 3
        nth, what, delay = rng.randrange(1, often), rng.choice(AIMS[moment].split()), rng.choice(DELAYS)
        found.append((rng.randrange(end), "trap", (moment, nth, what, delay)))
    found.sort(key=lambda item: item[0])
    return [Operation(0, at, kind, args, car) for at, kind, args in found]


def _settings(rng: Random) -> tuple[int, ...]:
    """Drift of the crystal (ppm), capacity of the outbox, whether there is an RTC, GNSS, a broker, and how long the
    broker takes (ms). Some modules know no time but what a phone brings."""
    blind = rng.random() < 0.15
    return (
        rng.choice((0, 0, 60, -60, 90)),
        rng.choice((10_000, 10_000, 10_000, 60)),
        int(not blind and rng.random() < 0.8),
        int(not blind and rng.random() < 0.8),
        int(not blind and rng.random() < 0.9),
        rng.choice((160, 2_000)),
    )


def _booking(rng: Random) -> tuple[int, tuple[int | str, ...]]:
    """Role, length, legs, how long past its end the car comes back, how it ends, and how hasty the driver is."""
    length = rng.choice((20, 60, 120, 240, 600)) * MINUTE
    over = rng.choice((-10, -10, -10, 0, 20, 31, 45, 120)) * MINUTE
    return length + max(0, over), (
        rng.choice((0, 1, 2, 2, 2, 3)),
        length,
        rng.randrange(4),
        over,
        rng.choice(ENDINGS),
        rng.choice((0, 0, 10, 50)),
    )


def at_text(at_ms: int) -> str:
    """Day and time of day."""
    day, rest = divmod(at_ms, DAY)
    return f"day {day} {rest // HOUR:02}:{rest // MINUTE % 60:02}:{rest // SECOND % 60:02}.{rest % 1000:03}"
