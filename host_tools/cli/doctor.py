"""`shareboxctl bench doctor`: is everything there that the other commands need? One line a check, with its remedy."""

import asyncio
import os
import shutil
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from cyclopts import Parameter

from host_tools.backend.issuer import Issuer
from host_tools.bench.console import ConsoleClient
from host_tools.bench.line import LineError, SerialLine
from host_tools.bench.links import Automatic, Bluetooth, InProcess, Serial, Virtual, lines_here, stale_lines
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.files import read_provisioning
from host_tools.cli.options import RADIO, Radio
from host_tools.cli.register import known
from host_tools.cli.settings import Settings
from host_tools.cli.watch import parse_broker, tls_of
from host_tools.cli.way import link_of
from host_tools.phone.errors import PhoneError
from host_tools.phone.keyring import KeyringError, read_key, read_shown
from host_tools.phone.ledger import read_ledger
from host_tools.phone.serial import public_info
from protocol import sharing, tokens
from protocol.errors import ProtocolError
from protocol.explain import instant
from protocol.provisioning import BookingFile, KeyFile, ShareFile

CONNECT_TIMEOUT_S: Final = 3.0
SYSTEM_BUS: Final = Path("/run/dbus/system_bus_socket")
PROGRAMS: Final = {"mosquitto": "a broker for `watch`", "tshark": "reading radio captures"}
"""Not needed for most of what there is, and what for."""


class Check(msgspec.Struct, frozen=True):
    """What one check found. "note": some commands will not work; "wrong": what was asked for will not work."""

    state: Literal["ok", "note", "wrong"]
    detail: str
    fix: str = ""


def _ok(detail: str) -> Check:
    return Check("ok", detail)


def _note(detail: str, fix: str) -> Check:
    return Check("note", detail, fix)


def _wrong(detail: str, fix: str) -> Check:
    return Check("wrong", detail, fix)


async def doctor(
    *,
    only: Annotated[tuple[str, ...], Parameter(help="Only these checks.", negative="")] = (),
    at: Radio = RADIO,
) -> int:
    """Check the settings, the files, the way to the module, its console, the broker and the programs beside them.

    One line a check, with what to do where something is missing. `note`: some commands will not work. Exit code 6 when
    something is wrong.
    """
    output, settings = at.output(), at.settings()
    unknown = [name for name in only if name not in CHECKS]
    if unknown:
        raise CliError(Exit.USAGE, f"'{unknown[0]}' is no check. Checks are: {', '.join(CHECKS)}.")
    wrong = False
    for name, check in CHECKS.items():
        if only and name not in only:
            continue
        with output.waiting(f"Checking {name}"):
            found = await _checked(check, settings)
        wrong = wrong or found.state == "wrong"
        fields: dict[str, object] = {"name": name, **msgspec.to_builtins(found)}
        detail = " ".join(part for part in (f"{found.detail.rstrip('.')}.", found.fix) if part)
        output.result("check", fields, f"{found.state:5}  {name:12}  {detail}")
    return Exit.CONFIGURATION if wrong else Exit.OK


async def _checked(check: Callable[[Settings], Awaitable[Check]], settings: Settings) -> Check:
    try:
        return await check(settings)
    except (CliError, KeyringError) as error:
        return _wrong(str(error), "")


# ---------------------------------------------------------------- files
async def _settings(settings: Settings) -> Check:
    link_of(settings)
    settings.seconds("timeout")
    parse_broker(settings.value("broker"))
    return _ok(f"link {settings.text('link')}, from {settings.value('link').origin}")


def _file(name: str, read: Callable[[Path], object], make: str) -> Callable[[Settings], Awaitable[Check]]:
    async def check(settings: Settings) -> Check:
        path = settings.path(name)
        if not path.exists():
            return _note(f"there is no {path}", make)
        read(path)
        return _ok(str(path))

    return check


async def _booking(settings: Settings) -> Check:
    """What the phone shows: a booking, a key or a share."""
    path = settings.path("booking")
    if not path.exists():
        return _note(f"there is no {path}", "Make one: `shareboxctl issuer booking --for 2h`.")
    shown = read_shown(path)
    if not isinstance(shown, BookingFile):
        return _lasts(path, _key_ends_s(path, shown), "Ask for a new key.")
    if not settings.path("issuer").exists():
        return _ok(f"{path}; without its issuer's key nobody can tell what it says")
    issuer = Issuer(read_key(settings.path("issuer")), os.urandom)
    try:
        claims = tokens.verify_booking(shown.token, tokens.trust_of(shown.module_id, (issuer.public,)))
    except ProtocolError:
        return _ok(f"{path}, of another issuer")
    return _lasts(path, claims.ends_at_s, "Make one: `shareboxctl issuer booking`.")


def _key_ends_s(path: Path, shown: KeyFile | ShareFile) -> int:
    try:
        if isinstance(shown, KeyFile):
            return sharing.read_key(shown.token).expires_s
        return sharing.read_share(shown.parent, shown.share)[1].expires_s
    except ProtocolError as error:
        raise KeyringError(f"{path} cannot be used: {error.detail}. Ask for a new key.") from None


def _lasts(path: Path, ends_s: int, anew: str) -> Check:
    if ends_s <= time.time():
        return _note(f"{path} is over since {instant(ends_s * 1000)}", anew)
    return _ok(f"{path}, until {instant(ends_s * 1000)}")


def _key_file(name: str, make: str) -> Callable[[Settings], Awaitable[Check]]:
    async def check(settings: Settings) -> Check:
        path = settings.path(name)
        if not path.exists():
            return _note(f"there is no {path}", make)
        shown = read_shown(path)
        if not isinstance(shown, KeyFile):
            return _note(f"{path} is no standing key", make)
        return _ok(str(path))

    return check


async def _shares(settings: Settings) -> Check:
    path = settings.path("shares")
    count = len(read_ledger(path))
    return _ok(f"{path}: {count} shared" if count else "nothing was shared")


async def _cars(settings: Settings) -> Check:
    path = settings.path("cars")
    count = len(known(path).cars)
    return _ok(f"{path}: {count} known" if count else "the backend knows of no car")


# ---------------------------------------------------------------- ways to the module
async def _link(settings: Settings) -> Check:
    match link_of(settings):
        case Virtual(host=host, port=port):
            remedy = "Start the module: `sharebox run`; or name its radio: --link virtual:HOST:PORT."
            return await _reaches(host, port, f"the virtual radio at {host}:{port}", remedy)
        case Serial(url=url):
            return await _line(url)
        case Automatic() | Bluetooth():
            if SYSTEM_BUS.exists():
                return _ok("this machine's Bluetooth service may be there; `shareboxctl phone scan` tries it")
            return _wrong(
                "no Bluetooth service runs on this machine", "Install and start bluez, or use --link virtual."
            )
        case InProcess():
            return _ok("a module of its own for each scenario")


async def _line(url: str) -> Check:
    try:
        async with SerialLine(url) as line:
            info = await public_info(line, CONNECT_TIMEOUT_S)
    except PhoneError as error:
        return _wrong(f"{error.what}: {error.why}", error.remedy)
    return _ok(f"a module answers on {url}, protocol version {info.version}")


async def _console(settings: Settings) -> Check:
    link = link_of(settings)
    url = link.url if isinstance(link, Serial) else next(map(str, lines_here().values()), "")
    if not url and (stale := stale_lines()):
        left = " ".join(map(str, stale))
        return _note(f"a module that was killed has left {left} behind", f"Start it again, or: rm {left}")
    if not url:
        return _note("no module with a console runs here", "Start one: `sharebox run` with a `[[serial]]` table.")
    try:
        async with SerialLine(url) as line, ConsoleClient(line) as client:
            hello = client.hello
    except LineError as error:
        return _note(f"{error.what}: {error.why}", error.remedy)
    return _ok(f"{url}: module {hello.module}, {hello.version}, level {hello.level}")


async def _broker(settings: Settings) -> Check:
    host, port = parse_broker(settings.value("broker"))
    tls = tls_of(settings)
    remedy = "Start one, or name it: --broker HOST:PORT. Only `watch` and `issuer send` need it."
    found = await _reaches(host, port, f"the broker at {host}:{port}", remedy, tls)
    return found if found.state == "ok" else _note(found.detail, found.fix)


async def _reaches(host: str, port: int, what: str, remedy: str, tls: ssl.SSLContext | None = None) -> Check:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=tls)
    except (OSError, TimeoutError) as error:
        why = os.strerror(error.errno) if error.errno else "no answer in time"
        return _wrong(f"{what} cannot be reached: {why}", remedy)
    writer.close()
    return _ok(f"{what} answers")


# ---------------------------------------------------------------- what stands beside
def _program(name: str, purpose: str) -> Callable[[Settings], Awaitable[Check]]:
    async def check(_: Settings) -> Check:
        where = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        return _ok(where) if where else _note(f"{name} is not installed: {purpose}", f"`apt-get install {name}`")

    return check


CHECKS: Final[dict[str, Callable[[Settings], Awaitable[Check]]]] = {
    "settings": _settings,
    "provisioning": _file("provisioning", read_provisioning, "Make a bench: `shareboxctl module init DIRECTORY`."),
    "issuer": _file("issuer", read_key, "Make a bench: `shareboxctl module init DIRECTORY`."),
    "key": _file("key", read_key, "Make one: `shareboxctl module key new FILE`."),
    "booking": _booking,
    "owner_key": _key_file("owner_key", "Only for sharing keys. Make one: `shareboxctl key create`."),
    "dealer_key": _key_file("dealer_key", "Only for dealers. Make one: `shareboxctl dealer credential`."),
    "shares": _shares,
    "cars": _cars,
    "link": _link,
    "console": _console,
    "broker": _broker,
    **{name: _program(name, purpose) for name, purpose in PROGRAMS.items()},
}
"""Name -> check, in the order in which they are made."""
