"""The page that shows the description of the MQTT interface. Knows nothing but the document."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from tests.support.asyncapi import DOCUMENT

PAGE: Final = "docs/mqtt.md"
JSON = dict[str, Any]

_HEADER: Final = """\
# The MQTT interface

Written by `make docs` from [protocol/asyncapi.json](../protocol/asyncapi.json) (AsyncAPI {asyncapi}, interface version
{version}); do not edit. {description} Every message that a test makes a module send is held to it.

MQTT 5, QoS 1. `moduleId` is the module's identifier, 16 hexadecimal digits.

## Messages

| topic | message | direction | retained | expires | properties | payload |
|---|---|---|---|---|---|---|
"""


def render(document: JSON) -> str:
    """The page as Markdown."""
    info = document["info"]
    head = _HEADER.format(asyncapi=document["asyncapi"], version=info["version"], description=info["description"])
    rows = [_row(document, operation) for operation in document["operations"].values()]
    schemas = [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    return head + "\n".join(rows) + "\n\n## Payloads and properties\n" + "".join(schemas)


def _row(document: JSON, operation: JSON) -> str:
    channel = document["channels"][_last(operation["channel"])]
    message = document["components"]["messages"][_last(operation["messages"][0])]
    binding = operation["bindings"]["mqtt"]
    expiry = binding.get("messageExpiryInterval")
    correlated = "correlationData" in message["bindings"]["mqtt"]
    properties = [_link(message["headers"])] if "headers" in message else []
    cells = (
        f"`{channel['address']}`",
        message["summary"],
        "from module" if operation["action"] == "send" else "to module",
        "yes" if binding["retain"] else "no",
        _expiry(expiry),
        ", ".join(properties + ["correlation data"] * correlated),
        _type(message["payload"]) if "payload" in message else "empty",
    )
    return f"| {' | '.join(cells)} |"


def _expiry(interval: int | JSON | None) -> str:
    match interval:
        case None:
            return ""
        case int():
            return f"{interval} s"
        case _:
            return f"{interval['minimum']} to {interval['maximum']} s"


def _schema(name: str, schema: JSON) -> str:
    text = f"\n### {name}\n\n{schema.get('description', '')}\n"
    if "properties" not in schema:
        return text + f"\n{_type(schema)}\n"
    required = schema.get("required", [])
    rows = [
        f"| `{field}` | {_type(rules)} | {'yes' if field in required else 'no'} | {rules.get('description', '')} |\n"
        for field, rules in schema["properties"].items()
    ]
    return text + "\n| field | type | always there | meaning |\n|---|---|---|---|\n" + "".join(rows)


def _type(rules: JSON) -> str:
    """In a few words."""
    if "$ref" in rules:
        return _link(rules)
    if "const" in rules:
        return f"`{rules['const']}`"
    if "enum" in rules:
        return ", ".join(f"`{value}`" for value in rules["enum"] if value) + (
            " or empty" if "" in rules["enum"] else ""
        )
    if "oneOf" in rules:
        parts = (each["properties"] for each in rules["oneOf"])
        return ", ".join(f"{_type(part['channel'])} with {_type(part['report'])}" for part in parts)
    if rules.get("type") == "array":
        return f"{rules['minItems']} to {rules['maxItems']} of: {_type(rules['items'])}"
    least, most = rules.get("minimum"), rules.get("maximum")
    limits = f" from {least}" * (least is not None) + f" to {most}" * (most is not None)
    longest = f", at most {rules['maxLength']} bytes" if "maxLength" in rules else ""
    others = rules.get("additionalProperties")
    inside = f" of {_type(others)}" if isinstance(others, dict) else ""
    return f"{rules.get('format', rules.get('type', 'any'))}{inside}{limits}{longest}{_unit(rules)}"


def _unit(rules: JSON) -> str:
    return f", {rules['x-unit']}" if "x-unit" in rules else ""


def _link(reference: JSON) -> str:
    name = _last(reference)
    return f"[{name}](#{name.lower()})"


def _last(reference: JSON) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def main() -> int:
    """Write the page."""
    Path(PAGE).write_text(render(json.loads(Path(DOCUMENT).read_text("utf-8"))), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
