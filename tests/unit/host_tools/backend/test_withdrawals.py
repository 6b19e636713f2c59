"""One revocation list after the other."""

import pytest

from host_tools.backend.withdrawals import Withdrawal, following, said_of
from protocol.sharing import Deletion
from protocol.tokens import RevocationList

MODULE = bytes(range(8))
NOW_S = 1_780_000_000
ONE, TWO = b"\x01" * 16, b"\x02" * 16


def after(previous: RevocationList | None, *added: Withdrawal, now_s: int = NOW_S) -> RevocationList:
    return following(previous, added, module_id=MODULE, now_s=now_s)


@pytest.mark.req("ACC-5", "KEY-6")
def test_a_list_says_all_that_the_one_before_it_said() -> None:
    first = after(None, Withdrawal(ONE, Deletion.IMMEDIATE, NOW_S + 9))
    assert (first.number, first.revoked, first.fading) == (NOW_S, ((ONE, NOW_S + 9),), ())
    second = after(first, Withdrawal(TWO, Deletion.UNTIL_KEY_CYCLE, NOW_S + 9))
    assert (second.number, second.revoked) == (NOW_S + 1, ((ONE, NOW_S + 9),))
    assert second.fading == ((TWO, 1, NOW_S + 9),)
    assert [said_of(second, one) for one in (ONE, TWO, bytes(16))] == [
        Deletion.IMMEDIATE,
        Deletion.UNTIL_KEY_CYCLE,
        None,
    ]


def test_what_has_ended_by_itself_makes_room() -> None:
    first = after(None, Withdrawal(ONE, Deletion.IMMEDIATE, NOW_S + 9), Withdrawal(TWO, Deletion.IMMEDIATE, NOW_S + 10))
    assert after(first, now_s=NOW_S + 9).revoked == ((TWO, NOW_S + 10),)


@pytest.mark.req("KEY-6")
@pytest.mark.parametrize(
    ("first", "then", "stays"),
    [
        (Deletion.UNTIL_KEY_CYCLE, Deletion.IMMEDIATE, Deletion.IMMEDIATE),
        (Deletion.UNTIL_KEY_CYCLE, Deletion.AFTER_LAST_DRIVE_OR_48H, Deletion.AFTER_LAST_DRIVE_OR_48H),
        (Deletion.AFTER_LAST_DRIVE_OR_48H, Deletion.UNTIL_KEY_CYCLE, Deletion.AFTER_LAST_DRIVE_OR_48H),
        (Deletion.IMMEDIATE, Deletion.UNTIL_KEY_CYCLE, Deletion.IMMEDIATE),
    ],
)
def test_a_deletion_becomes_stricter_and_never_milder(first: Deletion, then: Deletion, stays: Deletion) -> None:
    listed = after(after(None, Withdrawal(ONE, first, NOW_S + 9)), Withdrawal(ONE, then, NOW_S + 9))
    assert said_of(listed, ONE) is stays


def test_number_and_epoch_only_rise() -> None:
    first = following(None, [], module_id=MODULE, now_s=NOW_S, number=7, min_key_epoch=3)
    assert (first.number, first.min_key_epoch) == (7, 3)
    assert following(first, [], module_id=MODULE, now_s=NOW_S, number=8).min_key_epoch == 3
    with pytest.raises(ValueError, match="number 7 does not rise: the last list has the number 7"):
        following(first, [], module_id=MODULE, now_s=NOW_S, number=7)
    assert after(first, now_s=5).number == 8


def test_the_list_of_another_module_is_not_gone_on_with() -> None:
    with pytest.raises(ValueError, match="is for the module 0001020304050607, not 0000000000000000"):
        following(after(None), [], module_id=bytes(8), now_s=NOW_S)
