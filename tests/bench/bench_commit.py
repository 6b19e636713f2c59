"""How much a commit costs, as ratios to one commit of bare SQLite with the same settings in the same run.

    python -m tests.bench.bench_commit [--rounds 200] [--json]

Bare SQLite replaces one row of the same size with the store's own pragmas. What the store adds: a generation, the
record, the usage entry, and the critical record, which is one more synced write of a file. Wall-clock time, for a
commit waits for the disk.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from firmware.adapters.store.database import MIGRATIONS, connect, prepare, transaction
from firmware.adapters.store.disk import Disk
from firmware.core.usage import Chained
from firmware.keeper import encode
from firmware.ports import StoredRecord
from tests.bench.turns import by_turns, parser, ratios, show
from tests.support.core import a_state

BARE: Final = "bare SQLite, one row"
STATE, VITAL = encode(a_state().durable)
RECORD: Final = StoredRecord(1, reveals_position=False, body=bytes(300))
ENTRY: Final = Chained(1, bytes(250), bytes(32))


def bare(folder: Path) -> Callable[[], object]:
    """One row replaced in one transaction."""
    path = folder / "bare.db"
    database = connect(path)
    prepare(database, path, MIGRATIONS)

    def commit() -> None:
        with transaction(database):
            database.execute("REPLACE INTO state VALUES (1, ?, 0, 0)", (STATE,))

    return commit


def stored(
    folder: Path, name: str, records: tuple[StoredRecord, ...], usage: tuple[Chained, ...]
) -> Callable[[], object]:
    """A commit of the store."""
    disk = Disk(folder / f"{name}.db", capacity_records=1_000)
    disk.load()
    return lambda: disk.commit(STATE, records, VITAL, usage)


def main() -> int:
    """Exit code: 0."""
    options = parser(__doc__, 200).parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        candidates = {
            BARE: bare(folder),
            "state": stored(folder, "state", (), ()),
            "state and record": stored(folder, "record", (RECORD,), ()),
            "state, record, usage": stored(folder, "usage", (RECORD,), (ENTRY,)),
        }
        found = by_turns(candidates, options.rounds, time.perf_counter)
        show("commit", ratios(found, BARE), "us", as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
