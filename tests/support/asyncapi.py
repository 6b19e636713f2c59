"""The description of the MQTT interface, AsyncAPI 3, made from the types of `protocol.telemetry`.

Decides nothing about the interface but what the types cannot say: which message is retained, which expires, and which
properties it has. `python -m tests.support.asyncapi` writes it, and the page that shows it.
"""

import json
import sys
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from firmware.core.ecall import STALE_AFTER_MS
from firmware.core.reporting import HEALTH_LASTS_S, TRANSIENT_LASTS_S
from protocol import msd, telemetry
from protocol.signals import SIGNALS, Signal
from protocol.telemetry import Channel

DOCUMENT: Final = "protocol/asyncapi.json"
VERSION: Final = "1.1.0"
"""Of the interface: the middle number rises when something is added, the first when something is taken away."""

JSON = dict[str, object]
MODULE_ID: Final = "^[0-9a-f]{16}$"
MOST_ORDER_BYTES: Final = 4096
EMERGENCY: Final = "The emergency centre alone: neither owner nor backend may read or write here."
HOME_ASSISTANT: Final = "homeassistant/device/sharebox/{moduleId}/config"
_SCHEMAS: Final = "#/components/schemas/"


class Sent(NamedTuple):
    """A message that modules send. `payload`: name of its schema, empty when there is no payload. `channel` None: it
    goes to where Home Assistant looks for it."""

    name: str
    channel: Channel | None
    payload: str
    summary: str
    retained: bool = False
    event: bool = True
    """Whether it is a CloudEvents event."""
    expiry_s: int | None = None
    answer: bool = False
    """Whether it goes back with the correlation data of what it answers."""


SENT: Final = (
    Sent("online", Channel.ONLINE, "Online", "The module is connected, or not: also its last will.", True, False),
    Sent("state", Channel.STATE, "StateReport", "The latest state of the vehicle, never a position.", True),
    Sent("position", Channel.POSITION, "PositionReport", "The latest position that the owner may see.", True),
    Sent("positionWithdrawn", Channel.POSITION, "", "There is no position to see (PRV-3).", True, False),
    Sent("track", Channel.TRACK, "PositionReport", "Positions in order, none from inside a driver's booking (PRV-1)."),
    Sent("event", Channel.EVENT, "EventReport", "Bookings and the module, in order."),
    Sent("alert", Channel.ALERT, "AlertReport", "What somebody should look at now; it overtakes all that waits."),
    Sent("backlog", Channel.BACKLOG, "Backlog", "Records that waited, in order: what would have been sent alone."),
    Sent("health", Channel.HEALTH, "Health", "How the module is.", True, expiry_s=HEALTH_LASTS_S),
    Sent("homeAssistant", None, "HomeAssistant", "For Home Assistant, if it is wanted: what to make of the others.",
         True, False),
    Sent("orderResult", Channel.ORDER_RESULT, "OrderResult", "What became of an order; kept until it is fetched.",
         answer=True),
    Sent("orderAnswer", Channel.ORDER_RESULT, "OrderAnswer", "What became of what does not verify; it is not kept.",
         expiry_s=TRANSIENT_LASTS_S, answer=True),
)  # fmt: skip


def document() -> JSON:
    """The whole description."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sharebox telemetry and orders",
            "version": VERSION,
            "description": "What a module tells owner and backend over MQTT 5, and what it is told. SPEC.md, section "
            "10, has the rules; events are CloudEvents 1.0 in binary mode, user properties are their attributes.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": telemetry.CONTENT_TYPE,
        "servers": {"broker": _server()},
        "channels": {_key(channel): _channel(channel) for channel in (*Channel, None)} | _emergency_channels(),
        "operations": _operations(),
        "components": {
            "messages": {**{sent.name: _message(sent) for sent in SENT}, "order": _order(), **_emergency_messages()},
            "parameters": {"moduleId": {"description": "Identifier of the module, 16 hexadecimal digits."}},
            "schemas": _schemas(),
        },
    }


def _server() -> JSON:
    will = {"topic": f"{telemetry.TOPIC_ROOT}/{{moduleId}}/online", "qos": telemetry.QOS, "retain": True}
    return {
        "host": "{host}:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5",
        "description": "TLS with a client certificate for any broker that is not on loopback (TEL-8).",
        "variables": {"host": {"description": "Where the broker is."}},
        "bindings": {
            "mqtt": {
                "clientId": "sharebox-{moduleId}",
                "cleanSession": False,
                "lastWill": will,
                "bindingVersion": "0.2.0",
            }
        },
    }


def _key(channel: Channel | None) -> str:
    """The channel's name within the document."""
    if channel is None:
        return "homeAssistant"
    first, *others = channel.name.lower().split("_")
    return first + "".join(other.capitalize() for other in others)


def _channel(channel: Channel | None) -> JSON:
    names = [sent.name for sent in SENT if sent.channel is channel] or ["order"]
    return {
        "address": HOME_ASSISTANT if channel is None else f"{telemetry.TOPIC_ROOT}/{{moduleId}}/{channel}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "parameters": {"moduleId": {"$ref": "#/components/parameters/moduleId"}},
    }


def _operations() -> JSON:
    """One for each message, since retaining and expiry belong to it."""
    made: JSON = {}
    for sent in SENT:
        binding: JSON = {"qos": telemetry.QOS, "retain": sent.retained, "bindingVersion": "0.2.0"}
        if sent.expiry_s is not None:
            binding["messageExpiryInterval"] = sent.expiry_s
        made[f"send{sent.name[0].upper()}{sent.name[1:]}"] = _operation("send", sent.channel, sent.name, binding)
    binding = {"qos": telemetry.QOS, "retain": False, "bindingVersion": "0.2.0"}
    made["receiveOrder"] = _operation("receive", Channel.ORDER, "order", binding)
    left = {"type": "integer", "minimum": 1, "maximum": STALE_AFTER_MS // 1000}
    made["sendEmergencyCall"] = _at("send", "emergency", "emergencyCall", binding | {"messageExpiryInterval": left})
    made["receiveAcknowledgement"] = _at("receive", "emergencyAck", "emergencyAcknowledgement", binding)
    return made


def _operation(action: str, channel: Channel | None, message: str, binding: JSON) -> JSON:
    return _at(action, _key(channel), message, binding)


def _at(action: str, channel: str, message: str, binding: JSON) -> JSON:
    where = f"#/channels/{channel}"
    return {
        "action": action,
        "channel": {"$ref": where},
        "messages": [{"$ref": f"{where}/messages/{message}"}],
        "bindings": {"mqtt": binding},
    }


def _message(sent: Sent) -> JSON:
    made: JSON = {"name": sent.name, "summary": sent.summary}
    binding: JSON = {"bindingVersion": "0.2.0"}
    if sent.payload:
        made |= {"contentType": telemetry.CONTENT_TYPE, "payload": {"$ref": _SCHEMAS + sent.payload}}
    if sent.event:
        made["headers"] = {"$ref": _SCHEMAS + ("BacklogAttributes" if sent.payload == "Backlog" else "Attributes")}
    if sent.answer:
        most = telemetry.MAX_CORRELATION_BYTES
        text = f"That of the order, at most {most} bytes; none if it had none."
        binding["correlationData"] = {"type": "string", "format": "binary", "maxLength": most, "description": text}
    return made | {"bindings": {"mqtt": binding}}


def _order() -> JSON:
    text = "The answer comes back with it."
    most = telemetry.MAX_CORRELATION_BYTES
    correlation = {"type": "string", "format": "binary", "maxLength": most, "description": text}
    return {
        "name": "order",
        "summary": "A signed order or revocation list (SPEC.md, sections 6.4 and 6.5), a COSE_Sign1.",
        "contentType": 'application/cose; cose-type="cose-sign1"',
        "payload": {"type": "string", "format": "binary", "maxLength": MOST_ORDER_BYTES},
        "bindings": {"mqtt": {"correlationData": correlation, "bindingVersion": "0.2.0"}},
    }


def _emergency_channels() -> JSON:
    """A line of its own: client identifier `sharebox-{moduleId}-emergency`, no last will, no session that is kept."""
    levels = {"emergency": (telemetry.EMERGENCY, "emergencyCall")}
    levels["emergencyAck"] = (telemetry.ACKNOWLEDGEMENT, "emergencyAcknowledgement")
    return {
        key: {
            "address": f"{telemetry.TOPIC_ROOT}/{{moduleId}}/{level}",
            "description": EMERGENCY,
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "parameters": {"moduleId": {"$ref": "#/components/parameters/moduleId"}},
        }
        for key, (level, name) in levels.items()
    }


def _emergency_messages() -> JSON:
    size = telemetry.CALL_BYTES
    number = {"type": "string", "format": "binary", "minLength": size, "maxLength": size}
    call = {"description": "Number of the call among those of this module, big-endian."}
    return {
        "emergencyCall": {
            "name": "emergencyCall",
            "summary": "An emergency call, repeated until it is acknowledged: the minimum set of data of EN 15722, in "
            "ASN.1 unaligned PER (docs/ecall.md).",
            "contentType": msd.CONTENT_TYPE,
            "payload": {"type": "string", "format": "binary", "maxLength": msd.MAX_BYTES},
            "bindings": {"mqtt": {"correlationData": number | call, "bindingVersion": "0.2.0"}},
        },
        "emergencyAcknowledgement": {
            "name": "emergencyAcknowledgement",
            "summary": "The emergency centre has the call; nothing else ends it.",
            "bindings": {
                "mqtt": {"correlationData": number | {"description": "That of the call."}, "bindingVersion": "0.2.0"}
            },
        },
    }


# ---------------------------------------------------------------- schemas
def _schemas() -> JSON:
    types = (
        telemetry.Online,
        telemetry.StateReport,
        telemetry.PositionReport,
        telemetry.EventReport,
        telemetry.OrderResult,
        telemetry.Health,
    )
    _, made = msgspec.json.schema_components(types, ref_template=_SCHEMAS + "{name}")
    for each in made.values():
        if "properties" in each:  # a reader may do without some of them; they are always sent
            each["required"] = [
                name for name in each["properties"] if (each["title"], name) != ("OrderResult", "stamp")
            ]
    made["StateReport"]["properties"]["signals"] = {"$ref": _SCHEMAS + "Signals"}
    answer = dict(made["OrderResult"])
    answer |= {"title": "OrderAnswer", "properties": {**answer["properties"]}}
    del answer["properties"]["stamp"]
    made["OrderResult"]["required"] = [*made["OrderResult"]["required"], "stamp"]
    event, alert = _kinds(made["EventReport"], Channel.EVENT), _kinds(made["EventReport"], Channel.ALERT)
    del made["EventKind"]
    return {
        **made,
        "OrderAnswer": answer,
        "EventReport": event,
        "AlertReport": alert | {"title": "AlertReport", "description": "What somebody should look at now."},
        "Signals": {
            "title": "Signals",
            "description": "COVESA VSS names; values in VSS units.",
            "type": "object",
            "properties": {name: _signal(signal) for name, signal in SIGNALS.items()},
        },
        "HomeAssistant": {
            "title": "HomeAssistant",
            "description": "MQTT device discovery of Home Assistant: `dev` is the car, `cmps` are its entities.",
            "type": "object",
            "required": ["dev", "o", "qos", "cmps"],
            "additionalProperties": True,
        },
        "Backlog": _backlog(),
        "Attributes": _attributes(),
        "BacklogAttributes": _attributes(compressed=True),
    }


def _kinds(report: JSON, channel: Channel) -> JSON:
    """A report with those kinds of events only that are told on this channel."""
    kinds = [kind.value for kind in telemetry.EventKind if telemetry.channel_of(kind) is channel]
    properties = report["properties"]
    assert isinstance(properties, dict)
    return report | {"properties": {**properties, "kind": {"type": "string", "enum": kinds}}}


def _signal(signal: Signal) -> JSON:
    made: JSON = {"type": signal.kind, "description": signal.meaning}
    rules = {"x-unit": signal.unit or None, "minimum": signal.least, "maximum": signal.most}
    made |= {name: rule for name, rule in rules.items() if rule is not None}
    return made | ({"enum": list(signal.allowed)} if signal.allowed else {})


def _backlog() -> JSON:
    """As it is after it has been inflated."""
    entries = [
        {
            "type": "object",
            "properties": {"channel": {"const": str(sent.channel)}, "report": {"$ref": _SCHEMAS + sent.payload}},
            "required": ["channel", "report"],
        }
        for sent in SENT
        if sent.channel in telemetry.RECORD_CHANNELS and sent.name != "orderAnswer"
    ]
    return {
        "title": "Backlog",
        "description": f"zlib (RFC 1950) of this list; inflated at most {telemetry.MAX_BACKLOG_BYTES} bytes.",
        "type": "array",
        "minItems": 1,
        "maxItems": telemetry.MAX_BACKLOG_RECORDS,
        "items": {"oneOf": entries},
    }


def _attributes(*, compressed: bool = False) -> JSON:
    properties: JSON = {
        "specversion": {"const": telemetry.SPEC_VERSION},
        "id": {
            "type": "string",
            "pattern": r"^[0-9]+-[a-z/]+-[0-9a-z-]+$",
            "description": "boot, channel and number: a duplicate has the same",
        },
        "source": {"type": "string", "pattern": f"^/{telemetry.TOPIC_ROOT}/[0-9a-f]{{16}}$"},
        "type": {"type": "string", "pattern": rf"^{telemetry.TOPIC_ROOT}\.[a-z_.]+$"},
        "time": {"type": "string", "format": "date-time", "description": "when the record was made"},
    }
    if compressed:
        name, value = telemetry.CONTENT_ENCODING
        properties[name] = {"const": value}
    return {
        "title": "BacklogAttributes" if compressed else "Attributes",
        "description": "MQTT 5 user properties: the attributes of CloudEvents.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def render() -> str:
    """The document as it is written."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write it."""
    Path(DOCUMENT).write_text(render(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
