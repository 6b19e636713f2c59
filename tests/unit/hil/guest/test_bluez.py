"""Where programs and libraries are in the unpacked packages."""

from pathlib import Path

import pytest

from hil.guest import bluez
from hil.guest.problems import GuestUnavailable


def tree_of(place: Path, *files: str) -> Path:
    for file in files:
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text("")
    return place


def test_a_program_is_found_in_the_directories_of_either_release(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, "usr/libexec/bluetooth/bluetoothd", "bin/busybox")
    assert bluez.find(tree, "bluetoothd") == tmp_path / "usr/libexec/bluetooth/bluetoothd"
    assert bluez.find(tree, "busybox") == tmp_path / "bin/busybox"


def test_a_release_without_the_program_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(GuestUnavailable, match="no btmon"):
        bluez.find(tmp_path, "btmon")


def test_the_linker_is_given_every_directory_with_libraries(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, "usr/lib/a/libx.so.1", "lib/b/liby.so", "usr/share/z/readme.txt")
    assert bluez.library_path(tree) == f"{tmp_path}/lib/b:{tmp_path}/usr/lib/a"
