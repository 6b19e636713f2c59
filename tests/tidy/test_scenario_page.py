"""The page about scenarios is current: its tables come from the phrases and the library."""

from tests.support import scenario_page
from tests.support.command import ROOT


def test_the_page_is_current() -> None:
    assert scenario_page.render() == (ROOT / scenario_page.PAGE).read_text(encoding="utf-8"), "run `make docs`"


def test_the_worked_example_on_the_page_is_sound() -> None:
    from host_tools.bench.scenario_file import parse

    page = (ROOT / scenario_page.PAGE).read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert parse(example, "example").claims == 9
