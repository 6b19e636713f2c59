"""What somebody may have meant who typed a command that does not exist: a neighbour, or its place in the tree."""

from collections.abc import Sequence
from typing import Final

from host_tools.cli.commands import names

FORMER: Final = {
    "issue": "issuer",
    "send": "issuer send",
    "pki": "issuer pki",
    "dev": "module init",
    "--install-completion": "completion install",
}
"""Names of earlier versions, and others that people try, which no likeness leads to the right place."""

_BESIDE: Final = 0.6
_ELSEWHERE: Final = 0.75
"""How like a word has to be: elsewhere in the tree there are many more to be like by chance."""


def hint(tokens: Sequence[str]) -> str:
    """A question with the nearest command, for `tokens` as they were typed; empty when nothing is near."""
    known = names()
    above, word = _where(tokens, known)
    if not word:
        return ""
    found = _former(above, word) or _beside(above, word, known) or _anywhere(word, known)
    return f'Did you mean "{found}"?' if found else ""


def unknown(tokens: Sequence[str]) -> str:
    """The word among `tokens` that is no command where it stands."""
    return _where(tokens, names())[1]


def _where(tokens: Sequence[str], known: dict[str, bool]) -> tuple[str, str]:
    """The group that was reached, and the word there that is no command."""
    above = ""
    for token in tokens:
        if token.startswith("-") and token not in FORMER:
            continue
        below = f"{above} {token}".strip()
        if below not in known:
            return above, token
        above = below
    return above, ""


def _former(above: str, word: str) -> str:
    return FORMER.get(word, "") if not above else ""


def _beside(above: str, word: str, known: dict[str, bool]) -> str:
    start = f"{above} " if above else ""
    beside = {name.removeprefix(start): name for name in known if name.startswith(start)}
    direct = {short: name for short, name in beside.items() if " " not in short}
    return _nearest(word, direct, _BESIDE)


def _anywhere(word: str, known: dict[str, bool]) -> str:
    """By its last word: what is a command somewhere else in the tree."""
    last: dict[str, str] = {}
    for name in known:
        last.setdefault(name.rpartition(" ")[2], name)
    return _nearest(word, last, _ELSEWHERE)


def _nearest(word: str, choices: dict[str, str], like: float) -> str:
    if word in choices:
        return choices[word]
    import difflib

    near = difflib.get_close_matches(word, choices, n=1, cutoff=like)
    return choices[near[0]] if near else ""
