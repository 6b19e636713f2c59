"""What `watch` and `history` say of a message."""

import msgspec
import pytest

from host_tools.backend.reading import Received
from host_tools.cli.wording import fields_of, gap_of, hours_in_words, key_in_words, line_of, plain, short
from protocol.errors import Role
from protocol.sharing import Hours, Key
from protocol.telemetry import Channel, EventKind, EventReport, Online, OrderResult, PositionReport, StateReport
from tests.support.reports import MODULE_ID, health, stamp, state

STAMP = stamp(7)


def received(channel: Channel, value: object, **more: object) -> Received:
    return Received(MODULE_ID, channel, value, **more)  # type: ignore[arg-type]  # any kind of report


STATE = received(Channel.STATE, state(7, signals={"Vehicle.Speed": 50.0, "Vehicle.IsLocked": True, "n": 3}))


def test_each_kind_of_message_is_one_line() -> None:
    prefix = "a1b2c3d4e5f60718  "
    event = EventReport(STAMP, EventKind.BOOKING_ENDED, reason="driver", numbers={"overdue_ms": 5})
    position = PositionReport(STAMP, 52.5, 13.4, "2026-05-28T20:26:40Z", 2.0, True)
    cases = {
        "online: online yes": received(Channel.ONLINE, Online(True)),
        "online: online no  (retained)": received(Channel.ONLINE, Online(False), retained=True),
        "state: Vehicle.IsLocked yes; Vehicle.Speed 50; n 3": STATE,
        "position: position 52.500000, 13.400000, parked, fix 2 s old": received(Channel.POSITION, position),
        "position: position withdrawn": received(Channel.POSITION, None),
        "event: event booking.ended (driver) overdue_ms=5  (before it 2 missing: 2 unexplained so far)": received(
            Channel.EVENT, event, missing=2
        ),
        "order/result: order ab: OK key_epoch=2  (repeated)": received(
            Channel.ORDER_RESULT, OrderResult("ab", 0, "OK", numbers={"key_epoch": 2}), repeated=True
        ),
        "order/result: order unreadable: TOKEN_MALFORMED (pending)": received(
            Channel.ORDER_RESULT, OrderResult("", 7, "TOKEN_MALFORMED", True)
        ),
        "health: health store ok, 7 queued, 2 dropped, up 60 s, 1.2.3": received(Channel.HEALTH, health()),
        "state: state unreadable: bad JSON": received(Channel.STATE, None, error="bad JSON"),
        "state: n yes  (late)": received(Channel.STATE, state(1, signals={"n": True}), late=True),
        "state: n no  (counts anew)": received(Channel.STATE, state(1, signals={"n": False}), renewed=True),
    }
    for line, message in cases.items():
        assert line_of(message) == prefix + line


@pytest.mark.req("TEL-4")
def test_a_gap_says_how_far_it_is_explained() -> None:
    def gap(missing: int, explained: int = 0, *, unheard: bool = False) -> str:
        return gap_of(received(Channel.STATE, None, missing=missing, explained=explained, unheard=unheard))

    assert gap(3) == "3 missing: 3 unexplained"
    assert gap(3, 3) == "3 missing: 3 given up by the module"
    assert gap(3, 1) == "3 missing: 1 given up by the module, 2 unexplained"
    assert gap(3, unheard=True) == "3 missing: sent while nobody listened, perhaps"


@pytest.mark.req("SEC-1")
def test_what_a_module_sends_neither_breaks_the_line_nor_speaks_to_the_terminal() -> None:
    evil = "\x1b[2J\nall is well"
    told = line_of(received(Channel.STATE, StateReport(STAMP, {evil: evil})))
    assert told.isprintable()
    assert line_of(received(Channel.ORDER_RESULT, OrderResult(evil, 0, evil))).isprintable()


def test_programs_get_the_payload_as_it_was_sent() -> None:
    fields = fields_of(STATE)
    assert (fields["module"], fields["channel"], fields["missing"]) == (MODULE_ID.hex(), "state", 0)
    value = fields["value"]
    assert isinstance(value, dict)
    assert value["signals"]["Vehicle.Speed"] == 50.0
    assert fields_of(received(Channel.POSITION, None))["value"] is None
    assert {"backlog", "explained", "unheard", "late", "repeated", "renewed", "retained", "error"} < set(fields)


def test_values_are_plain_and_lose_nothing() -> None:
    assert [plain(value) for value in (True, False, 3, 12.6, 123_456.7, "ON")] == [
        "yes",
        "no",
        "3",
        "12.6",
        "123456.7",
        "ON",
    ]


def test_an_age_is_short() -> None:
    ages = {-1.0: "0 s", 0.9: "0 s", 59.9: "59 s", 60.0: "1 min", 3599.0: "59 min", 7200.0: "2 h", 200_000.0: "2 d"}
    assert {seconds: short(seconds) for seconds in ages} == ages


@pytest.mark.req("KEY-2")
def test_a_key_is_told_by_what_it_allows_and_when() -> None:
    key = Key(bytes(16), 1_780_000_000, 1_780_003_600, 0, bytes(8), Role.GUEST, 5, 0, bytes(8), bytes(33))
    window = "2026-05-28 20:26:40 UTC to 2026-05-28 21:26:40 UTC"
    assert key_in_words(key) == f"unlock, lock, {window}"
    at_night = msgspec.structs.replace(key, hours=Hours(1320, 365))
    assert key_in_words(at_night) == f"unlock, lock, {window}, 22:00 to 06:05 UTC"
    assert key_in_words(msgspec.structs.replace(key, role=Role.SERVICE)) == f"the self-test, {window}"
    assert hours_in_words(Hours(0, 1439)) == "00:00 to 23:59 UTC"
