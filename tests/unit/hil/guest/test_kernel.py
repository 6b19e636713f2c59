"""What a machine needs to build the guest's kernel, said in one line; nothing is built here."""

import os
from pathlib import Path

import pytest

from hil.guest import cache, kernel
from hil.guest.problems import GuestUnavailable


def test_the_options_of_the_guest_are_in_its_configuration() -> None:
    assert kernel.lost_options(kernel.CONFIG.read_text()) == []
    assert kernel.lost_options("CONFIG_BT=y\n# CONFIG_BT_LE is not set\n")[:2] == ["BT_LE", "BT_HCIVHCI"]


def test_a_kernel_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "linux"
    own.write_text("")
    environment = {"SHAREBOX_GUEST_KERNEL": str(own)}
    with pytest.raises(GuestUnavailable, match="correct or unset SHAREBOX_GUEST_KERNEL"):
        kernel.build(print, environment)
    own.chmod(0o755)
    assert kernel.build(print, environment) == own


def test_where_apt_can_not_be_asked_the_newest_one_that_was_built_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = cache.key(kernel.CONFIG.read_bytes(), kernel.HOW)
    for age, (name, made_by) in enumerate({"new": recipe, "old": recipe, "other": "another recipe"}.items()):
        place = tmp_path / "cache" / f"guest-{name}"
        place.mkdir(parents=True)
        (place / kernel.RECIPE).write_text(made_by)
        os.utime(place, (1_000 - age, 1_000 - age))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert kernel.build(print, {"SHAREBOX_CACHE": str(tmp_path / "cache")}) == tmp_path / "cache/guest-new/linux"
    with pytest.raises(GuestUnavailable, match="apt-get is not here"):
        kernel.build(print, {"SHAREBOX_CACHE": str(tmp_path / "empty")})


def test_another_processor_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(GuestUnavailable, match="x86-64, and this machine is aarch64"):
        kernel.build(print, {})


def test_the_packages_with_what_is_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("gcc", "make", "tar", "strip", "xz"):
        (tmp_path / program).write_text("")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kernel.missing_tools() == ["bc", "bison", "flex"]
