"""The power cut at every write, a small portion of it; and that the tests would notice a store that is careless.

All of it: `make powercut`, figures in docs/durability.md.
"""

import random
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from firmware.adapters.store.database import MIGRATIONS, Database, Rows, connect
from firmware.adapters.store.database import prepare as prepare_file
from firmware.core import ownership
from firmware.core.incidents import Call
from firmware.core.state import Durable, Fading, KnownKey, Ownership
from firmware.keeper import decode_durable
from protocol.orders import Subscription
from protocol.sharing import Deletion
from tests.powercut import __main__ as campaign
from tests.powercut.chunk import Figures, memory, run, run_act
from tests.powercut.deeds import ACTS, BEGINS_MS, BEN, BOUGHT, prepare
from tests.powercut.images import Medium, images
from tests.powercut.judge import NAME, Judge
from tests.powercut.life import History, disk_at, held, live
from tests.powercut.promises import broken
from tests.support.core import EPOCH, GUEST_KEY
from tests.support.vfs import ApswConnect, Create, Delete, Mark, Op, Rename, Sync, Tape, Truncate, Write

VECTOR = Path(__file__).parents[1] / "vectors" / "store-v1.sqlite"


# ---------------------------------------------------------------- the store
@pytest.mark.req("PWR-1", "ACC-5")
def test_no_power_cut_loses_a_commit_revives_a_booking_or_stops_the_boot() -> None:
    """This life gives records up, so every table is written; before the check at boot looked into the indices too, a
    lying card left files here that booted and took no commit."""
    figures = run(seed=1, operations=5, recoveries=8, lies=(2, 4))
    assert figures.examples == []
    assert figures.honest > 500
    assert figures.recovery > 100
    assert figures.rebuilt > 50
    assert figures.lying[2] > 50


# ---------------------------------------------------------------- owners and keys
@pytest.mark.req("OWN-4", "OWN-5", "KEY-4", "KEY-6", "PWR-1")
@pytest.mark.parametrize("act", ACTS)
def test_no_power_cut_leaves_an_owner_or_a_key_in_between(act: str) -> None:
    figures = run_act(act, 4, recoveries=2, lies=(2,), share=0.05)
    assert figures.examples == []
    assert figures.honest > 150
    assert figures.damaged >= 2
    assert figures.lying[2] > 20


def prepared() -> Durable:
    """What lies on the disk before an act."""
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        prepare(Path(folder, NAME))
        with closing(disk_at(Path(folder, NAME))) as disk:
            state = disk.load().state
    assert state is not None
    return decode_durable(state)


HERS = prepared()
HIS = msgspec.structs.replace(
    ownership.wiped(HERS),
    ownership=Ownership(True, BEN.owner, BEN.person, BEGINS_MS, BEN.number),
    subscription=Subscription(BEN.subscription, 1, 1),
)
FREE = msgspec.structs.replace(ownership.wiped(HERS), ownership=Ownership(coupled=False, number=2))
CODED = HERS.keys[2]
TRIED = msgspec.structs.replace(CODED, tries=2)


def with_keys(*keys: KnownKey, **more: object) -> Durable:
    return msgspec.structs.replace(HERS, keys=keys, **more)


OFF = with_keys(*HERS.keys, services=msgspec.structs.replace(BOUGHT, number=2, base_active=False))
CALL = Call(1, True, BEGINS_MS, dated=True, message=2)
CALLING = msgspec.structs.replace(OFF, call=CALL, calls=1)
REPEATED = msgspec.structs.replace(CALLING, call=msgspec.structs.replace(CALL, message=1))
ANSWERED = msgspec.structs.replace(
    CALLING, call=None, counters=msgspec.structs.replace(OFF.counters, event=OFF.counters.event + 1)
)


def half(*, unlocked: bool) -> Fading:
    return Fading(GUEST_KEY.token_id, Deletion.UNTIL_KEY_CYCLE, GUEST_KEY.expires_s, BEGINS_MS, unlocked)


@pytest.mark.req("OWN-4", "KEY-4", "KEY-6")
@pytest.mark.parametrize(
    ("acknowledged", "found", "words"),
    [
        (HERS, HERS, ""),
        (HERS, HIS, ""),
        (HIS, HIS, ""),
        (HERS, FREE, ""),
        (HIS, HERS, "an older owner is back"),
        (FREE, HERS, "an older owner is back"),
        (HERS, msgspec.structs.replace(HIS, keys=HERS.keys), "the new owner has something"),
        (HERS, msgspec.structs.replace(HIS, key_epoch=HERS.key_epoch), "the new owner has something"),
        (HERS, msgspec.structs.replace(HIS, subscription=HERS.subscription), "the new owner has something"),
        (HERS, msgspec.structs.replace(HIS, erased_before=0), "the new owner has something"),
        (HERS, msgspec.structs.replace(FREE, drivers=HERS.drivers), "something is left"),
        (HERS, msgspec.structs.replace(HERS, key_epoch=HERS.key_epoch + 1), "the old owner lacks"),
        (HERS, msgspec.structs.replace(HERS, drivers=()), "the old owner lacks"),
        (HERS, with_keys(*HERS.keys[:2]), "is not remembered"),
        (with_keys(TRIED), with_keys(CODED), "of 2 tries 0 are counted"),
        (with_keys(TRIED, code_step=2), with_keys(TRIED, code_step=1), "the pause between codes has shrunk"),
        (with_keys(TRIED), with_keys(msgspec.structs.replace(CODED, activated=True)), ""),
        (with_keys(deletions=(half(unlocked=True),)), with_keys(deletions=(half(unlocked=False),)), "is undone"),
        (with_keys(deletions=(half(unlocked=False),)), with_keys(), "is undone"),
        (with_keys(deletions=(half(unlocked=False),)), with_keys(deletions=(half(unlocked=True),)), ""),
        (with_keys(revoked=((GUEST_KEY.token_id, GUEST_KEY.expires_s),)), HERS, "is alive again"),
        (HERS, Durable(0, EPOCH, forgetful=True), ""),
        (OFF, with_keys(*HERS.keys), "deactivated services are back"),
        (CALLING, CALLING, ""),
        (CALLING, OFF, "the number of a call will be given twice"),
        (CALLING, msgspec.structs.replace(CALLING, call=None), "nobody calls any more"),
        (CALLING, ANSWERED, ""),
        (
            CALLING,
            msgspec.structs.replace(CALLING, call=msgspec.structs.replace(CALL, message=1)),
            "the number of an older",
        ),
        (ANSWERED, msgspec.structs.replace(ANSWERED, call=CALL), "a call that was answered is made again"),
    ],
)
def test_a_promise_that_is_not_kept_is_found_out(acknowledged: Durable, found: Durable, words: str) -> None:
    wrong = broken(acknowledged, found, None)
    assert wrong.startswith(words) or words in wrong
    assert bool(wrong) is bool(words)


@pytest.mark.req("PWR-1")
@pytest.mark.parametrize("version", [1, 2])
def test_no_power_cut_while_an_older_file_is_carried_forward_loses_anything(version: int, tmp_path: Path) -> None:
    path = tmp_path / "life" / NAME
    path.parent.mkdir()
    shutil.copy(VECTOR, path)
    with closing(connect(path)) as database:
        prepare_file(database, path, MIGRATIONS[:version])
    base, tape = {NAME: path.read_bytes()}, Tape([NAME])
    disk = disk_at(path, tape)
    before = held(disk)
    disk.close()
    assert before.state is not None
    assert len(before.records) == 4
    judge = Judge(tmp_path / "boot", History([before], [decode_durable(before.state)]))
    for image in images(tape.ops, base, random.Random(version)):
        judge.honest(image)
    assert judge.failures == []
    assert judge.images > 60


@pytest.mark.req("PWR-1")
@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_a_careless_store_is_found_out(synchronous: str) -> None:
    tape = Tape()
    careful = ApswConnect(tape)
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        history = live(Path(folder, NAME), tape, 3, 3, lambda path: Careless(careful(path), synchronous))
        judge = Judge(Path(folder, "boot"), history)
        cuts = images(tape.ops, {}, random.Random(1))
        while not judge.failures:
            judge.honest(next(cuts))


class Careless:
    """A database that syncs less than it is told."""

    def __init__(self, careful: Database, synchronous: str) -> None:
        self._careful = careful
        self._synchronous = synchronous

    @property
    def in_transaction(self) -> bool:
        return self._careful.in_transaction

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Rows:
        return self._careful.execute(sql.replace("EXTRA", self._synchronous), parameters)

    def close(self) -> None:
        self._careful.close()


# ---------------------------------------------------------------- the model of the medium
def test_what_is_synced_stays_and_what_is_not_may_go_in_any_order() -> None:
    medium = Medium({"a": b"old"})
    for op in (Write(0, 0, b"new"), Create("b", 1), Write(1, 2, b"xy"), Sync(0)):
        medium.take(op)
    assert medium.image((), ()) == {"a": b"new", "b": b""}
    assert medium.image((), medium.pending) == {"a": b"new", "b": b"\0\0xy"}
    medium.take(Truncate(0, 1))
    medium.take(Rename("b", "c"))
    medium.take(Delete("a"))
    assert medium.image(medium.pending[-2:-1], medium.pending[:1]) == {"a": b"new", "c": b"\0\0xy"}
    medium.take(Sync(None))
    assert medium.image((), medium.pending) == {"c": b"\0\0xy"}


def test_a_lying_card_has_not_done_its_last_syncs() -> None:
    medium = Medium({"a": b"0"}, lie=1)
    for op in (Write(0, 0, b"1"), Sync(0), Write(0, 0, b"2"), Sync(0)):
        medium.take(op)
    assert medium.image((), ()) == {"a": b"1"}


def test_every_kind_of_image_is_made() -> None:
    ops: list[Op] = [
        Create("a", 0),
        Write(0, 0, b"x" * 1500),
        Write(0, 1500, b"y"),
        Write(0, 9000, b"z"),
        Mark(4),
        Sync(0),
    ]
    made = list(images(ops, {}, random.Random(1)))
    assert {image.how for image in made} == {
        *("lost", "kept", "names lost", "names kept", "torn", "garbage", "neighbours lost"),
        *("one lost", "one kept", "some kept"),
    }
    assert {image.mark for image in made} == {-1, 4}
    before_the_sync = [image.files.get("a") for image in made if image.at == 5]
    assert None in before_the_sync
    assert b"x" * 1500 in before_the_sync


# ---------------------------------------------------------------- the campaign
def test_a_campaign_goes_on_where_it_was_and_sums_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = {1: Figures(1, 5, honest=60, lying={2: 40}, lost={2: {0: 39, 3: 1}}, revived={2: {1: 1}})}
    with ThreadPoolExecutor(1) as workers:
        figures = list(campaign.campaign(100, 1, known, workers, 2))
    assert figures == [known[1]]
    text = "\n".join(campaign.summary(figures))
    assert "100 images of 1 lives with 5 operations" in text
    assert "last 2 syncs: 40 images, state older in 1, by up to 3 operations; a dead booking alive in 1" in text
    done = tmp_path / "memory.jsonl"
    line = msgspec.json.encode(campaign.Done(campaign.fingerprint(), known[1]))
    done.write_bytes(line + b"\n" + line[:20])
    assert campaign.remembered(done, "other code") == {}
    assert campaign.main(["--images", "100", "--seed", "1", "--memory", str(done), "--workers", "1"]) == 0
    assert "1 lives from an earlier run" in capsys.readouterr().out


def test_a_campaign_with_a_broken_promise_fails_and_names_the_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Figures(9, 5, honest=60, failures=1, examples=["after write 3: lost"])
    done = tmp_path / "memory.jsonl"
    done.write_bytes(msgspec.json.encode(campaign.Done(campaign.fingerprint(), broken)))
    assert campaign.main(["--images", "60", "--seed", "9", "--memory", str(done), "--workers", "1"]) == 1
    out = capsys.readouterr().out
    assert "seed 9: after write 3: lost" in out
    assert "failing seeds: [9]" in out
