"""Fragments under everything that a radio and a careless phone can do to them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.framing import FramingError, Reassembler, fragments

MTUS = (23, 185, 247, 517)
MESSAGES = st.lists(st.binary(min_size=1, max_size=1024), min_size=1, max_size=6)


def cut(messages: list[bytes], mtu: int, first: int = 0) -> list[bytes]:
    """All messages in fragments, numbered on from `first`."""
    pieces: list[bytes] = []
    for message in messages:
        pieces += fragments(message, mtu - 3, first + len(pieces))
    return pieces


def deliver(receiver: Reassembler, pieces: list[bytes], now_ms: int = 0) -> list[bytes]:
    """What arrives, whatever is refused meanwhile."""
    arrived = []
    for piece in pieces:
        try:
            message = receiver.receive(piece, now_ms)
        except FramingError:
            continue
        if message is not None:
            arrived.append(message)
    return arrived


@given(MESSAGES, st.sampled_from(MTUS))
@pytest.mark.req("BLE-1")
def test_messages_arrive_whole_and_in_order(messages: list[bytes], mtu: int) -> None:
    receiver = Reassembler()
    assert deliver(receiver, cut(messages, mtu)) == messages
    assert receiver.violations == 0


@given(MESSAGES, st.sampled_from(MTUS), st.randoms(use_true_random=False))
@pytest.mark.req("BLE-1")
def test_fragments_sent_again_at_once_change_nothing(messages: list[bytes], mtu: int, chance: random.Random) -> None:
    receiver = Reassembler()
    pieces = [piece for piece in cut(messages, mtu) for _ in range(chance.choice((1, 1, 2, 3)))]
    assert deliver(receiver, pieces) == messages
    assert receiver.violations == 0


def spoil(pieces: list[bytes], chance: random.Random) -> list[bytes]:
    """Lose, repeat, swap, alter, shorten and invent fragments."""
    spoilt: list[bytes] = []
    for piece in pieces:
        match chance.randrange(10):
            case 0:
                pass
            case 1:
                spoilt += [piece, piece]
            case 2 if spoilt:
                spoilt.insert(-1, piece)
            case 3:
                header = bytes((piece[0] ^ 1 << chance.randrange(8),))
                spoilt.append(header + piece[1:])
            case 4:
                spoilt.append(piece[: chance.randrange(len(piece) + 1)])
            case 5:
                spoilt += [chance.randbytes(chance.randrange(30)), piece]
            case _:
                spoilt.append(piece)
    return spoilt


@given(MESSAGES, st.sampled_from(MTUS), st.randoms(use_true_random=False))
@settings(max_examples=300)
@pytest.mark.req("BLE-1", "SEC-1")
def test_after_any_damage_a_message_gets_through_at_the_second_try(
    messages: list[bytes], mtu: int, chance: random.Random
) -> None:
    receiver = Reassembler()
    deliver(receiver, spoil(cut(messages, mtu), chance))
    assert len(receiver._message) <= 1024 + 512
    final = [b"once more", b"once more"]
    assert deliver(receiver, cut(final, mtu))[-1:] == [b"once more"]


FEW = st.lists(st.binary(min_size=1, max_size=150), min_size=1, max_size=3)


@given(FEW, FEW, st.sampled_from(MTUS), st.randoms(use_true_random=False))
@settings(max_examples=300)
@pytest.mark.req("BLE-1")
def test_interleaved_messages_never_mix(
    ours: list[bytes], theirs: list[bytes], mtu: int, chance: random.Random
) -> None:
    """Two apps on one phone, 32 numbers apart: what arrives is whole messages of one or the other, or nothing."""
    one, two = cut(ours, mtu), cut(theirs, mtu, first=32)
    mixed: list[bytes] = []
    while one or two:
        source = one if one and (not two or chance.random() < 0.5) else two
        mixed.append(source.pop(0))
    assert set(deliver(Reassembler(), mixed)) <= set(ours) | set(theirs)


@given(st.lists(st.binary(max_size=40), max_size=60), st.lists(st.integers(0, 2000), min_size=60, max_size=60))
@settings(max_examples=300)
@pytest.mark.req("SEC-1")
def test_random_bytes_do_no_harm(pieces: list[bytes], gaps_ms: list[int]) -> None:
    receiver = Reassembler()
    now_ms = 0
    for piece, gap_ms in zip(pieces, gaps_ms, strict=False):
        now_ms += gap_ms
        before = receiver.violations
        try:
            receiver.receive(piece, now_ms)
            assert receiver.violations == before
        except FramingError:
            assert receiver.violations == before + 1


@given(st.binary(min_size=200, max_size=1024), st.integers(1, 10), st.sampled_from(MTUS))
@pytest.mark.req("BLE-1")
def test_a_half_sent_message_does_not_hold_up_the_next(message: bytes, count: int, mtu: int) -> None:
    receiver = Reassembler()
    pieces = fragments(message, mtu - 3)
    assert deliver(receiver, pieces[: min(count, len(pieces) - 1)]) == []
    assert deliver(receiver, fragments(b"later", mtu - 3, 40), now_ms=1_001) == [b"later"]
    assert receiver.violations == 0
