"""`shareboxctl issuer pki`: certificates for the broker, its modules and its clients, and the broker's own files.

The directory holds the authority (`ca.pem`, `ca.key`), the broker (`broker.pem`, `broker.key`, `mosquitto.conf`,
`acl`), and a directory for each module and client, to be copied to where it belongs.
"""

import getpass
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from cryptography import x509
from cyclopts import Parameter, validators

from host_tools.backend import pki, rights
from host_tools.backend.pki import Authority, Issued, PkiError
from host_tools.backend.rights import Role
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.output import Output
from host_tools.cli.parsing import parse_duration, parse_hex
from host_tools.phone.keyring import KeyringError, read_file, read_key, write_key, write_new, write_replacing

DIRECTORY: Final = Path("pki")
TLS_PORT: Final = 8883

AUTHORITY: Final = "ca.pem"
AUTHORITY_KEY: Final = "ca.key"
BROKER: Final = "broker.pem"
BROKER_KEY: Final = "broker.key"
CONFIGURATION: Final = "mosquitto.conf"
RIGHTS: Final = "acl"
BROKER_TOML: Final = "broker.toml"

Directory = Annotated[Path, Parameter(help="Where authority and broker are kept. Default: pki.")]
Lasts = Annotated[str | None, Parameter("--for", help="How long the certificate lasts, such as 52w.")]

_BROKER_TOML: Final = """\
[broker]
host = "{host}"
port = {port}
tls_ca = "{at}ca.pem"
tls_cert = "{at}module.pem"
tls_key = "{at}module.key"
"""


def init(
    *hosts: str,
    directory: Directory = DIRECTORY,
    port: Annotated[int, Parameter(help="TCP port of the broker.", validator=validators.Number(gte=1, lte=65535))] = (
        TLS_PORT
    ),
    lasts: Lasts = None,
    shown: Shown = SHOWN,
) -> None:
    """Make an authority, a broker's certificate, and mosquitto.conf and acl for that broker.

    Parameters
    ----------
    hosts
        The names and addresses by which modules reach the broker; the first one goes into their configuration.
    """
    now_s = int(time.time())
    _unused(directory, AUTHORITY, AUTHORITY_KEY, BROKER, BROKER_KEY, CONFIGURATION, RIGHTS)
    try:
        authority = Authority.found(now_s)
        broker = authority.broker(hosts, now_s, _seconds(lasts, pki.BROKER_LASTS_S))
    except PkiError as error:
        raise CliError(Exit.USAGE, f"{error}.") from None
    write_key(directory / AUTHORITY_KEY, authority.private)
    write_new(directory / AUTHORITY, pki.certificate_pem(authority.certificate), 0o644)
    write_key(directory / BROKER_KEY, broker.private)
    write_new(directory / BROKER, pki.certificate_pem(broker.certificate), 0o644)
    write_new(directory / RIGHTS, rights.acl_patterns().encode(), 0o600)
    configuration = rights.configuration(directory, port, hosts, getpass.getuser())
    write_new(directory / CONFIGURATION, configuration.encode(), 0o644)
    output = shown.output()
    fields: dict[str, object] = {"hosts": list(hosts), "port": port}
    _made(output, "broker", directory, broker.certificate, fields)
    output.say(f"Start the broker:     mosquitto -c {directory / CONFIGURATION}")
    output.say("Then for each module: shareboxctl issuer pki module ID")
    output.say(f"Keep {directory / AUTHORITY_KEY} in a safe place: who has it can speak for every module.")


def broker(
    *hosts: str,
    directory: Directory = DIRECTORY,
    lasts: Lasts = None,
    shown: Shown = SHOWN,
) -> None:
    """Make a new certificate for the broker: for other names, or before the old one ends. Remove the old files first.

    Parameters
    ----------
    hosts
        The names and addresses by which modules reach the broker.
    """
    lasts_s = _seconds(lasts, pki.BROKER_LASTS_S)
    issued = _issue(directory, directory, "broker", lambda authority, now_s: authority.broker(hosts, now_s, lasts_s))
    output = shown.output()
    _made(output, "broker", directory, issued.certificate, {"hosts": list(hosts)})
    output.say("Start the broker anew: it keeps the old certificate until then.")


def module(
    identifier: Annotated[str, Parameter(name="ID", help="The module's identifier: 16 hexadecimal digits.")],
    /,
    *,
    directory: Directory = DIRECTORY,
    lasts: Lasts = None,
    shown: Shown = SHOWN,
) -> None:
    """Make a module's certificate, and print what its sharebox.toml has to say.

    The files lie in a directory of the module's name. `broker.toml` among them says the same as is printed, with
    names that are good beside sharebox.toml in the car.
    """
    module_id = parse_hex(identifier, pki.MODULE_ID_BYTES, "a module's identifier")
    place = directory / module_id.hex()
    lasts_s = _seconds(lasts, pki.MODULE_LASTS_S)
    host, port = _broker(directory)
    _unused(place, BROKER_TOML)
    issued = _issue(directory, place, "module", lambda authority, now_s: authority.module(module_id, now_s, lasts_s))
    beside = _BROKER_TOML.format(host=host, port=port, at="")
    write_new(place / BROKER_TOML, beside.encode(), 0o644)
    fields: dict[str, object] = {"module": module_id.hex(), "host": host, "port": port}
    output = shown.output()
    lines = _BROKER_TOML.format(host=host, port=port, at=f"{place.resolve()}/")
    _made(output, "module", place, issued.certificate, fields, *lines.splitlines())
    output.say(f"Put these lines into sharebox.toml; or copy the files of {place} beside it, with broker.toml's lines.")


def client(
    name: Annotated[str, Parameter(name="NAME", help="Small letters, digits, '-' and '_'.")],
    /,
    *,
    role: Annotated[
        Role,
        Parameter(
            help="`backend` reads what modules report, and sends orders; `reader` reads it; "
            "`centre` reads emergency calls, and answers them."
        ),
    ] = Role.BACKEND,
    directory: Directory = DIRECTORY,
    lasts: Lasts = None,
    shown: Shown = SHOWN,
) -> None:
    """Make a certificate for a backend or a listener, and give it its rights."""
    try:
        pki.check_client(name)
    except PkiError as error:
        raise CliError(Exit.USAGE, f"{error}.") from None
    lasts_s = _seconds(lasts, pki.CLIENT_LASTS_S)
    host, port = _broker(directory)
    known, wanted, place = _text(directory / RIGHTS), rights.acl_client(name, role), directory / name
    if name in rights.acl_names(known) and wanted not in known:
        raise CliError(
            Exit.CONFIGURATION,
            f"'{name}' has other rights in {directory / RIGHTS}. Remove them, or choose another name.",
        )
    issued = _issue(directory, place, "client", lambda authority, now_s: authority.client(name, now_s, lasts_s))
    if wanted not in known:
        write_replacing(directory / RIGHTS, (known + wanted).encode(), 0o600)
    output = shown.output()
    fields: dict[str, object] = {"client": name, "role": role.value, "host": host, "port": port}
    _made(output, "client", place, issued.certificate, fields)
    output.say("Tell the broker to read its rights again: kill -HUP, or start it anew.")
    tls = f"--tls-ca {place / AUTHORITY} --tls-cert {place / 'client.pem'} --tls-key {place / 'client.key'}"
    output.say(f"Then: shareboxctl watch --broker {host}:{port} {tls}")


def _issue(directory: Path, place: Path, kind: str, ask: Callable[[Authority, int], Issued]) -> Issued:
    """What `ask` gets from the authority in `directory`, written into `place`, with the authority's certificate."""
    elsewhere = () if place == directory else (AUTHORITY,)
    _unused(place, f"{kind}.pem", f"{kind}.key", *elsewhere)
    _authority_is_there(directory)
    pem = read_file(directory / AUTHORITY)
    try:
        authority = Authority.load(read_key(directory / AUTHORITY_KEY), pem)
        issued = ask(authority, int(time.time()))
    except PkiError as error:
        raise CliError(Exit.CONFIGURATION, f"{directory}: {error}.") from None
    write_key(place / f"{kind}.key", issued.private)
    write_new(place / f"{kind}.pem", pki.certificate_pem(issued.certificate), 0o644)
    for name in elsewhere:
        write_new(place / name, pem, 0o644)
    return issued


def _broker(directory: Path) -> tuple[str, int]:
    """How modules reach the broker: the first name in its certificate, the port in its configuration."""
    _authority_is_there(directory)
    try:
        hosts = pki.hosts_of(pki.read_certificate(read_file(directory / BROKER)))
    except PkiError as error:
        raise CliError(Exit.CONFIGURATION, f"{directory / BROKER}: {error}.") from None
    port = rights.listener_port(_text(directory / CONFIGURATION))
    if not hosts or port is None:
        where = directory / (CONFIGURATION if hosts else BROKER)
        raise CliError(
            Exit.CONFIGURATION, f"{where} does not say where the broker is. Restore it, or begin with a new directory."
        )
    return hosts[0], port


def _authority_is_there(directory: Path) -> None:
    if not (directory / AUTHORITY).exists():
        raise CliError(
            Exit.CONFIGURATION, f"{directory} holds no authority. Make one with `shareboxctl issuer pki init HOST`."
        )


def _text(path: Path) -> str:
    try:
        return read_file(path).decode()
    except UnicodeDecodeError:
        raise CliError(Exit.CONFIGURATION, f"{path} is not a text file. Restore it.") from None


def _unused(directory: Path, *names: str) -> None:
    """Nothing is written before it is known that nothing is in the way."""
    for name in names:
        if (directory / name).exists():
            raise KeyringError(f"{directory / name} exists: it is not overwritten. Choose another name or remove it.")


def _seconds(lasts: str | None, otherwise_s: int) -> int:
    return otherwise_s if lasts is None else parse_duration(lasts)


def _made(
    output: Output, kind: str, place: Path, certificate: x509.Certificate, fields: dict[str, object], *lines: str
) -> None:
    until = certificate.not_valid_after_utc
    fields = {**fields, "directory": str(place), "until": until.isoformat().replace("+00:00", "Z")}
    output.result(kind, fields, *(lines or [f"{place}: {kind}, until {until:%Y-%m-%d}"]))
