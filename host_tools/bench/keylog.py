"""The key log: the secrets of sessions in a file, so that a capture can be read. Like SSLKEYLOGFILE; for tests only.

Decides where it is asked for and who may read the file. Refuses to know what the lines say (`protocol.session`).
"""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "SHAREBOX_KEYLOG"


class KeyLogError(Exception):
    """The key log cannot be written: one line with what, why and what to do."""


def from_environment(
    environment: Mapping[str, str] = os.environ, *, noted: Callable[[str], None] | None = None
) -> Callable[[str], None] | None:
    """The key log that the environment asks for; None: it asks for none. As `key_log`. Raises KeyLogError."""
    name = environment.get(VARIABLE)
    return key_log(Path(name), noted) if name else None


def key_log(path: Path, noted: Callable[[str], None] | None = None) -> Callable[[str], None]:
    """Takes lines for the file at `path`, which only its owner may read; made when missing, never shortened.

    Raises KeyLogError. A line that can not be written later is lost; `noted` hears why.
    """
    _append(path, "")

    def take(line: str) -> None:
        try:
            _append(path, line + "\n")
        except KeyLogError as error:
            if noted is not None:
                noted(str(error))

    return take


def _append(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        number = os.open(path, flags, 0o600)
    except OSError as error:
        raise KeyLogError(
            f"{VARIABLE}: {path} cannot be written: {error.strerror}; name another file, or unset it"
        ) from None
    with open(number, "w", encoding="ascii") as file:
        mode = os.fstat(number).st_mode
        if not stat.S_ISREG(mode):
            raise KeyLogError(f"{VARIABLE}: {path} is no regular file; name another, or unset it")
        if stat.S_IMODE(mode) & 0o077:
            raise KeyLogError(f"{VARIABLE}: others may read {path}; chmod 600 it, or name another file")
        file.write(text)
