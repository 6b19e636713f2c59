"""What a page may ask for."""

import pytest

from firmware.dashboard.acts import ActRefused, DeskAct, FaultAct, MenuAct, NextAct, StopAct, read_act


def test_an_act_is_known_by_its_tag() -> None:
    assert read_act(b'{"act":"desk","line":"why"}') == DeskAct("why")
    assert read_act(b'{"act":"fault","name":"gnss","on":true,"lasts":"30s"}') == FaultAct("gnss", True, "30s")
    assert read_act(b'{"act":"next"}') == NextAct()
    assert read_act(b'{"act":"stop"}') == StopAct()
    assert read_act(b'{"act":"menu","code":"012345"}') == MenuAct("012345")
    assert read_act(b'{"act":"menu","number":2}') == MenuAct(number=2)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"act":"nonsense"}',
        b'{"act":"desk"}',
        b'{"act":"desk","line":7}',
        b'{"act":"desk","line":"why","more":1}',
        b"[" * 3000,
    ],
)
def test_anything_else_is_refused_with_what_to_do(body: bytes) -> None:
    with pytest.raises(ActRefused, match="load it again"):
        read_act(body)
