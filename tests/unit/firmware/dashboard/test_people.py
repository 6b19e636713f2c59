"""Who books alone, who asks, and who takes the car over."""

import pytest

from firmware.dashboard.acts import ActRefused
from firmware.dashboard.handset import Handset
from firmware.dashboard.people import CAST, People, Person
from firmware.demo.rig import Holder, seeded
from protocol.errors import Role
from tests.support.credentials import BOOKING


class Deals:
    """What people agreed on."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.owner: Person | None = None

    def book(self, person: Person) -> None:
        self.done.append(("book", person.known.id))

    def share(self, person: Person) -> None:
        self.done.append(("share", person.known.id))

    def take_over(self, person: Person) -> None:
        self.done.append(("take over", person.known.id))


def cast() -> tuple[People, Deals]:
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
    deals = Deals()
    deals.owner = persons[2]
    return People(tuple(persons), deals), deals


def test_there_is_somebody_of_each_kind() -> None:
    people, _ = cast()
    assert [known.role for known in CAST] == [Role.DRIVER, Role.VIP, Role.OWNER, Role.GUEST, Role.OWNER]
    assert [people.words(each) for each in people] == ["driver", "VIP driver", "owner", "guest", "buyer"]
    labels = []
    for known in CAST:
        people.choose(known.id)
        labels.append(people.label())
    assert labels == ["Ask for 2 h", "Book 2 h", "Book 2 h", "Ask for a key", "Take over"]


def test_a_driver_asks_and_waits_for_the_owner() -> None:
    people, deals = cast()
    assert (people.asking, people.asked) == (None, "")
    assert "asks the owner" in people.ask()
    assert people.asking is people.current
    assert people.asked == "Anna asks for the car, for two hours."
    assert deals.done == []
    assert people.answer(True) == "accepts what Anna asked for"
    assert deals.done == [("book", "anna")]
    assert people.asking is None


@pytest.mark.req("KEY-1", "KEY-7")
def test_a_guest_asks_for_a_key() -> None:
    people, deals = cast()
    people.choose("ben")
    assert people.ask() == "asks the owner for a key"
    assert people.asked == "Ben asks for a key."
    people.answer(True)
    assert deals.done == [("share", "ben")]


@pytest.mark.req("OWN-4")
def test_whoever_has_bought_the_car_takes_it_over_and_then_books_it() -> None:
    people, deals = cast()
    people.choose("nora")
    assert "both vehicle keys" in people.ask()
    assert deals.done == [("take over", "nora")]
    deals.owner = people.current
    assert (people.words(people.current), people.label()) == ("owner", "Book 2 h")
    people.choose("olivia")
    assert (people.words(people.current), people.label()) == ("buyer", "Take over")
    deals.owner = None
    assert people.books_alone(people.current)


def test_the_owner_may_say_no_and_only_to_somebody_who_asked() -> None:
    people, deals = cast()
    people.ask()
    assert people.answer(False) == "declines what Anna asked for"
    assert deals.done == []
    with pytest.raises(ActRefused, match="nobody has asked"):
        people.answer(True)


@pytest.mark.parametrize("who", ["victor", "olivia"])
def test_vip_and_owner_book_at_once(who: str) -> None:
    people, deals = cast()
    people.choose(who)
    assert "is booked" in people.ask()
    assert (deals.done, people.asking) == ([("book", who)], None)


def test_nobody_else_is_here() -> None:
    people, _ = cast()
    with pytest.raises(ActRefused, match="nobody here is called mallory"):
        people.choose("mallory")
    assert people.current.known.id == "anna"


def test_only_a_booking_is_a_booking() -> None:
    people, _ = cast()
    person = people.current
    assert (person.shown, person.booking) == (None, None)
    person.hold(BOOKING, None)
    assert (person.shown, person.booking) == (BOOKING, BOOKING)
