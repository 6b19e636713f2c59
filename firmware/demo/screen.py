"""How the demonstration looks: a live screen on a terminal, plain lines elsewhere, JSON lines on request.

Decides layout and nothing else: what is said, and whether it is true, comes from the stage.
"""

import json
import sys
import textwrap
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TextIO

import msgspec
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

FORMAT: Final = "sharebox-demo/1"
MOST_COLUMNS: Final = 100
LEAST_COLUMNS: Final = 80
LEAST_ROWS: Final = 24
PANEL_ROWS: Final = 8
FRAME_ROWS: Final = 2 + PANEL_ROWS + 2
"""Head, panels, and the border of the log."""
MOST_LOG_ROWS: Final = 22
FRAME_S: Final = 0.04
LOG_INDENT: Final = 17
"""Columns of time and speaker before the text."""
PLAIN_INDENT: Final = 29


class View(msgspec.Struct, frozen=True):
    """Everything that the screen shows beside the log; texts are ready for people."""

    clock: str = ""
    pace: str = "real time"
    car: tuple[tuple[str, str], ...] = ()
    booking: tuple[tuple[str, str], ...] = ()
    slider_blue: bool = False
    slider: str = "no booking"
    network: tuple[tuple[str, str], ...] = ()


class Claim(msgspec.Struct, frozen=True):
    """Something that was shown: the rule of docs/requirements.md, what, and the figure that was measured."""

    rule: str
    what: str
    figure: str


class Screen(Protocol):
    """Where the demonstration speaks to. `live`: somebody watches, who needs time to read."""

    live: bool

    def act(self, title: str, about: str) -> None:
        """A new part begins; `about` says what there is to see."""

    def say(self, who: str, text: str, **fields: object) -> None:
        """One thing happened. `fields`: the same for machines."""

    def summary(self, claims: Sequence[Claim], closing: str, **fields: object) -> None:
        """What has been shown; it stays."""

    def refresh(self) -> None:
        """The view may have changed."""

    def close(self) -> None:
        """Give the terminal back."""


class JsonScreen:
    """One JSON object a line; `type` is begin, act, say or summary."""

    live = False

    def __init__(self, look: Callable[[], View], out: TextIO) -> None:
        self._look = look
        self._out = out
        self._write({"type": "begin", "format": FORMAT})

    def act(self, title: str, about: str) -> None:
        """As Screen."""
        self._write({"type": "act", "title": title, "about": about, "time": self._look().clock})

    def say(self, who: str, text: str, **fields: object) -> None:
        """As Screen."""
        self._write({"type": "say", "time": self._look().clock, "who": who, "text": text, **fields})

    def summary(self, claims: Sequence[Claim], closing: str, **fields: object) -> None:
        """As Screen."""
        self._write({"type": "summary", "claims": msgspec.to_builtins(claims), "text": closing, **fields})

    def refresh(self) -> None:
        """As Screen."""

    def close(self) -> None:
        """As Screen."""

    def _write(self, fields: dict[str, object]) -> None:
        self._out.write(json.dumps(fields, ensure_ascii=False) + "\n")
        self._out.flush()


class PlainScreen:
    """Lines for a pipe, a log or a terminal that can do no more."""

    live = False

    def __init__(self, look: Callable[[], View], out: TextIO) -> None:
        self._look = look
        self._out = out

    def act(self, title: str, about: str) -> None:
        """As Screen."""
        self._write(f"\n== {title}\n   {about}\n")

    def say(self, who: str, text: str, **fields: object) -> None:
        """As Screen."""
        first, *more = wrapped(text, MOST_COLUMNS - PLAIN_INDENT)
        self._write(f"{self._look().clock}  {who:<7} {first}\n" + "".join(f"{'':{PLAIN_INDENT}}{m}\n" for m in more))

    def summary(self, claims: Sequence[Claim], closing: str, **fields: object) -> None:
        """As Screen."""
        rule, what = (max(len(getattr(claim, field)) for claim in claims) for field in ("rule", "what"))
        rows = (f"   {claim.rule:<{rule}}  {claim.what:<{what}}  {claim.figure}\n" for claim in claims)
        self._write(f"\n== What was shown\n{''.join(rows)}\n{closing}\n")

    def refresh(self) -> None:
        """As Screen."""

    def close(self) -> None:
        """As Screen."""

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class LiveScreen:
    """Panels for car, phone and the owner's side, the log below; in the end what was shown."""

    COLOURS: Final = {"phone": "cyan", "module": "green", "car": "yellow", "broker": "magenta", "owner": "magenta"}
    live = True

    def __init__(self, look: Callable[[], View], console: Console) -> None:
        self._look = look
        self._columns = min(console.width, MOST_COLUMNS)
        self._rows = min(console.height - 1 - FRAME_ROWS, MOST_LOG_ROWS)
        self._title = self._about = ""
        self._log: deque[Text] = deque(maxlen=self._rows)
        self._closing: RenderableType | None = None
        self._drawn_s = 0.0
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._live.start()

    def act(self, title: str, about: str) -> None:
        """As Screen."""
        self._title, self._about = title, about
        self._log.append(Text(f"── {title}", style="bold"))
        self._draw()

    def say(self, who: str, text: str, **fields: object) -> None:
        """As Screen."""
        first, *more = wrapped(text, self._columns - 4 - LOG_INDENT)
        head = Text(f"{self._look().clock[11:19]} ", style="bright_black")
        head.append(f"{who:<7} ", style=self.COLOURS.get(who, "bright_black"))
        head.append(first, style="default")
        self._log.append(head)
        self._log.extend(Text(" " * LOG_INDENT + line) for line in more)
        self._draw()

    def summary(self, claims: Sequence[Claim], closing: str, **fields: object) -> None:
        """As Screen."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
        table.add_column("rule", style="cyan", no_wrap=True)
        table.add_column("what was shown")
        table.add_column("measured", style="bold", justify="right")
        for claim in claims:
            table.add_row(claim.rule, claim.what, claim.figure)
        self._title, self._about = "What was shown", "Each line is a rule of docs/requirements.md."
        self._closing = Group(table, Text(closing, style="bold green"))
        self._draw()

    def refresh(self) -> None:
        """As Screen; more often than anybody can see is left out."""
        if time.monotonic() - self._drawn_s >= FRAME_S:
            self._draw()

    def _draw(self) -> None:
        self._live.update(self._render(), refresh=True)
        self._drawn_s = time.monotonic()

    def close(self) -> None:
        """As Screen."""
        self._live.stop()

    def _render(self) -> Table:
        view = self._look()
        pace = Text(f" {view.pace} ", style="black on yellow" if view.pace != "real time" else "black on green")
        head = Text.assemble((f"Sharebox  {view.clock} UTC  ", "bold"), pace, "  ", (self._title, "bold"))
        about = Text(self._about, style="italic")
        panels = Table.grid(expand=True)
        for _ in range(3):
            panels.add_column(ratio=1)
        panels.add_row(
            _panel(_facts(view.car), "the car", "yellow"),
            _panel(Group(_slider(view), _facts(view.booking)), "the driver's phone", "cyan"),
            _panel(_facts(view.network), "the owner's view (MQTT)", "magenta"),
        )
        frame = Table.grid()
        frame.add_column(width=self._columns, no_wrap=True)
        for part in (head, about, panels, self._below()):
            frame.add_row(part)
        return frame

    def _below(self) -> RenderableType:
        if self._closing is not None:
            return self._closing
        empty = [Text("")] * (self._rows - len(self._log))
        return Panel(Group(*self._log, *empty), title="what happens", border_style="bright_black")


def _panel(content: RenderableType, title: str, colour: str) -> Panel:
    return Panel(content, title=title, border_style=colour, height=PANEL_ROWS)


def _slider(view: View) -> Text:
    """The app's slider: blue and to the right while access is granted, grey otherwise."""
    if view.slider_blue:
        return Text(f" ━━━━● {view.slider} ", style="bold white on blue")
    return Text(f" ●━━━━ {view.slider} ", style="black on grey62")


def _facts(facts: tuple[tuple[str, str], ...]) -> Table:
    table = Table.grid(padding=(0, 1))
    for name, value in facts:
        table.add_row(Text(name, style="bright_black"), Text(value, overflow="ellipsis", no_wrap=True))
    return table


def wrapped(text: str, columns: int) -> list[str]:
    """`text` in lines of at most `columns`; what continues a labelled line ("Reason: ...") is set below its text."""
    lines: list[str] = []
    for line in text.splitlines():
        label, colon, _ = line.partition(": ")
        indent = len(line) - len(line[len(label) + 1 :].lstrip()) if colon and label in LABELS else 0
        lines += textwrap.wrap(line, columns, subsequent_indent=" " * indent) or [""]
    return lines or [""]


LABELS: Final = ("Reason", "Rule", "Remedy")


def make_screen(look: Callable[[], View], *, json_lines: bool, out: TextIO | None = None) -> Screen:
    """The screen that fits where `out` (None: standard output) goes."""
    out = out or sys.stdout
    if json_lines:
        return JsonScreen(look, out)
    console = Console(file=out)
    large = console.width >= LEAST_COLUMNS and console.height >= LEAST_ROWS
    if console.is_terminal and not console.is_dumb_terminal and large:
        return LiveScreen(look, console)
    return PlainScreen(look, out)
