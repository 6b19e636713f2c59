"""`shareboxctl history`: what `watch --save` has kept, with its gaps in place."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from host_tools.backend.archive import Archive, ArchiveError, Kept
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.output import Output
from host_tools.cli.parsing import parse_hex, parse_instant
from host_tools.cli.wording import fields_of, gap_of, told_by
from protocol.telemetry import Channel

_END_OF_TIME_MS: Final = 253_402_300_800_000


def history(
    file: Annotated[Path, Parameter(help="What `shareboxctl watch --save` has written.")],
    /,
    *,
    module: Annotated[
        tuple[str, ...],
        Parameter(help="Only this module: 16 hexadecimal digits. May be given again.", negative="", show_default=False),
    ] = (),
    channel: Annotated[
        tuple[Channel, ...], Parameter(help="Only this channel. May be given again.", negative="", show_default=False)
    ] = (),
    since: Annotated[
        str | None, Parameter(help="Only what was made from then on: -2h, or 2026-07-01T10:00Z (UTC).")
    ] = None,
    gaps: Annotated[bool, Parameter(help="Only the gaps.", negative="")] = False,
    shown: Shown = SHOWN,
) -> None:
    """Show what modules reported, in the order in which it was made, with the gaps in their places.

    A gap is explained when the module has said that it gave so many records of that channel up, or when nobody
    listened at the time; else it says `unexplained`.
    """
    modules = [parse_hex(one, 8, "a module's identifier") for one in module]
    since_ms = -_END_OF_TIME_MS if since is None else parse_instant(since, int(time.time())) * 1000
    told = _Told(shown.output(), only_gaps=gaps)
    try:
        with Archive(file) as archive:
            for kept in archive.history(modules=modules, channels=channel, since_ms=since_ms):
                told.tell(kept)
    except ArchiveError as error:
        raise CliError(Exit.CONFIGURATION, f"{error}.") from None
    told.sum_up()


class _Told:
    """Shows record by record, and counts."""

    def __init__(self, output: Output, *, only_gaps: bool) -> None:
        self._output = output
        self._only_gaps = only_gaps
        self._records = 0
        self._modules: set[bytes] = set()
        self._missing = 0
        self._explained = 0
        self._unheard = 0

    def tell(self, kept: Kept) -> None:
        """One record, and the gap before it."""
        received = kept.received
        self._records += 1
        self._modules.add(received.module_id)
        module, when = received.module_id.hex(), _written(kept.made_ms)
        if received.missing:
            self._count(kept)
            gap: dict[str, object] = {
                "module": module,
                "channel": received.channel.value,
                "before": when,
                "missing": received.missing,
                "explained": received.explained,
                "unheard": received.unheard,
            }
            self._output.result("gap", gap, f"{when}  {module}  -- {received.channel.value}: {gap_of(received)}")
        if not self._only_gaps:
            fields = {"made": when, "heard": _written(kept.heard_ms), **fields_of(received)}
            self._output.result("report", fields, f"{when}  {module}  {told_by(received)}")

    def _count(self, kept: Kept) -> None:
        received = kept.received
        self._missing += received.missing
        self._explained += received.explained
        self._unheard += received.missing if received.unheard else 0

    def sum_up(self) -> None:
        """What it comes to, for people."""
        what = f"{_many(self._records, 'record')} of {_many(len(self._modules), 'module')}, {self._missing} missing"
        unexplained = self._missing - self._explained - self._unheard
        why = (
            f": {self._explained} given up by the module, {self._unheard} while nobody listened, "
            f"{unexplained} unexplained"
        )
        self._output.say(what + (why if self._missing else ""))


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _written(utc_ms: int) -> str:
    """RFC 3339, UTC, with milliseconds; a time beyond all calendars is shown as the nearest one."""
    least, most = -62_135_596_800_000, _END_OF_TIME_MS - 1
    at = datetime.fromtimestamp(min(max(utc_ms, least), most) / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
