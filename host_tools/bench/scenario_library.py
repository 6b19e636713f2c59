"""The scenarios that come with the package, found by name.

Decides where they lie and which one was meant. It does not read what is in them (`scenario_file`).
"""

from pathlib import Path
from typing import Final

from host_tools.bench.phrases import close
from protocol.errors import one_line

FOLDER: Final = Path(__file__).with_name("library")
SUFFIX: Final = ".toml"


class UnknownScenario(Exception):
    """Nothing is called so. One line: what, why, what to do."""


def names() -> list[str]:
    """All scenarios of the library, sorted."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def find(text: str) -> Path:
    """The file of a scenario: a path as it stands, or the name of one in the library. Raises UnknownScenario."""
    if text.endswith(SUFFIX) or "/" in text:
        return Path(text)
    if text in names():
        return FOLDER / f"{text}{SUFFIX}"
    meant = close(text, names()) or "See `shareboxctl scenario list`; a file of your own ends in .toml."
    raise UnknownScenario(f"no scenario is called '{one_line(text)}'. {meant}")
