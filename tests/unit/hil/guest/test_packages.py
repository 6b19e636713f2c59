"""What apt says of packages, and which of them belong to a program."""

from pathlib import Path

import pytest

from hil.guest import packages
from hil.guest.problems import GuestUnavailable

LISTING = """bluez
  Depends: libc6
  Depends: libglib2.0-0t64
 |Depends: default-logind
  Depends: <logind>
    libpam-elogind
  PreDepends: init-system-helpers
libglib2.0-0t64
  Depends: libc6
  Depends: libffi8
  Depends: zlib1g
libffi8
  Depends: libgcc-s1:amd64
<libgcc-s1>
libgcc-s1
libc6
zlib1g
kmod
  Depends: libkmod2
"""


def test_the_first_of_several_that_would_do_is_taken() -> None:
    needs = packages.dependencies(LISTING)
    assert needs["bluez"] == ("libc6", "libglib2.0-0t64", "default-logind", "init-system-helpers")
    assert needs["libffi8"] == ("libgcc-s1",)
    assert needs["libc6"] == ()


def test_a_program_comes_with_the_libraries_of_its_libraries_and_without_the_system() -> None:
    needs = packages.dependencies(LISTING)
    assert packages.with_libraries(["bluez"], needs) == ["bluez", "libffi8", "libgcc-s1", "libglib2.0-0t64", "zlib1g"]


def test_libraries_that_need_each_other_are_found_once() -> None:
    assert packages.with_libraries(["a"], {"a": ("liba",), "liba": ("libb",), "libb": ("liba",)}) == [
        "a",
        "liba",
        "libb",
    ]


def test_the_version_that_would_be_installed_is_read_and_none_is_none() -> None:
    listing = (
        "linux-source-6.12:\n  Installed: 6.12.1-1\n  Candidate: 6.12.90-2\n  Version table:\n     6.12.90-2 500\n"
        "busybox-static:amd64:\n  Installed: (none)\n  Candidate: 1:1.37\n"
        "gone:\n  Installed: (none)\n  Candidate: (none)\n"
    )
    assert packages.candidates(listing) == {"linux-source-6.12": "6.12.90-2", "busybox-static": "1:1.37"}


def test_a_command_that_fails_is_one_line_with_its_last_words() -> None:
    with pytest.raises(GuestUnavailable) as failed:
        packages.run("sh", "-c", "echo much; echo 'the disk is full' >&2; exit 3")
    assert str(failed.value) == "`sh -c echo much; echo 'the disk is full' >&2; exit 3` failed: the disk is full"
    with pytest.raises(GuestUnavailable, match=r"`sh -c exit 4` failed: 4"):
        packages.run("sh", "-c", "exit 4")


def test_a_command_that_is_not_there_or_hangs_is_one_line() -> None:
    with pytest.raises(GuestUnavailable, match="no-such-program is not here"):
        packages.run("no-such-program")
    with pytest.raises(GuestUnavailable, match=r"`sleep 10` took more than 0\.05 s"):
        packages.run("sleep", "10", limit_s=0.05)


def test_without_apt_there_is_no_guest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GuestUnavailable, match="apt-get is not here"):
        packages.needs_of("bluez")
