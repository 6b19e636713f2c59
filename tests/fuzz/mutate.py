"""Malformed inputs from well-formed ones: bytes, and CBOR trees, changed the way that attackers and broken disks do.

Same seed, same inputs. Knows nothing of what they are for.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import cbor2

_EDGES: Final = tuple(
    number.to_bytes(size, "big")
    for size in (1, 2, 4, 8)
    for number in sorted({0, 1, 0x7F, 0x80, 0xFF, 2 ** (8 * size) - 1, 2 ** (8 * size - 1)})
    if number < 2 ** (8 * size)
)
_HEADS: Final = bytes.fromhex("00 17 18 1b 20 3b 40 5b 5f 60 7b 80 9b 9f a0 bb bf c2 d8 f4 f6 f7 f9 fb ff")
"""First bytes of CBOR items that readers stumble over."""
_TREES: Final = 12
"""Mutated trees for each seed that holds one."""


class Mutator:
    """`next()` is one more malformed input, made of `seeds` and `words`; never longer than `most_bytes`."""

    def __init__(self, rng: Random, seeds: Sequence[bytes], words: Sequence[bytes], most_bytes: int) -> None:
        self._rng = rng
        self._most = most_bytes
        self._seeds = [*seeds] or [b""]
        self._words = (*words, *_EDGES)
        self._seeds += [tree for seed in seeds for tree in _mutated_trees(rng, seed)]
        self._ways: tuple[Callable[[bytearray], object], ...] = (
            self._flip,
            self._set,
            self._head,
            self._insert,
            self._delete,
            self._copy,
            self._word,
            self._splice,
            self._cut,
        )

    def next(self) -> bytes:
        """Another one."""
        rng = self._rng
        data = bytearray(self._seeds[int(rng.random() * len(self._seeds))])
        ways = self._ways
        for _ in range(1 + int(rng.random() ** 3 * 6)):
            ways[int(rng.random() * len(ways))](data)
        return bytes(data[: self._most])

    def _place(self, data: bytearray) -> int:
        return int(self._rng.random() * len(data))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._place(data)] ^= 1 << int(self._rng.random() * 8)

    def _set(self, data: bytearray) -> None:
        if data:
            data[self._place(data)] = int(self._rng.random() * 256)

    def _head(self, data: bytearray) -> None:
        if data:
            data[self._place(data)] = _HEADS[int(self._rng.random() * len(_HEADS))]

    def _insert(self, data: bytearray) -> None:
        at = self._place(data)
        data[at:at] = self._rng.randbytes(1 + int(self._rng.random() ** 4 * 40))

    def _delete(self, data: bytearray) -> None:
        at = self._place(data)
        del data[at : at + 1 + int(self._rng.random() ** 3 * 20)]

    def _copy(self, data: bytearray) -> None:
        start, at = self._place(data), self._place(data)
        data[at:at] = data[start : start + 1 + int(self._rng.random() ** 2 * 60)]

    def _word(self, data: bytearray) -> None:
        word = self._words[int(self._rng.random() * len(self._words))]
        at = self._place(data)
        data[at : at + (len(word) if self._rng.random() < 0.7 else 0)] = word

    def _splice(self, data: bytearray) -> None:
        other = self._seeds[int(self._rng.random() * len(self._seeds))]
        data[self._place(data) :] = other[int(self._rng.random() * len(other)) :]

    def _cut(self, data: bytearray) -> None:
        del data[self._place(data) :]


# ---------------------------------------------------------------- trees
def _mutated_trees(rng: Random, seed: bytes) -> list[bytes]:
    """The CBOR item at the start of `seed`, or behind its first byte, with one or two of its parts exchanged."""
    for start in (0, 1):
        try:
            tree = cbor2.loads(seed[start:])
        except (cbor2.CBORDecodeError, ValueError):
            continue
        if isinstance(tree, list | dict):
            return [seed[:start] + _encoded(rng, _changed(rng, tree)) for _ in range(_TREES)]
    return []


def _encoded(rng: Random, tree: object) -> bytes:
    return cbor2.dumps(tree, canonical=rng.random() < 0.5)


def _changed(rng: Random, tree: object) -> object:
    """One part of `tree` is replaced, doubled, dropped or wrapped."""
    if isinstance(tree, list) and tree and rng.random() < 0.8:
        at = rng.randrange(len(tree))
        match rng.randrange(4):
            case 0:
                return tree[:at] + tree[at + 1 :]
            case 1:
                return [*tree[:at], tree[at], *tree[at:]]
            case _:
                return [*tree[:at], _changed(rng, tree[at]), *tree[at + 1 :]]
    if isinstance(tree, dict) and tree and rng.random() < 0.8:
        key = rng.choice(list(tree))
        match rng.randrange(4):
            case 0:
                return {each: value for each, value in tree.items() if each != key}
            case 1:
                return {**tree, rng.choice((0, 99, -1, "x", b"x")): tree[key]}
            case _:
                return {each: _changed(rng, value) if each == key else value for each, value in tree.items()}
    return rng.choice(_strange(rng, tree))


def _strange(rng: Random, value: object) -> list[object]:
    inside = cbor2.dumps(value)
    return [
        rng.choice((0, 1, -1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63, 2**64 - 1, -(2**64))),
        rng.randbytes(rng.choice((0, 1, 8, 16, 32, 33, 64, 300))),
        rng.choice(("", "x", "rule", "\u00e4" * 150)),
        rng.choice((None, True, False, 1.5, float("nan"))),
        [value],
        {1: value},
        inside,
        [[[[[[[[[]]]]]]]]],
        [0] * rng.choice((0, 17, 300)),
    ]
