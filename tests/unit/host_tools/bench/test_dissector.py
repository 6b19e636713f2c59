"""Where the dissector lies, and how it gets to Wireshark."""

import re
from pathlib import Path

import pytest

from host_tools.bench.dissector import DISSECTOR, install, plugin_folder
from protocol.bodies import BODY_KINDS
from protocol.errors import Code
from protocol.messages import MessageType, NoticeKind, Operation, PushKind


def test_the_dissector_comes_with_the_package_and_is_copied_to_where_wireshark_looks(tmp_path: Path) -> None:
    folder = plugin_folder({"HOME": str(tmp_path)})
    assert folder == tmp_path / ".local/lib/wireshark/plugins"
    for _ in range(2):
        copy = install(folder)
        assert copy == folder / "sharebox.lua"
        assert copy.read_bytes() == DISSECTOR.read_bytes()
    assert b'Proto("sharebox"' in DISSECTOR.read_bytes()


def test_without_a_home_in_the_environment_the_user_s_is_taken() -> None:
    assert plugin_folder({}) == Path.home() / ".local/lib/wireshark/plugins"


def table(name: str) -> dict[int, str]:
    """A table of names in the dissector."""
    found = re.search(rf"(?ms)^local {name} = \{{(.*?)\}}", DISSECTOR.read_text("utf-8"))
    assert found is not None
    return {int(number): text for number, text in re.findall(r'\[(\d+)\] = "([^"]+)"', found[1])}


@pytest.mark.req("BEN-2")
def test_the_dissector_knows_every_operation_code_body_and_notice() -> None:
    assert table("TYPES") == {int(kind): kind.name for kind in MessageType}
    assert table("OPERATIONS") == {int(operation): operation.name for operation in Operation}
    assert table("CODES") == {int(code): code.name for code in Code}
    assert table("PUSHES") == {int(kind): kind.name.lower() for kind in PushKind}
    assert table("NOTICES") == {int(kind): kind.name.lower().replace("_", " ") for kind in NoticeKind}
    assert table("BODIES").keys() == set(range(len(BODY_KINDS) + 1))
