"""The description of the MQTT interface is current, sound AsyncAPI 3, and complete."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from protocol.telemetry import Channel
from tests.support import asyncapi, mqtt_page
from tests.support.interface import ROOT, referred

JSON = dict[str, Any]
TEXT = (ROOT / asyncapi.DOCUMENT).read_text("utf-8")
DOCUMENT: JSON = json.loads(TEXT)


def named(values: JSON, **more: object) -> JSON:
    """A map from names to such values."""
    return {
        "type": "object",
        "patternProperties": {r"^[A-Za-z0-9_.\-]+$": values},
        "additionalProperties": False,
    } | more


def fixed(required: list[str], **properties: object) -> JSON:
    """An object of AsyncAPI: nothing but these fields, and extensions."""
    fields: JSON = {"type": "object", "properties": properties, "patternProperties": {"^x-": {}}}
    return fields | {"required": required, "additionalProperties": False}


TEXTS = {"type": "string", "minLength": 1}
REFERENCE = {"type": "object", "properties": {"$ref": {"type": "string", "pattern": "^#/"}}, "required": ["$ref"],
             "additionalProperties": False}  # fmt: skip
BINDINGS = fixed(["mqtt"], mqtt={"type": "object", "required": ["bindingVersion"]})
MESSAGE = fixed(["name", "bindings"], name=TEXTS, summary=TEXTS, contentType=TEXTS, payload={"type": "object"},
                headers=REFERENCE, bindings=BINDINGS)  # fmt: skip
STRUCTURE = fixed(
    ["asyncapi", "info", "channels", "operations", "components"],
    asyncapi={"const": "3.0.0"},
    info=fixed(["title", "version"], title=TEXTS, version={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
               description=TEXTS, license=fixed(["name"], name=TEXTS, url={"type": "string", "format": "uri"})),
    defaultContentType=TEXTS,
    servers=named(fixed(["host", "protocol"], host=TEXTS, protocol=TEXTS, protocolVersion=TEXTS, description=TEXTS,
                        variables=named(fixed([], description=TEXTS)), bindings=BINDINGS)),
    channels=named(fixed(["address", "messages"], address=TEXTS, description=TEXTS,
                         messages=named(REFERENCE, minProperties=1), parameters=named(REFERENCE))),
    operations=named(fixed(["action", "channel"], action={"enum": ["send", "receive"]}, channel=REFERENCE,
                           messages={"type": "array", "items": REFERENCE, "minItems": 1}, bindings=BINDINGS)),
    components=fixed([], messages=named(MESSAGE), parameters=named(fixed([], description=TEXTS)),
                     schemas=named({"type": "object"})),
)  # fmt: skip
"""The parts of the AsyncAPI 3.0.0 specification that are used, by its fixed fields."""


def references(value: object) -> Iterator[JSON]:
    """Every `$ref` in it."""
    match value:
        case {"$ref": str()}:
            assert isinstance(value, dict)
            yield value
        case dict():
            for each in value.values():
                yield from references(each)
        case list():
            for each in value:
                yield from references(each)
        case _:
            pass


@pytest.mark.req("TEL-2")
def test_the_description_is_current() -> None:
    assert asyncapi.render() == TEXT, "run `make docs`"


def test_the_page_is_current() -> None:
    assert mqtt_page.render(DOCUMENT) == (ROOT / mqtt_page.PAGE).read_text("utf-8"), "run `make docs`"


def test_the_description_has_the_structure_of_asyncapi_3() -> None:
    jsonschema.Draft202012Validator.check_schema(STRUCTURE)
    errors = jsonschema.Draft202012Validator(STRUCTURE).iter_errors(DOCUMENT)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("asyncapi",), "2.6.0"),
        (("info",), {"title": "no version"}),
        (("channels", "track", "publish"), {}),
        (("operations", "sendTrack", "action"), "publish"),
        (("components", "messages", "track", "payloads"), {}),
    ],
)
def test_what_is_not_asyncapi_3_is_seen(path: tuple[str, ...], value: object) -> None:
    broken = json.loads(TEXT)
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not jsonschema.Draft202012Validator(STRUCTURE).is_valid(broken)


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert len(found) > 50
    assert all(referred(DOCUMENT, each) for each in found)


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft7Validator.check_schema(schema)


def test_every_operation_has_the_messages_of_its_channel() -> None:
    for operation in DOCUMENT["operations"].values():
        channel = referred(DOCUMENT, operation["channel"])
        own = [referred(DOCUMENT, message) for message in operation["messages"]]
        assert [each for each in own if each not in channel["messages"].values()] == []
    operated = {operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()}
    assert operated == {f"#/channels/{name}" for name in DOCUMENT["channels"]}


@pytest.mark.req("TEL-2")
def test_every_channel_is_described_with_its_parameter() -> None:
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert {f"sharebox/{{moduleId}}/{channel}" for channel in Channel} <= addresses
    for channel in DOCUMENT["channels"].values():
        assert "{moduleId}" in channel["address"]
        assert set(channel["parameters"]) == {"moduleId"}
