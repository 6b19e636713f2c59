"""One grammar of links, and where modules leave their lines."""

import os
from pathlib import Path

import pytest

from host_tools.bench.links import (
    Automatic,
    Bluetooth,
    InProcess,
    Link,
    LinkError,
    Serial,
    Virtual,
    is_held,
    lines_here,
    own_lines,
    parse_link,
    stale_lines,
)
from tests.support.lines import held, lay

pytestmark = pytest.mark.req("BEN-1", "BEN-2")


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("auto", Automatic()),
        ("in-process", InProcess()),
        ("virtual", Virtual("127.0.0.1", 6402)),
        ("virtual:10.0.0.1:7000", Virtual("10.0.0.1", 7000)),
        ("virtual:::1:7000", Virtual("::1", 7000)),
        ("ble:aa:bb:cc:dd:ee:ff", Bluetooth("AA:BB:CC:DD:EE:FF")),
        ("ble:00000000-0000-0000-0000-00000000000a", Bluetooth("00000000-0000-0000-0000-00000000000A")),
        ("/dev/ttyUSB0", Serial("/dev/ttyUSB0")),
        ("./line", Serial("line")),
        ("serial:/dev/ttyAMA0", Serial("/dev/ttyAMA0")),
        ("serial:run/console", Serial("run/console")),
        ("COM3", Serial("COM3")),
        ("serial:COM3", Serial("COM3")),
        ("rfc2217://host:4000?x", Serial("rfc2217://host:4000?x")),
        ("socket://host:4000", Serial("socket://host:4000")),
    ],
)
def test_every_form_has_its_link(text: str, link: Link) -> None:
    assert parse_link(text, {}) == link


@pytest.mark.parametrize(
    "text",
    [
        *("", "bluetooth", "virtual:", "virtual:host", "virtual:host:0", "virtual:h:70000", "ble", "ble:xy"),
        *("serial:", "auto:", "in-process:x", "http://host", "a\x1bb"),
    ],
)
def test_anything_else_is_no_link_and_the_forms_are_named(text: str) -> None:
    with pytest.raises(LinkError, match=r"is no link\. Write auto, virtual") as caught:
        parse_link(text, {})
    assert "\x1b" not in str(caught.value)


@pytest.fixture
def terminal() -> str:
    return os.devnull


def test_a_running_modules_lines_have_names(tmp_path: Path, terminal: str) -> None:
    project, run, runtime = tmp_path / "project", tmp_path / "project/elsewhere/run", tmp_path / "runtime"
    (project / "deep").mkdir(parents=True)
    (project / "sharebox.toml").write_text(
        '[module]\nstate_dir = "elsewhere"\n[[serial]]\nname = "second"\n[[serial]]\n[[serial]]\nname = "gone"\n'
    )
    console, second, other = run / "console", runtime / "sharebox/second", runtime / "sharebox/other"
    lines = [console, runtime / "sharebox/console", second, other, runtime / "sharebox/.hidden"]
    for line in lines:
        lay(line, terminal)
    lay(run / "gone", str(tmp_path / "nothing"))
    (run / "file").touch()
    environment = {"XDG_RUNTIME_DIR": str(runtime)}
    with held(*lines, run / "gone", run / "file"):
        found = lines_here(environment, project / "deep")
        assert list(found.items()) == [("second", second), ("console", console), ("other", other)]
        assert own_lines(environment, project / "deep") == [second, console]
        assert own_lines(environment, tmp_path) == []
        assert stale_lines(environment, project) == []
        assert parse_link("serial:second", environment, project) == Serial(str(second))
        with pytest.raises(
            LinkError, match=r"no module here has a line 'third'\. There are: console, other, second; or give"
        ):
            parse_link("serial:third", environment, project)


def test_a_line_that_no_module_holds_any_more_is_nobodys(tmp_path: Path, terminal: str) -> None:
    (tmp_path / "sharebox.toml").write_text("[[serial]]\n")
    console = tmp_path / "state/run/console"
    lay(console, terminal)
    (console.parent / "strange").symlink_to(terminal)
    with held(console):
        assert is_held(console) is True
        assert own_lines({}, tmp_path) == [console]
    assert is_held(console) is False
    assert is_held(console.parent / "strange") is None
    assert is_held(Path("/")) is None
    assert (lines_here({}, tmp_path), own_lines({}, tmp_path)) == ({}, [])
    assert stale_lines({}, tmp_path) == [console]
    with pytest.raises(LinkError, match="no module here has a line 'console'"):
        parse_link("serial:console", {}, tmp_path)


@pytest.mark.parametrize("text", ["", "[module", "module = 5\nserial = 5", "serial = [5]\n[module]\nstate_dir = 5"])
def test_a_module_file_that_is_wrong_or_silent_means_the_default_place(
    text: str, tmp_path: Path, terminal: str
) -> None:
    (tmp_path / "sharebox.toml").write_text(text)
    console = tmp_path / "state" / "run" / "console"
    lay(console, terminal)
    with held(console):
        assert list(lines_here({}, tmp_path)) == ["console"]
        assert own_lines({}, tmp_path) == []


def test_a_file_in_the_working_directory_is_a_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LinkError, match="Start a module with `sharebox run`"):
        parse_link("serial:line", {})
    Path("line").touch()
    assert parse_link("serial:line", {}) == Serial("line")
