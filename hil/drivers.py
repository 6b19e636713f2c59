"""What labgrid has to know of a module on a table: its files, its radio, a process in its place, and the stand itself.

Nothing is decided here: an environment file names these classes, and labgrid binds them to each other. Serial lines and
power switches are labgrid's own (RawSerialPort, USBSerialPort, NetworkSerialPort; any driver with PowerProtocol).
"""

from pathlib import Path

import attr
from labgrid.driver import Driver
from labgrid.driver.powerdriver import PowerResetMixin
from labgrid.factory import target_factory
from labgrid.protocol import PowerProtocol
from labgrid.resource import NetworkSerialPort, Resource

from hil.process import ModuleProcess
from hil.stand import Stand
from host_tools.bench.links import Automatic, Link, Virtual


@target_factory.reg_resource
@attr.s(eq=False)
class ModuleFiles(Resource):
    """What `shareboxctl module init` has made: the module's identity, and the issuer that it trusts. A relative
    directory begins at the environment file."""

    directory: str = attr.ib(converter=str)


@target_factory.reg_resource
@attr.s(eq=False)
class VirtualRadio(Resource):
    """A hub of virtual Bluetooth, on loopback."""

    host: str = attr.ib(default="127.0.0.1", converter=str)
    port: int = attr.ib(default=6402, converter=int)

    @property
    def link(self) -> Link:
        """The way of a phone."""
        return Virtual(self.host, self.port)


@target_factory.reg_resource
@attr.s(eq=False)
class BluetoothAdapter(Resource):
    """A Bluetooth adapter of this machine, as BlueZ calls it."""

    adapter: str = attr.ib(default="hci0", converter=str)

    @property
    def link(self) -> Link:
        """The way of a phone."""
        return Automatic(self.adapter)


@target_factory.reg_driver
@attr.s(eq=False)
class ModuleProcessDriver(Driver, PowerResetMixin, PowerProtocol):
    """Power for a module that is a process of this machine. It makes the module's files when there are none."""

    bindings = {"files": "ModuleFiles", "radio": "VirtualRadio"}  # noqa: RUF012 - labgrid's way

    def on_activate(self) -> None:
        """Called by labgrid."""
        self._process = ModuleProcess(Path(self.files.directory), self.radio.port)
        self._process.make()

    def on_deactivate(self) -> None:
        """Called by labgrid."""
        self._process.off()

    @Driver.check_active
    def on(self) -> None:
        """Give it power."""
        self._process.on()

    @Driver.check_active
    def off(self) -> None:
        """Take it away at once."""
        self._process.off()

    @Driver.check_active
    def cycle(self) -> None:
        """Off and on."""
        self.off()
        self.on()

    @Driver.check_active
    def get(self) -> bool:
        """Whether it has power."""
        return self._process.is_on


@target_factory.reg_driver
@attr.s(eq=False)
class StandDriver(Driver):
    """The stand as the numbered tests use it: `target.get_driver("StandDriver").stand`."""

    bindings = {  # noqa: RUF012 - labgrid's way
        "power": "PowerProtocol",
        "files": "ModuleFiles",
        "air": {"VirtualRadio", "BluetoothAdapter"},
        "line": {"RawSerialPort", "USBSerialPort", "NetworkSerialPort"},
    }

    def on_activate(self) -> None:
        """Called by labgrid."""
        directory = Path(self.files.directory)
        if self.target.env is not None:
            directory = Path(self.target.env.config.resolve_path(str(directory)))
        self.stand = Stand(self.power, directory, self.air.link, url(self.line))


def url(line: Resource) -> str:
    """The serial line as pyserial opens it."""
    if isinstance(line, NetworkSerialPort):
        scheme = "socket" if line.protocol == "raw" else line.protocol
        return f"{scheme}://{line.host}:{line.port}"
    return str(line.port)
