"""The fixtures of the pytest plugin where pytest-asyncio is missing: each says so."""

from typing import NoReturn

import pytest


def _missing() -> NoReturn:
    pytest.fail("the sharebox fixtures need pytest-asyncio, which is not active. Install pytest-asyncio 1.4 or later.")


@pytest.fixture
def sharebox_modules() -> None:
    """Not here."""
    _missing()


@pytest.fixture
def sharebox_module() -> None:
    """Not here."""
    _missing()


@pytest.fixture
def sharebox_booking() -> None:
    """Not here."""
    _missing()


@pytest.fixture
def sharebox_phone() -> None:
    """Not here."""
    _missing()


@pytest.fixture
def sharebox_broker() -> None:
    """Not here."""
    _missing()
