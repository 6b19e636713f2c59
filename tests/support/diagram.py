"""The picture of a booking's life, drawn from the tables of `firmware.core.trip`. Knows no rule itself."""

import sys
from pathlib import Path

from firmware.core.trip import EVENTS, RULES
from protocol.values import Phase

DIAGRAM = "docs/booking.md"

_HEADER = """\
# The life of a booking

Drawn by `make docs` from the tables in `firmware/core/trip.py`; do not edit. A plain caption is something that
somebody does; one in brackets is a rule that fires as soon as its condition holds, whatever led there.

```mermaid
stateDiagram-v2
"""


def render() -> str:
    """The page as Markdown."""
    lines = [f"    [*] --> {Phase.NONE.name.lower()}"]
    lines += [_arrow(source, target, event.value) for (source, event), target in EVENTS.items()]
    for rule in RULES:
        lines += [_arrow(source, rule.target, f"[{rule.name}]") for source in Phase if source in rule.sources]
    return _HEADER + "\n".join(lines) + "\n```\n"


def _arrow(source: Phase, target: Phase, caption: str) -> str:
    # A colon would end the caption.
    return f"    {source.name.lower()} --> {target.name.lower()}: {caption.replace(':', '#58;')}"


def main() -> int:
    """Write the page."""
    Path(DIAGRAM).write_text(render(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
