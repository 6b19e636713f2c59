"""Commands for the module's durable state (BEN-4): save it, look what is different, put it back."""

from typing import Final

import msgspec

from firmware.bench.difference import differences
from firmware.bench.grammar import Command, Kind, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.results import Data, DeskCode, DeskError, Result
from firmware.bench.room import Room
from firmware.bench.shelf import NAME, Saved, ShelfFailed
from firmware.bench.stand import Contents
from firmware.bench.words import instant
from firmware.core.state import Durable
from firmware.keeper import decode_durable, encode
from firmware.ports import StoreFailed, VoidFrom
from protocol.errors import one_line

MOST_DIFFERENCES: Final = 200


def _name(word: str) -> str:
    if not NAME.fullmatch(word):
        raise ValueError("it is no name: small letters, digits, - and _, at most 32")
    return word


async def save(room: Room, words: Words) -> Result:
    """The durable state as it is stored, under a name."""
    name = words.text("NAME")
    state, vital = encode(room.state.durable)
    saved = Saved(room.stand.profile.module_id, room.stand.time.utc_ms(), state, vital)
    try:
        room.shelf.put(name, saved)
    except ShelfFailed as error:
        raise _failed("save", name, error) from None
    return Result("state", {"saved": name, "bytes": len(state)}, (f"Saved as {name} ({len(state)} bytes).",))


async def load(room: Room, words: Words) -> Result:
    """Switch the module off, put the saved state onto its disk, and switch it on."""
    name = words.text("NAME")
    saved, durable = _read(room, "load", name)
    if saved.module_id != room.stand.profile.module_id:
        raise DeskError(
            DeskCode.FAILED,
            f"`state load {name}`: it is the state of module {saved.module_id.hex()}. Save one of this module.",
        )
    void = VoidFrom(durable.counters.record, durable.log.length + 1)
    try:
        await room.stand.restart(contents=Contents(saved.state, saved.vital, void))
    except StoreFailed as error:
        raise DeskError(DeskCode.FAILED, f"`state load {name}`: {one_line(str(error))}. Then `power on`.") from None
    lines = (f"Loaded {name}, saved {instant(saved.at_ms)}; the module has started with it.",)
    return Result("state", {"loaded": name, "saved_at_ms": saved.at_ms}, lines)


async def diff(room: Room, words: Words) -> Result:
    """What is different between two saved states, or a saved one and the module's."""
    one, other = words.text("A"), words.text("B")
    before = _read(room, "diff", one)[1]
    after = _read(room, "diff", other)[1] if other else room.state.durable
    found = list(differences(before, after))
    shown = found[:MOST_DIFFERENCES]
    data: list[Data] = [msgspec.structs.asdict(each) for each in shown]
    lines = [str(each) for each in shown]
    if len(found) > len(shown):
        lines.append(f"... and {len(found) - len(shown)} more.")
    return Result(
        "state",
        {"from": one, "to": other or None, "differences": data, "count": len(found)},
        tuple(lines) or ("There is no difference.",),
    )


async def saved_states(room: Room, _: Words) -> Result:
    """Their names."""
    names = room.shelf.names()
    return Result("state", {"saved": list(names)}, names or ("No state is saved.",))


def _read(room: Room, what: str, name: str) -> tuple[Saved, Durable]:
    try:
        saved = room.shelf.get(name)
        return saved, decode_durable(saved.state)
    except (ShelfFailed, StoreFailed) as error:
        raise _failed(what, name, error) from None


def _failed(what: str, name: str, error: Exception) -> DeskError:
    return DeskError(DeskCode.FAILED, f"`state {what} {name}`: {error}.")


_NEW: Final = Kind[object]("NAME", _name)

COMMANDS: Final = (
    Command(
        ("state", "save"),
        Level.OPERATE,
        "keep what is stored under a name",
        save,
        (Parameter("NAME", _NEW),),
    ),
    Command(("state", "list"), Level.OBSERVE, "which states are kept", saved_states),
    Command(
        ("state", "diff"),
        Level.OBSERVE,
        "what is different between two, or one and the module's",
        diff,
        (Parameter("A", Kind[object]("A", _name)), Parameter("B", Kind[object]("B", _name), optional=True)),
        suggest=lambda room: room.shelf.names(),
    ),
    Command(
        ("state", "load"),
        Level.SERVICE,
        "start the module with a kept state",
        load,
        (Parameter("NAME", _NEW),),
        suggest=lambda room: room.shelf.names(),
    ),
)
