"""What came from modules, kept in a file, and the history in it with its gaps in place.

Decides: what is the same record, and how many are kept; the oldest go first. A record that was written is safe when
this process dies; a power cut may take the last ones. Refuses to know: the broker, and what a report says.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from host_tools.backend.reading import COUNTED, Received, Value, decode, stamp_of
from protocol.errors import one_line
from protocol.telemetry import Channel, EventKind, Health, Online, encode

KEEP: Final = 500_000
"""Records, about 300 MB."""

_APPLICATION: Final = 0x53424831  # "SBH1"
_BUSY_S: Final = 5.0
_TOO_MUCH: Final = 1 << 62
"""No module counts so far, and SQLite not much farther."""

_SCHEMA: Final = """
CREATE TABLE reports (
    id INTEGER PRIMARY KEY,
    heard_ms INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    module TEXT NOT NULL,
    channel TEXT NOT NULL,
    line INTEGER NOT NULL,
    seq INTEGER,
    boot INTEGER,
    made TEXT NOT NULL,
    retained INTEGER NOT NULL,
    backlog INTEGER NOT NULL,
    report TEXT NOT NULL,
    error TEXT NOT NULL
);
CREATE UNIQUE INDEX numbered ON reports (module, channel, line, seq) WHERE seq IS NOT NULL;
CREATE INDEX others ON reports (module, channel, id) WHERE seq IS NULL;
CREATE INDEX made ON reports (made_ms);
CREATE TABLE listened (since_ms INTEGER NOT NULL);
"""

# What is missing is asked of the numbers, whenever a record came. A gap is our own fault when we began to listen
# between its two ends.
_GAPS: Final = """
SELECT id, module, channel, line, seq - before - 1, EXISTS (
    SELECT 1 FROM listened WHERE since_ms > min(heard_ms, heard_before) AND since_ms <= max(heard_ms, heard_before)
) FROM (
    SELECT id, module, channel, line, seq, heard_ms,
        lag(seq) OVER numbers AS before, lag(heard_ms) OVER numbers AS heard_before
    FROM reports WHERE seq IS NOT NULL
    WINDOW numbers AS (PARTITION BY module, channel, line ORDER BY seq)
) WHERE seq - before > 1 ORDER BY module, channel, line, seq
"""


class ArchiveError(Exception):
    """The file cannot be read or written: one line with what, why and what to do."""


class Kept(msgspec.Struct, frozen=True):
    """A record of the archive, with `missing`, `explained` and `unheard` as the whole file tells. UTC, ms: when it was
    made (else heard), and when it was heard."""

    received: Received
    made_ms: int
    heard_ms: int


class Archive:
    """A file. `keep`: so many records; None: only read. `with` closes it. Raises ArchiveError, as its methods do."""

    def __init__(self, path: Path, *, keep: int | None = None) -> None:
        self._path = path
        self._keep = keep
        if keep is None and not path.is_file():
            raise ArchiveError(f"there is no file {path}: make one with `shareboxctl watch --save {path}`")
        try:
            self._database = self._open()
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def _open(self) -> sqlite3.Connection:
        mode = "ro" if self._keep is None else "rwc"
        database = sqlite3.connect(
            f"{self._path.resolve().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None
        )
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        if application != _APPLICATION and (pages or self._keep is None):
            raise ArchiveError(f"{self._path} is no archive of `watch --save`: choose another file")
        if self._keep is not None:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            if not pages:
                database.executescript(f"BEGIN; PRAGMA application_id = {_APPLICATION}; {_SCHEMA} COMMIT;")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def listening(self, heard_ms: int) -> None:
        """From now on we listen: what was sent before and after the last record, we may have missed ourselves."""
        try:
            self._database.execute("INSERT INTO listened VALUES (?)", (heard_ms,))
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def add(self, received: Iterable[Received], heard_ms: int) -> None:
        """Keep what came; a repetition is kept once. All or nothing."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                for one in received:
                    self._insert(one, heard_ms)
                self._forget()
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def history(
        self, *, modules: Collection[bytes] = (), channels: Collection[Channel] = (), since_ms: int = 0
    ) -> Iterator[Kept]:
        """What is kept, by the time when it was made. Empty `modules` or `channels`: all of them."""
        where, values = ["made_ms >= ?"], [str(since_ms)]
        for column, wanted in (
            ("module", [module.hex() for module in modules]),
            ("channel", [channel.value for channel in channels]),
        ):
            if wanted:
                where.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                values += wanted
        query = (
            "SELECT id, heard_ms, made_ms, module, channel, retained, backlog, report, error FROM reports "  # noqa: S608
            f"WHERE {' AND '.join(where)} ORDER BY made_ms, module, line, seq, id"
        )
        try:
            gaps = self._gaps()
            with closing(self._database.execute(query, values)) as rows:
                for row in rows:
                    yield _kept(row, gaps.get(row[0]))
        except (sqlite3.Error, ValueError) as error:
            raise self._failed(error) from None

    def _insert(self, one: Received, heard_ms: int) -> None:
        stamp = stamp_of(one.value) if one.channel in COUNTED else None
        if stamp is not None and not (0 <= stamp.seq < _TOO_MUCH and 0 <= stamp.boot < _TOO_MUCH):
            stamp = None
        module, report = one.module_id.hex(), "" if one.value is None else encode(one.value).decode()
        made = _made(one.value)
        made_ms = _milliseconds(made)
        line = 0
        if stamp is not None:
            found = self._line(module, one.channel, stamp.seq, stamp.boot, stamp.time)
            if found is None:
                return
            line = found
        elif one.retained and self._is_known(module, one.channel, report):
            return
        numbers = (None, None) if stamp is None else (stamp.seq, stamp.boot)
        self._database.execute(
            "INSERT INTO reports VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                heard_ms,
                heard_ms if made_ms is None else made_ms,
                module,
                one.channel.value,
                line,
                *numbers,
                made,
                one.retained,
                one.backlog,
                report,
                one.error,
            ),
        )

    def _line(self, module: str, channel: Channel, seq: int, boot: int, made: str) -> int | None:
        """A module that lost its memory begins a new line. None: this record is here already."""
        at = (module, channel.value)
        top = self._database.execute(
            "SELECT line, seq, boot, made FROM reports WHERE module = ? AND channel = ? AND seq IS NOT NULL "
            "ORDER BY line DESC, seq DESC LIMIT 1",
            at,
        ).fetchone()
        if top is None:
            return 0
        line = int(top[0])
        if seq > top[1]:
            return line
        same = self._database.execute(
            "SELECT boot, made FROM reports WHERE module = ? AND channel = ? AND line = ? AND seq = ?", (*at, line, seq)
        ).fetchone()
        if same == (boot, made):
            return None
        return line + 1 if same is not None or boot > top[2] or made > top[3] else line

    def _is_known(self, module: str, channel: Channel, report: str) -> bool:
        """What the broker retains is heard again by everybody who begins to listen."""
        last = self._database.execute(
            "SELECT report FROM reports WHERE module = ? AND channel = ? AND seq IS NULL ORDER BY id DESC LIMIT 1",
            (module, channel.value),
        ).fetchone()
        return last is not None and last[0] == report

    def _forget(self) -> None:
        assert self._keep is not None
        self._database.execute("DELETE FROM reports WHERE id <= (SELECT max(id) FROM reports) - ?", (self._keep,))
        self._database.execute(
            "DELETE FROM listened WHERE since_ms < (SELECT heard_ms FROM reports ORDER BY id LIMIT 1) AND since_ms < "
            "(SELECT max(since_ms) FROM listened)"
        )

    def _gaps(self) -> dict[int, tuple[int, int, bool]]:
        """By the identity of the record after it: missing, explained, unheard."""
        stated = self._stated()
        gaps = {}
        for identity, module, channel, line, missing, unheard in self._database.execute(_GAPS):
            key = (module, Channel(channel).name.lower(), line)
            explained = 0 if unheard else min(missing, stated.get(key, 0))
            stated[key] = stated.get(key, 0) - explained
            gaps[identity] = (missing, explained, bool(unheard))
        return gaps

    def _stated(self) -> dict[tuple[str, str, int], int]:
        """By module, channel and line: how many the module says to have given up, in all."""
        stated: dict[tuple[str, str, int], int] = {}
        for module, line, report in self._database.execute(
            "SELECT module, line, report FROM reports WHERE channel = ? AND report LIKE ? ORDER BY line, seq",
            (Channel.EVENT.value, f"%{EventKind.RECORDS_DROPPED.value}%"),
        ):
            value = decode(Channel.EVENT, report)
            numbers = getattr(value, "numbers", {})
            stated.update({(module, name, line): count for name, count in numbers.items()})
        return stated

    def _failed(self, error: Exception) -> ArchiveError:
        return ArchiveError(
            f"the archive {self._path} cannot be used ({one_line(str(error))}): check the file and disk"
        )


def _kept(row: tuple[int, int, int, str, str, int, int, str, str], gap: tuple[int, int, bool] | None) -> Kept:
    _, heard_ms, made_ms, module, channel, retained, backlog, report, error = row
    missing, explained, unheard = gap or (0, 0, False)
    value = decode(Channel(channel), report) if report else None
    received = Received(
        bytes.fromhex(module),
        Channel(channel),
        value,
        bool(retained),
        missing=missing,
        error=error,
        backlog=bool(backlog),
        explained=explained,
        unheard=unheard,
    )
    return Kept(received, made_ms, heard_ms)


def _made(value: Value) -> str:
    match value:
        case None:
            return ""
        case Online(time=time) | Health(time=time):
            return time
        case _:
            stamp = stamp_of(value)
            return "" if stamp is None else stamp.time


def _milliseconds(made: str) -> int | None:
    """UTC in ms, None when it is no time."""
    try:
        at = datetime.fromisoformat(made)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
