"""The vehicle's menu: what is entered goes on as a print, and whoever stands there hears an answer."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from firmware.core.events import CodeEntered, Event, KeyDeactivated
from firmware.core.state import KnownKey, State
from firmware.menu import ANSWER_WITHIN_S, MOST_WAITING, Menu, MenuFailed
from protocol.errors import Code, Refusal, Role, refuse
from protocol.sharing import Key
from tests.support.core import a_state

KEY = Key(b"T" * 16, 0, 4_000_000_000, 1, b"M" * 8, Role.GUEST, 7, 1, b"U" * 8, b"H" * 33, parent=b"P" * 16, name="Ben")


class Stand:
    """A menu whose core answers as `says` does; None: not at all."""

    def __init__(self, says: Callable[[Event], Refusal | None] | None = lambda _: None) -> None:
        self.posted: list[Event] = []
        self.says = says
        self.state: State = a_state()
        known = (KnownKey(2, KEY, 0, activated=True), KnownKey(1, msgspec.structs.replace(KEY, token_id=b"S" * 16), 0))
        durable = msgspec.structs.replace(self.state.durable, keys=known)
        self.state = msgspec.structs.replace(self.state, durable=durable)
        self.menu = Menu(lambda: self.state, lambda code: code.encode()[::-1], self.post)

    def post(self, event: Event) -> None:
        self.posted.append(event)
        assert isinstance(event, CodeEntered | KeyDeactivated)
        if self.says is not None:
            asyncio.get_running_loop().call_later(0.2, self.menu.answered, event.ticket, self.says(event))


@pytest.mark.req("KEY-3")
async def test_a_code_goes_on_as_a_print_and_the_answer_comes_back() -> None:
    stand = Stand(lambda event: None if event == CodeEntered(b"543210", 1) else refuse(Code.CODE_WRONG))
    assert await stand.menu.activate("012345") is None
    assert await stand.menu.activate("012345") == refuse(Code.CODE_WRONG)
    assert stand.posted == [CodeEntered(b"543210", 1), CodeEntered(b"543210", 2)]


@pytest.mark.req("KEY-3")
@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "\N{FULLWIDTH DIGIT ONE}23456"])
async def test_what_has_not_six_digits_is_no_try(code: str) -> None:
    stand = Stand()
    with pytest.raises(MenuFailed, match="not six digits") as caught:
        await stand.menu.activate(code)
    assert not code or code not in str(caught.value)
    assert stand.posted == []


@pytest.mark.req("KEY-6")
async def test_keys_are_listed_by_number_and_deactivated_by_it() -> None:
    stand = Stand()
    assert [(each.number, each.name, each.activated) for each in stand.menu.listed()] == [
        (1, "Ben", False),
        (2, "Ben", True),
    ]
    assert await stand.menu.deactivate(2) is None
    assert stand.posted == [KeyDeactivated(b"T" * 16, 1)]
    with pytest.raises(MenuFailed, match="key 3 was not deactivated"):
        await stand.menu.deactivate(3)


async def test_nobody_waits_for_ever_and_a_late_answer_disturbs_nobody() -> None:
    stand = Stand(None)
    loop = asyncio.get_running_loop()
    before = loop.time()
    with pytest.raises(MenuFailed, match="no answer within 5 s") as caught:
        await stand.menu.activate("012345")
    assert loop.time() - before == pytest.approx(ANSWER_WITHIN_S)
    assert "012345" not in str(caught.value)
    stand.menu.answered(1, None)
    stand.says = lambda _: None
    assert await stand.menu.activate("012345") is None
    stand.menu.answered(2, None)


async def test_only_so_many_wait_at_once_and_each_gets_its_own_answer() -> None:
    stand = Stand(lambda event: refuse(Code.CODE_WRONG) if getattr(event, "ticket", 0) % 2 else None)
    waiting = [asyncio.ensure_future(stand.menu.activate("012345")) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(MenuFailed, match="too many wait"):
        await stand.menu.activate("012345")
    answers = await asyncio.gather(*waiting)
    assert [each is None for each in answers] == [False, True] * (MOST_WAITING // 2)
    stand.menu.answered(1, None)
    assert await stand.menu.deactivate(1) == refuse(Code.CODE_WRONG)
