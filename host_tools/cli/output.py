"""What a command prints: data to standard output, talk to standard error.

With `--json` the data is JSON Lines: every object has a `type` and the version of the format.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TextIO

from host_tools.cli.exits import CliError, Exit

FORMAT: Final = "shareboxctl/1"
"""Rises when a field changes its meaning or goes away; new fields may appear at any time."""


PATIENCE_S: Final = 1.0
"""What is done by then was not worth a word."""
TICK_S: Final = 1.0


class Output:
    """Prints results either for people or for programs."""

    def __init__(self, *, json_lines: bool, asks: bool = True) -> None:
        self.json_lines = json_lines
        self._asks = asks
        self._shown: _Task | None = None

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

    def confirm(self, question: str) -> None:
        """Ask before what cannot be undone. Raises CliError when the answer is no, or when nobody can be asked."""
        if not self._asks or not sys.stdin.isatty():
            raise CliError(Exit.USAGE, f"{question} Nobody can be asked here. Say --yes.")
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - a question is talk
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CliError(Exit.INTERRUPTED, "nothing was done.")

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show `what` when something takes longer than a second: moving on a terminal that can take it back; for
        programs as objects `begin`, `progress`, `end` on standard error; not at all elsewhere. Inside another one it
        says what that one is at."""
        if not self.json_lines and not _is_lively():
            yield
        elif self._shown is not None:
            before, self._shown.what = self._shown.what, what
            try:
                yield
            finally:
                self._shown.what = before
        else:
            self._shown = _JsonTask(what) if self.json_lines else _Spinner(what)
            try:
                with _in_time(self._shown):
                    yield
            finally:
                self._shown = None


class _Task(Protocol):
    what: str

    def begin(self) -> None: ...
    def go_on(self, elapsed_s: int) -> None: ...
    def end(self, elapsed_s: float) -> None: ...


@contextmanager
def _in_time(shown: _Task) -> Iterator[None]:
    done = threading.Event()
    thread = threading.Thread(target=_show_later, args=(done, shown), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _show_later(done: threading.Event, shown: _Task) -> None:
    began = time.monotonic()
    if done.wait(PATIENCE_S):
        return
    shown.begin()
    while not done.wait(TICK_S):
        shown.go_on(round(time.monotonic() - began))
    shown.end(time.monotonic() - began)


class _Spinner:
    """On a terminal."""

    def __init__(self, what: str) -> None:
        self.what = what

    def begin(self) -> None:
        from rich.console import Console

        self._status = Console(stderr=True).status(self.what)
        self._status.start()

    def go_on(self, elapsed_s: int) -> None:
        self._status.update(f"{self.what} ({elapsed_s} s)")

    def end(self, elapsed_s: float) -> None:
        self._status.stop()


class _JsonTask:
    """For programs: talk, but in the same language."""

    def __init__(self, what: str) -> None:
        self.what = what

    def begin(self) -> None:
        print_talk(json_line("begin", {"task": self.what}))

    def go_on(self, elapsed_s: int) -> None:
        print_talk(json_line("progress", {"task": self.what, "elapsed_s": elapsed_s}))

    def end(self, elapsed_s: float) -> None:
        print_talk(json_line("end", {"task": self.what, "elapsed_s": round(elapsed_s, 1)}))


def json_line(kind: str, fields: dict[str, object]) -> str:
    """One object on one line."""
    return json.dumps({"type": kind, "format": FORMAT, **fields}, ensure_ascii=False)


def print_data(line: str) -> None:
    """To standard output, at once: the next program may be waiting. Raises BrokenPipeError when it has gone."""
    print(line, flush=True)  # noqa: T201 - printing is what a command line does


def print_talk(line: str) -> None:
    """To standard error. Nobody has to listen."""
    try:
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - printing is what a command line does
    except OSError:  # a closed pipe, or a closed terminal
        unread(sys.stderr)


def unread(stream: TextIO) -> None:
    """Whoever read it has gone: write no more there, not even what is left on the way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _is_lively() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
