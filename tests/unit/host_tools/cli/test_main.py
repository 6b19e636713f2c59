"""The command line as a whole: help, usage errors, and how every error ends."""

import asyncio
import os
import subprocess
import sys

import pytest
from cyclopts import App

from host_tools.cli import main
from host_tools.cli.exits import CliError, Exit
from tests.support.command import ENVIRONMENT, in_loop, shareboxctl


def test_help_names_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    ran = shareboxctl(capsys)("--help")
    assert ran.code == 0
    for word in ("phone", "issuer", "module", "watch", "history", "config", "completion", "130 interrupted"):
        assert word in ran.out
    assert ran.err == ""


@pytest.mark.parametrize(
    "tokens",
    [
        *(["phone", "unlock"], ["issuer", "booking"], ["module", "init"], ["module", "key", "new"]),
        *(["watch"], ["config", "show"], ["completion", "bash"]),
    ],
)
def test_every_command_has_help_of_its_own(tokens: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ran = shareboxctl(capsys)(*tokens, "--help")
    assert ran.code == 0
    assert "--json" in ran.out


def test_a_command_that_is_asked_tells_more_than_its_line_in_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    run = shareboxctl(capsys)
    assert "Ctrl-] leaves" in " ".join(run("console", "--help").out.split())
    assert "Ctrl-] leaves" not in run("--help").out


def test_help_imports_neither_radio_nor_cryptography() -> None:
    script = (
        "import sys; from host_tools.cli.main import main; code = main(['--help']); "
        "heavy = {'bumble', 'bleak', 'cryptography', 'aiomqtt', 'asyncio'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_mistyped_command_gets_a_suggestion_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    ran = shareboxctl(capsys)("phone", "unlok")
    assert ran.code == Exit.USAGE
    assert ran.err.startswith('shareboxctl: Unknown command "unlok". Did you mean "phone unlock"?')
    assert ran.err.count("\n") == 1
    assert ran.out == ""


def test_an_old_name_and_one_that_is_like_nothing_get_an_answer_too(capsys: pytest.CaptureFixture[str]) -> None:
    run = shareboxctl(capsys)
    assert run("unlock").err == 'shareboxctl: Unknown command "unlock". Did you mean "phone unlock"? Try --help.\n'
    assert run("key", "new", "x").err.endswith('Did you mean "module key new"? Try --help.\n')
    strange = run("frob\x1bnicate")
    assert strange.code == Exit.USAGE
    assert strange.err.startswith('shareboxctl: Unknown command "frob nicate". Available commands: ')
    assert "phone" in strange.err


def test_a_mistyped_option_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    ran = shareboxctl(capsys)("phone", "unlock", "--bokking", "x")
    assert ran.code == Exit.USAGE
    assert "--booking" in ran.err


def test_an_error_is_also_an_object_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    ran = shareboxctl(capsys)("module", "key", "show", "missing.pem", "--json")
    assert ran.code == Exit.CONFIGURATION
    (shown,) = ran.objects()
    assert (shown["type"], shown["format"], shown["exit"]) == ("error", "shareboxctl/1", 6)
    assert shown["message"] == ran.err.removeprefix("shareboxctl: ").rstrip("\n")


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    ran = shareboxctl(capsys)("--version")
    assert ran.code == 0
    assert ran.out.strip()


async def test_commands_run_inside_a_loop_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert (await in_loop(capsys, "config", "show")).code == 0
    assert (await in_loop(capsys, "config", "shwo")).code == Exit.USAGE


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "shareboxctl: interrupted\n"),
        (asyncio.CancelledError(), 130, "shareboxctl: interrupted\n"),
        (CliError(Exit.NOT_FOUND, "nobody there. Go on."), 4, "shareboxctl: nobody there. Go on.\n"),
        (SystemExit(7), 7, ""),
        (SystemExit(None), 0, ""),
    ],
)
def test_every_error_has_its_line_and_its_exit_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.report(error, []) == code
    assert capsys.readouterr().err == line


def test_a_fault_of_ours_is_called_one_and_can_be_traced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main.report(ZeroDivisionError("oops"), []) == Exit.INTERNAL
    assert main.report(ZeroDivisionError(), []) == Exit.INTERNAL
    err = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: oops. Set SHAREBOXCTL_DEBUG=1" in err
    monkeypatch.setenv("SHAREBOXCTL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main.report(ZeroDivisionError(), [])
    with pytest.raises(GeneratorExit):
        main.report(GeneratorExit(), [])


@pytest.mark.parametrize(
    ("tokens", "code", "says"),
    [
        (["config", "show", "--json"], Exit.UNREAD, b""),
        (["scenario", "list"], Exit.UNREAD, b""),
        (["--help"], Exit.UNREAD, b""),
        (["module", "key", "show", "missing.pem", "--json"], Exit.CONFIGURATION, b"missing.pem"),
    ],
)
def test_a_reader_who_has_had_enough_gets_no_traceback(tokens: list[str], code: Exit, says: bytes) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "host_tools.cli", *tokens]
    ran = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False)
    assert ran.returncode == code
    assert says in ran.stderr
    assert ran.stderr.count(b"\n") == bool(says)
    deaf = subprocess.run(command, stdout=writer, stderr=writer, env=ENVIRONMENT, check=False)
    os.close(writer)
    assert deaf.returncode == code


def test_an_integer_result_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    app = App()
    app.default(lambda: 5)
    monkeypatch.setattr(main, "build", lambda *_: app)
    monkeypatch.setattr(sys, "argv", ["shareboxctl"])
    assert main.main() == 5
