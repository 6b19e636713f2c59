"""The library's scenarios are found by name, files by their path."""

from pathlib import Path

import pytest

from host_tools.bench.scenario_library import FOLDER, UnknownScenario, find, names


def test_a_name_is_one_of_the_library_and_a_path_is_a_path() -> None:
    assert "underground-garage" in names()
    assert names() == sorted(names())
    assert find("underground-garage") == FOLDER / "underground-garage.toml"
    assert find("my.toml") == Path("my.toml")
    assert find("./stories/mine") == Path("stories/mine")


def test_an_unknown_name_is_answered_with_what_may_have_been_meant() -> None:
    with pytest.raises(
        UnknownScenario, match=r"^no scenario is called 'underground-garge'\. Did you mean 'underground-garage'\?$"
    ):
        find("underground-garge")
    with pytest.raises(UnknownScenario, match=r"See `shareboxctl scenario list`"):
        find("xyzzy")
