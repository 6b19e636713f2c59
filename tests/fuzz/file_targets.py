"""Targets of what lies on disks: stored state and records, the store's file, configuration, provisioning, bookings."""

import asyncio
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from firmware.adapters.store import SqliteStore
from firmware.config import ConfigError, read_config
from firmware.core import module, reporting
from firmware.core.events import BrokerConnected, Ticked
from firmware.core.reports import Point, Record
from firmware.core.state import DeadBooking, Durable, EndReason, Executed, Slot, Trip
from firmware.keeper import Keeper, decode_durable, encode, recalled
from firmware.page import decode_record
from firmware.ports import Loaded, StoredRecord, StoreFailed
from protocol.errors import Code, ProtocolError
from protocol.messages import Operation, Phase
from protocol.provisioning import (
    Provisioning,
    decode_booking_file,
    decode_provisioning,
    encode_booking_file,
    encode_provisioning,
)
from protocol.telemetry import Channel, EventKind
from tests.fuzz.link_targets import booking_file
from tests.fuzz.target import Target
from tests.support import core, credentials
from tests.support.credentials import BOOKING, MODULE_ID


# ---------------------------------------------------------------- stored state and records
def stored_state(data: bytes) -> None:
    """A state or critical record that was not read is a StoreFailed; with one that was the module boots and works."""
    state = data[1:] if data[:1] != b"\x01" else msgspec.msgpack.encode(DURABLE)
    try:
        durable = recalled(Loaded(state, data[1:] if data[:1] == b"\x01" else None), core.PROFILE)
    except StoreFailed:
        return
    assert durable is not None
    assert decode_durable(encode(durable)[0]) == durable
    module_state, _ = module.boot(durable, core.PROFILE, core.NOW)
    for event in (Ticked(), core.STANDING, BrokerConnected()):
        module_state, _ = module.step(module_state, event, core.NOW + 1_000)


def stored_record(data: bytes) -> None:
    """A record that was not read is a StoreFailed; one that was can be sent."""
    try:
        record = decode_record(data)
    except StoreFailed:
        return
    message = reporting.record_message(core.a_state(), record, core.NOW)
    assert message.payload


_POINT: Final = Point(481_371_540, 115_761_240, core.BEGINS_MS)
DURABLE: Final = Durable(
    core.FLOOR_MS,
    core.EPOCH,
    Trip(Phase.ENDED, BOOKING, core.BEGINS_MS, core.ENDS_MS, end_point=_POINT, end_distance_m=12),
    drive_enabled=False,
    dead=(DeadBooking(b"b" * 16, EndReason.CUT_OFF, 1_790_009_000, 1_789_999_000, (("overdue_ms", 5),)),),
    revoked=((b"t" * 16, 1_790_009_000),),
    devices=((b"a driver", 1),),
    executed=(Executed(b"commands", b"a driver", Operation.UNLOCK, Code.OK),),
    slot=Slot(2, _POINT, parking=True),
)
RECORDS: Final = (
    Record(1, Channel.EVENT, 1, core.BEGINS_MS, "trusted", EventKind.BOOTED, "00", "driver", "r", (("n_ms", 1),)),
    Record(2, Channel.STATE, 1, core.BEGINS_MS, "trusted", signals=(("Vehicle.Speed", 1.5), ("b", True), ("c", "x"))),
    Record(3, Channel.TRACK, 1, core.BEGINS_MS, "trusted", point=_POINT),
    Record(
        4, Channel.ORDER_RESULT, 1, core.BEGINS_MS, booking="00", reason="OK", numbers=(("code", 0), ("pending", 0))
    ),
)


def _state_seeds() -> list[bytes]:
    running = msgspec.structs.replace(DURABLE, trip=core.running().durable.trip, drive_enabled=True)
    encoded = [encode(durable) for durable in (Durable(0, 0), DURABLE, running)]
    return [bytes([at]) + each[at] for each in encoded for at in (0, 1)]


# ---------------------------------------------------------------- the store's file
@cache
def folder() -> Path:
    """A directory that is gone with this process, in memory where there is such a place."""
    memory = Path("/dev/shm")
    kept = tempfile.TemporaryDirectory(prefix="fuzz", dir=memory if memory.is_dir() else None)
    _kept.append(kept)
    return Path(kept.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


_NAMES: Final = ("module.db", "module.db-wal", "module.vital")


def store_file(data: bytes) -> None:
    """A store one of whose files is anything boots, into what it says; and keeps what it is given from then on."""
    for old in folder().glob("*"):
        old.unlink()
    damaged = data[0] % len(_NAMES) if data else 0
    for at, name in enumerate(_NAMES):
        (folder() / name).write_bytes(data[1:] if at == damaged else _store_seeds()[at][1:])
    _loop().run_until_complete(_use_store(folder() / _NAMES[0]))


async def _use_store(place: Path) -> None:
    store = SqliteStore(place, capacity_records=100)
    try:
        durable, _ = await Keeper(store, lambda: core.NOW, lambda _: None).recall(core.PROFILE)
        state, _ = module.boot(durable, core.PROFILE, core.NOW)
        for record in await store.pending(limit=10):
            assert isinstance(record.body, bytes)
        body, noted = encode(state.durable)
        await store.commit(body, (StoredRecord(9_999, reveals_position=False, body=b"x"),), vital=noted)
        assert (await store.load()).state == body
    except StoreFailed as error:
        assert str(error).isprintable()
    finally:
        await store.close()


@cache
def _store_seeds() -> tuple[bytes, ...]:
    """The files of a store in use, each behind its number."""
    with tempfile.TemporaryDirectory(dir=folder().parent) as other:
        place = Path(other) / _NAMES[0]

        async def write() -> tuple[bytes, ...]:
            store = SqliteStore(place, capacity_records=100)
            bodies = [msgspec.msgpack.encode(record) for record in RECORDS]
            stored = [StoredRecord(at, reveals_position=at == 3, body=body) for at, body in enumerate(bodies, 1)]
            state, noted = encode(DURABLE)
            await store.commit(state, tuple(stored), vital=noted)
            found = [bytes([at]) + (place.parent / name).read_bytes() for at, name in enumerate(_NAMES)]
            await store.close()
            return (*found, bytes(1) + place.read_bytes())

        return _loop().run_until_complete(write())


# ---------------------------------------------------------------- text files
_TOML: Final = b"""\
[module]
provisioning = "provisioning.json"
state_dir = "state"
[ble]
transport = "virtual"
hub_port = 6402
[broker]
host = "127.0.0.1"
port = 1883
tls_ca = ""
[vehicle]
kind = "simulated"
latitude = 48.1
longitude = 11.5
"""
_SMALL: Final = (b"", b"[ble]\nhub_port = 0\n", b"[vehicle]\nlatitude = 1e9\n", b"broker = {host = 'x', port = -1}\n")


def configuration(data: bytes) -> None:
    """A configuration is read or refused in one line that names the file."""
    place = folder() / "sharebox.toml"
    place.write_bytes(data)
    try:
        config = read_config(place)
    except ConfigError as error:
        assert str(error).isprintable(), error
        assert str(place) in str(error)
    else:
        assert config.directory == str(place.parent)


def json_files(data: bytes) -> None:
    """Provisioning and booking files are read or refused in one line; what is read is written the same."""
    text = data[1:].decode("utf-8", "replace")
    try:
        if data[:1] == b"\x00":
            provisioning = decode_provisioning(text)
            assert decode_provisioning(encode_provisioning(provisioning)) == provisioning
        else:
            booking = decode_booking_file(text)
            assert decode_booking_file(encode_booking_file(booking)) == booking
    except ProtocolError as error:
        assert error.code is Code.MALFORMED
        assert str(error).isprintable(), error


def _json_seeds() -> list[bytes]:
    private, public = bytes(range(1, 33)), credentials.BOOKING.holder
    provisioning = Provisioning(MODULE_ID, private, private, 1, (public,), core.HOME, 1_790_000_000)
    texts = (encode_provisioning(provisioning), encode_booking_file(booking_file()))
    return [bytes([at]) + json.dumps(json.loads(text)).encode() for at, text in enumerate(texts)]


_JSON_WORDS: Final = (b"null", b"[]", b"{}", b"1e999", b'"', b"\\ud800", b"-1", b"99999999999999999999", b"true")
_TOML_WORDS: Final = (
    b"\n[",
    b"]\n",
    b"[[",
    b"= ",
    b'"""',
    b"inf",
    b"nan",
    b"1979-05-27T07:32:00Z",
    b"0x",
    b".",
    b"'''",
)

FILES: Final = (
    Target("state", "the stored state", stored_state, _state_seeds),
    Target("record", "a stored record", stored_record, lambda: [*map(msgspec.msgpack.encode, RECORDS)]),
    Target("store_file", "the store's file", store_file, lambda: [*_store_seeds()], most_bytes=100_000, one_in=500),
    Target("config", "the configuration", configuration, lambda: [_TOML, *_SMALL], _TOML_WORDS),
    Target("json", "provisioning and booking files", json_files, _json_seeds, _JSON_WORDS),
)
