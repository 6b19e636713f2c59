"""Holds what is sent to the description of the interface: every message of every test, if it comes by here.

Reads the written document (`protocol/asyncapi.json`), not the code. Stricter than a reader should be: what the document
does not know must not be sent. Test doubles say `sent`; `install` makes the real connection say it too.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import fastjsonschema
import jsonschema  # type: ignore[import-untyped]

from firmware.adapters.mqtt.connection import Connection
from firmware.core.reporting import Message
from firmware.ports import Publication
from protocol import msd
from protocol.errors import ProtocolError
from protocol.telemetry import CONTENT_ENCODING, decode_backlog, parse_topic, topic
from tests.support.asyncapi import DOCUMENT

ROOT: Final = Path(__file__).parents[2]
JSON = dict[str, Any]
MOST_FAULTS: Final = 20


class Known(NamedTuple):
    """A message as the document has it."""

    name: str
    address: re.Pattern[str]
    qos: int
    retain: bool
    expiry_s: range | None
    content_type: str
    payload: "Rules | None"
    headers: "Rules | None"
    most_correlation: int
    most_bytes: int
    """Of a payload that is no JSON; 0 when it is."""


def faults(publication: Publication) -> list[str]:
    """What the document does not allow of this publication, one line each."""
    candidates = [known for known in _known() if known.address.fullmatch(publication.topic)]
    if not candidates:
        return [f"{publication.topic}: no topic of the interface"]
    found = [list(_faults(publication, known)) for known in candidates]
    return [f"{publication.topic}: {fault}" for fault in min(found, key=len)]


def faults_heard(where: str, payload: bytes) -> list[str]:
    """The same for what was heard at a broker, of which nothing is known but the topic and the payload."""
    candidates = [known for known in _known() if known.address.fullmatch(where)]
    found = []
    for known in candidates:
        compressed = known.headers is not None and CONTENT_ENCODING[0] in known.headers.required
        told = dict([CONTENT_ENCODING]) if compressed else {}
        found.append(list(_payload(Publication(where, payload), known, told, repeated=False)))
    return [f"{where}: {fault}" for fault in min(found, key=len, default=["no topic of the interface"])]


def _faults(publication: Publication, known: Known) -> Iterator[str]:
    what = f"as {known.name}"
    if publication.retain is not known.retain:
        yield f"{what}: retain is {publication.retain}"
    if not _expires(publication.expiry_s, known.expiry_s):
        yield f"{what}: expires after {publication.expiry_s} s"
    if publication.content_type != known.content_type:
        yield f"{what}: content type {publication.content_type!r}"
    if len(publication.correlation) > known.most_correlation:
        yield f"{what}: {len(publication.correlation)} bytes of correlation data"
    attributes = dict(publication.attributes)
    if len(attributes) != len(publication.attributes):
        yield f"{what}: an attribute comes twice"
    yield from (f"{what}: attributes: {fault}" for fault in _against(known.headers, attributes))
    yield from (f"{what}: {fault}" for fault in _payload(publication, known, attributes))


def _payload(
    publication: Publication, known: Known, attributes: dict[str, str], *, repeated: bool = True
) -> Iterator[str]:
    if known.most_bytes:
        yield from _binary(publication, known)
        return
    if known.payload is None or not publication.payload:
        if publication.payload or known.payload is not None:
            yield "a payload" if publication.payload else "no payload"
        return
    try:
        value = _decoded(publication.payload, attributes)
    except (ValueError, RecursionError, ProtocolError) as error:
        yield f"unreadable: {error}"
        return
    yield from _against(known.payload, value)
    if repeated:
        yield from _contradictions(publication.topic, value, attributes)


def _binary(publication: Publication, known: Known) -> Iterator[str]:
    """An emergency call: nothing else that a module sends is no JSON."""
    if len(publication.payload) > known.most_bytes:
        yield f"{len(publication.payload)} bytes, at most {known.most_bytes}"
        return
    try:
        msd.decode(publication.payload)
    except ProtocolError as error:
        yield f"unreadable: {error}"


def _decoded(payload: bytes, attributes: dict[str, str]) -> Any:
    if attributes.get(CONTENT_ENCODING[0]) != CONTENT_ENCODING[1]:
        return json.loads(payload)
    return [{"channel": entry.channel.value, "report": json.loads(entry.report)} for entry in decode_backlog(payload)]


def _contradictions(where: str, value: Any, attributes: dict[str, str]) -> Iterator[str]:
    """What schemas cannot say: the attributes repeat what topic and stamp have."""
    parsed = parse_topic(where)
    if parsed is None or not attributes:
        return
    if attributes.get("source") != f"/sharebox/{parsed[0].hex()}":
        yield f"the source is {attributes.get('source')}"
    stamp = value.get("stamp") if isinstance(value, dict) else None
    if isinstance(stamp, dict) and attributes.get("id") != f"{stamp.get('boot')}-{parsed[1]}-{stamp.get('seq')}":
        yield f"the event is {attributes.get('id')}, its stamp {stamp}"


def _against(rules: "Rules | None", value: object) -> list[str]:
    if rules is None:
        return [f"{value} is not for this message"] if value else []
    return rules.faults(value)


class Rules:
    """A schema, twice: compiled, for the many messages that are right, and read, for what to say of the others."""

    def __init__(self, schema: JSON) -> None:
        jsonschema.Draft202012Validator.check_schema(schema)
        self.required = frozenset(schema.get("required", ()))
        self._read = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
        self._compiled = fastjsonschema.compile(schema, formats={"date-time": is_instant}, use_default=False)

    def faults(self, value: object) -> list[str]:
        """What the schema does not allow, one line each."""
        try:
            self._compiled(value)
        except fastjsonschema.JsonSchemaValueException as error:
            return self.faults_at_length(value) or [error.message]
        return []

    def faults_at_length(self, value: object) -> list[str]:
        """The same by the other library alone."""
        return [f"{error.json_path}: {error.message}"[:300] for error in self._read.iter_errors(value)]


# ---------------------------------------------------------------- the document
@cache
def _known() -> list[Known]:
    document: JSON = json.loads((ROOT / DOCUMENT).read_text("utf-8"))
    return [_read(document, each) for each in document["operations"].values() if each["action"] == "send"]


def _read(document: JSON, operation: JSON) -> Known:
    channel = referred(document, operation["channel"])
    message = referred(document, referred(document, operation["messages"][0]))
    binding = operation["bindings"]["mqtt"]
    address = re.escape(channel["address"]).replace(r"\{moduleId\}", "[0-9a-f]{16}")
    return Known(
        message["name"],
        re.compile(address),
        binding["qos"],
        binding["retain"],
        _seconds(binding.get("messageExpiryInterval")),
        str(message.get("contentType", document["defaultContentType"])) if "payload" in message else "",
        _rules(document, message.get("payload")),
        _rules(document, message.get("headers")),
        message["bindings"]["mqtt"].get("correlationData", {}).get("maxLength", 0),
        message["payload"]["maxLength"] if message.get("payload", {}).get("format") == "binary" else 0,
    )


def _seconds(interval: int | JSON | None) -> range | None:
    """After how many seconds it may expire; None: it does not."""
    match interval:
        case None:
            return None
        case int():
            return range(interval, interval + 1)
        case _:
            return range(interval["minimum"], interval["maximum"] + 1)


def _expires(told: int | None, known: range | None) -> bool:
    return told is None if known is None else told in known


def referred(document: JSON, reference: JSON) -> JSON:
    """What a `$ref` within the document points to."""
    found: Any = document
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/")]
    return dict(found)


def _rules(document: JSON, schema: JSON | None) -> Rules | None:
    return None if schema is None else Rules(closed(document, schema))


def closed(document: JSON, schema: Any) -> Any:
    """The schema without references, in which what is not named is not allowed."""
    if isinstance(schema, list):
        return [closed(document, each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return closed(document, referred(document, schema))
    made = {name: closed(document, each) for name, each in deepcopy(schema).items()}
    if schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


INSTANT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
FORMATS: Final = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time")  # type: ignore[untyped-decorator]
def is_instant(value: object) -> bool:
    """RFC 3339, UTC, with milliseconds."""
    if not isinstance(value, str) or re.fullmatch(INSTANT, value) is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


# ---------------------------------------------------------------- the watch
class Watch:
    """Notes what was sent since the last look. Off (`on` False) it does nothing: campaigns have other judges."""

    def __init__(self) -> None:
        self.on = False
        self.made_up = False
        """Whether this test sends bodies of its own that are no reports, to see how they travel."""
        self.seen: Counter[str] = Counter()
        """Messages that were held to the document, by channel."""
        self._faults: list[str] = []

    def sent(self, publication: Publication) -> None:
        """A module has sent this."""
        parsed = parse_topic(publication.topic)
        if not self.on or (self.made_up and (parsed is None or parsed[1] != "online")):
            return
        self.seen[publication.topic if parsed is None else parsed[1].value] += 1
        self._faults = [*self._faults, *faults(publication)][:MOST_FAULTS]

    def said(self, module_id: bytes, message: Message) -> None:
        """The same, where nothing but the core's own message is there."""
        if self.on:
            self.sent(published(module_id, message))

    def take_faults(self) -> list[str]:
        """What was not as it should be since the last look."""
        found, self._faults = self._faults, []
        return found


def published(module_id: bytes, message: Message) -> Publication:
    """The core's message as it goes to the broker."""
    where = topic(module_id, message.channel)
    return Publication(where, *message[1:])


watch: Final = Watch()
"""What this process sends."""


def install() -> None:
    """From now on the real connection says what it sends."""
    send = Connection.send

    def told(self: Connection, publication: Publication) -> "asyncio.Future[None]":
        watch.sent(publication)
        return send(self, publication)

    setattr(Connection, "send", told)  # noqa: B010  # mypy would have a method never change
    watch.on = True
