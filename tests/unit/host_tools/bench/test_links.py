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
    lines_here,
    own_lines,
    parse_link,
)

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
    project, runtime = tmp_path / "project", tmp_path / "runtime"
    for folder in (project / "deep", project / "elsewhere" / "run", runtime / "sharebox"):
        folder.mkdir(parents=True)
    (project / "sharebox.toml").write_text(
        '[module]\nstate_dir = "elsewhere"\n[[serial]]\nname = "second"\n[[serial]]\n[[serial]]\nname = "gone"\n'
    )
    (project / "elsewhere" / "run" / "console").symlink_to(terminal)
    (project / "elsewhere" / "run" / "gone").symlink_to(tmp_path / "nothing")
    (project / "elsewhere" / "run" / "file").touch()
    (runtime / "sharebox" / "console").symlink_to(terminal)
    (runtime / "sharebox" / "second").symlink_to(terminal)
    (runtime / "sharebox" / "other").symlink_to(terminal)
    (runtime / "sharebox" / ".hidden").symlink_to(terminal)
    environment = {"XDG_RUNTIME_DIR": str(runtime)}
    found = lines_here(environment, project / "deep")
    console, second = project / "elsewhere" / "run" / "console", runtime / "sharebox" / "second"
    assert list(found.items()) == [("second", second), ("console", console), ("other", runtime / "sharebox" / "other")]
    assert own_lines(environment, project / "deep") == [second, console]
    assert own_lines(environment, tmp_path) == []
    assert parse_link("serial:second", environment, project) == Serial(str(runtime / "sharebox" / "second"))
    with pytest.raises(
        LinkError, match=r"no module here has a line 'third'\. There are: console, other, second; or give"
    ):
        parse_link("serial:third", environment, project)


@pytest.mark.parametrize("text", ["", "[module", "module = 5\nserial = 5", "serial = [5]\n[module]\nstate_dir = 5"])
def test_a_module_file_that_is_wrong_or_silent_means_the_default_place(
    text: str, tmp_path: Path, terminal: str
) -> None:
    (tmp_path / "sharebox.toml").write_text(text)
    (tmp_path / "state" / "run").mkdir(parents=True)
    (tmp_path / "state" / "run" / "console").symlink_to(terminal)
    assert list(lines_here({}, tmp_path)) == ["console"]
    assert own_lines({}, tmp_path) == []


def test_a_file_in_the_working_directory_is_a_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LinkError, match="Start a module with `sharebox run`"):
        parse_link("serial:line", {})
    Path("line").touch()
    assert parse_link("serial:line", {}) == Serial("line")
