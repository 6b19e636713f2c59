"""What `watch` shows of a message: JSON fields, a line, or a table of the latest values with age and rate.

Knows reports, neither broker nor terminal.
"""

from typing import Final

import msgspec
from rich.table import Table

from host_tools.backend.ingest import Received
from host_tools.phone.explain import duration
from protocol.telemetry import EventReport, Health, Online, OrderResult, PositionReport, StateReport

MAX_ROWS: Final = 200
MAX_EVENTS: Final = 8


def fields_of(received: Received) -> dict[str, object]:
    """The JSON fields of a message; `value` is the payload as the module sent it, null when it was withdrawn."""
    return {
        "module": received.module_id.hex(),
        "channel": received.channel.value,
        "retained": received.retained,
        "missing": received.missing,
        "repeated": received.repeated,
        "error": received.error,
        "value": msgspec.to_builtins(received.value),
    }


def line_of(received: Received) -> str:
    """One line for people."""
    remarks = [
        "retained" if received.retained else "",
        f"{received.missing} missing before" if received.missing else "",
        "repeated" if received.repeated else "",
    ]
    noted = ", ".join(remark for remark in remarks if remark)
    text = "; ".join(f"{name} {value}" for name, value in values_of(received))
    return f"{received.module_id.hex()}  {received.channel.value}: {text}{f'  ({noted})' if noted else ''}"


def values_of(received: Received) -> list[tuple[str, str]]:
    """The named values in a message, as text."""
    if received.error:
        return [(received.channel.value, f"unreadable: {received.error}")]
    match received.value:
        case Online(online=online):
            return [("online", "yes" if online else "no")]
        case StateReport(signals=signals):
            return [(name, _plain(value)) for name, value in sorted(signals.items())]
        case PositionReport() as report:
            parked = ", parked" if report.parking else ""
            where = f"{report.latitude:.6f}, {report.longitude:.6f}"
            return [(received.channel.value, f"{where}{parked}, fix {report.fix_age_s:.0f} s old")]
        case EventReport() as report:
            numbers = "".join(f" {name}={value}" for name, value in sorted(report.numbers.items()))
            reason = f" ({report.reason})" if report.reason else ""
            return [("event", f"{report.kind.value}{reason}{numbers}")]
        case OrderResult() as result:
            return [("order", f"{result.order or 'unreadable'}: {result.name}{' (pending)' if result.pending else ''}")]
        case Health() as health:
            waits = f"{health.queued} queued, {health.dropped} dropped, up {health.uptime_s} s"
            return [("health", f"store {health.store}, {waits}, {health.version}")]
        case None:
            return [(received.channel.value, "withdrawn")]


def _plain(value: bool | float | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


class _Row:
    def __init__(self, now_s: float) -> None:
        self.value = ""
        self.first_s = now_s
        self.last_s = now_s
        self.count = 0


class Board:
    """The latest value of everything, and the latest events. Bounded: what was silent longest goes first."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], _Row] = {}
        self._events: list[str] = []

    def take(self, received: Received, now_s: float) -> None:
        """Show a message; `now_s` is monotonic."""
        module = received.module_id.hex()
        for name, value in values_of(received):
            if name == "event":
                self._events = [*self._events, f"{module}  {value}"][-MAX_EVENTS:]
                continue
            row = self._rows.pop((module, name), None) or _Row(now_s)
            row.value, row.last_s, row.count = value, now_s, row.count + 1
            self._rows[module, name] = row
        while len(self._rows) > MAX_ROWS:
            del self._rows[next(iter(self._rows))]

    def table(self, now_s: float) -> Table:
        """The board as it is at `now_s`."""
        table = Table(caption="\n".join(self._events) or None, caption_justify="left")
        for column in ("Module", "Name", "Value"):
            table.add_column(column)
        table.add_column("Age", justify="right")
        table.add_column("Rate", justify="right")
        for (module, name), row in sorted(self._rows.items(), key=lambda item: item[0]):
            span_s = row.last_s - row.first_s
            rate = f"{(row.count - 1) / span_s:.2f}/s" if span_s > 0 else "-"
            age = duration(int(now_s - row.last_s) * 1000)
            table.add_row(module, name, row.value, age, rate)
        return table
