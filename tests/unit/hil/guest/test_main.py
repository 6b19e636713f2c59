"""`python -m hil.guest` on machines that can not have a guest."""

from pathlib import Path

import pytest

from hil.guest import __main__ as command


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without apt and without anything built."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SHAREBOX_CACHE", str(tmp_path))
    monkeypatch.delenv("SHAREBOX_GUEST_KERNEL", raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.mark.usefixtures("bare")
def test_without_a_guest_it_says_why_in_one_line_with_an_exit_code_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["test"]) == 69
    assert capsys.readouterr() == (
        "",
        "guest: apt-get is not here: the guest is built from packages of Debian (or Ubuntu)\n",
    )


@pytest.mark.usefixtures("bare")
def test_where_it_is_optional_its_absence_is_named_and_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--if-possible", "test"]) == 0
    assert capsys.readouterr().err.startswith("guest: left out: apt-get is not here")
