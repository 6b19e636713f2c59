"""What Home Assistant is told, so that the car appears on its dashboard by itself: one retained message.

The format is Home Assistant's MQTT device discovery: `dev`, `o` and `cmps` on `homeassistant/device/.../config`.
Decides: which of the things that a module reports become entities, and how they are called. Refuses to know: when it
is sent. It tells nothing that the channels do not tell, and only of those whose rules of privacy are kept elsewhere.
"""

from typing import Final

from firmware.ports import Publication
from protocol import signals
from protocol.signals import SIGNALS
from protocol.telemetry import (
    CONTENT_TYPE,
    FIX_TIME,
    LATITUDE,
    LONGITUDE,
    QOS,
    TOPIC_ROOT,
    Channel,
    EventKind,
    StoreCondition,
    channel_of,
    encode,
    topic,
)

PREFIX: Final = "homeassistant"
"""Where Home Assistant looks, unless it was told otherwise."""

MAKER: Final = "Sharebox"

Entity = dict[str, object]

_UNITS: Final = {"percent": "%"}
"""What Home Assistant writes otherwise than VSS."""

_PHASES: Final = list(SIGNALS[signals.BOOKING_PHASE].allowed)

_UNKNOWN: Final = '{"latitude": null, "longitude": null}'
"""A position that was withdrawn: Home Assistant forgets the one that it has."""

_ONLINE: Final = "{{ 'online' if value_json.online else 'offline' }}"


def config(module_id: bytes, version: str) -> Publication:
    """The announcement of module `module_id`, whose firmware has `version`."""
    name = module_id.hex()
    device = f"{TOPIC_ROOT}_{name}"
    entities = {
        key: {"name": label, "unique_id": f"{device}_{key}", **entity}
        for key, (label, entity) in _entities(module_id).items()
    }
    document = {
        "dev": {"ids": [device], "name": f"Car {name[:4]}", "mf": MAKER, "mdl": "Sharing module", "sw": version},
        "o": {"name": MAKER, "sw": version},
        "qos": QOS,
        "cmps": entities,
    }
    return Publication(config_topic(module_id), encode(document), retain=True, content_type=CONTENT_TYPE)


def config_topic(module_id: bytes) -> str:
    """`homeassistant/device/sharebox/<module id in hex>/config`: the identifier has a level of its own, so that a
    broker can keep modules apart by a pattern."""
    return f"{PREFIX}/device/{TOPIC_ROOT}/{module_id.hex()}/config"


def _entities(module_id: bytes) -> dict[str, tuple[str, Entity]]:
    """By key: label and settings. What can change while nobody looks is unavailable when the module is offline; what
    stays as it was (the position, the fuel) is shown as it was last known."""
    state, health = topic(module_id, Channel.STATE), topic(module_id, Channel.HEALTH)
    online = topic(module_id, Channel.ONLINE)
    present: Entity = {"availability_topic": online, "availability_template": _ONLINE}

    def sensor(signal: str, **more: object) -> Entity:
        return {"p": "sensor", "state_topic": state, "value_template": _signal(signal), **more}

    def measured(signal: str, **more: object) -> Entity:
        unit = SIGNALS[signal].unit
        shown: dict[str, object] = {"state_class": "measurement", "unit_of_measurement": _UNITS.get(unit, unit)}
        return sensor(signal, **(shown | more))

    def contact(signal: str, on: str = "True", off: str = "False", **more: object) -> Entity:
        shown: Entity = {"p": "binary_sensor", "state_topic": state, "value_template": _signal(signal)}
        return present | shown | {"payload_on": on, "payload_off": off, **more}

    def diagnosis(field: str, **more: object) -> Entity:
        shown: Entity = {"p": "sensor", "state_topic": health, "value_template": f"{{{{ value_json.{field} }}}}"}
        return present | shown | {"entity_category": "diagnostic", **more}

    return {
        "position": ("Position", _tracker(module_id)),
        "connected": ("Connected", _connected(online)),
        "alert": ("Alert", _alert(module_id)),
        "booking": ("Booking", present | sensor(signals.BOOKING_PHASE, device_class="enum", options=_PHASES)),
        # For Home Assistant a lock that is "on" is open.
        "locked": ("Lock", contact(signals.LOCKED, "False", "True", device_class="lock")),
        "doors": ("Doors", contact(signals.DOORS_OPEN, device_class="door")),
        "boot": ("Boot", contact(signals.BOOT_OPEN, device_class="opening")),
        "ignition": ("Ignition", contact(signals.IGNITION, "ON", "OFF", device_class="power")),
        "drive": ("Driving enabled", contact(signals.DRIVE_ENABLED)),
        "fuel": ("Fuel", measured(signals.FUEL, icon="mdi:gas-station")),
        "range": ("Range", measured(signals.RANGE, device_class="distance")),
        "odometer": ("Odometer", measured(signals.ODOMETER, device_class="distance", state_class="total_increasing")),
        "battery": ("Battery", measured(signals.VOLTAGE, device_class="voltage")),
        "queued": ("Waiting records", diagnosis("queued", state_class="measurement")),
        "dropped": ("Lost records", diagnosis("dropped", state_class="total_increasing")),
        "store": ("Store", diagnosis("store", device_class="enum", options=[str(one) for one in StoreCondition])),
    }


def _tracker(module_id: bytes) -> Entity:
    """The retained position; it is withdrawn when somebody else takes the car (PRV-3)."""
    fields = {"latitude": LATITUDE, "longitude": LONGITUDE, "fix_time": FIX_TIME, "parking": "parking"}
    told = ", ".join(f"'{shown}': value_json['{name}']" for shown, name in fields.items())
    return {
        "p": "device_tracker",
        "source_type": "gps",
        "json_attributes_topic": topic(module_id, Channel.POSITION),
        "json_attributes_template": (
            f"{{% if value_json is defined %}}{{{{ {{{told}}} | tojson }}}}{{% else %}}{_UNKNOWN}{{% endif %}}"
        ),
    }


def _connected(online: str) -> Entity:
    return {
        "p": "binary_sensor",
        "state_topic": online,
        "value_template": "{{ value_json.online }}",
        "device_class": "connectivity",
        "payload_on": "True",
        "payload_off": "False",
        "entity_category": "diagnostic",
    }


def _alert(module_id: bytes) -> Entity:
    return {
        "p": "event",
        "state_topic": topic(module_id, Channel.ALERT),
        "value_template": '{"event_type": "{{ value_json.kind }}"}',
        "event_types": [kind.value for kind in EventKind if channel_of(kind) is Channel.ALERT],
    }


def _signal(name: str) -> str:
    """None, which Home Assistant shows as unknown, when the car does not tell it."""
    return f"{{{{ value_json.signals.get('{name}') }}}}"
