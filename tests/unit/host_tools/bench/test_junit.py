"""Results as JUnit XML, read back by a parser."""

from xml.etree import ElementTree

from host_tools.bench.junit import Played, render

HELD = Played("one", "One & all", ("CUT-2", "ACC-8"), "10:00 <done>\x1b\n", 1.25)
FAILED = Played("two", "Two", ("CUT-3",), "text\n", 0.5, ("10:01:00 car is locked: it is unlocked", "another"))
BROKEN = Played("three", "Three", ("CLK-1",), "", 0.0, error="the bench is gone")


def test_each_scenario_is_a_case_with_its_rules_and_its_transcript() -> None:
    root = ElementTree.fromstring(render([HELD, FAILED, BROKEN], "in-process"))
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "3",
        "1",
        "1",
        "0",
    )
    assert suite.get("time") == "1.750"
    one, two, three = suite.findall("testcase")
    assert (one.get("name"), one.get("classname"), one.get("time")) == ("one", "sharebox.scenarios", "1.250")
    assert [each.get("value") for each in one.iter("property")] == ["One & all", "CUT-2", "ACC-8"]
    assert one.findtext("system-out") == "10:00 <done>\n"
    failure = two.find("failure")
    assert failure is not None
    assert failure.get("message") == "10:01:00 car is locked: it is unlocked"
    assert failure.text == "10:01:00 car is locked: it is unlocked\nanother"
    error = three.find("error")
    assert error is not None
    assert error.get("message") == "the bench is gone"
    assert [each.held for each in (HELD, FAILED, BROKEN)] == [True, False, False]


def test_the_link_is_told() -> None:
    suite = ElementTree.fromstring(render([], "serial:/dev/ttyUSB0"))[0]
    found = suite.find("properties/property")
    assert found is not None
    assert (found.get("name"), found.get("value")) == ("link", "serial:/dev/ttyUSB0")
