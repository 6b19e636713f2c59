"""The command `sharebox` in this process: help, exit codes, one line for each error."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from firmware import __main__ as command
from firmware.ports import RadioUnavailable, StoreFailed
from tests.support.module_files import configuration


@pytest.fixture(autouse=True)
def _configured_anew() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def sharebox(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs it; exit code, standard output, standard error."""

    def run(*tokens: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            command.app(tokens)
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


Sharebox = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("tokens", [("--help",), ("run", "--help"), ("demo", "--help")])
def test_help_is_printed(sharebox: Sharebox, tokens: tuple[str, ...]) -> None:
    code, out, err = sharebox(*tokens)
    assert (code, err) == (0, "")
    assert "--json" in out or "demo" in out


def test_the_help_names_every_exit_code(sharebox: Sharebox) -> None:
    _, out, _ = sharebox("--help")
    for code in (0, 1, 2, command.NO_RADIO, command.CONFIGURATION, command.INTERRUPTED):
        assert f"{code} " in out


@pytest.mark.parametrize("tokens", [("nonsense",), ("run", "--nonsense"), ("run", "a", "b")])
def test_wrong_usage_is_exit_code_2(sharebox: Sharebox, tokens: tuple[str, ...]) -> None:
    assert sharebox(*tokens)[0] == 2


def test_a_missing_file_is_one_line_and_exit_code_6(sharebox: Sharebox, tmp_path: Path) -> None:
    file = tmp_path / "missing.toml"
    code, out, err = sharebox("run", "--config", str(file))
    assert (code, out) == (command.CONFIGURATION, "")
    assert err == (f"sharebox: {file}: No such file or directory; `shareboxctl dev init DIRECTORY` makes one\n")


def test_an_unknown_transport_is_one_line_and_exit_code_4(sharebox: Sharebox, tmp_path: Path) -> None:
    file = configuration(tmp_path, '[ble]\ntransport = "telepathy"\n')
    code, _, err = sharebox("run", "--config", str(file), "--json")
    lines = err.splitlines()
    assert code == command.NO_RADIO
    assert lines.pop().startswith("sharebox: no Bluetooth transport is called 'telepathy'")
    assert all(json.loads(line)["level"] == "info" for line in lines)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreFailed("the disk is gone"), 6),
        (ExceptionGroup("several", [ExceptionGroup("inner", [RadioUnavailable("no radio")])]), 4),
    ],
)
def test_an_expected_error_is_found_inside_groups(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    codes: dict[type[Exception], int] = {StoreFailed: 6, RadioUnavailable: 4}
    assert command._failed(error, codes) == code
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("a bug"), ExceptionGroup("two", [StoreFailed("a"), ValueError("b")])])
def test_an_error_that_is_not_expected_goes_on(error: Exception) -> None:
    with pytest.raises(type(error)):
        command._failed(error, {StoreFailed: 6})


def test_an_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "app", interrupted)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == command.INTERRUPTED
