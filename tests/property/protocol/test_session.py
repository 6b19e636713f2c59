"""Records: only what was sealed, once, and in order."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.session import SecureChannel, SessionError


def export(label: int, context: bytes, length: int) -> bytes:
    return hashlib.shake_256(label.to_bytes(4, "big") + context).digest(length)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=20), st.randoms(use_true_random=False))
@pytest.mark.req("SEC-2")
def test_what_is_opened_was_sealed_once_and_in_order(texts: list[bytes], chance: random.Random) -> None:
    phone = SecureChannel.from_exporter(export, module_side=False)
    module = SecureChannel.from_exporter(export, module_side=True)
    sealed = [phone.seal(text) for text in texts]
    air = chance.choices(range(len(sealed)), k=3 * len(sealed))
    opened = []
    for index in air:
        try:
            text = module.open(sealed[index])
        except SessionError:
            continue
        assert text == texts[index]
        opened.append(index)
    assert opened == sorted(set(opened))
    assert opened[0] == air[0]


@given(st.binary(max_size=80))
@pytest.mark.req("SEC-1")
def test_random_bytes_are_no_record(data: bytes) -> None:
    module = SecureChannel.from_exporter(export, module_side=True)
    with pytest.raises(SessionError):
        module.open(data)


@given(st.binary(max_size=30), st.data())
@pytest.mark.req("SEC-2")
def test_an_altered_record_is_refused_and_the_true_one_still_opens(text: bytes, data: st.DataObject) -> None:
    phone = SecureChannel.from_exporter(export, module_side=False)
    module = SecureChannel.from_exporter(export, module_side=True)
    record = phone.seal(text)
    altered = bytearray(record)
    altered[data.draw(st.integers(0, len(record) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SessionError):
        module.open(bytes(altered))
    assert module.open(record) == text
