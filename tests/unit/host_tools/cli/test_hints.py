"""What somebody may have meant."""

import pytest

from host_tools.cli.commands import names
from host_tools.cli.hints import FORMER, hint, unknown


@pytest.mark.req("BEN-1")
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("phone unlok", "phone unlock"),
        ("unlock", "phone unlock"),
        ("set-time", "phone set-time"),
        ("phon unlock", "phone"),
        ("issue booking", "issuer"),
        ("dev init", "module init"),
        ("send x.cose", "issuer send"),
        ("key new", "module key new"),
        ("pki init", "issuer pki"),
        ("--install-completion", "completion install"),
        ("issuer pki modul", "issuer pki module"),
        ("module kye", "module key"),
        ("--json phone unlok", "phone unlock"),
    ],
)
def test_what_is_near_is_asked_for(typed: str, meant: str) -> None:
    assert hint(typed.split()) == f'Did you mean "{meant}"?'


@pytest.mark.parametrize("typed", ["frobnicate", "phone qqqq", "", "--json"])
def test_nothing_near_is_no_question(typed: str) -> None:
    assert hint(typed.split()) == ""


def test_the_unknown_word_is_found_where_it_stands() -> None:
    assert unknown(["issuer", "--json", "pki", "modul"]) == "modul"
    assert unknown(["phone", "unlock"]) == ""


def test_every_former_name_leads_to_a_place_that_is_there() -> None:
    assert set(FORMER.values()) <= set(names())
