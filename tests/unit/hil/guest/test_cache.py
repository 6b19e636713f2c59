"""Where built things are kept, and that half of one is never found."""

from pathlib import Path

import pytest

from hil.guest import cache
from hil.guest.problems import GuestUnavailable


def test_the_users_own_choice_comes_before_the_systems_convention_and_that_before_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/srv/anna")
    assert cache.folder({}) == Path("/srv/anna/.cache/sharebox")
    assert cache.folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/sharebox")
    assert cache.folder({"XDG_CACHE_HOME": "/c", "SHAREBOX_CACHE": "/own"}) == Path("/own")


def test_a_key_follows_from_its_parts_and_from_where_one_ends() -> None:
    assert cache.key("ab", "c") == cache.key("ab", b"c")
    assert cache.key("ab", "c") != cache.key("a", "bc")
    assert len(cache.key()) == 16


def test_a_thing_is_made_once(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(place: Path) -> None:
        made.append(place)
        (place / "linux").write_text("kernel")

    for _ in range(2):
        assert (cache.kept(tmp_path / "deep" / "thing", make) / "linux").read_text() == "kernel"
    assert len(made) == 1
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["thing"]


def test_what_failed_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    def make(place: Path) -> None:
        (place / "half").write_text("")
        raise GuestUnavailable("no network")

    with pytest.raises(GuestUnavailable, match="no network"):
        cache.kept(tmp_path / "thing", make)
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_make_the_same_at_once_the_first_one_counts(tmp_path: Path) -> None:
    place = tmp_path / "thing"

    def make(half: Path) -> None:
        (half / "mine").write_text("")
        place.mkdir()
        (place / "theirs").write_text("")

    cache.kept(place, make)
    assert [path.name for path in place.iterdir()] == ["theirs"]


def test_a_place_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GuestUnavailable, match="SHAREBOX_CACHE"):
        cache.kept(tmp_path / "file" / "thing", lambda _: None)
