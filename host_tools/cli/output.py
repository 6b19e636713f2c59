"""What a command prints: data to standard output, talk to standard error.

With `--json` the data is JSON Lines: every object has a `type` and the version of the format.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FORMAT: Final = "shareboxctl/1"
"""Rises when a field changes its meaning or goes away; new fields may appear at any time."""


class Output:
    """Prints results either for people or for programs."""

    def __init__(self, *, json_lines: bool) -> None:
        self.json_lines = json_lines

    def result(self, kind: str, fields: dict[str, object], *lines: str) -> None:
        """One result: `lines` for people, or `fields` as one JSON line of type `kind`."""
        if self.json_lines:
            print_data(json_line(kind, fields))
        else:
            for line in lines:
                print_data(line)

    def say(self, line: str) -> None:
        """Talk: never on standard output, and not at all for programs."""
        if not self.json_lines:
            print_talk(line)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show `what` while something takes time; only on a terminal that can take it back."""
        if self.json_lines or not _is_lively():
            yield
            return
        from rich.console import Console

        with Console(stderr=True).status(what):
            yield


def json_line(kind: str, fields: dict[str, object]) -> str:
    """One object on one line."""
    return json.dumps({"type": kind, "format": FORMAT, **fields}, ensure_ascii=False)


def print_data(line: str) -> None:
    """To standard output, at once: the next program may be waiting."""
    print(line, flush=True)  # noqa: T201 - printing is what a command line does


def print_talk(line: str) -> None:
    """To standard error."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - printing is what a command line does


def _is_lively() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
