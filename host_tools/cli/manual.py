"""The manual page of `shareboxctl`, from the text of the reference page: headings, lists and code in roff.

Knows the little Markdown that the reference page is written in, and no command.
"""

import re
from collections.abc import Iterator
from typing import Final

from host_tools.cli.exits import MEANING

_HEADING: Final = re.compile(r"#{2,6} shareboxctl (.+)")
_ITEM: Final = re.compile(r"[*-] `([^`]+)`:? ?(.*)")
_LINK: Final = re.compile(r"\[`?([^\]`]+)`?\]\([^)]*\)")
_HTML: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_REMARK: Final = re.compile(r"\*{1,2}\[((?:default: |required)[^\]]*)\]\*{1,2}")

_HEAD: Final = """\
.TH SHAREBOXCTL 1 "" "sharebox" "User Commands"
.SH NAME
shareboxctl \\- talk to a car\\-sharing module, and run a bench for it
.SH SYNOPSIS
.B shareboxctl
.I COMMAND
[\\fIOPTIONS\\fR]
.SH COMMANDS
"""


def manual(reference: str) -> str:
    """The page in roff, from the reference page in Markdown."""
    commands, _, conventions = _HTML.sub("", reference).partition("\n## Conventions\n")
    begin = commands.find("\n## shareboxctl ")
    lines = [*_commands(commands[begin:]), ".SH CONVENTIONS", *_paragraphs(conventions), ".SH EXIT STATUS"]
    for code, text in MEANING.items():
        lines += [".TP", f".B {int(code)}", _inline(text)]
    return _HEAD + "\n".join(lines) + "\n"


def _commands(text: str) -> Iterator[str]:
    code = False
    for line in text.splitlines():
        if line.startswith("```"):
            code = not code
            yield ".nf" if code else ".fi"
        elif code:
            yield f"\\fB{_escaped(line)}\\fR"
        elif heading := _HEADING.fullmatch(line):
            yield f".SS shareboxctl {_escaped(heading[1])}"
        elif item := _ITEM.fullmatch(line):
            # A list of commands repeats what their own sections say.
            yield from (".TP", f".B {_escaped(item[1])}", _inline(item[2]))
        elif line and not line.startswith(("**", "* [", "#")):
            yield from (".PP", _inline(line))


def _paragraphs(text: str) -> Iterator[str]:
    for entry in re.split(r"\n(?=- )|\n\n", text.strip()):
        yield from (".PP", _inline(" ".join(entry.removeprefix("- ").split())))


def _inline(text: str) -> str:
    """A line of text: what was code is bold, a link is its text."""
    text = _REMARK.sub(r"(\1)", _LINK.sub(r"\1", text))
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fR", _escaped(text))


def _escaped(text: str) -> str:
    """Nothing in `text` is an order to the formatter."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in text)
    return f"\\&{text}" if text.startswith((".", "'")) else text
