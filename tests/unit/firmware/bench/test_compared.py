"""Expected against came."""

import pytest

from firmware.bench.compared import Diverged, Field, compare, diverge
from firmware.bench.notation import Json

pytestmark = pytest.mark.req("BEN-4")


@pytest.mark.parametrize(
    ("expected", "came", "places"),
    [
        (1, 2, [Field("", 1, 2)]),
        ([1, 2], [1, 3], [Field("[1]", 2, 3)]),
        ([1], [1, 3], [Field("", [1], [1, 3])]),
        ({"is": "A", "b": {"is": "B", "c": [1]}}, {"is": "A", "b": {"is": "B", "c": [2]}}, [Field("b.c[0]", 1, 2)]),
        ({"is": "A", "b": 1}, {"is": "A", "c": 1}, [Field("b", 1, None), Field("c", None, 1)]),
        ({"is": "A"}, {"is": "B"}, [Field("", {"is": "A"}, {"is": "B"})]),
    ],
)
def test_the_innermost_places_are_shown(expected: Json, came: Json, places: list[Field]) -> None:
    compare("it", expected, expected)
    with pytest.raises(Diverged, match="what is compared") as caught:
        compare("what is compared", expected, came)
    assert list(caught.value.fields) == places


def test_a_field_reads_as_a_sentence() -> None:
    assert str(Field("trip.warned", True, None)) == "trip.warned: expected true, came -"
    with pytest.raises(Diverged) as caught:
        diverge("a thing", "this", "that")
    assert str(caught.value.fields[0]) == 'it: expected "this", came "that"'
