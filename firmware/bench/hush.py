"""Lines that hold what nobody else may read: a password of the console, an activation code of the vehicle's menu.

Decides how much of such a line may be repeated, remembered and reported. In doubt it is the secret one.
"""

from typing import Final

HIDDEN: Final = "******"
_HARMLESS: Final = frozenset({"keys", "deactivate"})
"""What may follow on `menu` and takes no code."""


def is_secret(line: str) -> bool:
    """Whether there is something in it that is to be hidden. Quotes and blanks do not hide it."""
    return _open_words(_words(line)) is not None


def hushed(line: str) -> str:
    """The line as it may be shown."""
    words = _words(line)
    shown = _open_words(words)
    return line if shown is None else " ".join([*words[:shown], HIDDEN])


def _open_words(words: list[str]) -> int | None:
    """How many may be shown; None: all."""
    if words[:1] == ["level"]:
        return 2 if len(words) > 2 else None
    if words[:1] != ["menu"] or words[1:2] in ([each] for each in _HARMLESS):
        return None
    return next((at for at, word in enumerate(words) if any(each.isdigit() for each in word)), None)


def _words(line: str) -> list[str]:
    return line.replace('"', "").replace("'", "").split()
