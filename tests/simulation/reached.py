"""What a campaign has to have seen at least once, or its green says nothing ("sometimes" counters).

The lists are literal, so that a row, a refusal or a fault that is added elsewhere shows up as missing here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from firmware.core import trip
from firmware.core.state import Trip
from firmware.core.trip import Facts, Rule

K = TypeVar("K")
V = TypeVar("V")


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CODES: Final = _names(
    """
    NOT_ADMITTED PERMISSION_MISSING WRONG_VEHICLE WRONG_KEY_EPOCH NOT_YET_VALID BOOKING_OVER CLOCK_UNCERTAIN
    VEHICLE_IN_USE BOOKING_ENDED BOOKING_CUT_OFF BOOKING_SUPERSEDED BOOKING_CANCELLED TOKEN_REVOKED
    DEVICE_REPLACED NOT_PARKED DOORS_OPEN END_NOT_POSSIBLE VEHICLE_NO_RESPONSE OUTCOME_UNKNOWN COMMAND_ID_REUSED
    POSITION_UNKNOWN STORAGE_FAILED BUSY TOO_MANY_HANDSHAKES NONCE_UNKNOWN ORDER_LATE ORDER_UNSUPPORTED
    LIST_OUTDATED SUBSCRIPTION_EXPIRED REMOTE_INACTIVE SUBSCRIPTION_OUTDATED
    ACTIVATION_REQUIRED CODE_WRONG CODE_EXPIRED CODE_DEAD CODE_PAUSED CODE_UNEXPECTED KEY_DEACTIVATED KEY_DELETED
    KEY_LIST_FULL OUTSIDE_HOURS KEYS_UNAVAILABLE NOT_COUPLED NOT_PREPARED ALREADY_OWNED VIN_INVALID KEYS_MISSING
    NOT_CONNECTED TAKEOVER_INTERRUPTED DRIVER_LIST_FULL SERVICE_INACTIVE SIM_BLOCKED OUT_OF_TERRITORY ROLE_REQUIRED
    ORDER_OUTDATED
    """
)
"""Every refusal that the core itself gives; the others are the gateway's."""

EVENTS: Final = _names(
    """
    NONE+ADMITTED ENDED+ADMITTED CUT_OFF+ADMITTED ACTIVE+ENDED OVERDUE+ENDED CUTOFF_PENDING+ENDED
    """
)
RULES: Final = (
    "the booking's end is reached",
    "overdue for longer than 30:00",
    "parked",
    "an end was ordered, and parked",
)
MOMENTS: Final = _names(
    """
    booted asked started unlocked released armed overdue near_cutoff pending cut ended ordered hung_up published
    connected nonce drove_off parked moving_overdue committed superseded
    """
)
KEY_MOMENTS: Final = _names("accepted tried activated deleted half_way taking_over changed_hands crashed")
FAULTS: Final = _names(
    """
    power cut_before_commit cut_after_commit disk_full card_lost card_rolled_back rtc_fast link_loss broker_down
    broker_drop silent zero nan unknown negative dim rtc_wrong rtc_lost gnss_spoof gnss_lost gnss_nonsense
    network_wrong dead mute slow doors key_drive key_locks order_end revoke radio_bad rival rebind far_future waver
    """
)
KEY_FAULTS: Final = _names("press_unlock press_lock delete_key deactivate wrong_code key_taken guest_comes owner_comes")
KEY_ATTACKS: Final = _names(
    """
    guess_codes code_again stale_key foreign_key old_epoch_key early_key dealer narrow_key unactivated older_phone
    many_keys
    """
)
KEYS: Final = _names("UNLOCK ENABLE_DRIVE LOCK OPEN_BOOT refused")
"""What keys were let do."""
DELETIONS: Final = _names("IMMEDIATE UNTIL_KEY_CYCLE AFTER_LAST_DRIVE_OR_48H")
DEEDS: Final = _names("couple remove take_over home remove_driver own_visit self_test")
CALLS: Final = _names("crash button abroad plan send_to_car")
PLANS: Final = ("everything", "deactivated", "for the law", "no remote", "little")
CALLED: Final = ("made", "repeated", "answered", "given up", "on a blocked SIM")
"""What became of emergency calls."""
OWNERS: Final = _names("coupled removed taken")
TESTED: Final = _names("passed failed")
AFAR: Final = _names("UNLOCK LOCK FLASH")
"""What has been carried out for an order from afar."""
ORDERS: Final = _names("afar renewed paused ending")
SENT: Final = _names("batch window severed unkept alert state track event order/result")
"""How records left: together, with the window full, taken back, with numbers that no disk had kept; and on what."""
ATTACKS: Final = _names(
    """
    flood forge stale foreign early epoch naked gone_link replay_order replay_list replay_time forged_nothing
    reuse_command other_outcome no_permission withdrawn cancelled
    """
)


def wanted() -> list[str]:
    """The names of all counters that must not be zero."""
    groups = {"code": CODES, "event": EVENTS, "rule": RULES, "moment": MOMENTS, "fault": FAULTS, "attack": ATTACKS}
    groups |= {"afar": AFAR, "order": ORDERS, "sent": SENT}
    groups |= {
        "key": KEYS,
        "deletion": DELETIONS,
        "deed": DEEDS + CALLS,
        "plan": PLANS,
        "call": CALLED,
        "owner": OWNERS,
        "tested": TESTED,
    }
    more = {"moment": KEY_MOMENTS, "fault": KEY_FAULTS, "attack": KEY_ATTACKS}
    pairs = (*groups.items(), *more.items())
    return [f"{group}: {name}" for group, names in pairs for name in names]


def missing(counters: Counter[str]) -> list[str]:
    """What a campaign with these counters has never seen."""
    return [name for name in wanted() if not counters[name]]


class Rows(dict[K, V]):
    """A table that counts which of its rows are used."""

    def __init__(self, rows: Iterable[tuple[K, V]], names: dict[K, str], counters: Counter[str]) -> None:
        super().__init__(rows)
        self.names = names
        self.counters = counters

    def __getitem__(self, key: K) -> V:
        self.counters[self.names.get(key, "event: ?")] += 1
        return super().__getitem__(key)


_TABLE: Final = dict(trip.EVENTS)
RULES_OF_THE_CORE: Final = trip.RULES


def _counted(rule: Rule, counters: Counter[str]) -> Rule:
    def holds(current: Trip, facts: Facts) -> bool:
        held = rule.holds(current, facts)
        if held:
            counters[f"rule: {rule.name}"] += 1
        return held

    return rule._replace(holds=holds)


@contextmanager
def counting(counters: Counter[str]) -> Iterator[None]:
    """Inside, the rows of the core's tables that are used are counted there (in this process, one world at a time)."""
    names = {key: f"event: {key[0].name}+{key[1].name}" for key in _TABLE}
    table, rules = trip.EVENTS, trip.RULES_FROM
    _put("EVENTS", Rows(_TABLE.items(), names, counters))
    _put("RULES_FROM", trip.by_phase(tuple(_counted(rule, counters) for rule in RULES_OF_THE_CORE)))
    try:
        yield
    finally:
        _put("EVENTS", table)
        _put("RULES_FROM", rules)


def _put(name: str, value: object) -> None:
    """The tables are final for the core itself; nobody but the simulator looks over their shoulder."""
    setattr(trip, name, value)
