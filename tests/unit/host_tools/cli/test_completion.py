"""`shareboxctl completion`."""

from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from tests.support.command import shareboxctl


@pytest.mark.parametrize(("shell", "word"), [("bash", "complete -F"), ("zsh", "#compdef"), ("fish", "complete -c")])
def test_the_script_of_a_shell_knows_the_commands(shell: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = shareboxctl(capsys)("completion", shell)
    assert ran.code == 0
    assert word in ran.out
    assert "revocation-list" in ran.out


def test_a_program_gets_the_same_script(capsys: pytest.CaptureFixture[str]) -> None:
    ran = shareboxctl(capsys)("completion", "bash")
    (shown,) = shareboxctl(capsys)("completion", "bash", "--json").objects()
    assert shown["shell"] == "bash"
    assert str(shown["script"]).rstrip("\n") == ran.out.rstrip("\n")


def test_it_is_written_where_it_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = shareboxctl(capsys)
    assert run("completion", "install", "--shell", "fish", "--output", "a/b.fish").out == f"{tmp_path}/a/b.fish\n"
    assert "unlock" in Path("a/b.fish").read_text()
    Path("file").touch()
    ran = run("completion", "install", "--shell", "fish", "--output", "file/b.fish")
    assert ran.code == Exit.CONFIGURATION
    assert "Name a place" in ran.err


def test_where_a_shell_looks_for_it_is_its_own_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    ran = shareboxctl(capsys)("completion", "install", "--shell", "bash")
    assert ran.code == 0
    assert Path(ran.out.strip()).is_relative_to(tmp_path)
    assert ran.out.strip() in (tmp_path / ".bashrc").read_text()


def test_a_shell_that_cannot_be_told_has_to_be_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SHELL", "BASH_VERSION", "ZSH_VERSION", "FISH_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    run = shareboxctl(capsys)
    ran = run("completion", "install", "--output", "x")
    assert ran.code == Exit.USAGE
    assert "Name it: --shell bash" in ran.err
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert run("completion", "install", "--output", "x", "--json").objects()[0]["type"] == "installed"
