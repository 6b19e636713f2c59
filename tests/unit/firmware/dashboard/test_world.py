"""The world behind the page, on virtual time: each press goes where it belongs, and each role sees its own part."""

import asyncio
import os
from pathlib import Path

import pytest

from firmware.dashboard import places
from firmware.dashboard.acts import (
    ActRefused,
    DeskAct,
    DriveAct,
    FaultAct,
    NextAct,
    OwnerAct,
    PersonAct,
    StopAct,
)
from firmware.dashboard.owner import HIDDEN
from firmware.dashboard.world import open_world, paced
from firmware.pace import PacedLoop
from tests.support.page import Page, View, page


async def test_at_first_the_car_is_parked_at_home_and_the_first_driver_has_a_booking() -> None:
    async with page() as shown:
        view = await shown.until(lambda view: view["owner"]["facts"])
        assert view["scene"]["person"] == "anna"
        assert view["scene"]["power"] is True
        assert view["driver"]["slider"] == {"blue": False, "label": "Not connected", "why": ""}
        assert view["owner"]["link"]["words"] == "The module is online"
        assert view["owner"]["place"] == view["car"]["place"]
        assert view["time"]["clock"] == "10:00:00"
        assert "Anna has a booking for two hours, from now" in shown.said("owner")


@pytest.mark.req("ACC-1", "ACC-10", "PRV-1", "PRV-3")
async def test_a_session_turns_the_slider_blue_and_hides_the_car_from_the_owner() -> None:
    async with page() as shown:
        await shown.driver("connect", "slide")
        view = await shown.until(lambda view: view["owner"]["veil"] == HIDDEN)
        assert view["driver"]["slider"]["blue"] is True
        assert view["driver"]["countdown"]["words"] == "left"
        assert view["driver"]["place"] is not None
        assert view["owner"]["place"] is None
        assert view["owner"]["headline"] == "A driver has the car"
        assert view["car"]["locked"] is False
        assert view["time"]["next"].startswith("To the booking’s end, in 1 h 59 min")  # noqa: RUF001


async def test_a_refusal_of_the_phone_is_told_and_shown() -> None:
    async with page() as shown:
        with pytest.raises(ActRefused, match="not connected"):
            await shown.driver("unlock")
        assert "Anna's phone: unlock was not sent" in shown.said("phone")[-1]
        with pytest.raises(ActRefused, match="a phone has no dance"):
            await shown.driver("dance")


async def test_a_driver_asks_the_owner_accepts_and_the_phone_has_a_new_booking() -> None:
    async with page() as shown:
        await shown.driver("connect")
        await asyncio.sleep(10)
        await shown.driver("end")
        view = await shown.until(lambda view: not view["driver"]["slider"]["blue"])
        assert view["driver"]["notice"] == "Ended, 0 m from home. The car has signed a receipt."
        await shown.driver("ask")
        assert shown.view["owner"]["asked"] == "Anna asks for the car, for two hours."
        await shown.press(OwnerAct("accept"))
        assert shown.view["owner"]["asked"] == ""
        await shown.driver("connect", "connect")
        await shown.until(lambda view: view["driver"]["slider"]["blue"])


@pytest.mark.req("ACC-4")
async def test_somebody_else_has_a_phone_of_their_own_and_waits_while_the_car_is_taken() -> None:
    async with page() as shown:
        await shown.driver("connect")
        await shown.press(PersonAct("victor"))
        assert shown.view["driver"]["slider"]["label"] == "No booking, no key"
        await shown.driver("ask", "connect")
        view = await shown.until(lambda view: view["driver"]["refusal"])
        assert "VEHICLE_IN_USE" in dict(view["driver"]["refusal"])["Rule"]
        assert view["driver"]["slider"]["blue"] is False
        await shown.press(PersonAct("anna"))
        assert shown.view["driver"]["slider"]["blue"] is True


@pytest.mark.req("BKG-2", "PRV-2")
async def test_the_owner_ends_the_booking_from_afar_and_sees_where_the_car_is_parked() -> None:
    async with page() as shown:
        with pytest.raises(ActRefused, match="nobody has asked"):
            await shown.press(OwnerAct("accept"))
        await shown.driver("connect")
        await asyncio.sleep(10)
        await shown.press(OwnerAct("end"))
        view = await shown.until(lambda view: view["owner"]["place"])
        assert view["owner"]["place_words"].startswith("Parked here")
        assert "The order was carried out" in shown.said("owner")
        assert view["driver"]["slider"]["blue"] is False
        with pytest.raises(ActRefused, match="the owner has no wish"):
            await shown.press(OwnerAct("wish"))


async def test_a_line_for_the_desk_is_answered_in_the_log_and_so_is_nonsense() -> None:
    async with page() as shown:
        await shown.press(DeskAct("time"))
        assert shown.said("bench")[0] == "> time"
        assert shown.said("bench")[1].startswith("World:")
        with pytest.raises(ActRefused, match="there is no such command"):
            await shown.press(DeskAct("dance"))
        assert shown.lines[-1].weight == "alert"


@pytest.mark.req("CUT-1", "CUT-2", "CUT-3", "CUT-6", "CUT-7", "PRV-1", "PRV-2", "TEL-3")
async def test_a_late_return_without_a_network_is_cut_off_once_parked_and_the_owner_hears_of_it_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("firmware.dashboard.office.BOOKED_S", 30 * 60)  # the browser plays it with two hours
    async with page() as shown:
        await shown.driver("connect", "unlock", "drive")
        await shown.press(DriveAct("airport"))
        view = await shown.until(lambda view: view["car"]["moves"])
        assert view["car"]["way"] == [view["car"]["place"]["at"], places.PLACES[2].at]
        await shown.press(FaultAct("network", True), NextAct())
        assert shown.view["driver"]["countdown"]["is"] == "overdue"
        await shown.press(NextAct(), NextAct())
        assert shown.view["driver"]["countdown"]["is"] == "pending"
        assert shown.view["driver"]["slider"]["blue"] is True
        assert shown.view["time"]["next"] == ""

        await shown.press(DeskAct("park"), DeskAct("time move 1m"))
        view = await shown.until(lambda view: view["driver"]["refusal"])
        assert dict(view["driver"]["refusal"])["Rule"] == "CUT-2 (BOOKING_CUT_OFF)"
        assert view["driver"]["slider"]["blue"] is False
        assert view["owner"]["link"]["is"] == "bad"
        assert view["owner"]["place"] is None
        assert all(fault["on"] == (fault["id"] == "network") for fault in view["faults"])

        await shown.press(FaultAct("network", False))
        view = await shown.until(lambda view: view["owner"]["place"])
        assert view["owner"]["headline"] == "The last booking was cut off"
        assert view["owner"]["place"]["at"] == places.PLACES[2].at
        assert "The doors are unlocked" in shown.said("owner")


async def test_the_drive_waits_for_the_immobiliser_and_needs_a_place() -> None:
    async with page() as shown:
        with pytest.raises(ActRefused, match="immobiliser is armed"):
            await shown.press(DriveAct("lake"))
        with pytest.raises(ActRefused, match="no place called moon"):
            await shown.press(DriveAct("moon"))


async def test_an_order_for_a_module_that_is_away_waits_at_the_broker() -> None:
    async with page() as shown:
        await shown.driver("connect")
        await asyncio.sleep(10)
        await shown.press(FaultAct("network", True), OwnerAct("end"))
        assert "it waits at the broker" in shown.said("owner")[-1]
        await asyncio.sleep(60)
        assert shown.view["driver"]["slider"]["blue"] is True
        await shown.press(FaultAct("network", False))
        await shown.until(lambda view: not view["driver"]["slider"]["blue"])


async def test_a_module_without_power_is_said_and_comes_back() -> None:
    async with page() as shown:
        await shown.driver("connect")
        await shown.press(FaultAct("power", True))
        assert shown.view["scene"]["power"] is False
        assert shown.view["time"]["next"] == ""
        await shown.until(lambda view: view["driver"]["link"]["is"] == "bad")
        with pytest.raises(ActRefused, match="reboot"):
            await shown.press(DeskAct("reboot --rtc never"))
        await shown.press(FaultAct("power", False))
        await shown.until(lambda view: view["driver"]["slider"]["blue"])
        presence = [text for text in shown.said("owner") if text in ("Online", "Offline")]
        assert presence == ["Online", "Offline", "Online"]


def test_a_press_is_carried_out_while_time_is_paused() -> None:
    async def story() -> tuple[View, View]:
        shown = Page()
        async with open_world(shown.lines.append, paced) as world:
            shown.world = world
            await shown.press(DeskAct("time freeze"))
            before = shown.view
            await shown.driver("connect", "unlock")
            return before, shown.view

    with asyncio.Runner(loop_factory=PacedLoop) as runner:
        before, after = runner.run(story())
    assert before["time"]["pace"] == after["time"]["pace"] == "frozen"
    assert (before["car"]["locked"], after["car"]["locked"]) == (True, False)


async def test_what_takes_too_long_is_called_off_and_time_stays_where_it_has_come_to() -> None:
    async with page() as shown:
        await shown.press(StopAct())
        assert shown.said("bench")[-1] == "nothing is under way"
        moving = asyncio.create_task(shown.press(DeskAct("time move 300d")))
        await asyncio.sleep(60)
        assert (shown.view["time"]["under_way"], shown.view["time"]["pace"]) == (True, "moves")
        await shown.press(StopAct())
        with pytest.raises(ActRefused, match="it was called off"):
            await moving
        assert shown.said("bench")[-1] == "called off"
        time = shown.view["time"]
        assert (time["clock"], time["pace"], time["under_way"]) == ("10:01:00", "frozen", False)


async def test_the_page_passes_no_line_on_that_touches_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with page() as shown:
        for line in (f"trace play {tmp_path}", "record start"):
            with pytest.raises(ActRefused, match="the dashboard reads and writes no files"):
                await shown.press(DeskAct(line))
    assert not os.listdir(tmp_path)


async def test_without_a_booking_in_the_car_no_deadline_lies_ahead() -> None:
    async with page() as shown:
        assert shown.view["time"]["next"] == ""
        with pytest.raises(ActRefused, match="no deadline"):
            await shown.press(NextAct())
        with pytest.raises(ActRefused, match="no fault called rain"):
            await shown.press(FaultAct("rain", True))
