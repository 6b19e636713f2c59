"""The tree of commands."""

from importlib import import_module

from host_tools.cli.commands import COMMANDS, Branch, Leaf, names, reached


def leaves(tree: tuple[Leaf | Branch, ...]) -> list[Leaf]:
    return [leaf for one in tree for leaf in ([one] if isinstance(one, Leaf) else leaves(one.below))]


def test_every_name_says_whether_it_is_a_command_or_a_group() -> None:
    found = names()
    assert found["phone"] is False
    assert found["phone unlock"] is True
    assert found["issuer pki init"] is True
    assert found["watch"] is True


def test_a_name_is_reached_by_its_words_whatever_options_are_between() -> None:
    assert reached(["issuer", "--json", "pki", "init", "host"]) == "issuer pki init"
    assert reached(["phone", "--help"]) == "phone"
    assert reached(["--help"]) == reached(["nonsense", "phone"]) == ""


def test_every_command_has_its_function_and_its_line_of_help() -> None:
    for leaf in leaves(COMMANDS):
        module, _, name = leaf.function.partition(":")
        function = getattr(import_module(module), name)
        assert callable(function)
        assert function.__doc__, leaf.name
        assert leaf.text.endswith("."), leaf.name
