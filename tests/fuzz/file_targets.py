"""Targets of what lies on disks: stored state and records, the store's file, configuration, provisioning, bookings."""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from firmware.adapters.store import SqliteStore
from firmware.adapters.store.critical import SLOT_BYTES, Critical, Kept
from firmware.adapters.store.disk import Disk, Settings
from firmware.config import ConfigError, read_config
from firmware.core import module, reporting
from firmware.core.events import BrokerConnected, Ticked, Trouble
from firmware.core.reports import Point, Record
from firmware.core.state import DeadBooking, Durable, EndReason, Executed, Slot, Trip
from firmware.core.usage import Chained
from firmware.keeper import Keeper, decode_durable, encode, recalled
from firmware.page import decode_record
from firmware.ports import Loaded, StoredRecord, StoreFailed
from host_tools.phone.invitation import Invitation, decode_invitation, encode_invitation
from protocol.errors import Code, ProtocolError
from protocol.messages import Operation, Phase
from protocol.provisioning import (
    KeyFile,
    PhoneFile,
    Provisioning,
    ShareFile,
    VehicleFacts,
    decode_phone_file,
    decode_provisioning,
    encode_phone_file,
    encode_provisioning,
)
from protocol.telemetry import Channel, EventKind
from tests.fuzz.link_targets import booking_file
from tests.fuzz.target import Target
from tests.simulation.disk import at_once
from tests.support import core, credentials
from tests.support.credentials import BOOKING, MODULE_ID

T = TypeVar("T")


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


_NAMES: Final = ("module.db", "module.db-wal", "module.vital")


def store_file(data: bytes) -> None:
    """A store one of whose files is anything boots, into what it says; and keeps what it is given from then on."""
    for old in folder().glob("*"):
        old.unlink()
    damaged = data[0] % len(_NAMES) if data else 0
    for at, name in enumerate(_NAMES):
        (folder() / name).write_bytes(data[1:] if at == damaged else _store_seeds()[at][1:])
    at_once(_use_store(folder() / _NAMES[0]))


class _Here(SqliteStore):
    """The store without a thread of its own: what it does is counted, and nobody waits for another."""

    def __init__(self, place: Path) -> None:
        super().__init__(place, capacity_records=100)
        self._disk = Disk(place, capacity_records=100, settings=Settings(reserve_bytes=0))

    async def _elsewhere(self, work: Callable[[], T]) -> T:
        return work()


async def _use_store(place: Path) -> None:
    store = _Here(place)
    trouble: Trouble | None = Trouble.READ_ONLY
    try:
        durable, trouble = await Keeper(store, lambda: core.NOW, lambda _: None).recall(core.PROFILE)
        state, _ = module.boot(durable, core.PROFILE, core.NOW)
        for record in await store.pending(limit=10):
            assert isinstance(record.body, bytes)
        body, noted = encode(state.durable)
        await store.commit(body, (StoredRecord(2**62, reveals_position=False, body=b"x"),), vital=noted)
        assert (await store.load()).state == body
        waiting = await store.pending(limit=200)
        assert waiting[-1].body == b"x" or any(record.urgent for record in waiting)
        await store.remove(*(record.number for record in waiting))
        assert await store.pending_count() == 0
        assert await store.dropped_count() >= 0
        assert all(isinstance(entry.body, bytes) for entry in await store.usage())
    except StoreFailed as error:
        assert str(error).isprintable()
        # Refused at boot, with the reason; a store that has booted takes and gives.
        assert trouble is Trouble.READ_ONLY, error
    finally:
        await store.close()


@cache
def _store_seeds() -> tuple[bytes, ...]:
    """The files of a store in use, each behind its number."""
    with tempfile.TemporaryDirectory(dir=folder().parent) as other:
        place = Path(other) / _NAMES[0]

        async def write() -> tuple[bytes, ...]:
            store = _Here(place)
            bodies = [msgspec.msgpack.encode(record) for record in RECORDS]
            stored = [StoredRecord(at, at == 3, body, at == 3, at == 2, "event") for at, body in enumerate(bodies, 1)]
            state, noted = encode(DURABLE)
            await store.commit(state, tuple(stored), vital=noted, usage=(Chained(1, b"entry", bytes(32)),))
            found = [bytes([at]) + (place.parent / name).read_bytes() for at, name in enumerate(_NAMES)]
            await store.close()
            return (*found, bytes(1) + place.read_bytes())

        return at_once(write())


# ---------------------------------------------------------------- the critical record
class _Memory:
    """A directory in memory; no more of it than the critical record asks for."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        """See `files.Files`."""
        return self._contents.get(name)

    def write(self, name: str, offset: int, data: bytes) -> None:
        """See `files.Files`."""
        held = self._contents.get(name, b"").ljust(offset, b"\0")
        self._contents[name] = held[:offset] + data + held[offset + len(data) :]

    def rename(self, old: str, new: str) -> None:
        """See `files.Files`."""
        self._contents[new] = self._contents.pop(old)

    def remove(self, name: str) -> None:
        """See `files.Files`."""
        self._contents.pop(name, None)

    def names(self) -> list[str]:
        """See `files.Files`."""
        return sorted(self._contents)

    def sync_names(self) -> None:
        """See `files.Files`."""


_OLDER: Final = Kept(7, b"what was written before")
_NEWER: Final = Kept(8, b"what was being written")


@cache
def _slots() -> tuple[bytes, ...]:
    """The two records as they are written."""
    files = _Memory()
    critical = Critical(files, "vital")
    critical.read()
    for kept in (_OLDER, _NEWER):
        critical.write(*kept)
    whole = files.read("vital") or b""
    return whole[:SLOT_BYTES].rstrip(b"\0"), whole[SLOT_BYTES:]


def critical_record(data: bytes) -> None:
    """One slot is anything: the other one is found, or the newer one if it is whole; a third is kept beside them."""
    files, at = _Memory(), data[0] % 2 if data else 0
    files.write("vital", at * SLOT_BYTES, data[1:][:SLOT_BYTES])
    files.write("vital", (1 - at) * SLOT_BYTES, _slots()[0])
    critical = Critical(files, "vital")
    found = critical.read()
    assert found in (_OLDER, _NEWER)
    assert found == _OLDER or _slots()[1] in data
    before = files.read("vital") or b""
    critical.write(9, b"what comes then")
    assert Critical(files, "vital").read() == (9, b"what comes then")
    written = before[:SLOT_BYTES] == (files.read("vital") or b"")[:SLOT_BYTES]
    files.write("vital", written * SLOT_BYTES, b"?")
    assert Critical(files, "vital").read() == found


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
    """Provisioning files, a phone's for bookings and keys, and invitations are read or refused in one line; what is
    read is written the same."""
    text = data[1:].decode("utf-8", "replace")
    try:
        if data[:1] == b"\x00":
            provisioning = decode_provisioning(text)
            assert decode_provisioning(encode_provisioning(provisioning)) == provisioning
        elif data[:1] == b"\x04":
            invitation = decode_invitation(text)
            assert decode_invitation(encode_invitation(invitation)) == invitation
        else:
            shown = decode_phone_file(text)
            assert decode_phone_file(encode_phone_file(shown)) == shown
    except ProtocolError as error:
        assert error.code is Code.MALFORMED
        assert str(error).isprintable(), error


def _json_seeds() -> list[bytes]:
    private, public = bytes(range(1, 33)), credentials.BOOKING.holder
    provisioning = Provisioning(MODULE_ID, private, private, 1, (public,), core.HOME, 1_790_000_000)
    facts = VehicleFacts("1M8GDM9AXKP042788", "US", prepared=False, digital_keys=False, legal_ecall=True)
    booking = booking_file()
    module = (booking.module_handshake_public, booking.module_signing_public, booking.module_id)
    standing = credentials.standing()
    files: tuple[PhoneFile, ...] = (
        booking,
        KeyFile(standing, *module),
        ShareFile(standing, credentials.share(), *module),
    )
    texts = (
        encode_provisioning(provisioning),
        *map(encode_phone_file, files),
        encode_invitation(Invitation("Zoë", public)),
        encode_provisioning(msgspec.structs.replace(provisioning, vehicle=facts, coupled=False)),
    )
    return [bytes([at % 5]) + json.dumps(json.loads(text)).encode() for at, text in enumerate(texts)]


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
    Target("critical", "the critical record's file", critical_record, lambda: [b"\x00" + each for each in _slots()]),
    Target("store_file", "the store's file", store_file, lambda: [*_store_seeds()], most_bytes=100_000, one_in=100),
    Target("config", "the configuration", configuration, lambda: [_TOML, *_SMALL], _TOML_WORDS),
    Target("json", "provisioning files, those of phones, and invitations", json_files, _json_seeds, _JSON_WORDS),
)
