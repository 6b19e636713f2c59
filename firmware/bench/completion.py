"""What Tab does, for every editor: as much as is certain is put in, the rest is shown."""

from collections.abc import Sequence

import msgspec


class Completed(msgspec.Struct, frozen=True):
    """`insert`: what to put in at the cursor; `choices`: what it may become, empty when there is nothing to choose."""

    insert: str = ""
    choices: tuple[str, ...] = ()


def completed(text: str, words: Sequence[str]) -> Completed:
    """`words`: what the unfinished last word of `text` may become."""
    begun = "" if not text or text[-1].isspace() else text.rsplit(maxsplit=1)[-1]
    fitting = [word for word in words if word.startswith(begun)]
    if not fitting:
        return Completed()
    if len(fitting) == 1:
        return Completed(f"{fitting[0][len(begun) :]} ")
    common = _common(min(fitting), max(fitting))[len(begun) :]
    return Completed(common) if common else Completed("", tuple(fitting))


def _common(one: str, other: str) -> str:
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return one[:length]


def in_columns(words: Sequence[str], width: int) -> list[str]:
    """`words` as lines of at most `width` characters, read downwards."""
    cell = max(map(len, words)) + 2
    columns = max(1, width // cell)
    rows = -(-len(words) // columns)
    return ["".join(word.ljust(cell) for word in words[row::rows]).rstrip() for row in range(rows)]
