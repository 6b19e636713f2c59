"""Bytes as they come, cut into lines. Decides that what is too long for a line is none."""

from collections.abc import Iterator


class Lines:
    """`most`: bytes of the longest line, its end not counted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begun = bytearray()
        self._spoilt = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that `data` completes."""
        *ended, begun = data.split(b"\n")
        for part in ended:
            self._add(part)
            if not self._spoilt:
                yield bytes(self._begun)
            self._begun.clear()
            self._spoilt = False
        self._add(begun)

    def _add(self, part: bytes) -> None:
        if self._spoilt or len(self._begun) + len(part) > self._most:
            self._spoilt = True
            self._begun.clear()
        else:
            self._begun += part
