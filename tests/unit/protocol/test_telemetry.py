"""MQTT topics and payloads."""

import zlib

import msgspec
import pytest

from protocol import telemetry
from protocol.errors import Code, ProtocolError
from protocol.telemetry import (
    MAX_BACKLOG_BYTES,
    Channel,
    Entry,
    EventKind,
    EventReport,
    OrderResult,
    PositionReport,
    Stamp,
    attributes,
    decode_backlog,
    encode_backlog,
)

MODULE_ID = bytes.fromhex("00112233445566aa")


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.req("TEL-2")
def test_a_topic_names_module_and_channel(channel: Channel) -> None:
    text = telemetry.topic(MODULE_ID, channel)
    assert text == f"sharebox/00112233445566aa/{channel.value}"
    assert telemetry.parse_topic(text) == (MODULE_ID, channel)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sharebox",
        "other/00112233445566aa/online",
        "sharebox/0011/online",
        "sharebox/00112233445566aa",
        "sharebox/00112233445566aa/else",
        "sharebox/00112233445566aa/online/",
        "sharebox/00112233445566zz/online",
        "sharebox/00112233445566AA/online",
        "sharebox/00112233 445566aa/online",
    ],
)
def test_another_topic_is_not_ours(text: str) -> None:
    assert telemetry.parse_topic(text) is None


@pytest.mark.req("SVC-8", "PRV-1")
def test_emergency_calls_have_topics_of_their_own_which_are_no_channel() -> None:
    call, answer = telemetry.emergency_topic(MODULE_ID), telemetry.acknowledgement_topic(MODULE_ID)
    assert (call, answer) == ("sharebox/00112233445566aa/emergency", "sharebox/00112233445566aa/emergency/ack")
    assert telemetry.parse_topic(call) is telemetry.parse_topic(answer) is None


def test_a_payload_is_json_in_a_fixed_order() -> None:
    event = EventReport(
        Stamp(7, 1, "2026-09-21T12:00:00Z", "synced", 0.5),
        EventKind.BOOKING_CUT_OFF,
        booking="ab",
        role="driver",
        reason="BOOKING_CUT_OFF",
        numbers={"parked_ms": 5000, "overdue_ms": 1_800_001},
    )
    assert telemetry.encode(event) == (
        b'{"stamp":{"seq":7,"boot":1,"time":"2026-09-21T12:00:00Z","time_quality":"synced","age_s":0.5},'
        b'"kind":"booking.cut_off","booking":"ab","role":"driver","reason":"BOOKING_CUT_OFF",'
        b'"numbers":{"overdue_ms":1800001,"parked_ms":5000}}'
    )


@pytest.mark.req("TEL-2")
def test_a_position_has_the_names_of_the_signal_specification() -> None:
    report = PositionReport(Stamp(1, 2, "a", "synced"), 48.25, -11.5, "b", 3.5, True)
    assert telemetry.encode(report) == (
        b'{"stamp":{"seq":1,"boot":2,"time":"a","time_quality":"synced","age_s":0.0},'
        b'"Vehicle.CurrentLocation.Latitude":48.25,"Vehicle.CurrentLocation.Longitude":-11.5,'
        b'"Vehicle.CurrentLocation.Timestamp":"b","fix_age_s":3.5,"parking":true}'
    )


def test_an_answer_that_is_no_record_has_no_stamp() -> None:
    expected = b'{"order":"ab","code":0,"name":"OK","pending":false,"numbers":{}}'
    assert telemetry.encode(OrderResult("ab", 0, "OK")) == expected


def test_alerts_have_a_channel_of_their_own() -> None:
    alerts = {kind for kind in EventKind if telemetry.channel_of(kind) is Channel.ALERT}
    named = {kind for kind in EventKind if kind.startswith("alert.")}
    assert alerts == named | {EventKind.STORE_TROUBLE, EventKind.TAKEOVER_FAILED}
    assert {telemetry.channel_of(kind) for kind in set(EventKind) - alerts} == {Channel.EVENT}


@pytest.mark.req("TEL-5")
def test_a_message_says_which_event_it_is() -> None:
    assert attributes(MODULE_ID, Channel.TRACK, "7", 3, "vehicle.position", "2026-09-21T12:00:00Z") == (
        ("specversion", "1.0"),
        ("id", "3-track-7"),
        ("source", "/sharebox/00112233445566aa"),
        ("type", "sharebox.vehicle.position"),
        ("time", "2026-09-21T12:00:00Z"),
    )


# ---------------------------------------------------------------- the backlog
ENTRIES = [
    Entry(Channel.TRACK, b'{"stamp":{"seq":1}}'),
    Entry(Channel.STATE, b'{"signals":{"a":[1,2,{"b":null}]}}'),
    Entry(Channel.EVENT, b"{}"),
    Entry(Channel.ALERT, b"{}"),
    Entry(Channel.ORDER_RESULT, b"{}"),
]


def deflated(text: bytes) -> bytes:
    return zlib.compress(text)


def listed(count: int, report: bytes = b"{}") -> bytes:
    return deflated(b"[" + b",".join([b'{"channel":"track","report":' + report + b"}"] * count) + b"]")


@pytest.mark.req("TEL-3")
def test_a_backlog_comes_out_as_it_went_in() -> None:
    payload = encode_backlog(ENTRIES)
    assert zlib.decompress(payload).startswith(b'[{"channel":"track","report":{"stamp":{"seq":1}}},{"channel":"state"')
    assert decode_backlog(payload) == ENTRIES
    assert decode_backlog(encode_backlog([])) == []


def test_thirty_positions_shrink_to_an_eighth() -> None:
    stamp = Stamp(1, 1, "2026-09-21T12:00:00.000Z", "synced", 100.0)
    reports = [
        telemetry.encode(
            PositionReport(
                msgspec.structs.replace(stamp, seq=number, age_s=1000.0 - 30 * number),
                48.137154 + number / 7000,
                11.576124 + number / 9000,
                f"2026-09-21T12:{number:02}:00.000Z",
                1000.5 - 30 * number,
                False,
            )
        )
        for number in range(30)
    ]
    payload = encode_backlog(Entry(Channel.TRACK, report) for report in reports)
    assert sum(map(len, reports)) > 8 * len(payload)


@pytest.mark.req("SEC-1")
@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "cut off"),
        (b"[]", "not compressed"),
        (deflated(b"[]")[:-1], "cut off"),
        (deflated(b"[]") + b"x", "followed by something else"),
        (deflated(b"{}"), "no list"),
        (deflated(b'[{"channel":"track"}]'), "no list"),
        (deflated(b'[{"channel":"else","report":{}}]'), "no list"),
        (deflated(b'[{"channel":"track","report":}]'), "no list"),
        (deflated(b'[{"channel":"\xff","report":{}}]'), "no list"),
        (listed(1, b"[" * 100_000 + b"]" * 100_000), "no list"),
        (listed(65), "65 records"),
        *((deflated(b'[{"channel":"%s","report":{}}]' % channel.encode()), "no place") for channel in Channel
          if channel not in (Channel.STATE, Channel.TRACK, Channel.EVENT, Channel.ALERT, Channel.ORDER_RESULT)),
    ],
)  # fmt: skip
def test_what_is_no_backlog_is_refused_in_one_line(payload: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why) as refused:
        decode_backlog(payload)
    assert refused.value.code is Code.MALFORMED
    assert "\n" not in str(refused.value)


@pytest.mark.req("SEC-1")
def test_a_backlog_is_inflated_up_to_its_limit_and_no_further() -> None:
    assert MAX_BACKLOG_BYTES == 262_144
    frame = len(b'[{"channel":"track","report":""}]')
    for surplus in (0, 1):
        payload = listed(1, b'"' + b"a" * (MAX_BACKLOG_BYTES - frame + surplus) + b'"')
        if surplus:
            with pytest.raises(ProtocolError, match="more than 262144 bytes"):
                decode_backlog(payload)
        else:
            assert len(decode_backlog(payload)[0].report) == MAX_BACKLOG_BYTES - frame + 2
    with pytest.raises(ProtocolError, match="more than 262144 bytes"):
        decode_backlog(deflated(bytes(300_000_000)))


def test_a_full_backlog_is_taken() -> None:
    assert len(decode_backlog(listed(64))) == 64


def test_what_is_written_beside_a_type_describes_and_refuses_nothing() -> None:
    beside = telemetry.described("an instant", format="date-time")
    assert (beside.description, beside.extra_json_schema) == ("an instant", {"format": "date-time"})
    assert msgspec.json.decode(b'"yesterday"', type=telemetry.Instant) == "yesterday"
