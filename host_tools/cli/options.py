"""Options that several commands share, each written once."""

from dataclasses import dataclass
from typing import Annotated, Final

from cyclopts import Parameter

from host_tools.cli.output import Output
from host_tools.cli.settings import Settings

Json = Annotated[bool, Parameter("--json", negative="", help="Print JSON Lines for programs.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Shown:
    """Options of every command that prints something."""

    json_lines: Json = False
    no_input: Annotated[
        bool,
        Parameter("--no-input", negative="", help="Never ask: what would be asked for has to be said with an option."),
    ] = False

    def output(self) -> Output:
        """Where the command prints."""
        return Output(json_lines=self.json_lines, asks=not self.no_input)


@Parameter(name="*")
@dataclass(frozen=True)
class Radio(Shown):
    """Options of every command that talks to a module."""

    link: Annotated[
        str | None,
        Parameter(
            help="The way to the module: `auto` (this machine's Bluetooth), `ble:ADDRESS`, `virtual[:HOST:PORT]` (the "
            "radio of `sharebox run`), `serial:PATH` or `serial:NAME`, `rfc2217://…`, `socket://…`. Default: auto."
        ),
    ] = None
    timeout: Annotated[
        str | None, Parameter(help="Seconds to look for the module, and to wait for an answer. Default: 10.")
    ] = None

    def settings(self) -> Settings:
        """The layers of settings with this command's flags on top."""
        return Settings({"link": self.link, "timeout": self.timeout})


@Parameter(name="*")
@dataclass(frozen=True)
class AtConsole(Radio):
    """Options of every command that talks to the module's console."""

    level: Annotated[
        str | None, Parameter(help="Take this level: observe, operate or service. Default: where the line begins.")
    ] = None
    password_file: Annotated[
        str | None, Parameter(help="Its first line is the password for the level. Default: none.")
    ] = None

    def settings(self) -> Settings:
        """The layers of settings with this command's flags on top."""
        return Settings(
            {"link": self.link, "timeout": self.timeout, "level": self.level, "password_file": self.password_file}
        )


@Parameter(name="*")
@dataclass(frozen=True)
class Car(Radio):
    """Options of every command that talks to the car of a booking or key."""

    booking: Annotated[
        str | None,
        Parameter(alias="--with", help="What the phone shows: a booking, key or share file. Default: booking.json."),
    ] = None
    key: Annotated[str | None, Parameter(help="The phone's private key. Default: holder.pem.")] = None
    capture: Annotated[
        str | None,
        Parameter(
            help="Keep what crosses the virtual radio or the serial line in this file, `.pcapng` or `.btsnoop`, for "
            "Wireshark. Default: none."
        ),
    ] = None

    def settings(self) -> Settings:
        """The layers of settings with this command's flags on top."""
        return Settings(
            {
                "link": self.link,
                "timeout": self.timeout,
                "capture": self.capture,
                "booking": self.booking,
                "key": self.key,
            }
        )


@Parameter(name="*")
@dataclass(frozen=True)
class AtBroker(Shown):
    """Options of every command that listens at a broker."""

    broker: Annotated[str | None, Parameter(help="HOST or HOST:PORT. Default: 127.0.0.1:1883.")] = None
    tls_ca: Annotated[
        str | None, Parameter(help="Certificate of the broker's authority; switches TLS on. Default: none.")
    ] = None
    tls_cert: Annotated[str | None, Parameter(help="Own certificate. Default: none.")] = None
    tls_key: Annotated[str | None, Parameter(help="Own private key. Default: none.")] = None

    def settings(self) -> Settings:
        """The layers of settings with this command's flags on top."""
        return Settings(
            {"broker": self.broker, "tls_ca": self.tls_ca, "tls_cert": self.tls_cert, "tls_key": self.tls_key}
        )


SHOWN: Final = Shown()
AT_BROKER: Final = AtBroker()
RADIO: Final = Radio()
AT_CONSOLE: Final = AtConsole()
CAR: Final = Car()
