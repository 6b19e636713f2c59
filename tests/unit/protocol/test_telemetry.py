"""MQTT topics and payloads."""

import pytest

from protocol import telemetry
from protocol.telemetry import Channel, EventKind, EventReport, Stamp

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


def test_a_payload_is_json_in_a_fixed_order() -> None:
    event = EventReport(
        Stamp(7, "2026-09-21T12:00:00Z", "synced", 0.5),
        EventKind.BOOKING_CUT_OFF,
        booking="ab",
        role="driver",
        reason="BOOKING_CUT_OFF",
        numbers={"parked_ms": 5000, "overdue_ms": 1_800_001},
    )
    assert telemetry.encode(event) == (
        b'{"stamp":{"seq":7,"time":"2026-09-21T12:00:00Z","time_quality":"synced","age_s":0.5},'
        b'"kind":"booking.cut_off","booking":"ab","role":"driver","reason":"BOOKING_CUT_OFF",'
        b'"numbers":{"overdue_ms":1800001,"parked_ms":5000}}'
    )
