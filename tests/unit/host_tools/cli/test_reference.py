"""The generated pages."""

from pathlib import Path

import pytest

from host_tools.cli import reference
from host_tools.cli.settings import DEFAULTS
from tests.support.command import ROOT


def test_the_pages_in_the_documentation_are_current(tmp_path: Path) -> None:
    assert reference.main([str(tmp_path)]) == 0
    for name in ("shareboxctl.md", "shareboxctl.1", "exit-codes.md"):
        written = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert written == (tmp_path / name).read_text(encoding="utf-8"), "run python -m host_tools.cli.reference docs"


def test_the_reference_names_every_command_and_setting() -> None:
    page = reference.pages()["shareboxctl.md"]
    for name in ("phone unlock", "issuer revocation-list", "module init", "module key show", "watch"):
        assert f"## shareboxctl {name}\n" in page
    for name in DEFAULTS:
        assert f"`{name}`" in page


def test_a_directory_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main([]) == 2
    assert "usage:" in capsys.readouterr().err
