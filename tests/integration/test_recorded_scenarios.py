"""Stories of keys, owners and calls, recorded and played again: each comes out the same, and no code is in the file."""

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
    assert f'"{code}"' not in text
    assert code.encode().hex() not in text
