"""Stories of keys, owners and calls, recorded and played again: each comes out the same, and no code is in the file."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.inprocess.bench import open_bench
from host_tools.bench.scenario_file import read
from host_tools.bench.scenario_library import find
from host_tools.bench.scenario_run import play
from tests.support.recordings import played
from tests.support.scenario_stage import KEYS, staged


@pytest.mark.req("BEN-4")
@pytest.mark.parametrize("name", ["shared-key", "takeover", "crash"])
async def test_a_recorded_story_comes_out_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / "story.jsonl"
    async with open_bench() as bench:
        bench.rig.recorder.start(path)
        assert (await play(read(find(name)), bench)).failures == ()
    outcome = played(path)
    assert outcome.divergence is None
    assert outcome.steps > 1_000


@pytest.mark.req("BEN-4", "KEY-4")
async def test_no_activation_code_is_in_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "code.jsonl"
    async with staged(KEYS) as stage:
        stage.bench.rig.recorder.start(path)
        await stage.do("olga shares a key with ben: with a code")
        code = stage.world.keychain.code("ben")
        await stage.do("ben connects")
        await stage.wait(6)
        assert await stage.do("ben's code is entered") == "done"
        stage.bench.rig.recorder.stop()
    text = path.read_text()
    assert '"CodeEntered"' in text
    assert told(text, code) == []


@pytest.mark.req("BEN-4", "KEY-4")
async def test_no_code_that_is_entered_at_the_desk_is_in_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "desk.jsonl"
    async with staged(KEYS) as stage:
        stage.bench.rig.recorder.start(path)
        await stage.do("olga shares a key with ben: with a code")
        code = stage.world.keychain.code("ben")
        await stage.do("ben connects")
        await stage.wait(6)
        await stage.bench.control(f"menu activate {code}")
        stage.bench.rig.recorder.stop()
    text = path.read_text()
    assert '"CodeEntered"' in text
    assert told(text, code) == []


@pytest.mark.parametrize("line", ['{"a": "menu activate 012345"}', '{"a": [{"b": "303132333435"}]}', '{"a": "012345"}'])
def test_a_code_in_a_recording_is_found(line: str) -> None:
    assert told(f'{{"seen": 1}}\n{line}\n', "012345")
    assert not told(f'{{"seen": 1}}\n{line}\n', "543210")


def told(text: str, code: str) -> list[str]:
    """The values in a recording in which the code stands, as digits of its own or as their bytes."""
    values = [value for line in text.splitlines() for value in strings(json.loads(line))]
    digits = re.compile(rf"(?<![0-9a-fA-F]){code}(?![0-9a-fA-F])")
    return [value for value in values if digits.search(value) or code.encode().hex() in value]


def strings(value: object) -> Iterator[str]:
    """All that is text in it, names included."""
    match value:
        case str():
            yield value
        case dict():
            for each in value.items():
                yield from strings(each)
        case list() | tuple():
            for each in value:
                yield from strings(each)
