"""The fixtures by themselves: that each gives what its name says. More of them: test_plugin."""

import asyncio

import pytest

from firmware.inprocess.booked import Booked
from firmware.inprocess.garage import Garage
from firmware.inprocess.module import Module
from firmware.inprocess.owner import Owner
from host_tools.phone.client import Phone
from host_tools.virtual_time import VirtualTimeLoop


@pytest.mark.req("BEN-3")
async def test_one_test_s_fixtures_are_about_one_module_on_virtual_time(
    sharebox_modules: Garage,
    sharebox_module: Module,
    sharebox_booking: Booked,
    sharebox_phone: Phone,
    sharebox_broker: Owner,
) -> None:
    assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
    assert sharebox_modules.modules == [sharebox_module]
    assert sharebox_booking.file.module_id.hex() == sharebox_module.id
    assert sharebox_phone.access.granted
    assert sharebox_broker is sharebox_module.owner


@pytest.mark.sharebox(mtu=23, begins="2027-01-01T08:00Z")
async def test_the_marker_is_followed(sharebox_module: Module, sharebox_booking: Booked) -> None:
    assert (await sharebox_module.now()).isoformat().startswith("2027-01-01T08:00:00")
    assert sharebox_module.rig.att_mtu == 23


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_test_that_names_its_loop_keeps_it_and_its_world_begins_at_the_same_time(
    sharebox_module: Module,
) -> None:
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
    assert (await sharebox_module.now()).isoformat().startswith("2026-10-30T10:")
