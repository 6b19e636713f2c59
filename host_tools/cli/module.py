"""`shareboxctl module init` and `info`: everything that a bench needs, in one directory, and who the module is."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from host_tools.cli.exits import CliError, Exit
from host_tools.cli.files import read_provisioning
from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.parsing import parse_position
from host_tools.cli.register import install, vin_of
from host_tools.cli.settings import DEFAULTS, FILE_NAME, Settings
from host_tools.phone.keyring import new_key, write_key, write_new
from protocol import beacon, keys
from protocol.keys import PrivateKey
from protocol.provisioning import Provisioning, VehicleFacts, encode_provisioning

MODULE_FILE = "sharebox.toml"

_MODULE_TOML = """\
# A module on the bench. Start it with: sharebox run --config {file}

[module]
provisioning = "{provisioning}"
state_dir = "state"

[ble]
transport = "virtual"  # or any Bumble transport, such as "usb:0" or "hci-socket:0"
hub_port = {hub_port}

[broker]  # leave this table out: no broker
host = "127.0.0.1"
port = 1883

[vehicle]
kind = "simulated"
{position}
[bench]  # for a module on a bench, never in a car: a clock that can be moved, hands on the car
enabled = true

[[serial]]  # a pseudo-terminal for `shareboxctl console`, and for phones
name = "{console}"
device = "pty"
level = "service"
"""

_TOOL_TOML = """\
# Settings of shareboxctl in this directory and below. Paths are relative to this file.
link = "{link}"
booking = "{booking}"
key = "{key}"
issuer = "{issuer}"
provisioning = "{provisioning}"
owner_key = "{owner_key}"
dealer_key = "{dealer_key}"
shares = "{shares}"
revocations = "{revocations}"
cars = "{cars}"
broker = "{broker}"
"""


@Parameter(name="*")
@dataclass(frozen=True)
class Delivered:
    """What the dealer writes down about the vehicle, and whether it has an owner already."""

    factory: Annotated[
        bool, Parameter(negative="", help="As it leaves the factory: nothing moves before an owner is coupled.")
    ] = False
    vin: Annotated[str, Parameter(help="Vehicle identification number. Default: none is written down.")] = ""
    market: Annotated[str, Parameter(help="The country it was made for, such as BE.")] = ""
    prepared: Annotated[
        bool, Parameter(negative="--not-prepared", help="Whether the vehicle has the option 5GE, for car sharing.")
    ] = True
    digital_keys: Annotated[bool, Parameter(help="Whether the vehicle takes digital keys.")] = True
    legal_ecall: Annotated[bool, Parameter(help="Whether it has the emergency call that EU law asks for.")] = False

    def facts(self) -> VehicleFacts:
        """What of it the module knows. Raises CliError for a country that is none, Refused for a VIN that cannot be."""
        if self.market and not (len(self.market) == 2 and self.market.isascii() and self.market.isupper()):
            raise CliError(Exit.USAGE, f"'{self.market}' is no country. Write two capital letters, such as BE.")
        vin = vin_of(self.vin, self.market) if self.vin else ""
        return VehicleFacts(vin, self.market, self.prepared, self.digital_keys, self.legal_ecall)


_DELIVERED: Final = Delivered()


def init(
    directory: Path,
    /,
    *,
    hub_port: Annotated[int, Parameter(help="TCP port of the virtual radio.")] = 6402,
    home: Annotated[
        tuple[float, float] | None,
        Parameter(help="Home position, where the simulated car stands at first: latitude and longitude in degrees."),
    ] = None,
    delivered: Delivered = _DELIVERED,
    shown: Shown = SHOWN,
) -> None:
    """Make a directory with an issuer, a provisioned module and a phone's key, ready for `sharebox run`.

    Without `--factory` the car has an owner already, whom nobody asks for: a bench for everyday.

    Parameters
    ----------
    directory
        Made when missing; nothing in it is overwritten.
    """
    if not 0 < hub_port < 65536:
        raise CliError(Exit.USAGE, f"{hub_port} is no TCP port. Choose one from 1 to 65535.")
    issuer = new_key()
    provisioning = _provisioned(issuer, home, delivered)
    link = "virtual" if hub_port == 6402 else f"virtual:127.0.0.1:{hub_port}"
    names = DEFAULTS | {"link": link}
    write_key(directory / names["issuer"], issuer)
    write_key(directory / names["key"], new_key())
    write_new(directory / names["provisioning"], encode_provisioning(provisioning).encode(), 0o600)
    module_toml = _MODULE_TOML.format(
        file=directory / MODULE_FILE,
        provisioning=names["provisioning"],
        hub_port=hub_port,
        console=f"console-{provisioning.module_id.hex()[:4]}",
        position="" if home is None else f"latitude = {home[0]}\nlongitude = {home[1]}\n",
    )
    write_new(directory / MODULE_FILE, module_toml.encode(), 0o644)
    write_new(directory / FILE_NAME, _TOOL_TOML.format(**names).encode(), 0o644)
    if provisioning.vehicle.vin:
        install(directory / names["cars"], provisioning)
    output = shown.output()
    fields: dict[str, object] = {"directory": str(directory), "module": provisioning.module_id.hex()}
    output.result("bench", fields, f"{directory}: module {provisioning.module_id.hex()}")
    output.say(f"Start the module:  sharebox run --config {directory / MODULE_FILE}")
    bench, factory = (
        "issuer booking --for 2h && shareboxctl phone unlock",
        "dealer credential && shareboxctl dealer test",
    )
    first = factory if delivered.factory else bench
    output.say(f"Then:              cd {directory} && shareboxctl {first}")


def _provisioned(issuer: PrivateKey, home: tuple[float, float] | None, delivered: Delivered) -> Provisioning:
    """A module with keys of its own that trusts `issuer`."""
    return Provisioning(
        module_id=os.urandom(8),
        handshake_private=keys.private_to_bytes(new_key()),
        signing_private=keys.private_to_bytes(new_key()),
        key_epoch=0,
        issuers=(keys.public_to_bytes(issuer.public_key()),),
        home=None if home is None else parse_position(*home),
        provisioned_s=int(time.time()),
        vehicle=delivered.facts(),
        coupled=not delivered.factory,
        radio_secret=os.urandom(beacon.SECRET_BYTES),
    )


def info(
    *,
    provisioning: Annotated[
        str | None, Parameter(help="The module's provisioning file. Default: provisioning.json.")
    ] = None,
    shown: Shown = SHOWN,
) -> None:
    """Show who a module is: identifier, key epoch, public keys, how many issuers it trusts, home.

    It reads the provisioning file, and shows nothing of it that is secret.
    """
    module = read_provisioning(Settings({"provisioning": provisioning}).path("provisioning"))
    handshake, signing = (
        keys.public_to_bytes(keys.private_from_bytes(private).public_key()).hex()
        for private in (module.handshake_private, module.signing_private)
    )
    home = None if module.home is None else {"latitude": module.home[0] / 1e7, "longitude": module.home[1] / 1e7}
    fields: dict[str, object] = {
        "module": module.module_id.hex(),
        "key_epoch": module.key_epoch,
        "handshake_public": handshake,
        "signing_public": signing,
        "issuers": [issuer.hex() for issuer in module.issuers],
        "home": home,
        "vehicle": msgspec.to_builtins(module.vehicle),
        "coupled": module.coupled,
    }
    where = "none" if home is None else f"{home['latitude']:.6f}, {home['longitude']:.6f}"
    lines = (
        f"Module {module.module_id.hex()}, key epoch {module.key_epoch}",
        f"Handshake key  {handshake}",
        f"Signing key    {signing}",
        *(f"Issuer         {issuer.hex()}" for issuer in module.issuers),
        f"Home           {where}",
        f"Vehicle        {_vehicle_in_words(module)}",
    )
    shown.output().result("module", fields, *lines)


def _vehicle_in_words(module: Provisioning) -> str:
    facts = module.vehicle
    words = (
        facts.vin or "VIN not known",
        facts.market,
        "" if facts.prepared else "not prepared for sharing",
        "" if facts.digital_keys else "no digital keys",
        "EU emergency call" if facts.legal_ecall else "",
        "owner taken for granted" if module.coupled else "no owner before one is coupled",
    )
    return ", ".join(word for word in words if word)
