"""How often somebody may try."""

from firmware.bench.password import LONGEST_S, Password


class Watch:
    """The time outside."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_each_wrong_one_makes_the_wait_longer_up_to_a_bound() -> None:
    watch = Watch()
    password = Password("open-sesame", now_s=watch)
    waits = []
    for _ in range(7):
        assert not password.opens("close-sesame")
        waits.append(password.waits_s)
        watch.now_s += password.waits_s
    assert waits == [1, 2, 4, 8, 16, LONGEST_S, LONGEST_S]
    assert password.wrong == 7
    assert password.opens("open-sesame")
    assert password.wrong == 0
    assert not password.opens("close-sesame")
    assert password.waits_s == 1


def test_meanwhile_nothing_is_looked_at_and_nothing_is_counted() -> None:
    watch = Watch()
    password = Password("open-sesame", now_s=watch)
    assert not password.opens("close-sesame")
    for _ in range(800):
        assert not password.opens("open-sesame")
    assert password.wrong == 1
    assert password.waits_s == 1
    watch.now_s += 1
    assert password.opens("open-sesame")
