"""Where the Wireshark dissector lies, and where Wireshark looks for it.

Decides which folder is Wireshark's personal one. Refuses to know what the dissector does.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DISSECTOR: Final = Path(__file__).with_name("sharebox.lua")
"""Read where it lies with `wireshark -X lua_script:PATH`."""


def plugin_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Wireshark's personal folder of Lua plugins, on Linux."""
    home = Path(environment.get("HOME") or Path.home())
    return home / ".local" / "lib" / "wireshark" / "plugins"


def install(folder: Path) -> Path:
    """Copy the dissector there; an older copy is replaced. Returns the copy. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(DISSECTOR, folder / DISSECTOR.name))
