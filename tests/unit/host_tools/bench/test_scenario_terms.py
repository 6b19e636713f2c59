"""What a main user says of a key that is shared."""

import pytest

from host_tools.bench.scenario_terms import Terms, permissions, terms
from protocol.messages import Permission


def test_permissions_are_lists_of_names() -> None:
    assert permissions("unlock, drive and lock") == Permission.UNLOCK | Permission.DRIVE | Permission.LOCK
    assert permissions("nothing") == 0
    assert permissions("boot") == Permission.BOOT
    with pytest.raises(ValueError, match="is no list of permissions"):
        permissions("fly")


@pytest.mark.req("KEY-2")
def test_terms_are_put_together_in_any_order_and_the_rest_is_usual() -> None:
    assert Terms().permissions == Permission.UNLOCK | Permission.DRIVE | Permission.LOCK
    assert terms("with a code") == Terms(coded=True)
    assert terms("may boot; daily 22:00 - 06:00") == Terms(int(Permission.BOOT), daily=(79_200, 21_600))
    assert terms("for 10:00 - D2 12:00; with a code until 11:00") == Terms(
        window=(36_000, 129_600), coded=True, code_until_s=39_600
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("may fly", "is no list of permissions"),
        ("for 10:00", "is no window"),
        ("daily 25:00 - 26:00", "is no time of a day"),
        ("daily 10:00 - 10:00", "begins when it ends"),
        ("daily D2 10:00 - 12:00", "is no term of a shared key"),
        ("with a code until noon", "is no time"),
        ("with a smile", "is no term of a shared key"),
        ("", "is no term of a shared key"),
        ("; ".join(["with a code"] * 6), "more than 5 terms"),
    ],
)
def test_what_is_no_term_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        terms(text)
