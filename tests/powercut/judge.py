"""Boots an image with the real store and says what was lost. Written from the promises, not from the store.

On an honest card (PWR-1): the boot succeeds without any trouble, the store holds exactly what it held after the last
acknowledged operation or after the one in flight, and everything can be done with it again. On a card that lies: the
boot succeeds and everything can be done, nothing but the last operations is missing, and whoever was dead before them
is dead.
"""

import hashlib
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from firmware.adapters.store.disk import Disk
from firmware.core.state import DeadBooking, Durable, Profile
from firmware.keeper import encode, recalled
from firmware.ports import Loaded, StoredRecord
from tests.powercut.images import Files, Image, images
from tests.powercut.life import CAPACITY, PROFILE, Held, History, disk_at, held
from tests.support.vfs import Tape

NAME = "module.db"
NEW: Final = 1_000_000
"""The number of the first record after the boot."""


class Booted(NamedTuple):
    """What a boot found, and what the store held then."""

    loaded: Loaded
    durable: Durable | None
    held: Held


class Judge:
    """`folder` is used over and over. `failures`: what was promised and not kept; the same image is judged once."""

    def __init__(self, folder: Path, history: History, profile: Profile = PROFILE) -> None:
        self.folder = folder
        self.history = history
        self.profile = profile
        self.images = 0
        self.failures: list[str] = []
        self.troubles: Counter[str] = Counter()
        self.lost: Counter[int] = Counter()
        self.revived: Counter[int] = Counter()
        self._seen: dict[bytes, Booted | str] = {}

    @property
    def distinct(self) -> int:
        """How many different images there were."""
        return len(self._seen)

    def honest(self, image: Image, *, only: Held | None = None) -> None:
        """Judge an image of a card that does what it says. `only`: what an earlier boot of this disk has found, and
        every later one must find too."""
        found = self._booted(image)
        if isinstance(found, str):
            self.fail(image, found)
            return
        expected = self.history.held[image.mark : image.mark + 2] if image.mark >= 0 else self.history.held[:1]
        if only is not None:
            expected = [only]
        if found.loaded.trouble is not None:
            self.fail(image, f"trouble on an honest card: {found.loaded.why}")
        if found.held not in expected:
            self.fail(image, "what it holds is no state that was committed last")
        if _revived(self.history.durable[max(0, image.mark)], found.durable):
            self.fail(image, "a dead booking is alive")
        self.further(image, found, 0)

    def lying(self, image: Image, bound: int) -> None:
        """Judge an image of a card that lied: at most `bound` commits may be missing from what must never be
        forgotten."""
        found = self._booted(image)
        if isinstance(found, str):
            self.fail(image, found)
            return
        trouble = found.loaded.trouble
        self._count(found)
        mark = max(0, image.mark)
        states = [each.state for each in self.history.held[: mark + 2]]
        if found.held.state in states:
            self.lost[max(0, mark - _last(states, found.held.state))] += 1
        elif trouble is None:
            self.fail(image, "a state that never was")
        dead = _revived(self.history.durable[mark], found.durable)
        if dead:
            since = min(_buried_at(self.history, each) for each in dead)
            commits = len({each.state for each in self.history.held[since : mark + 1]})
            self.revived[commits] += 1
            if commits > bound:
                self.fail(image, f"a booking that died {commits} commits ago is alive")
        self.further(image, found, bound)

    def further(self, image: Image, found: Booted, lost: int) -> None:
        """What else was promised, when `lost` commits may be missing. Here nothing."""

    def damaged(self, image: Image) -> None:
        """Judge an image whose database is beyond help: the boot goes on, and the dead are dead."""
        found = self._booted(image)
        if isinstance(found, str):
            self.fail(image, found)
            return
        self._count(found)
        if _revived(self.history.durable[max(0, image.mark)], found.durable):
            self.fail(image, "a dead booking is alive")
        self.further(image, found, 0)

    def recovery(self, image: Image, rng: random.Random, *, damaged: bool = False) -> None:
        """Boot an image, cut the power at each write of that boot, and judge what is left."""
        first = self._booted(image)
        tape = Tape(list(image.files))
        put(self.folder, image.files)
        disk = disk_at(self.folder / NAME, tape)
        disk.load()
        ops = list(tape.ops)
        disk.close()
        for cut in images(ops, image.files, rng, mark=image.mark):
            again = cut._replace(how=f"{image.how}, then {cut.how} in the boot after it")
            if damaged:
                self.damaged(again)
            else:
                done = cut.at == len(ops) and isinstance(first, Booted)
                self.honest(again, only=first.held if done and isinstance(first, Booted) else None)

    def _booted(self, image: Image) -> Booted | str:
        self.images += 1
        key = fingerprint(image.files)
        if key not in self._seen:
            self._seen[key] = self._boot(image.files)
        return self._seen[key]

    def _boot(self, files: Files) -> Booted | str:
        put(self.folder, files)
        disk = disk_at(self.folder / NAME)
        try:
            loaded = disk.load()
            durable = recalled(loaded, self.profile)
            now = held(disk)
            if wrong := _use(disk, now, durable or Durable(self.profile.floor_ms, self.profile.key_epoch)):
                return wrong
        except Exception as error:  # broad: any way in which a boot can fail is a finding
            return f"the boot failed: {type(error).__name__}: {error}"
        finally:
            disk.close()
        return Booted(loaded, durable, now)

    def _count(self, found: Booted) -> None:
        self.troubles["none" if found.loaded.trouble is None else found.loaded.trouble.value] += 1

    def fail(self, image: Image, what: str) -> None:
        """Something that was promised was not kept."""
        self.failures.append(f"after write {image.at} ({image.how}), operation {image.mark} acknowledged: {what}")


def _use(disk: Disk, found: Held, durable: Durable) -> str:
    """Do with the store whatever can be done with one. What went wrong, if anything."""
    state, vital = encode(durable)
    records = tuple(StoredRecord(NEW + n, n == 0, b"new", n == 0, n == 1, "track") for n in range(CAPACITY))
    disk.commit(state, records, vital)
    after = held(disk)
    if after.state != state or NEW + CAPACITY - 1 not in after.records:
        return "what was committed after the boot is not there"
    if len(after.records) + after.dropped != len(found.records) + found.dropped + CAPACITY:
        return "what was given up after the boot was not counted"
    disk.remove(*after.records)
    return "what was removed after the boot is there" if disk.pending_count() else ""


def put(folder: Path, files: Files) -> None:
    """Make `folder` hold exactly these files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        if not name.endswith("-shm"):  # does not survive the process
            (folder / name).write_bytes(content)


def fingerprint(files: Files) -> bytes:
    """The same for the same files."""
    digest = hashlib.blake2b(digest_size=16)
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.digest()


def _revived(before: Durable, after: Durable | None) -> list[DeadBooking]:
    """Who was dead before, and could open the car after."""
    if after is None:
        return list(before.dead)
    dead = {each.booking_id for each in after.dead}
    return [
        each
        for each in before.dead
        if each.booking_id not in dead
        and each.issued_s >= after.dead_before_s
        and each.expires_s * 1000 > after.floor_ms
        and not after.forgetful
    ]


def _buried_at(history: History, dead: DeadBooking) -> int:
    return next(
        number
        for number, durable in enumerate(history.durable)
        if any(each.booking_id == dead.booking_id for each in durable.dead)
    )


def _last(states: list[bytes | None], state: bytes | None) -> int:
    return max(number for number, each in enumerate(states) if each == state)
