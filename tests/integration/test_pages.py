"""The pages about keys and about owners: every command on them, against a module that runs."""

from pathlib import Path

import pytest

from host_tools.backend.broker import Broker
from tests.support.command import ROOT
from tests.support.walkthrough import Step, Walker, answers, steps

REAL = pytest.mark.asyncio(loop_factories=["real"])


@pytest.fixture
def walker(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Walker:
    return Walker(tmp_path, capsys, monkeypatch)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


@REAL
@pytest.mark.req("KEY-1", "KEY-2", "KEY-3", "KEY-5", "KEY-6", "KEY-7", "KEY-8")
@pytest.mark.parametrize("serial", [False, True], ids=["radio", "serial"])
async def test_the_page_about_keys_can_be_followed(walker: Walker, serial: bool) -> None:
    walker.serial = serial
    await walker.follow(page("keys.md"))


@REAL
@pytest.mark.req("OWN-1", "OWN-3", "OWN-4", "SUB-1", "SVC-2")
async def test_the_page_about_owners_can_be_followed(walker: Walker) -> None:
    async with Broker() as broker:
        walker.broker = f"{broker.host}:{broker.port}"
        await walker.follow(page("ownership.md"))


# ---------------------------------------------------------------- the walk itself
def test_commands_are_found_with_what_they_answer() -> None:
    told = "Text\n\n    $ one --x    # why\n    said\n    …\n    $ two\n\nText `$ three`\n"
    assert steps(told) == [Step("one --x", ("said", "…")), Step("two", ())]


@pytest.mark.parametrize(
    ("said", "answered", "missing"),
    [
        (("a",), ["x", "a", "y"], ""),
        (("a", "…", "b"), ["a", "x", "b"], ""),
        (("b", "a"), ["a", "b"], "a"),
        (("until 2026-01-01 00:00:00 UTC, …",), ["until 2027-02-02 01:02:03 UTC, this and that"], ""),
        (("a.c",), ["abc"], "a.c"),
        (("…",), [], ""),
        (("a",), [], "a"),
    ],
)
def test_answers_are_compared_line_by_line(said: tuple[str, ...], answered: list[str], missing: str) -> None:
    assert answers(said, answered) == missing
    assert answers(said, [], answered) == missing


@REAL
async def test_a_page_that_says_something_else_fails(walker: Walker) -> None:
    with pytest.raises(AssertionError, match="does not say 'nonsense'"):
        await walker.follow("    $ shareboxctl config show\n    nonsense\n")
    with pytest.raises(AssertionError, match="ended with 2"):
        await walker.follow("    $ shareboxctl no-such-thing\n")
    with pytest.raises(AssertionError, match="nobody here knows how to do `rm"):
        await walker.follow("    $ rm -rf x\n")
