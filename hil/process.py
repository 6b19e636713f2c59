"""The module as a process of this machine, with a switch on it like the one in front of a module on a table.

Decides how it is started and that losing power means being killed: no farewell, nothing is written any more. It does
not know what the module is asked, and imports nothing of it.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

CONSOLE: Final = "console"
"""The name of its serial line; `state/run/console` in the module's directory is the pseudo-terminal."""
HOME: Final = ("48.1375", "11.5755")
INIT_S: Final = 60.0
END_S: Final = 10.0

_CONFIG: Final = """\
[ble]
transport = "{transport}"
hub_port = {port}

[vehicle]
latitude = {home[0]}
longitude = {home[1]}

[bench]
enabled = true
uplink = "recorded"

[[serial]]
name = "{console}"
device = "pty"
level = "service"
"""


class ProcessFailed(Exception):
    """The module's files could not be made. One line: what, why, what to do."""


class ModuleProcess:
    """`sharebox run` in `directory` with a bench, logging to `module.log`. Its radio is the virtual one with a hub at
    `hub_port`, or `transport` names a controller."""

    def __init__(self, directory: Path, hub_port: int, transport: str = "virtual") -> None:
        self.directory = directory
        self._hub_port = hub_port
        self._transport = transport
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_on(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def make(self) -> None:
        """Keys, a provisioned module, an issuer, and a configuration file, unless they are there. Raises
        ProcessFailed."""
        if (self.directory / "provisioning.json").exists():
            return
        made = subprocess.run(
            [*_module("host_tools.cli"), "module", "init", str(self.directory), "--home", *HOME],
            capture_output=True,
            text=True,
            timeout=INIT_S,
            check=False,
        )
        if made.returncode != 0:
            why = (made.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise ProcessFailed(f"no module could be made in {self.directory}: {why}")
        config = _CONFIG.format(transport=self._transport, port=self._hub_port, home=HOME, console=CONSOLE)
        (self.directory / "sharebox.toml").write_text(config)

    def on(self) -> None:
        """Give it power. One that has power keeps it."""
        if self.is_on:
            return
        # Otherwise its line would lie where all modules of this user have theirs.
        environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
        with (self.directory / "module.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_module("firmware"), "run", "--config", "sharebox.toml", "--json"],
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def off(self) -> None:
        """Take its power away at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(END_S)
            self._process = None


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]
