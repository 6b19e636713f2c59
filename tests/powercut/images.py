"""What a disk may hold after the power went: the model of the medium. Knows nothing of SQLite or of the store.

After each operation: what was synced is there; of the rest each write may be there, missing or torn, in any order.
A write that is being done when the power goes may leave part of itself, garbage, or garbage in its whole 4096-byte
page, with what was synced there long before. Names (created, renamed, deleted) become durable in order, at the
latest with the next sync, as on a journalling file system.

A card that lies has done none of its last `lie` syncs, though it said so.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tests.support.vfs import Create, Delete, Mark, Op, Rename, Sync, Truncate, Write

SECTOR: Final = 512
PAGE: Final = 4096
SAMPLED: Final = 10
"""Of more pending writes than this, a sample is lost or kept one by one."""
SUBSETS: Final = 3

Files = dict[str, bytes]


class Image(NamedTuple):
    """A disk after a power cut: files by name; the last operation that was acknowledged; after which write; how."""

    files: Files
    mark: int
    at: int
    how: str


class Medium:
    """What is durable, and what is not yet."""

    def __init__(self, files: Files, lie: int = 0) -> None:
        self.names = {name: inode for inode, name in enumerate(files)}
        self.contents = {inode: bytes(files[name]) for name, inode in self.names.items()}
        self.pending: list[Op] = []
        self._lie = lie

    def take(self, op: Op) -> None:
        """One operation more."""
        self.pending.append(op)
        while sum(isinstance(each, Sync) for each in self.pending) > self._lie:
            self._sync(next(index for index, each in enumerate(self.pending) if isinstance(each, Sync)))

    def _sync(self, index: int) -> None:
        sync, stay = self.pending[index], []
        assert isinstance(sync, Sync)
        for each in self.pending[:index]:
            if isinstance(each, Write | Truncate) and each.inode != sync.inode:
                stay.append(each)
            else:
                apply(self.names, self.contents, each)
        self.pending = [*stay, *self.pending[index + 1 :]]

    def image(self, names: Sequence[Op], data: Sequence[Op]) -> Files:
        """The files if of what is pending only these were done."""
        now_named, contents = dict(self.names), dict(self.contents)
        for op in (*names, *data):
            apply(now_named, contents, op)
        return {name: contents.get(inode, b"") for name, inode in now_named.items()}


def apply(names: dict[str, int], contents: dict[int, bytes], op: Op) -> None:
    """Do one operation."""
    match op:
        case Create(name, inode):
            names[name] = inode
        case Rename(old, new):
            names[new] = names.pop(old)
        case Delete(name):
            names.pop(name, None)
        case Write(inode, offset, data):
            held = contents.get(inode, b"").ljust(offset, b"\0")
            contents[inode] = held[:offset] + data + held[offset + len(data) :]
        case Truncate(inode, size):
            contents[inode] = contents.get(inode, b"")[:size].ljust(size, b"\0")
        case _:
            pass


def images(ops: Sequence[Op], base: Files, rng: random.Random, *, lie: int = 0, mark: int = -1) -> Iterator[Image]:
    """Every image of a power cut before, between and after `ops`, on a disk that held `base`."""
    medium = Medium(base, lie)
    for at in range(len(ops) + 1):
        op = ops[at] if at < len(ops) else None
        if not isinstance(op, Mark):
            for files, how in _variants(medium, rng):
                yield Image(files, mark, at, how)
        if isinstance(op, Mark):
            mark = op.number
        elif op is not None:
            medium.take(op)


def _variants(medium: Medium, rng: random.Random) -> Iterator[tuple[Files, str]]:
    data = [op for op in medium.pending if isinstance(op, Write | Truncate)]
    names = [op for op in medium.pending if isinstance(op, Create | Rename | Delete)]
    yield medium.image((), ()), "lost"
    for kept in range(len(names)):
        yield medium.image(names[:kept], data), "names lost"
    if names:
        yield medium.image(names, ()), "names kept"
    if not data:
        return
    yield medium.image(names, data), "kept"
    last = data[-1]
    if isinstance(last, Write):
        for torn, how in _torn(last, rng):
            yield medium.image(names, [*data[:-1], torn]), how
        yield _neighbours_lost(medium, names, data, last, rng), "neighbours lost"
    if len(data) > 1:
        for index in _sample(len(data), rng):
            yield medium.image(names, [*data[:index], *data[index + 1 :]]), "one lost"
            yield medium.image(names, [data[index]]), "one kept"
        for _ in range(SUBSETS if len(data) > 2 else 0):
            yield medium.image(names, [op for op in data if rng.random() < 0.5]), "some kept"


def _sample(count: int, rng: random.Random) -> Sequence[int]:
    return range(count) if count <= SAMPLED else sorted(rng.sample(range(count), SAMPLED))


def _torn(write: Write, rng: random.Random) -> Iterator[tuple[Write, str]]:
    size = len(write.data)
    cuts = {*range(SECTOR, size, SECTOR), 1, size // 2}
    for cut in sorted(cuts):
        yield write._replace(data=write.data[:cut]), "torn"
    yield write._replace(data=rng.randbytes(size)), "garbage"


def _neighbours_lost(medium: Medium, names: Sequence[Op], data: Sequence[Op], last: Write, rng: random.Random) -> Files:
    """The power goes while the medium programs a page: all of it is lost, whenever it was written."""
    held = medium.image((), ()) if not names else medium.image(names, data)
    inode_names = dict(medium.names)
    for op in names:
        apply(inode_names, {}, op)
    name = next((name for name, inode in inode_names.items() if inode == last.inode), None)
    if name is None:
        return held
    files = medium.image(names, data)
    first = last.offset // PAGE * PAGE
    end = min(len(files[name]), -(-(last.offset + len(last.data)) // PAGE) * PAGE)
    files[name] = files[name][:first] + rng.randbytes(end - first) + files[name][end:]
    return files
