"""Where the dissector lies, and how it gets to Wireshark."""

from pathlib import Path

from host_tools.bench.dissector import DISSECTOR, install, plugin_folder


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
