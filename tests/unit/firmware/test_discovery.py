"""Home Assistant's document: its form, and that everything in it is what the module really publishes."""

import json
import re
from typing import Final

import msgspec
import pytest

from firmware import discovery
from firmware.core import reporting
from firmware.core.effects import Report
from firmware.core.events import VehicleSampled
from firmware.core.reporting import Message
from firmware.core.reports import Point
from firmware.core.state import Slot, State
from protocol.messages import Phase
from protocol.signals import SIGNALS
from protocol.telemetry import Channel, EventKind, Online, StoreCondition, channel_of, encode, topic
from tests.support.core import BEGINS_MS, DRIVING, NOW, STANDING, a_state, draft, only, running, seen
from tests.support.credentials import MODULE_ID

VERSION = "1.2.3"
NAME = MODULE_ID.hex()
VEHICLES: Final = [msgspec.structs.replace(one, range_m=412_000) for one in (STANDING, DRIVING)]
STEP: Final = re.compile(r"\.get\('([^']+)'\)|\['([^']+)'\]|\.(\w+)")
PATH: Final = re.compile(rf"value_json((?:{STEP.pattern})+)")

PLATFORMS = {"sensor", "binary_sensor", "device_tracker", "event"}
COMMON = {"p", "name", "unique_id", "availability_topic", "availability_template", "entity_category"}
OPTIONS = {
    "sensor": {
        "state_topic",
        "value_template",
        "unit_of_measurement",
        "device_class",
        "state_class",
        "options",
        "icon",
    },
    "binary_sensor": {"state_topic", "value_template", "device_class", "payload_on", "payload_off"},
    "device_tracker": {"source_type", "json_attributes_topic", "json_attributes_template"},
    "event": {"state_topic", "value_template", "event_types"},
}
"""What Home Assistant's documentation knows of, as far as it is used here."""


def document() -> dict[str, object]:
    read = json.loads(discovery.config(MODULE_ID, VERSION).payload)
    assert isinstance(read, dict)
    return read


def entities() -> dict[str, dict[str, object]]:
    return msgspec.convert(document()["cmps"], dict[str, dict[str, object]])


def reported(state: State) -> Message:
    """What goes out as the state of the vehicle."""
    step = draft(state)
    reporting.vehicle_state(step, force=True)
    (report,) = only(Report, step.effects)
    return reporting.record_message(state, report.record, NOW)


def alert(kind: EventKind) -> Message:
    step = draft(a_state())
    reporting.event(step, kind)
    (report,) = only(Report, step.effects)
    return reporting.record_message(step.state, report.record, NOW)


def position() -> Message:
    slot = Slot(2, Point(481_371_540, 115_761_240, BEGINS_MS), parking=True, acknowledged=False)
    message = reporting.slot_message(a_state(slot=slot), NOW)
    assert message is not None
    return message


def published(state: State) -> dict[str, dict[str, object]]:
    """By topic: a message of each kind that the module publishes."""
    health = reporting.health_message(state, NOW, queued=1, dropped=0, store=StoreCondition.OK, version=VERSION)
    messages = [reported(state), alert(EventKind.LOCK_FAILED), position(), health]
    told = {topic(MODULE_ID, message.channel): json.loads(message.payload) for message in messages}
    return told | {topic(MODULE_ID, Channel.ONLINE): json.loads(encode(Online(online=True)))}


def found(template: str, message: object) -> list[object]:
    """What each expression of a template finds in a message."""
    values = []
    for match in PATH.finditer(template):
        value = message
        for steps in STEP.findall(match[1]):
            (name,) = filter(None, steps)
            assert isinstance(value, dict)
            assert name in value, f"{name} of {template} is not in {message}"
            value = value[name]
        values.append(value)
    return values


def test_it_is_retained_on_a_topic_of_the_module_alone() -> None:
    publication = discovery.config(MODULE_ID, VERSION)
    assert publication.topic == f"homeassistant/device/sharebox/{NAME}/config"
    assert publication.retain
    assert publication.expiry_s is None
    assert publication.content_type == "application/json"
    assert re.fullmatch(r"homeassistant/\w+/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config", publication.topic)


def test_the_document_has_the_form_of_a_device() -> None:
    read = document()
    assert set(read) == {"dev", "o", "cmps", "qos"}
    assert read["dev"] == {
        "ids": [f"sharebox_{NAME}"],
        "name": f"Car {NAME[:4]}",
        "mf": "Sharebox",
        "mdl": "Sharing module",
        "sw": VERSION,
    }
    assert read["o"] == {"name": "Sharebox", "sw": VERSION}


def test_every_entity_has_a_platform_a_name_and_an_identifier_of_its_own() -> None:
    found_ids = set()
    for key, entity in entities().items():
        platform = entity["p"]
        assert platform in PLATFORMS
        assert set(entity) <= COMMON | OPTIONS[str(platform)], key
        assert entity["name"]
        found_ids.add(entity["unique_id"])
        # Only together do they say when an entity is there.
        assert ("availability_topic" in entity) == ("availability_template" in entity)
    assert len(found_ids) == len(entities())
    assert all(str(unique).startswith(f"sharebox_{NAME}_") for unique in found_ids)


@pytest.mark.req("TEL-1", "TEL-2")
@pytest.mark.parametrize("vehicle", VEHICLES, ids=["standing", "driving"])
def test_every_topic_and_every_name_in_it_is_what_the_module_publishes(vehicle: VehicleSampled) -> None:
    told = published(a_state(vehicle=seen(vehicle)))
    for key, entity in entities().items():
        for word, where in entity.items():
            if word.endswith("_topic"):
                assert where in told, f"{key}: nobody publishes on {where}"
                template = str(entity[word.removesuffix("topic").replace("state_", "value_") + "template"])
                assert found(template, told[str(where)]), f"{key} shows nothing"


@pytest.mark.req("TEL-2")
def test_every_signal_that_a_module_tells_is_shown_in_its_unit() -> None:
    by_signal = {}
    for entity in entities().values():
        for signal in SIGNALS:
            if f"'{signal}'" in str(entity.get("value_template")):
                by_signal[signal] = entity
    assert set(by_signal) == set(SIGNALS)
    for signal, entity in by_signal.items():
        assert entity.get("unit_of_measurement", "") == SIGNALS[signal].unit.replace("percent", "%")


def test_every_value_is_one_that_home_assistant_was_told_of() -> None:
    states = [a_state(vehicle=seen(one)) for one in VEHICLES] + [
        running(phase=phase, vehicle=seen(VEHICLES[0])) for phase in Phase
    ]
    for state in states:
        told = published(state)
        for entity in entities().values():
            if "options" not in entity and "payload_on" not in entity:
                continue
            (value,) = found(str(entity["value_template"]), told[str(entity["state_topic"])])
            if "options" in entity:
                assert value in msgspec.convert(entity["options"], list[str])
            else:
                assert str(value) in (entity["payload_on"], entity["payload_off"])


def test_a_locked_car_is_shown_as_locked() -> None:
    lock = entities()["locked"]
    assert (lock["device_class"], lock["payload_on"], lock["payload_off"]) == ("lock", "False", "True")
    (locked,) = found(
        str(lock["value_template"]), published(a_state(vehicle=seen(VEHICLES[0])))[str(lock["state_topic"])]
    )
    assert locked is True, "off is what Home Assistant calls locked"


def test_every_alert_is_an_event_that_home_assistant_knows() -> None:
    entity = entities()["alert"]
    kinds = [kind for kind in EventKind if channel_of(kind) is Channel.ALERT]
    for kind in kinds:
        told = json.loads(alert(kind).payload)
        rendered = str(entity["value_template"]).replace("{{ value_json.kind }}", told["kind"])
        assert json.loads(rendered)["event_type"] in msgspec.convert(entity["event_types"], list[str])


@pytest.mark.req("PRV-3")
def test_a_position_that_is_withdrawn_is_forgotten() -> None:
    template = str(entities()["position"]["json_attributes_template"])
    known, _, unknown = template.partition("{% else %}")
    assert known.startswith("{% if value_json is defined %}"), "an empty payload is no JSON, so there is no value_json"
    assert json.loads(unknown.removesuffix("{% endif %}")) == {"latitude": None, "longitude": None}
    shown = re.findall(r"'(\w+)': value_json", known)
    assert dict(zip(shown, found(known, json.loads(position().payload)), strict=True)) == {
        "latitude": 48.137154,
        "longitude": 11.576124,
        "fix_time": "2026-09-21T14:13:20.000Z",
        "parking": True,
    }


@pytest.mark.req("PRV-1", "PRV-6")
def test_it_tells_of_no_position_but_the_one_that_is_withdrawn_in_time() -> None:
    payload = discovery.config(MODULE_ID, VERSION).payload.decode()
    assert f"{NAME}/track" not in payload
    assert payload.count(f"{NAME}/position") == 1
    assert payload.count("Latitude") == 1


@pytest.mark.req("TEL-6", "TEL-7")
def test_what_may_have_changed_unseen_is_unavailable_offline_and_the_rest_is_not() -> None:
    fades = {key for key, entity in entities().items() if "availability_topic" in entity}
    assert {"locked", "doors", "boot", "ignition", "drive", "booking"} <= fades
    assert not {"position", "fuel", "odometer", "battery", "connected"} & fades
