"""Saved states are where they were put, whole, and bounded."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from firmware.bench.shelf import MOST, NAME, FolderShelf, MemoryShelf, Saved, Shelf, ShelfFailed

SAVED = Saved(b"8 bytes.", 1_000, b"state", b"vital")


@pytest.fixture(params=["memory", "folder"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    made: dict[str, Callable[[], Shelf]] = {"memory": MemoryShelf, "folder": lambda: FolderShelf(tmp_path / "saved")}
    return made[request.param]()


@pytest.mark.req("BEN-4")
def test_what_was_put_is_there(shelf: Shelf) -> None:
    assert shelf.names() == ()
    shelf.put("b", SAVED)
    shelf.put("a", SAVED)
    newer = msgspec.structs.replace(SAVED, at_ms=2_000)
    shelf.put("b", newer)
    assert shelf.names() == ("a", "b")
    assert (shelf.get("a"), shelf.get("b")) == (SAVED, newer)
    with pytest.raises(ShelfFailed, match="no state is called 'c'"):
        shelf.get("c")


def test_there_are_only_so_many(shelf: Shelf) -> None:
    for number in range(MOST):
        shelf.put(f"s{number}", SAVED)
    with pytest.raises(ShelfFailed, match="saved already"):
        shelf.put("more", SAVED)
    shelf.put("s0", SAVED)


def test_files_are_for_their_owner_alone_and_damage_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    shelf = FolderShelf(folder)
    shelf.put("one", SAVED)
    assert (folder / "one.state").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in folder.iterdir()] == ["one.state"]
    (folder / "one.state").write_bytes(b"\x00garbage")
    with pytest.raises(ShelfFailed, match="can not be read"):
        shelf.get("one")
    (folder / "one.state").write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(SAVED, format="other/9")))
    with pytest.raises(ShelfFailed, match="is no sharebox-state/1"):
        shelf.get("one")
    (folder / "Not A Name.state").write_bytes(b"")
    assert shelf.names() == ("one",)


def test_a_folder_that_can_not_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ShelfFailed, match="can not be written") as caught:
        FolderShelf(tmp_path / "file").put("one", SAVED)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "a" * 33, "ä", "a b"])
def test_such_names_are_no_names(name: str) -> None:
    assert not NAME.fullmatch(name)
