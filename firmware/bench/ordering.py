"""The command that gives the module what a backend has signed, as if it had come over the broker.

Decides nothing about it: whether it is genuine is the module's to say. Refuses to know what is inside.
"""

from typing import Final

from firmware.bench.grammar import Command, Kind, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Result
from firmware.bench.room import Room
from protocol import telemetry
from protocol.telemetry import Channel

MOST_HEX: Final = 3_900
"""A line of the console holds no more."""


def signed(word: str) -> bytes:
    """Hexadecimal as bytes. Raises ValueError."""
    if not 0 < len(word) <= MOST_HEX:
        raise ValueError(f"it has {len(word)} characters, not 1 to {MOST_HEX}")
    try:
        return bytes.fromhex(word)
    except ValueError:
        raise ValueError("it is no hexadecimal") from None


async def order(room: Room, words: Words) -> Result:
    """The module answers over the broker, as always: `owner` shows it."""
    payload = words.get("HEX")
    assert isinstance(payload, bytes)
    topic = telemetry.topic(room.stand.profile.module_id, Channel.ORDER)
    if room.stand.pump is None or not room.broker.deliver(topic, payload):
        raise DeskError(DeskCode.FAILED, "`order`: it does not arrive: the broker is not connected. Try `broker up`.")
    return Result("order", {"bytes": len(payload)}, (f"{len(payload)} bytes delivered. `owner` shows the answer.",))


COMMANDS: Final = (
    Command(
        ("order",),
        Level.OPERATE,
        "give the module what a backend has signed, as if it came over the broker",
        order,
        (Parameter("HEX", Kind[object]("HEX", signed)),),
    ),
)
