"""Reading claims."""

from collections.abc import Callable

import pytest

from protocol import cbor, claims
from protocol.errors import Code, ProtocolError


def test_what_is_right_comes_back() -> None:
    assert claims.decode(b"\xa1\x01\x02") == {1: 2}
    assert claims.exactly({1: 2, -70001: 3}, -70001, 1) == {1: 2, -70001: 3}
    assert claims.within({1: 2, 3: 4}, (1,), (3, 5)) == {1: 2, 3: 4}
    assert claims.uint(5, 5, 5) == 5
    assert claims.bstr(b"ab", 2) == b"ab"
    assert claims.text("Zoë", 3, 3) == "Zoë"
    assert claims.text("", 3) == ""
    assert claims.flag(False) is False
    assert claims.array([1]) == [1]


@pytest.mark.parametrize(
    "reading",
    [
        lambda: claims.decode(b"\xff"),
        lambda: claims.exactly([1], 1),
        lambda: claims.exactly({1: 2}, 1, 2),
        lambda: claims.exactly({1: 2, 2: 3}, 1),
        lambda: claims.within([1], (), ()),
        lambda: claims.within({1: 2}, (1, 2), ()),
        lambda: claims.within({1: 2, 4: 5}, (1,), (3,)),
        lambda: claims.uint(True, 5),
        lambda: claims.uint(6, 5),
        lambda: claims.uint(-1, 5),
        lambda: claims.uint(0, 5, 1),
        lambda: claims.bstr("ab", 2),
        lambda: claims.bstr(b"abc", 2),
        lambda: claims.text(b"ab", 2),
        lambda: claims.text("abc", 2),
        lambda: claims.text("", 2, 1),
        lambda: claims.text("a\n", 2),
        lambda: claims.text("a\u202e", 2),
        lambda: claims.flag(1),
        lambda: claims.array({}),
    ],
)
def test_what_is_wrong_has_one_error(reading: Callable[[], cbor.Value]) -> None:
    with pytest.raises(ProtocolError) as refused:
        reading()
    assert refused.value.code is Code.TOKEN_MALFORMED
