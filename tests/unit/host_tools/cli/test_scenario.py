"""`shareboxctl scenario`: exit codes, JSON Lines, files, and one line for everything that is wrong."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from host_tools.bench import bench as benches
from host_tools.bench import stands
from host_tools.bench.scenario_library import names
from tests.support.command import Ran, shareboxctl

Ctl = Callable[..., Ran]

HOLDS = """\
format = 1
title = "Holds"
rules = ["ACC-1"]
[given.people.anna]
booked = "10:00 - 12:00"
[[step]]
at = "10:01"
do = "anna unlocks"
expect = ["anna succeeds", "car is unlocked"]
"""
FAILS = HOLDS.replace('"car is unlocked"', '"car is locked"').replace("Holds", "Fails")


@pytest.fixture
def ctl(capsys: pytest.CaptureFixture[str]) -> Ctl:
    return shareboxctl(capsys)


@pytest.fixture
def story(tmp_path: Path) -> Callable[[str, str], str]:
    def write(name: str, text: str) -> str:
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


Story = Callable[[str, str], str]


@pytest.mark.req("BEN-3")
def test_a_scenario_that_holds_is_told_line_by_line(ctl: Ctl, story: Story) -> None:
    ran = ctl("scenario", "run", story("holds", HOLDS))
    assert ran.code == 0
    assert ran.out == (
        "scenario holds: Holds\n"
        "rules ACC-1\n"
        "    10:01:00 anna unlocks: done\n"
        "               + anna succeeds\n"
        "               + car is unlocked\n"
        "held: 2 expectations held\n"
        "\n"
    )


@pytest.mark.req("BEN-3")
def test_an_expectation_that_fails_is_exit_code_3_and_in_every_report(ctl: Ctl, story: Story, tmp_path: Path) -> None:
    junit, text = tmp_path / "results.xml", tmp_path / "transcript.txt"
    files = (story("holds", HOLDS), story("fails", FAILS))
    ran = ctl("scenario", "run", *files, "--junit", str(junit), "--transcript", str(text))
    assert ran.code == 3
    assert "               - car is locked: it is unlocked\n" in ran.out
    suite = ElementTree.fromstring(junit.read_bytes())[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert text.read_text(encoding="utf-8") + "\n" == ran.out


def test_json_is_one_object_a_line(ctl: Ctl, story: Story) -> None:
    objects = ctl("scenario", "run", story("fails", FAILS), "--json").objects()
    assert {each["type"] for each in objects} == {"entry", "played"}
    assert objects[-1]["held"] is False
    assert objects[-1]["failures"] == ["10:01:00 car is locked: it is unlocked"]
    assert {"kind": "did", "at": "10:01:00", "said": "anna unlocks", "came": "done"}.items() <= objects[2].items()


def test_the_library_can_be_listed_shown_and_linted(ctl: Ctl) -> None:
    assert [each["name"] for each in ctl("scenario", "list", "--json").objects()] == names()
    shown = ctl("scenario", "show", "underground-garage")
    assert shown.out.startswith("Underground garage (")
    assert "anna, driver, booked 10:00:00 - 12:00:00\ngiven: broker down\ngiven: gnss lost\n" in shown.out
    linted = ctl("scenario", "lint")
    assert (linted.code, linted.out) == (0, "")
    assert len(linted.err.splitlines()) == len(names())


def test_lint_shows_all_faults_and_run_the_first(ctl: Ctl, story: Story) -> None:
    path = story("faulty", HOLDS.replace("unlocks", "unloks").replace("succeeds", "suceeds"))
    linted = ctl("scenario", "lint", path)
    assert linted.code == 6
    assert [line.split(" ")[0] for line in linted.out.splitlines()] == [f"{path}:8:", f"{path}:9:"]
    assert linted.err == "shareboxctl: there are 2 faults. Correct them.\n"
    told = ctl("scenario", "lint", path, "none.toml", "--json").objects()
    assert [each["type"] for each in told] == ["fault", "fault", "fault", "error"]
    assert [(each["file"], each["line"]) for each in told[:3]] == [(path, 8), (path, 9), ("none.toml", None)]
    assert str(told[2]["message"]).startswith("cannot be read: No such file")
    assert told[3]["exit"] == 6
    ran = ctl("scenario", "run", path)
    assert ran.code == 6
    assert "Did you mean 'anna unlocks'? (1 more: `shareboxctl scenario lint` shows all.)" in ran.err


def test_a_new_scenario_is_one_that_holds_and_is_not_overwritten(ctl: Ctl, tmp_path: Path) -> None:
    path = str(tmp_path / "my-story.toml")
    assert ctl("scenario", "new", path).out == f"{path}\n"
    assert ctl("scenario", "lint", path).code == 0
    assert ctl("scenario", "run", path).code == 0
    assert ctl("scenario", "new", path).code == 6
    assert ctl("scenario", "new", str(tmp_path / "My story.txt")).code == 2


def test_every_phrase_is_shown(ctl: Ctl) -> None:
    objects = ctl("scenario", "phrases", "--json").objects()
    assert ("expect", "car is {condition}") in {(each["in"], each["phrase"]) for each in objects}
    assert "{token}: a forged token" in ctl("scenario", "phrases").err


@pytest.mark.parametrize(
    ("tokens", "code", "line"),
    [
        (("run", "underground-garge"), 2, "Did you mean 'underground-garage'?"),
        (("run", "late", "--link", "carrier-pigeon"), 2, "no scenario is called 'late'"),
        (("run", "two-phones", "--link", "carrier-pigeon"), 2, "'carrier-pigeon' is no link"),
        (("run", "two-phones", "--speed", "fast"), 2, "neither `jump` nor `real` nor a number"),
        (("run", "two-phones", "--speed", "60"), 2, "--speed is for modules that live outside"),
        (("run", "none.toml"), 6, "none.toml: cannot be read"),
        (("show", "xyzzy"), 2, "no scenario is called 'xyzzy'"),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(ctl: Ctl, tokens: tuple[str, ...], code: int, line: str) -> None:
    ran = ctl("scenario", *tokens)
    assert ran.code == code
    assert line in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("option", ["--junit", "--transcript"])
def test_results_that_cannot_be_written_are_said_before_anything_is_played(
    ctl: Ctl, story: Story, tmp_path: Path, option: str
) -> None:
    holds = story("holds", HOLDS)
    for path, why in (
        (tmp_path / "nowhere" / "results", "No such file or directory"),
        (Path(holds) / "results", "Not a directory"),
        (tmp_path, "Is a directory"),
    ):
        ran = ctl("scenario", "run", holds, option, str(path))
        assert (ran.code, ran.out) == (6, "")
        assert f"cannot write {path}: {why}." in ran.err


@pytest.mark.parametrize("full", ["--junit", "--transcript"])
def test_one_report_that_fails_does_not_take_the_other_with_it(
    ctl: Ctl, story: Story, tmp_path: Path, full: str
) -> None:
    good = tmp_path / "good"
    other = {"--junit": "--transcript", "--transcript": "--junit"}[full]
    ran = ctl("scenario", "run", story("holds", HOLDS), full, "/dev/full", other, str(good))
    assert ran.code == 6
    assert "cannot write /dev/full: No space left on device. Check the path." in ran.err
    assert b"car is unlocked" in good.read_bytes() or b'tests="1"' in good.read_bytes()


def test_what_was_played_before_the_bench_failed_is_reported(
    ctl: Ctl, story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, really = [], stands.open_bench

    def once(way: stands.Way) -> AbstractAsyncContextManager[benches.Bench]:
        opened.append(way)
        if len(opened) > 1:
            raise benches.BenchFailed("the bench is gone: no power. Plug it in.")
        return really(way)

    monkeypatch.setattr(stands, "open_bench", once)
    text = tmp_path / "transcript"
    ran = ctl("scenario", "run", story("holds", HOLDS), story("again", HOLDS), "--transcript", str(text))
    assert (ran.code, "the bench is gone" in ran.err) == (4, True)
    assert text.read_text(encoding="utf-8").startswith("scenario holds: Holds")


def test_a_bench_that_cannot_play_it_is_exit_code_4(ctl: Ctl, story: Story) -> None:
    ran = ctl("scenario", "run", story("odd", HOLDS.replace("anna unlocks", "fault moon full")))
    assert ran.code == 4
    assert "this bench cannot play `fault moon full`" in ran.err


def test_a_process_without_firmware_says_so(ctl: Ctl, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benches, "GROUP", "sharebox.nobody")
    monkeypatch.setattr(benches, "_FALLBACK", "no_such_package:open_bench")
    ran = ctl("scenario", "run", story("holds", HOLDS))
    assert (ran.code, "no module runs in this process" in ran.err) == (4, True)
