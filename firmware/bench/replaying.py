"""A whole recording replayed, and what is said about it: to people in lines, to programs as an object.

Decides whose private keys are used, and where a replay ends.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from firmware.bench.difference import fields, shown
from firmware.bench.recordfile import RecordingFailed
from firmware.bench.recording import FORMAT, Header, Recording
from firmware.bench.replay import Divergence, Replay
from firmware.core.state import State
from protocol import keys
from protocol.errors import ProtocolError
from protocol.provisioning import Provisioning, decode_provisioning

MOST_FIELDS_SHOWN: Final = 40


class Outcome(msgspec.Struct, frozen=True):
    """What came of a replay. `divergence` None: no difference. `compared`: answers, handshakes and publications;
    `not_compared`: those of which nobody knows what is right. `torn`: what is wrong with the last line. `state`: what
    the module knew at the end, when that was asked for."""

    lines: int
    steps: int
    boots: int
    compared: int
    not_compared: int
    with_keys: bool
    torn: str
    divergence: Divergence | None
    state: State | None = None


def play(recording: Recording, provisioning: Provisioning | None, until: int | None = None) -> Outcome:
    """Replay up to the first difference, or line `until`. Raises RecordingFailed."""
    replay = Replay(recording.header, provisioning)
    divergence = None
    for line in recording.lines():
        if until is not None and line.n > until:
            break
        divergence = replay.feed(line)
        if divergence is not None:
            break
    return Outcome(
        replay.n,
        replay.steps,
        replay.boots,
        replay.compared,
        replay.not_compared,
        provisioning is not None,
        recording.torn,
        divergence,
        None if until is None else replay.state,
    )


def keys_in(header: Header) -> Provisioning | None:
    """The module's keys, if they are in the recording. Raises RecordingFailed."""
    if header.provisioning is None:
        return None
    try:
        return decode_provisioning(msgspec.json.encode(header.provisioning).decode())
    except ProtocolError as error:
        raise RecordingFailed(f"the keys in the recording: {error.detail}; give others with --config") from None


def check_fits(header: Header, provisioning: Provisioning) -> None:
    """Whether these are the keys of the module that was recorded. Raises RecordingFailed."""
    handshake = keys.private_from_bytes(provisioning.handshake_private).public_key()
    theirs = (provisioning.module_id.hex(), keys.public_to_bytes(handshake).hex())
    if theirs != (header.module, header.handshake_public):
        raise RecordingFailed(
            f"the recording is of module {header.module}, and the keys are those of {theirs[0]}, or other ones; "
            f"give the configuration of that module"
        )


def words(outcome: Outcome) -> Iterator[str]:
    """For people: the verdict, the places that differ, and what was not looked at."""
    found = outcome.divergence
    played = f"{outcome.lines} lines, {outcome.steps} steps, {_count(outcome.boots, 'boot')}"
    if found is None:
        yield f"No difference: {played} replayed, {outcome.compared} answers and publications compared."
    else:
        yield f"Line {found.line}{_when(found)}: {found.about} differs."
        for field in found.fields[:MOST_FIELDS_SHOWN]:
            yield f"  {field}"
        if len(found.fields) > MOST_FIELDS_SHOWN:
            yield f"  and {len(found.fields) - MOST_FIELDS_SHOWN} more"
    if outcome.not_compared:
        yield f"Not compared: {outcome.not_compared}, of links or records that are older than the recording."
    if not outcome.with_keys:
        yield "The links were not compared: that takes the module's keys. Give its configuration with --config."
    if outcome.torn:
        yield f"Note: {outcome.torn}."
    if outcome.state is not None:
        yield f"The module at line {outcome.lines}:"
        yield from (f"  {path}: {shown(value)}" for path, value in fields(outcome.state))


def result(outcome: Outcome) -> dict[str, object]:
    """For programs."""
    found = outcome.divergence
    state = None if outcome.state is None else dict(fields(outcome.state))
    return {
        "type": "replay",
        "format": FORMAT,
        "same": found is None,
        "lines": outcome.lines,
        "steps": outcome.steps,
        "boots": outcome.boots,
        "compared": outcome.compared,
        "not_compared": outcome.not_compared,
        "with_keys": outcome.with_keys,
        "torn": outcome.torn,
        "difference": None if found is None else msgspec.to_builtins(found),
        "state": state,
    }


def _when(found: Divergence) -> str:
    return f" (boot {found.boot}, {found.at})" if found.at else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
