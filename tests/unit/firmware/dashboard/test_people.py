"""Who books alone, and who asks."""

import pytest

from firmware.dashboard.acts import ActRefused
from firmware.dashboard.handset import Handset
from firmware.dashboard.people import CAST, People, Person
from firmware.demo.rig import Holder, seeded
from protocol.errors import Role


def cast() -> tuple[People, list[str]]:
    booked: list[str] = []
    persons = []
    for known in CAST:
        holder = Holder(known.name, known.role, seeded(known.id))
        handset = Handset(
            lambda: pytest.fail("nobody connects"),
            holder.key,
            entropy=seeded("x"),
            now_ms=lambda: 0,
            tell=lambda *_: None,
            every_s=lambda: 1.0,
        )
        persons.append(Person(known, holder, handset))
    return People(tuple(persons), lambda person: booked.append(person.known.id)), booked


def test_there_is_one_of_each_role() -> None:
    assert [known.role for known in CAST] == [Role.DRIVER, Role.VIP, Role.OWNER]
    assert [known.words for known in CAST] == ["driver", "VIP driver", "owner"]


def test_a_driver_asks_and_waits_for_the_owner() -> None:
    people, booked = cast()
    assert people.asking is None
    assert "asks the owner" in people.ask()
    assert people.asking is people.current
    assert booked == []
    assert people.answer(True) == "accepts what Anna asked for"
    assert (booked, people.asking) == (["anna"], None)


def test_the_owner_may_say_no_and_only_to_somebody_who_asked() -> None:
    people, booked = cast()
    people.ask()
    assert people.answer(False) == "declines what Anna asked for"
    assert booked == []
    with pytest.raises(ActRefused, match="nobody has asked"):
        people.answer(True)


@pytest.mark.parametrize("who", ["victor", "olivia"])
def test_vip_and_owner_book_at_once(who: str) -> None:
    people, booked = cast()
    people.choose(who)
    assert "is booked" in people.ask()
    assert (booked, people.asking) == ([who], None)


def test_nobody_else_is_here() -> None:
    people, _ = cast()
    with pytest.raises(ActRefused, match="nobody here is called mallory"):
        people.choose("mallory")
    assert people.current.known.id == "anna"
