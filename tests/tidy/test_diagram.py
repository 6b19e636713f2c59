"""The picture of a booking's life shows what the tables say, and is current."""

import re

from firmware.core.trip import EVENTS, RULES
from tests.support import diagram
from tests.tidy.source import ROOT


def test_every_transition_of_the_tables_is_one_arrow() -> None:
    arrows = re.findall(r"^    (\w+) --> (\w+): (.+)$", diagram.render(), re.MULTILINE)
    assert len(arrows) == len(set(arrows)) == len(EVENTS) + sum(len(rule.sources) for rule in RULES)
    assert ("cutoff_pending", "cut_off", "[parked]") in arrows


def test_the_written_picture_is_current() -> None:
    assert (ROOT / diagram.DIAGRAM).read_text("utf-8") == diagram.render(), "run `make docs`"
