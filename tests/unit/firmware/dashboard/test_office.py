"""What is granted, ordered and waits at the broker; a code is for the owner's eyes alone."""

import asyncio

import pytest

from firmware.dashboard.acts import ActRefused, DeskAct, MenuAct, OwnerAct, PersonAct
from tests.support.page import page


def code_of(words: str) -> str:
    """The six digits that the owner reads."""
    return "".join(each for each in words if each.isdigit())


@pytest.mark.req("KEY-1", "KEY-2", "KEY-3", "KEY-5")
async def test_a_guest_gets_a_key_and_its_code_opens_it_in_the_car() -> None:
    async with page() as shown:
        await shown.press(PersonAct("ben"))
        assert shown.view["driver"]["labels"]["ask"] == "Ask for a key"
        await shown.driver("ask")
        assert shown.view["owner"]["asked"] == "Ben asks for a key."
        await shown.press(OwnerAct("accept"))
        code = code_of(shown.view["owner"]["code"])
        assert len(code) == 6
        await shown.driver("connect")
        view = await shown.until(lambda view: view["menu"]["keys"] and view["driver"]["refusal"])
        assert view["menu"]["keys"][0]["state"] == "waits for its code"
        assert "ACTIVATION_REQUIRED" in dict(view["driver"]["refusal"])["Rule"]
        await asyncio.sleep(6)
        await shown.press(MenuAct(code))
        await shown.until(lambda view: view["driver"]["slider"]["blue"])
        await shown.driver("slide", "boot")
        view = await shown.until(lambda view: not view["car"]["locked"])
        assert view["car"]["boot"] is True
        assert "A shared key was activated" in shown.said("owner")
        await shown.press(DeskAct(f"menu activate {code}"))
        assert "> menu activate ******" in shown.said("bench")
        assert all(code not in line.text for line in shown.lines)


@pytest.mark.req("OWN-4")
async def test_whoever_has_bought_the_car_takes_it_over_in_minutes() -> None:
    async with page() as shown:
        await shown.press(DeskAct("keys 2"), PersonAct("nora"))
        await asyncio.sleep(10)
        assert shown.view["driver"]["labels"]["ask"] == "Take over"
        await shown.driver("ask")
        view = await shown.until(lambda view: view["menu"]["takeover"])
        assert view["menu"]["takeover_words"].startswith("This car is being taken over")
        await asyncio.sleep(185)
        assert "Nora owns the car now, and has a key" in shown.said("owner")
        assert shown.view["menu"]["takeover"] is None
        roles = {each["id"]: each["role"] for each in shown.view["scene"]["people"]}
        assert (roles["nora"], roles["olivia"]) == ("owner", "buyer")
        await shown.driver("connect", "unlock")
        assert shown.view["car"]["locked"] is False
        await shown.press(PersonAct("olivia"))
        with pytest.raises(ActRefused, match="before the car's keys were changed"):
            await shown.driver("connect", "unlock")
        assert "WRONG_KEY_EPOCH" in dict(shown.view["driver"]["refusal"])["Rule"]


async def test_a_guest_who_is_declined_gets_no_code_and_a_booking_can_be_ended_twice() -> None:
    async with page() as shown:
        await shown.press(PersonAct("ben"))
        await shown.driver("ask")
        await shown.press(OwnerAct("decline"))
        assert shown.view["owner"]["code"] == ""
        await shown.press(PersonAct("anna"))
        await asyncio.sleep(6)
        await shown.driver("connect", "end")
        await shown.press(OwnerAct("end"))
        assert "orders the end of Anna's booking" in shown.said("owner")
