"""The fixtures of the pytest plugin. Imports nothing of the project before a test asks for one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from firmware.inprocess.plugin import GARAGE

if TYPE_CHECKING:
    from firmware.inprocess.booked import Booked
    from firmware.inprocess.garage import Garage
    from firmware.inprocess.module import Module
    from firmware.inprocess.owner import Owner
    from host_tools.phone.client import Phone


@pytest_asyncio.fixture(loop_scope="function")
async def sharebox_modules(request: pytest.FixtureRequest) -> AsyncIterator[Garage]:
    """Makes modules: `await sharebox_modules()` is another car in the same air."""
    from firmware.inprocess.garage import opened
    from firmware.inprocess.options import options_of

    async with opened(options_of(request)) as garage:
        request.node.stash[GARAGE] = garage
        yield garage


@pytest_asyncio.fixture(loop_scope="function")
async def sharebox_module(sharebox_modules: Garage) -> Module:
    """A module with its car, on the air: bleak sees it."""
    return await sharebox_modules()


@pytest_asyncio.fixture(loop_scope="function")
async def sharebox_booking(sharebox_module: Module) -> Booked:
    """A booking of that module for two hours, which begins now."""
    return await sharebox_module.book("2h")


@pytest_asyncio.fixture(loop_scope="function")
async def sharebox_phone(sharebox_module: Module, sharebox_booking: Booked) -> AsyncIterator[Phone]:
    """A phone with that booking and an open session."""
    async with sharebox_module.phone(sharebox_booking) as phone:
        yield phone


@pytest_asyncio.fixture(loop_scope="function")
async def sharebox_broker(sharebox_module: Module) -> Owner:
    """What the owner's side has been told by the module; its network can go down and up."""
    return sharebox_module.owner
