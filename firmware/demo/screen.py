"""How the demonstration looks: a live screen on a terminal, plain lines elsewhere, JSON lines on request."""

import json
import sys
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, TextIO

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

FORMAT: Final = "sharebox-demo/1"
LOG_LINES: Final = 14


class View(msgspec.Struct, frozen=True):
    """Everything that the screen shows beside the log; texts are ready for people."""

    clock: str = ""
    pace: str = "real time"
    car: tuple[tuple[str, str], ...] = ()
    booking: tuple[tuple[str, str], ...] = ()
    slider_blue: bool = False
    slider: str = "no booking"
    network: tuple[tuple[str, str], ...] = ()


class Screen(Protocol):
    """Where the demonstration speaks to."""

    def act(self, title: str) -> None:
        """A new part begins."""

    def say(self, who: str, text: str, **fields: object) -> None:
        """One thing happened. `fields`: the same for machines."""

    def refresh(self) -> None:
        """The view may have changed."""

    def close(self) -> None:
        """Give the terminal back."""


class JsonScreen:
    """One JSON object a line; `type` is act, say or summary."""

    def __init__(self, look: Callable[[], View], out: TextIO = sys.stdout) -> None:
        self._look = look
        self._out = out
        self._write({"type": "begin", "format": FORMAT})

    def act(self, title: str) -> None:
        """As Screen."""
        self._write({"type": "act", "title": title, "time": self._look().clock})

    def say(self, who: str, text: str, **fields: object) -> None:
        """As Screen."""
        self._write({"type": "say", "time": self._look().clock, "who": who, "text": text, **fields})

    def refresh(self) -> None:
        """As Screen."""

    def close(self) -> None:
        """As Screen."""
        self._out.flush()

    def _write(self, fields: dict[str, object]) -> None:
        self._out.write(json.dumps(fields, ensure_ascii=False) + "\n")


class PlainScreen:
    """Lines for a pipe, a log or a terminal that can do no more."""

    def __init__(self, look: Callable[[], View], out: TextIO = sys.stdout) -> None:
        self._look = look
        self._out = out

    def act(self, title: str) -> None:
        """As Screen."""
        self._out.write(f"\n== {title}\n")

    def say(self, who: str, text: str, **fields: object) -> None:
        """As Screen."""
        lines = text.splitlines()
        self._out.write(f"{self._look().clock}  {who:<7} {lines[0]}\n")
        for line in lines[1:]:
            self._out.write(f"{'':31}{line}\n")

    def refresh(self) -> None:
        """As Screen."""

    def close(self) -> None:
        """As Screen."""
        self._out.flush()


class LiveScreen:
    """Panels for car, phone and network, the log below."""

    COLOURS: Final = {"phone": "cyan", "module": "green", "car": "yellow", "broker": "magenta", "time": "bright_black"}

    def __init__(self, look: Callable[[], View], console: Console) -> None:
        self._look = look
        self._console = console
        self._title = ""
        self._log: deque[Text] = deque(maxlen=LOG_LINES)
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._live.start()

    def act(self, title: str) -> None:
        """As Screen."""
        self._title = title
        self._log.append(Text(f"── {title}", style="bold"))
        self.refresh()

    def say(self, who: str, text: str, **fields: object) -> None:
        """As Screen."""
        lines = text.splitlines()
        head = Text(f"{self._look().clock[11:19]} ", style="bright_black")
        head.append(f"{who:<7} ", style=self.COLOURS.get(who, "white"))
        head.append(lines[0])
        self._log.append(head)
        for line in lines[1:]:
            self._log.append(Text(" " * 17 + line))
        self.refresh()

    def refresh(self) -> None:
        """As Screen."""
        self._live.update(self._render(), refresh=True)

    def close(self) -> None:
        """As Screen."""
        self._live.stop()

    def _render(self) -> Group:
        view = self._look()
        pace = Text(f" {view.pace} ", style="reverse yellow" if view.pace.startswith("racing") else "reverse green")
        head = Text.assemble(("Sharebox  ", "bold"), (view.clock, "bold"), "  ", pace, "  ", (self._title, "italic"))
        slider = Text(f" ●━━━ {view.slider} ", style="white on blue" if view.slider_blue else "black on grey62")
        panels = Table.grid(expand=True)
        for _ in range(3):
            panels.add_column(ratio=1)
        panels.add_row(
            Panel(_facts(view.car), title="car", border_style="yellow"),
            Panel(Group(slider, _facts(view.booking)), title="phone", border_style="cyan"),
            Panel(_facts(view.network), title="broker", border_style="magenta"),
        )
        rows: list[Text] = [*self._log, *(Text("") for _ in range(LOG_LINES - len(self._log)))]
        return Group(head, panels, Panel(Group(*rows), title="what happens", border_style="bright_black"))


def _facts(facts: tuple[tuple[str, str], ...]) -> Table:
    table = Table.grid(padding=(0, 1))
    for name, value in facts:
        table.add_row(Text(name, style="bright_black"), value)
    return table


def make_screen(look: Callable[[], View], *, json_lines: bool) -> Screen:
    """The screen that fits where standard output goes."""
    if json_lines:
        return JsonScreen(look)
    console = Console()
    if console.is_terminal and not console.is_dumb_terminal and console.width >= 90 and console.height >= 26:
        return LiveScreen(look, console)
    return PlainScreen(look)
