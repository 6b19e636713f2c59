"""The fixtures where pytest-asyncio is missing have the names of the real ones."""

import pytest

from firmware.inprocess import fixtures, without_asyncio
from firmware.inprocess.plugin import FIXTURES


@pytest.mark.parametrize("module", [fixtures, without_asyncio])
def test_each_fixture_is_there(module: object) -> None:
    assert {name for name in vars(module) if name.startswith("sharebox_")} == FIXTURES
