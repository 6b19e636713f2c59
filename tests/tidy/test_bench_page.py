"""The page about the bench names every command as it is."""

from tests.support import bench_page
from tests.support.command import ROOT


def test_the_table_of_commands_is_current() -> None:
    assert bench_page.render() == (ROOT / bench_page.PAGE).read_text(encoding="utf-8"), "run `make docs`"
