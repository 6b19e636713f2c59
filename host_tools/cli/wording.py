"""What `watch` and `history` say of a message: JSON fields, or a line.

Knows reports, neither broker nor terminal. What a module sends cannot break a line, nor speak to the terminal.
"""

from typing import Final

import msgspec

from host_tools.backend.reading import Received
from protocol.errors import Role, one_line
from protocol.explain import instant, permissions_in_words
from protocol.sharing import Hours, Key
from protocol.telemetry import EventReport, Health, Online, OrderResult, PositionReport, StateReport


def fields_of(received: Received) -> dict[str, object]:
    """The JSON fields of a message; `value` is the payload as the module sent it, null when it was withdrawn."""
    return {
        "module": received.module_id.hex(),
        "channel": received.channel.value,
        "retained": received.retained,
        "backlog": received.backlog,
        "missing": received.missing,
        "explained": received.explained,
        "unheard": received.unheard,
        "late": received.late,
        "repeated": received.repeated,
        "renewed": received.renewed,
        "error": received.error,
        "value": msgspec.to_builtins(received.value),
    }


def line_of(received: Received) -> str:
    """One line for people."""
    remarks = (
        "retained" if received.retained else "",
        "late" if received.late else "",
        "repeated" if received.repeated else "",
        "counts anew" if received.renewed else "",
        f"before it {gap_of(received, so_far=True)}" if received.missing else "",
    )
    noted = ", ".join(remark for remark in remarks if remark)
    return f"{received.module_id.hex()}  {told_by(received)}{f'  ({noted})' if noted else ''}"


def told_by(received: Received) -> str:
    """Channel and values, on one line."""
    values = "; ".join(f"{name} {value}" for name, value in values_of(received))
    return one_line(f"{received.channel.value}: {values}")


def gap_of(received: Received, *, so_far: bool = False) -> str:
    """What is missing before a record, and why as far as it is known. `so_far`: an explanation may yet come."""
    unexplained = received.missing - received.explained
    why = (
        "sent while nobody listened, perhaps" if received.unheard else "",
        f"{received.explained} given up by the module" if received.explained else "",
        f"{unexplained} unexplained{' so far' * so_far}" if unexplained and not received.unheard else "",
    )
    return f"{received.missing} missing: {', '.join(part for part in why if part)}"


def values_of(received: Received) -> list[tuple[str, str]]:
    """The named values in a message, as text."""
    if received.error:
        return [(received.channel.value, f"unreadable: {received.error}")]
    match received.value:
        case Online(online=online):
            return [("online", "yes" if online else "no")]
        case StateReport(signals=signals):
            return [(name, plain(value)) for name, value in sorted(signals.items())]
        case PositionReport() as report:
            parked = ", parked" if report.parking else ""
            where = f"{report.latitude:.6f}, {report.longitude:.6f}"
            return [(received.channel.value, f"{where}{parked}, fix {report.fix_age_s:.0f} s old")]
        case EventReport() as report:
            reason = f" ({report.reason})" if report.reason else ""
            return [("event", f"{report.kind.value}{reason}{_numbers(report.numbers)}")]
        case OrderResult() as result:
            pending = " (pending)" if result.pending else ""
            return [("order", f"{result.order or 'unreadable'}: {result.name}{pending}{_numbers(result.numbers)}")]
        case Health() as health:
            waits = f"{health.queued} queued, {health.dropped} dropped, up {health.uptime_s} s"
            return [("health", f"store {health.store}, {waits}, {health.version}")]
        case None:
            return [(received.channel.value, "withdrawn")]


def _numbers(numbers: dict[str, int]) -> str:
    return "".join(f" {name}={value}" for name, value in sorted(numbers.items()))


def plain(value: bool | float | str) -> str:
    """A signal's value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def key_in_words(key: Key) -> str:
    """What a key allows and when, on one line."""
    window = f"{instant(key.not_before_s * 1000)} to {instant(key.expires_s * 1000)}"
    allows = "the self-test" if key.role is Role.SERVICE else permissions_in_words(key.permissions)
    return f"{allows}, {window}" + ("" if key.hours is None else f", {hours_in_words(key.hours)}")


def hours_in_words(hours: Hours) -> str:
    """ "08:00 to 18:00 UTC"."""
    (from_h, from_min), (to_h, to_min) = divmod(hours.from_min, 60), divmod(hours.to_min, 60)
    return f"{from_h:02}:{from_min:02} to {to_h:02}:{to_min:02} UTC"


SHORT_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))


def short(seconds: float) -> str:
    """An age in a few characters: "7 s", "12 min", "5 h", "3 d"."""
    whole = max(0, int(seconds))
    for length, unit in SHORT_UNITS:
        if whole >= length:
            return f"{whole // length} {unit}"
    return f"{whole} s"
