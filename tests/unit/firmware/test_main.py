"""The command `sharebox` in this process: help, exit codes, one line for each error."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from firmware import __main__ as command
from firmware.adapters.store import SqliteStore
from firmware.bench import replaying
from firmware.core import usage
from firmware.core.state import Durable
from firmware.core.usage import Entry, Use
from firmware.keeper import encode
from firmware.ports import RadioUnavailable, StoreFailed
from tests.support.command import ENVIRONMENT
from tests.support.credentials import MODULE_ID
from tests.support.module_files import configuration
from tests.support.recordings import a_life, first, lines_of, stored


@pytest.fixture(autouse=True)
def _configured_anew() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def sharebox(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs it; exit code, standard output, standard error."""

    def run(*tokens: str) -> tuple[int, str, str]:
        capsys.readouterr()  # what came before is not the command's
        with pytest.raises(SystemExit) as ended:
            command.main(tokens)
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


Sharebox = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("tokens", [("--help",), ("run", "--help"), ("demo", "--help"), ("log", "--help")])
def test_help_is_printed(sharebox: Sharebox, tokens: tuple[str, ...]) -> None:
    code, out, err = sharebox(*tokens)
    assert (code, err) == (0, "")
    assert "--json" in out or "demo" in out or "verify" in out


def test_the_help_names_every_exit_code(sharebox: Sharebox) -> None:
    _, out, _ = sharebox("--help")
    for code in (0, 1, 2, command.LOG_NOT_WHOLE, command.NO_RADIO, command.CONFIGURATION, command.OTHERWISE, 130):
        assert f"{code} " in out


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        (("rnu",), 'Did you mean "run"?'),
        (("run", "--nonsense"), "--nonsense"),
        (("run", "a", "b"), "b"),
        (("replay", "x", "--until", "0"), "--until"),
        (("log", "--config", "x"), "--config"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(sharebox: Sharebox, tokens: tuple[str, ...], says: str) -> None:
    code, out, err = sharebox(*tokens)
    assert (code, out, err.count("\n")) == (command.USAGE, "", 1)
    assert err.startswith("sharebox: ")
    assert err.endswith(" Try --help.\n")
    assert says in err


def test_a_missing_file_is_one_line_and_exit_code_6(sharebox: Sharebox, tmp_path: Path) -> None:
    file = tmp_path / "missing.toml"
    code, out, err = sharebox("run", "--config", str(file))
    assert (code, out) == (command.CONFIGURATION, "")
    assert err == (f"sharebox: {file}: No such file or directory; `shareboxctl module init DIRECTORY` makes one\n")


@pytest.mark.req("HW-1")
def test_a_real_cars_parts_are_checked(sharebox: Sharebox, tmp_path: Path) -> None:
    gone = '[vehicle]\nkind = "hardware"\nsimulate = ["can"]\n[vehicle.gnss]\ndevice = "/dev/ttyNONE"\n'
    file = str(configuration(tmp_path, gone))
    code, out, err = sharebox("check", "-c", file, "--seconds", "0.1")
    assert (code, err) == (6, "")
    assert out.startswith("wrong  gnss      [Errno 2] could not open port /dev/ttyNONE")
    code, out, _ = sharebox("check", "-c", file, "--seconds", "0.1", "--json")
    assert (code, json.loads(out)["state"]) == (6, "wrong")
    quiet = '[vehicle]\nkind = "hardware"\n[vehicle.can]\ninterface = "virtual"\nchannel = "main"\n'
    code, out, _ = sharebox("check", "-c", str(configuration(tmp_path, quiet)), "--seconds", "0.1")
    assert code == 0
    assert out.startswith("note   can       nothing about battery_mv")
    code, out, err = sharebox("check", "-c", str(configuration(tmp_path, "")))
    assert (code, out) == (6, "")
    assert err == 'sharebox: [vehicle] kind = "simulated": there is nothing to be checked\n'


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
    def interrupted(*_tokens: object, **_how: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "app", interrupted)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == command.INTERRUPTED


# ---------------------------------------------------------------- the usage log
async def filled(tmp_path: Path, *, cut_off: int = 0) -> str:
    """A module's configuration, with a usage log of two entries; the last `cut_off` of them are missing."""
    file = configuration(tmp_path)
    durable, links = Durable(0, 0), []
    for at_ms, use in ((1_000, Use.STARTED), (2_000, Use.ENDED)):
        entry = Entry(0, "", at_ms, "synced", use, "61", "driver", "0a")
        head, chained = usage.chain(MODULE_ID, durable.log, entry)
        durable = msgspec.structs.replace(durable, log=head)
        links.append(chained)
    state, vital = encode(durable)
    (tmp_path / "state").mkdir()
    store = SqliteStore(tmp_path / "state" / "module.db", capacity_records=10)
    await store.commit(state, (), vital=vital, usage=tuple(links[: len(links) - cut_off]))
    await store.close()
    return str(file)


@pytest.mark.parametrize("tokens", [("log", "verify", "--config"), ("log", "verify", "--help")])
def test_a_reader_who_has_had_enough_gets_no_traceback(tmp_path: Path, tokens: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    asked = [sys.executable, "-m", "firmware", *tokens, asyncio.run(filled(tmp_path))]
    ran = subprocess.run(asked, stdout=writer, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (command.UNREAD, b"")


@pytest.mark.req("BKG-7")
async def test_a_whole_usage_log_verifies_and_says_who_had_the_car(sharebox: Sharebox, tmp_path: Path) -> None:
    file = await filled(tmp_path)
    assert sharebox("log", "verify", "--config", file) == (0, "The usage log is whole: 2 entries.\n", "")
    code, out, _ = sharebox("log", "who", "--at", "1970-01-01T00:00:01.5Z", "-c", file)
    assert code == 0
    assert out.startswith("User 61 (driver), booking 0a: from 1970-01-01T00:00:01.000Z")
    code, out, _ = sharebox("log", "who", "--at", "1970-01-01 00:00:03", "-c", file, "--json")
    assert (code, json.loads(out)["stays"]) == (0, [])


@pytest.mark.req("BKG-7")
async def test_a_usage_log_that_was_cut_off_is_exit_code_3(sharebox: Sharebox, tmp_path: Path) -> None:
    file = await filled(tmp_path, cut_off=1)
    assert sharebox("log", "verify", "-c", file) == (3, "The usage log is not whole:\nEntry 2 is missing.\n", "")
    code, out, _ = sharebox("log", "verify", "-c", file, "--json")
    assert (code, json.loads(out)["faults"]) == (3, [{"number": 2, "what": "is missing"}])


def test_a_log_that_can_not_be_read_and_a_time_that_is_none_are_one_line(sharebox: Sharebox, tmp_path: Path) -> None:
    file = str(configuration(tmp_path))
    code, out, err = sharebox("log", "verify", "-c", file)
    assert (code, out) == (command.CONFIGURATION, "")
    assert "has this module ever run" in err
    code, _, err = sharebox("log", "who", "--at", "noon", "-c", file)
    assert (code, err) == (2, "sharebox: 'noon' is no time; write it like 2026-10-30T12:00:00Z\n")


# ---------------------------------------------------------------- replay
@pytest.mark.req("BEN-4")
def test_a_recording_that_comes_out_the_same_is_exit_code_0(sharebox: Sharebox, tmp_path: Path) -> None:
    path = stored(tmp_path, lines_of(a_life()))
    code, out, err = sharebox("replay", str(path))
    assert (code, err) == (0, "")
    assert out.startswith("No difference: ")
    code, out, _ = sharebox("replay", str(path), "--json", "--until", "50")
    assert code == 0
    assert json.loads(out)["state"]["durable.counters.boot"] == 1


def test_the_log_never_comes_onto_standard_output(
    sharebox: Sharebox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = replaying.play

    def noticed(*given: Any) -> replaying.Outcome:
        structlog.get_logger("sharebox").warning("noticed")
        return play(*given)

    monkeypatch.setattr(replaying, "play", noticed)
    code, out, err = sharebox("replay", str(stored(tmp_path, lines_of(a_life()))), "--json")
    assert code == 0
    assert json.loads(out)["same"] is True
    assert "noticed" in err


@pytest.mark.req("BEN-4")
def test_a_recording_that_comes_out_otherwise_is_exit_code_7(sharebox: Sharebox, tmp_path: Path) -> None:
    lines = lines_of(a_life())
    step = first(lines, lambda line: line["kind"] == "step")
    step["now"] = 1
    code, out, err = sharebox("replay", str(stored(tmp_path, lines)))
    assert (code, err) == (command.OTHERWISE, "")
    assert out.startswith(f"Line {step['n']} (boot 1, 2026-10-2")
    assert json.loads(sharebox("replay", str(tmp_path / "recording.jsonl"), "--json")[1])["same"] is False


@pytest.mark.req("BEN-4")
def test_the_keys_of_a_replay_come_from_the_configuration_when_there_are_none_in_it(
    sharebox: Sharebox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = lines_of(a_life())
    text = msgspec.json.encode(lines[0].pop("provisioning")).decode()
    path = str(stored(tmp_path, lines))
    monkeypatch.chdir(tmp_path)
    code, out, _ = sharebox("replay", path)
    assert code == 0
    assert "The links were not compared" in out
    file = configuration(tmp_path)
    code, _, err = sharebox("replay", path, "--config", str(file))
    assert code == command.CONFIGURATION
    assert err.startswith(f"sharebox: the recording is of module {lines[0]['module']}")
    (tmp_path / "provisioning.json").write_text(text)
    code, out, _ = sharebox("replay", path)
    assert code == 0
    assert "were not compared" not in out


@pytest.mark.req("BEN-4")
@pytest.mark.parametrize("content", [None, b"hello"])
def test_a_file_that_is_no_recording_is_exit_code_6(sharebox: Sharebox, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "it"
    if content is not None:
        path.write_bytes(content)
    code, out, err = sharebox("replay", str(path))
    assert (code, out, err.count("\n")) == (command.CONFIGURATION, "", 1)
