"""From lines to commands: words, parameters, options, "did you mean", completion."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.bench import kinds
from firmware.bench.grammar import MOST_LINE, Command, Grammar, Kind, Option, Parameter, Words, split
from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Result


async def _run(_: None, __: Words) -> Result:
    return Result("test", {})


COLOUR = kinds.one_of("red|green", "red", "green")
FOR = Option("for", (Parameter("D", kinds.DURATION),))
NUMBER = Kind[object]("N", kinds.whole(0, 9))

GRAMMAR: Grammar[None] = Grammar(
    (
        Command(("light",), Level.OBSERVE, "how the light is", _run),
        Command(("light", "set"), Level.OPERATE, "set it", _run, (Parameter("colour", COLOUR),)),
        Command(("light", "off"), Level.OPERATE, "no light", _run, (), (FOR,)),
        Command(("count",), Level.OBSERVE, "count", _run, (Parameter("N", NUMBER, optional=True),), (Option("up"),)),
        Command(("sum",), Level.OBSERVE, "sum", _run, (Parameter("N", NUMBER, many=True),)),
        Command(
            ("go",), Level.OPERATE, "go", _run, (), (Option("to", (Parameter("A", NUMBER), Parameter("B", NUMBER))),)
        ),
        Command(("door", "open"), Level.OPERATE, "open", _run),
        Command(("door", "close"), Level.OPERATE, "close", _run),
        Command(("safe", "open"), Level.OPERATE, "open it", _run, (Parameter("N", NUMBER, secret=True),), (FOR,)),
    )
)


def given_to(line: str) -> tuple[str, Words]:
    command, words = GRAMMAR.read(line)
    return command.name, words


def test_the_longest_name_wins_and_parameters_are_read() -> None:
    assert given_to("light")[0] == "light"
    name, words = given_to("light set red")
    assert (name, words.text("colour")) == ("light set", "red")
    assert given_to("light off --for 30s")[1].number("for") == 30
    assert given_to("count")[1].get("N") is None
    name, words = given_to("count 3 --up")
    assert (words.whole("N"), words.has("up"), words.has("down")) == (3, True, False)
    assert given_to("sum 1 2 3")[1].many("N") == (1, 2, 3)
    assert given_to("go --to 1 2")[1].many("to") == (1, 2)


@pytest.mark.req("BEN-1")
@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("lihgt", DeskCode.UNKNOWN, "Did you mean `light`?"),
        ("xyzzy", DeskCode.UNKNOWN, "Type `help`"),
        ("", DeskCode.USAGE, "empty"),
        ("light sett", DeskCode.USAGE, "Did you mean `light set`?"),
        ("light up", DeskCode.USAGE, "One of: light set, light off"),
        ("door", DeskCode.USAGE, "One of: door open, door close"),
        ("door opne", DeskCode.USAGE, "Did you mean `door open`?"),
        ("light set", DeskCode.USAGE, "colour is missing. It is: light set red|green"),
        ("light set gren", DeskCode.USAGE, "Did you mean `green`?"),
        ("light set red green", DeskCode.USAGE, "'green' is one word too many"),
        ("light off --form 30s", DeskCode.USAGE, "Did you mean `--for`?"),
        ("light off --for", DeskCode.USAGE, "--for needs D"),
        ("light off --for 30", DeskCode.USAGE, "write it like 30s"),
        ("light --for 30s", DeskCode.USAGE, "there is no option --for"),
        ("sum", DeskCode.USAGE, "N is missing. It is: sum N..."),
        ("count 12", DeskCode.USAGE, "between 0 and 9"),
        ("count 'twelve", DeskCode.USAGE, "a quote is open"),
        ("x" * (MOST_LINE + 1), DeskCode.USAGE, "Shorten it"),
        ("sum " + "1 " * 100, DeskCode.USAGE, "Shorten it"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_what_to_do(line: str, code: DeskCode, says: str) -> None:
    with pytest.raises(DeskError) as caught:
        GRAMMAR.read(line)
    assert caught.value.code is code
    assert says in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.req("KEY-4")
@pytest.mark.parametrize(
    "line", ["safe open 012345", "safe open 1 012345", "safe open --012345", "safe open --for 012345 1"]
)
def test_nothing_of_a_line_with_a_secret_is_repeated(line: str) -> None:
    with pytest.raises(DeskError, match="It is: safe open N") as caught:
        GRAMMAR.read(line)
    assert "012345" not in caught.value.message


def test_quotes_hold_words_together() -> None:
    assert split("""say 'two words' "it's" '' a"b c"d""") == ["say", "two words", "it's", "", "ab cd"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["count", "door", "go", "light", "safe", "sum"]),
        ("li", ["light"]),
        ("light ", ["off", "set"]),
        ("light s", ["set"]),
        ("light set ", ["green", "red"]),
        ("light set red ", []),
        ("light off ", ["--for"]),
        ("light off --for ", ["2h", "30m", "30s", "5m"]),
        ("light off --for 5m ", []),
        ("door o", ["open"]),
        ("nothing ", []),
    ],
)
def test_the_last_word_is_completed(text: str, found: list[str]) -> None:
    assert GRAMMAR.complete(text) == found


def test_help_lists_a_family() -> None:
    assert [each.usage for each in GRAMMAR.helped(["light"])] == ["light", "light set red|green", "light off [--for D]"]
    with pytest.raises(DeskError):
        GRAMMAR.helped(["nothing"])


@given(st.text(max_size=60) | st.lists(st.sampled_from(["light", "set", "off", "--for", "5m", "'", "1"])).map(" ".join))
def test_any_text_is_a_command_or_a_desk_error(text: str) -> None:
    with suppress(DeskError):
        assert GRAMMAR.read(text)[0] in GRAMMAR.commands
    assert all(isinstance(each, str) for each in GRAMMAR.complete(text))
