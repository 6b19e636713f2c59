"""Scenario files: read whole, or every fault told with its line and what may have been meant."""

from pathlib import Path

import pytest

from host_tools.backend.issuer import ALL_PERMISSIONS
from host_tools.bench.scenario_file import ScenarioFaults, parse, read
from protocol.errors import Role
from protocol.messages import Permission

GOOD = """\
format = 1
title = "A story"
story = '''Two
  lines.'''
rules = ["ACC-1", "CUT-2"]

[given]
car = "driving"
network = "down"
sky = "hidden"
home = true
bench = ["door open", "fault boot ajar"]

[given.people.anna]
booked = ["10:00 - 12:00", "13:00 - D2 14:00"]

[given.people.olga]
role = "owner"
may = "unlock, lock"

[[step]]
at = "10:01"
do = ["anna  connects", "time move 1s", "anna moves to a new phone"]
expect = "anna is granted"

[[step]]
do = "anna's old phone connects"

[[step]]
at = "+5m"
expect = ["olga is granted", "car is locked"]
"""


@pytest.mark.req("BEN-3")
def test_a_good_file_is_read_whole() -> None:
    scenario = parse(GOOD, "a-story")
    assert (scenario.name, scenario.title, scenario.story) == ("a-story", "A story", "Two lines.")
    assert (scenario.rules, scenario.home) == (("ACC-1", "CUT-2"), True)
    anna, olga = scenario.people
    assert (anna.name, anna.role, anna.booked) == ("anna", Role.DRIVER, ((36_000, 43_200), (46_800, 136_800)))
    assert anna.permissions == ALL_PERMISSIONS
    assert (olga.role, olga.booked, olga.permissions) == (Role.OWNER, (), Permission.UNLOCK | Permission.LOCK)
    assert scenario.given == (
        "ignition on --with-key",
        "drive",
        "broker down",
        "gnss lost",
        "door open",
        "fault boot ajar",
    )
    assert [step.at_s for step in scenario.steps] == [36_060, 36_060, 36_360]
    assert [step.line for step in scenario.steps] == [21, 26, 29]
    assert [said.text for said in scenario.steps[0].do] == [
        "anna connects",
        "time move 1s",
        "anna moves to a new phone",
    ]
    assert scenario.claims == 3


HEAD = 'format = 1\ntitle = "A"\nrules = ["ACC-1"]\n'
ANNA = '[given.people.anna]\nbooked = "10:00 - 12:00"\n'
STEP = '[[step]]\nat = "10:01"\ndo = "anna connects"\nexpect = "anna is granted"\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("format = 1\ntitle = \n", "x:2: no TOML: Invalid value."),
        ("title = 'A'", "x:1: `format` is missing. Write it, as `shareboxctl scenario new` does."),
        ("format = 1\ntitle = 'A'", "x:1: `rules` is missing. Write it"),
        ("title = 'A'\nformat = 'one'", "x:2: format: it is a text, and has to be a whole number. Correct it."),
        ("title = 5\nformat = 99", "x:2: format = 99: this program reads format 1. Update one of them."),
        ("format = 1\ntitle = 5", "x:2: title: it is a whole number, and has to be a text. Put it in quotes."),
        (HEAD + "step = 5", "x:4: step: it is a whole number, and has to be a list. Correct it."),
        (HEAD.replace('"ACC-1"', "1"), "x:3: rules: it is a whole number, and has to be a text. Put it in quotes."),
        (
            HEAD + ANNA + STEP.replace('"10:01"', "10:01:00"),
            "x:7: at: it is a time, and has to be a text. Put it in quotes.",
        ),
        (
            HEAD + ANNA + STEP.replace('"anna connects"', "5"),
            "x:8: do: it is a whole number, and has to be a text or a list. Put it in quotes.",
        ),
        (
            HEAD + "[given.people]\nben = {}\nanna = 5\n" + STEP,
            "x:6: people.anna: it is a whole number, and has to be a table. Correct it.",
        ),
        (HEAD.replace("1", "2", 1) + ANNA + STEP, "x:1: format = 2: this program reads format 1. Update one of them."),
        (HEAD.replace("ACC-1", "acc1") + ANNA + STEP, "x:3: rules: name at least one, each like CUT-2."),
        ("titel = 'A'\n" + HEAD, "x:1: 'titel' does not belong here. Did you mean 'title'?"),
        (HEAD + "[given]\nweather = 'wet'\n" + STEP, "x:5: 'weather' does not belong here."),
        (
            HEAD + "[given]\ncar = 'parkd'\n" + ANNA + STEP,
            "x:5: 'parkd' is no state of the car. Did you mean 'parked'?",
        ),
        (
            HEAD + "[given]\nbench = ['dor open']\n" + ANNA + STEP,
            "x:5: 'dor open' is nothing for the desk. Did you mean 'door'?",
        ),
        (HEAD + ANNA.replace("anna", "owner") + STEP, "x:4: 'owner' cannot be somebody's name: the word begins"),
        (HEAD + ANNA + "role = 'drivr'\n" + STEP, "x:6: 'drivr' is no role. Did you mean 'driver'?"),
        (
            HEAD + ANNA + "may = 'fly'\n" + STEP,
            "x:6: may: 'fly' is no list of permissions; they are unlock, drive, lock, locate, boot.",
        ),
        (HEAD + ANNA + "size = 3\n" + STEP, "x:6: 'size' does not belong here. One of: role, booked, may, key."),
        (
            HEAD + ANNA + "key = true\n" + STEP,
            "x:6: key = true: a driver has no key of their own. Somebody has to share",
        ),
        (HEAD + ANNA.replace("12:00", "09:00") + STEP, "x:5: booked: '10:00 - 09:00' ends before it begins"),
        (HEAD + ANNA, "x:1: 0 steps: a scenario has 1 to 200. Write [[step]] tables."),
        (HEAD + ANNA + STEP + "expct = ''\n", "x:10: 'expct' does not belong here. Did you mean 'expect'?"),
        (
            HEAD + ANNA + STEP.replace('at = "10:01"\n', ""),
            "x:6: the first step has no time. Add `at`, such as at = '10:00'.",
        ),
        (
            HEAD + ANNA + STEP + STEP.replace("10:01", "10:00"),
            "x:11: at = '10:00': the step before is at 10:01:00. Time only goes on.",
        ),
        (HEAD + ANNA + STEP.replace("10:01", "late"), "x:7: at: 'late' is no time; write 10:00"),
        (
            HEAD + ANNA + STEP + "[[step]]\nat = '10:05'\n",
            "x:10: a step without `do` and without `expect`. Say what happens, or what holds.",
        ),
        (
            HEAD + ANNA + STEP.replace("connects", "conects"),
            "x:8: 'anna conects': there is no such phrase. Did you mean 'anna connects'?",
        ),
        (
            HEAD + ANNA + STEP.replace('"anna is granted"', '[\n"anna is granted",\n"car is blue",\n]'),
            "x:11: 'car is blue': 'blue' is no condition of the car.",
        ),
        (HEAD + ANNA + ANNA.replace("anna", "ben") + STEP, "x:6: ben does nothing in this scenario. Take them out."),
        (
            HEAD + ANNA + STEP.replace("anna connects", "anna's old phone connects"),
            "x:8: 'anna's old phone connects': anna has no old phone yet.",
        ),
        (
            HEAD + ANNA + STEP.replace('expect = "anna is granted"\n', ""),
            "x:1: nothing is expected: it could not fail. Add `expect` to a step.",
        ),
    ],
)
def test_a_fault_is_told_with_its_line_and_what_to_do(text: str, line: str) -> None:
    with pytest.raises(ScenarioFaults) as caught:
        parse(text, "x")
    assert caught.value.lines[0].startswith(line)


def test_all_faults_of_a_file_are_told_at_once_in_their_order() -> None:
    text = HEAD + ANNA + STEP.replace("connects", "conects").replace("granted", "grantd")
    with pytest.raises(ScenarioFaults) as caught:
        parse(text, "x")
    assert [line.partition(" ")[0] for line in caught.value.lines] == ["x:8:", "x:9:"]
    assert [(fault.file, fault.line) for fault in caught.value.faults] == [("x", 8), ("x", 9)]


def test_too_many_people_and_a_bad_name_are_faults() -> None:
    people = "".join(f"[given.people.p{number}]\n" for number in range(9))
    with pytest.raises(ScenarioFaults, match="9 people: at most 8"):
        parse(HEAD + people + STEP, "x")
    with pytest.raises(ScenarioFaults, match="'A story' is no name"):
        parse(HEAD + ANNA + STEP, "A story")


def test_a_file_that_cannot_be_read_is_a_fault_too(tmp_path: Path) -> None:
    with pytest.raises(ScenarioFaults, match="cannot be read: No such file"):
        read(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_bytes(b"title = '\xff'")
    with pytest.raises(ScenarioFaults, match=r"it is no UTF-8 text"):
        read(broken)
    broken.write_bytes(b"#" * 70_000)
    with pytest.raises(ScenarioFaults, match=r"longer than 65536 bytes"):
        read(broken)
    broken.write_text(GOOD, encoding="utf-8")
    assert read(broken).name == "broken"
