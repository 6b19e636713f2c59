"""SQLite as the store uses it: settings, schema, transactions and words for errors."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from firmware.adapters.store.database import (
    MIGRATIONS,
    Damaged,
    Database,
    connect,
    damaged,
    explain,
    is_damage,
    prepare,
    primary_code,
    transaction,
)
from firmware.ports import StoreFailed


def real_error(path: Path, *statements: str, uri: str = "") -> sqlite3.Error:
    with closing(sqlite3.connect(f"{path.as_uri()}{uri}", uri=True, isolation_level=None)) as database:
        try:
            for statement in statements:
                database.execute(statement)
        except sqlite3.Error as error:
            return error
    raise AssertionError("SQLite raised nothing")


@pytest.mark.req("PWR-2")
def test_each_kind_of_trouble_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    full = real_error(path, "CREATE TABLE t (x)", "PRAGMA max_page_count=3", "INSERT INTO t VALUES (zeroblob(100000))")
    assert explain(full, path) == f"the state file {path} cannot grow, the disk is full: free some space"
    read_only = real_error(path, "INSERT INTO t VALUES (1)", uri="?mode=ro")
    assert "is read-only: mount its disk for writing" in explain(read_only, path)
    path.write_bytes(b"never a database" * 100)
    junk = real_error(path, "SELECT * FROM t")
    assert explain(junk, path) == damaged(path, "file is not a database")
    assert is_damage(junk)
    assert is_damage(Damaged("its checksum does not hold"))
    assert not is_damage(full)
    assert not is_damage(OSError())
    assert explain(sqlite3.Error("strange"), path).endswith("(strange): check its disk")
    assert primary_code(sqlite3.Error()) == 0


def test_a_file_that_can_not_be_opened_and_one_in_use_have_theirs(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with pytest.raises(sqlite3.Error) as missing:
        connect(tmp_path / "none" / "m.db")
    assert "make its directory" in explain(missing.value, path)
    with closing(connect(path)) as first, closing(connect(path)) as second:
        first.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.Error) as busy:
            second.execute("BEGIN EXCLUSIVE")
    assert "stop the other module" in explain(busy.value, path)


def test_a_new_file_gets_every_table_and_an_old_one_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with closing(connect(path)) as database:
        assert prepare(database, path, MIGRATIONS)
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
        assert {"state", "record", "tally", "usage"} <= tables
    before = path.read_bytes()
    with closing(connect(path)) as database:
        assert not prepare(database, path, MIGRATIONS)
        assert database.execute("PRAGMA synchronous").fetchone() == (3,)
        assert database.execute("PRAGMA locking_mode").fetchone() == ("exclusive",)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused_and_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with closing(connect(path)) as database:
        prepare(database, path, MIGRATIONS)
    with closing(connect(path)) as database, pytest.raises(StoreFailed, match="install the newer module"):
        prepare(database, path, MIGRATIONS[:1])
    with closing(connect(path)) as database, pytest.raises(sqlite3.Error, match="nowhere"):
        prepare(database, path, (*MIGRATIONS, "DROP TABLE state; DROP TABLE nowhere"))
    with closing(connect(path)) as database:
        assert not prepare(database, path, MIGRATIONS)
        assert database.execute("SELECT count(*) FROM state").fetchone() == (0,)


@pytest.mark.req("PWR-1")
def test_broken_pages_are_noticed_when_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with closing(connect(path)) as database:
        prepare(database, path, MIGRATIONS)
        for number in range(200):
            database.execute("INSERT INTO record VALUES (?, 0, 0, ?, 0, '')", (number, bytes(500)))
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xa5" * (len(content) - 8192))
    with closing(connect(path)) as database, pytest.raises(Damaged, match="is damaged"):
        prepare(database, path, MIGRATIONS)


INDEX = "CREATE INDEX urgent_record ON record (number) WHERE urgent = 1"


def without_an_index_entry(path: Path) -> None:
    """The index of urgent records lacks one, as when a card kept the table's page and not the index's."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        schema = database.execute("SELECT * FROM sqlite_schema WHERE name = 'urgent_record'").fetchone()
        database.execute("PRAGMA writable_schema=ON")
        database.execute("DELETE FROM sqlite_schema WHERE name = 'urgent_record'")
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("INSERT INTO record VALUES (1, 0, 0, x'00', 1, '')")
        database.execute("PRAGMA writable_schema=ON")
        database.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", schema)


@pytest.mark.req("PWR-1")
def test_an_index_that_does_not_agree_with_its_table_is_noticed_when_the_file_is_opened(tmp_path: Path) -> None:
    """SQLite's quick check finds this sound, and some statement fails later."""
    path = tmp_path / "m.db"
    with closing(connect(path)) as database:
        prepare(database, path, MIGRATIONS)
    without_an_index_entry(path)
    with closing(connect(path)) as database:
        assert database.execute("PRAGMA quick_check").fetchone() == ("ok",)
        with pytest.raises(Damaged, match="missing from index urgent_record"):
            prepare(database, path, MIGRATIONS)


def test_text_that_is_none_is_read_all_the_same(tmp_path: Path) -> None:
    """SQLite checks no encoding, and Python's own reading of it fails."""
    with closing(connect(tmp_path / "m.db")) as database:
        assert database.execute("SELECT CAST(x'74ff' AS TEXT)").fetchone() == ("t\N{REPLACEMENT CHARACTER}",)


def run(database: Database, *statements: str) -> None:
    """All of them in one transaction."""
    with transaction(database):
        for statement in statements:
            database.execute(statement)


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "m.db")) as database:
        database.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.Error, match="nowhere"):
            run(database, "INSERT INTO t VALUES (1)", "DROP TABLE nowhere")
        # As SQLite itself does on some errors, such as a full disk.
        with pytest.raises(sqlite3.Error, match="no transaction"):
            run(database, "INSERT INTO t VALUES (2)", "ROLLBACK")
        assert not database.in_transaction
        run(database, "INSERT INTO t VALUES (3)")
        assert database.execute("SELECT x FROM t").fetchone() == (3,)


@pytest.mark.req("PWR-1")
def test_commits_are_padded_to_whole_sectors_against_torn_writes(tmp_path: Path) -> None:
    """What `psow=0` with a synced log does, and SQLite's default does not: seen from outside, in the log's size."""
    path, log = tmp_path / "m.db", tmp_path / "m.db-wal"
    with closing(connect(path)) as database:
        prepare(database, path, MIGRATIONS)
        database.execute("INSERT INTO tally VALUES ('x', 1)")
        before = log.stat().st_size
        database.execute("UPDATE tally SET count = 2")
        grown = log.stat().st_size - before
    with closing(sqlite3.connect(path, isolation_level=None)) as stock:
        assert stock.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        stock.execute("UPDATE tally SET count = 3")
        before = log.stat().st_size
        stock.execute("UPDATE tally SET count = 4")
        stock_grown = log.stat().st_size - before
    frame = 24 + 4096
    assert (stock_grown, grown) == (frame, 2 * frame)
