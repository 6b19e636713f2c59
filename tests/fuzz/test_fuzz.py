"""A quick portion of the fuzzing, everything that was ever found, and that the engine finds what is there.

The whole: `make fuzz`, and guided by coverage `make fuzz-nightly`; docs/fuzzing.md.
"""

import time
from collections.abc import Iterator

import pytest
import structlog

from tests.fuzz import engine, run
from tests.fuzz.engine import CORPUS, REGRESSIONS, Report, run_chunk
from tests.fuzz.target import Program, Target, piece
from tests.fuzz.targets import TARGETS

INPUTS = 3_000


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    engine.quiet()
    yield
    structlog.reset_defaults()


every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@every_target
@pytest.mark.req("SEC-2", "BLE-2")
def test_malformed_input_is_refused_and_leaves_nothing_behind(target: Target) -> None:
    report = run_chunk(target, 7, 0, max(1, int(INPUTS / target.one_in)))
    assert report.troubles == []
    assert report.inputs == max(1, int(INPUTS / target.one_in))


@every_target
def test_what_was_once_interesting_or_wrong_is_handled(target: Target) -> None:
    well_formed = engine.replay(target, target.seeds())
    kept = engine.replay(target, engine.stored(CORPUS, target.name))
    engine.replay(target, engine.stored(REGRESSIONS, target.name))
    assert well_formed
    assert kept or target.name == "store_file"
    engine.replay(target, (b"", b"\x00", b"\xff" * target.most_bytes, bytes(target.most_bytes)))


def test_what_is_kept_belongs_to_a_target() -> None:
    assert {path.name for place in (CORPUS, REGRESSIONS) for path in place.glob("*")} <= TARGETS.keys()


# ---------------------------------------------------------------- the engine finds what is there
def planted(data: bytes) -> None:
    if data[:2] == b"\x1a\x2b":
        raise ValueError("planted")


def target_of(run: object, *, one_in: float = 1) -> Target:
    assert callable(run)
    return Target("planted", "", run, lambda: [b"\x1a\x2a" + bytes(30)], one_in=one_in)


def test_a_planted_fault_is_found_and_kept_with_its_input() -> None:
    report = run_chunk(target_of(planted), 1, 0, 5_000)
    assert report.faults
    assert all(fault.data[:2] == b"\x1a\x2b" and "planted" in fault.what for fault in report.faults)
    assert report.troubles[0].startswith("Traceback")


def test_what_grows_shows() -> None:
    hoard: list[list[int]] = []
    report = run_chunk(target_of(lambda data: hoard.append([*data[:3]])), 1, 0, 9_000)
    assert any("memory grew" in trouble for trouble in report.troubles)


def test_what_takes_long_shows() -> None:
    def slow(_data: bytes) -> None:
        end = time.thread_time() + 1.2 * engine.MOST_INPUT_S
        while time.thread_time() < end:
            pass

    report = run_chunk(target_of(slow), 1, 0, 1)
    assert any("an input took" in trouble for trouble in report.troubles)


def test_the_same_seed_gives_the_same_inputs_and_another_others() -> None:
    digests = [
        run_chunk(TARGETS["requests"], seed, number, 200).digest for seed, number in ((1, 0), (1, 0), (1, 1), (2, 0))
    ]
    assert digests[0] == digests[1]
    assert len({*digests}) == 3


def test_chunks_make_one_report() -> None:
    chunks = [Report("a", 5, 6, 1.0, 0.1, 10, 1, digest="x"), Report("a", 6, 7, 2.0, 0.3, 4, 2, digest="y")]
    whole = engine.merged(chunks)
    assert (whole.inputs, whole.pieces, whole.cpu_s, whole.slowest_s) == (11, 13, 3.0, 0.3)
    assert (whole.grown_bytes, whole.grown_objects, whole.troubles) == (10, 2, ["an input took 0.300 s"])


def test_a_campaign_runs_every_target_it_was_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["requests", "gateway", "--inputs", "200", "--workers", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["requests", "200"], ["gateway", "58"]]
    with pytest.raises(SystemExit):
        run.main(["no-such-target"])


def steps() -> Iterator[bytes]:
    yield from (b"", b"x", bytes(254), bytes(255), bytes(1_000))


def test_a_program_reads_the_pieces_that_were_written() -> None:
    program = Program(b"".join(map(piece, steps())))
    assert [program.piece() for _ in steps()] == [*steps()]
    assert not program
    assert (program.number(9), program.piece()) == (0, b"")
