"""The manual page."""

import pytest

from host_tools.cli import reference
from host_tools.cli.commands import names
from host_tools.cli.exits import Exit
from host_tools.cli.manual import manual


def page() -> str:
    return reference.pages()["shareboxctl.1"]


@pytest.mark.req("BEN-1")
def test_every_command_has_its_section_and_every_exit_code_its_line() -> None:
    lines = page().splitlines()
    for name in names():
        assert f".SS shareboxctl {name}".replace("-", "\\-") in lines
    for code in Exit:
        assert f".B {int(code)}" in lines
    assert ".SH CONVENTIONS" in lines


def test_it_is_ascii_without_markdown() -> None:
    text = page()
    assert text.isascii()
    for leftover in ("`", "**", "](", "<!--"):
        assert leftover not in text.partition("\n")[2], leftover


def test_options_become_tagged_paragraphs_and_code_is_bold() -> None:
    made = manual(
        "# shareboxctl\n\n* [`a`](#a)\n\n## shareboxctl a-b\n\n```console\nshareboxctl a-b [OPTIONS]\n```\n\n"
        "Do `this`, see [there](x.md).\n\n**Parameters**:\n\n"
        "* `--key STR`: Back\\slash… *[default: x]* **[required]**\n"
        "\n## Conventions\n\n- One\n  line.\n- 'Two'.\n"
    )
    lines = made.splitlines()
    body = lines[lines.index(".SH COMMANDS") + 1 : lines.index(".SH EXIT STATUS")]
    assert body == [
        ".SS shareboxctl a\\-b",
        ".nf",
        "\\fBshareboxctl a\\-b [OPTIONS]\\fR",
        ".fi",
        ".PP",
        "Do \\fBthis\\fR, see there.",
        ".TP",
        ".B \\-\\-key STR",
        "Back\\eslash\\[u2026] (default: x) (required)",
        ".SH CONVENTIONS",
        ".PP",
        "One line.",
        ".PP",
        "\\&'Two'.",
    ]
