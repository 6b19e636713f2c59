"""All targets by name."""

from typing import Final

from tests.fuzz.car_targets import CAR
from tests.fuzz.file_targets import FILES
from tests.fuzz.key_targets import KEYS
from tests.fuzz.link_targets import LINK
from tests.fuzz.service_targets import SERVICES
from tests.fuzz.target import Target
from tests.fuzz.wire_targets import WIRE

TARGETS: Final[dict[str, Target]] = {target.name: target for target in (*WIRE, *KEYS, *SERVICES, *LINK, *CAR, *FILES)}
