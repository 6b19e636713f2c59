"""The dashboard in a real browser: a whole overdue story, the keyboard, a phone's size, and coming back."""

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import chromium, opened

pytestmark = pytest.mark.needs("chromium")

expect.set_options(timeout=20_000)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@contextmanager
def dashboard(port: int = 0, *more: str, opens: Path | None = None) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """`sharebox dashboard` as a program, and its address. `opens`: with what it opens the page by itself."""
    command = [sys.executable, "-m", "firmware", "dashboard", "--port", str(port), *more]
    command += ["--no-open"] if opens is None else []
    env = os.environ | ({} if opens is None else {"BROWSER": str(opens)})
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=env) as program:
        try:
            assert program.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+/#[\w-]{32}", program.stdout.readline())
            assert found is not None
            yield found[0], program
        finally:
            program.send_signal(signal.SIGINT)
            assert program.wait(20) in (0, -signal.SIGKILL)


class Opener:
    """A program in a browser's place; it tells what it was started with."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "opener"
        told = folder / "told"
        os.mkfifo(told)
        self._told = os.open(told, os.O_RDWR | os.O_NONBLOCK)
        self.path.write_text(f"#!/bin/sh\nprintf %s \"$*\" > '{told}'\n")
        self.path.chmod(0o700)

    def started_with(self) -> str:
        """Waits for it."""
        readable, _, _ = select.select([self._told], [], [], 20)
        assert readable
        return os.read(self._told, 4096).decode()


def fact(page: Page, where: str, name: str) -> str:
    """A value of a card's list of facts."""
    row = page.locator(f"#{where} div", has=page.get_by_text(name, exact=True)).locator("dd")
    return row.inner_text()


def press(page: Page, button: str) -> None:
    """As soon as it is not busy with the press before."""
    expect(page.locator(button)).not_to_have_attribute("aria-busy", "true")
    page.click(button)


def desk(page: Page, line: str) -> None:
    """Type a line at the desk, and wait until it has been carried out."""
    with page.expect_response(lambda response: line in (response.request.post_data or "")) as answered:
        page.fill("#desk-line", line)
        page.press("#desk-line", "Enter")
    assert "lines" in answered.value.json(), answered.value.text()


def opens_and_drives(page: Page) -> None:
    expect(page.locator("#slider-label")).to_have_text("Not connected")
    expect(page.locator("#owner-place")).to_contain_text("48.13750, 11.57550")
    press(page, "[data-driver=connect]")
    expect(page.locator("#slider")).to_have_attribute("data-blue", "true")
    expect(page.locator("#slider-label")).to_have_text("Unlock")
    expect(page.locator("#owner-headline")).to_have_text("A driver has the car")
    expect(page.locator("#owner-map")).to_have_attribute("data-veil", "Hidden while a driver has the car")
    press(page, "#slider")
    expect(page.locator("#car-view")).to_have_attribute("data-locked", "false")
    press(page, "[data-driver=drive]")
    expect(page.locator("#driver-facts")).to_contain_text(re.compile(r"Driving enabled\s*yes"))
    page.select_option("#place", "airport")
    press(page, "#drive-off")
    expect(page.locator("#car-view")).to_have_attribute("data-moves", "true")
    expect(page.locator("#world-map .here")).to_be_visible()
    expect(page.locator("#owner-map .here")).to_have_count(0)


def is_late_without_a_network(page: Page) -> None:
    press(page, "[data-fault=network]")
    expect(page.locator("#owner-link")).to_contain_text("offline")
    expect(page.locator("#next")).to_contain_text("the booking’s end")  # noqa: RUF001
    press(page, "#next")
    expect(page.locator("#countdown")).to_have_attribute("data-is", "overdue")
    expect(page.locator("#count-words")).to_contain_text("once the car is parked")
    press(page, "#next")
    expect(page.locator("#next")).to_contain_text("To the cutoff")
    press(page, "#next")
    expect(page.locator("#countdown")).to_have_attribute("data-is", "pending")
    expect(page.locator("#slider")).to_have_attribute("data-blue", "true")
    expect(page.locator("#owner-headline")).to_have_text("A driver has the car")
    expect(page.locator("#owner-map .here")).to_have_count(0)


def is_cut_off_once_parked(page: Page) -> None:
    press(page, "[data-desk=park]")
    desk(page, "time move 1m")
    expect(page.locator("#slider")).to_have_attribute("data-blue", "false")
    expect(page.locator("#slider-label")).to_have_text("No access")
    expect(page.locator("#refusal")).to_contain_text("The booking was cut off: overdue 30 min")
    expect(page.locator("#refusal .rule")).to_contain_text("CUT-2")
    expect(page.locator("#refusal .remedy")).to_contain_text("request a new one")
    press(page, "#slider")
    expect(page.locator("#car-facts")).to_contain_text(re.compile(r"Immobiliser\s*armed"))
    expect(page.locator("#driver-map .here")).to_have_count(0)


def the_owner_hears_all_of_it_later(page: Page) -> None:
    expect(page.locator("#owner-map .here")).to_have_count(0)
    press(page, "[data-fault=network]")
    expect(page.locator("#owner-headline")).to_have_text("The last booking was cut off")
    expect(page.locator("#owner-place")).to_contain_text("Parked here")
    expect(page.locator("#owner-map .here")).to_be_visible()
    expect(page.locator("#owner-map")).not_to_have_attribute("data-veil", re.compile("."))
    expect(page.locator("#reports")).to_contain_text("The doors are unlocked")


def gets_a_new_booking(page: Page) -> None:
    press(page, "[data-driver=ask]")
    expect(page.locator("#asked-words")).to_contain_text("Anna asks for the car")
    press(page, "[data-owner=accept]")
    press(page, "[data-driver=connect]")
    expect(page.locator("[data-driver=connect]")).to_have_text("Connect")
    press(page, "[data-driver=connect]")
    expect(page.locator("#slider")).to_have_attribute("data-blue", "true")


def works_by_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    expect(page.locator("#shortcuts")).to_contain_text("Unlock")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("Space")
    expect(page.locator("#pace")).to_have_text("paused")
    page.keyboard.press("1")
    expect(page.locator("#pace")).to_have_text("real time")
    page.focus("#people [aria-checked=true]")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#people [data-value=victor]")).to_have_attribute("aria-checked", "true")
    expect(page.locator("#people [data-value=victor]")).to_be_focused()
    expect(page.locator("#slider-label")).to_have_text("No booking, no key")
    page.keyboard.press("/")
    page.keyboard.type("version")
    page.keyboard.press("Enter")
    expect(page.locator("#lines")).to_contain_text("> version")


def wants_a_key_and_gets_its_code(page: Page) -> str:
    page.click("#people [data-value=ben]")
    expect(page.locator("[data-driver=ask]")).to_have_text("Ask for a key")
    press(page, "[data-driver=ask]")
    expect(page.locator("#asked-words")).to_have_text("Ben asks for a key.")
    press(page, "[data-owner=accept]")
    expect(page.locator("#owner-code")).to_contain_text(re.compile(r"Ben’s code is \d{6}"))  # noqa: RUF001
    press(page, "[data-driver=connect]")
    expect(page.locator("#keys li")).to_contain_text("waits for its code")
    expect(page.locator("#refusal .rule")).to_contain_text("KEY-3")
    return re.sub(r"\D", "", page.locator("#owner-code").inner_text())


def activates_it_by_keyboard_and_loses_it_again(page: Page, code: str) -> None:
    desk(page, "time move 10s")
    page.locator("#desk-line").blur()
    page.keyboard.press("k")
    expect(page.locator("#code")).to_be_focused()
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.locator("#menu-said")).to_have_text("The key is activated")
    expect(page.locator("#code")).to_have_value("")
    expect(page.locator("#slider")).to_have_attribute("data-blue", "true")
    press(page, "[data-driver=boot]")
    expect(page.locator("#car-view")).to_have_attribute("data-boot", "true")
    expect(page.locator("#car-view")).to_have_attribute("data-locked", "true")
    page.focus("#code")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Deactivate the key of Ben")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#keys li")).to_have_count(0)
    expect(page.locator("#slider")).to_have_attribute("data-blue", "false")
    expect(page.locator("#reports")).to_contain_text("A shared key was deactivated in the vehicle")
    assert code not in page.locator("#lines").inner_text()


def changes_hands_and_calls_for_help(page: Page) -> None:
    page.select_option("#keys-inside", "2")
    page.click("#people [data-value=nora]")
    desk(page, "time move 10s")
    press(page, "[data-driver=ask]")
    expect(page.locator("#takeover-words")).to_contain_text("This car is being taken over")
    desk(page, "time move 200s")
    expect(page.locator("#takeover")).to_be_hidden()
    expect(page.locator("#people [data-value=nora]")).to_contain_text("owner")
    press(page, "#sos")
    expect(page.locator("#call")).to_contain_text("press once more to take it back")
    press(page, "#sos")
    expect(page.locator("#call")).to_have_text("The call was taken back")
    press(page, "[data-desk=crash]")
    expect(page.locator("#call")).to_have_text("The car is calling for help")
    expect(page.locator("#reports")).to_contain_text("An emergency call was made")
    desk(page, "emergency answer")
    expect(page.locator("#call")).to_have_text("Help is on its way")


@pytest.mark.req("KEY-3", "KEY-6", "OWN-4", "SVC-8")
def test_the_vehicles_menu_takes_a_code_deactivates_a_key_and_shows_a_takeover_and_a_call(browser: Browser) -> None:
    with dashboard() as (address, _), opened(browser, address, width=1440, height=900) as watched:
        page = watched.page
        expect(page.locator("#owner-place")).to_contain_text("48.13750, 11.57550")
        activates_it_by_keyboard_and_loses_it_again(page, wants_a_key_and_gets_its_code(page))
        changes_hands_and_calls_for_help(page)
        assert watched.faults == []


def takes_too_long_and_is_called_off(page: Page) -> None:
    expect(page.locator("#stop")).to_be_hidden()
    page.fill("#desk-line", "time move 366d")
    page.press("#desk-line", "Enter")
    press(page, "#stop")
    expect(page.locator("#lines")).to_contain_text("called off")
    expect(page.locator("#stop")).to_be_hidden()
    expect(page.locator("#lines")).not_to_contain_text("have passed")


def fits_a_phone(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.eval_on_selector_all(
        "main button:not([hidden]), main select, main input",
        "all => all.filter(e => e.offsetParent && !e.closest('.leaflet-container') && e.offsetHeight < 36)"
        ".map(e => e.outerHTML)",
    )
    assert small == []


@pytest.mark.req("CUT-1", "CUT-2", "CUT-3", "CUT-6", "CUT-7", "ACC-8", "ACC-10", "PRV-1", "PRV-2", "TEL-3")
def test_an_overdue_story_is_played_in_the_browser_and_each_role_sees_its_own_part(browser: Browser) -> None:
    with dashboard() as (address, _):
        with opened(browser, address, width=1440, height=900) as watched:
            page = watched.page
            opens_and_drives(page)
            is_late_without_a_network(page)
            is_cut_off_once_parked(page)
            the_owner_hears_all_of_it_later(page)
            gets_a_new_booking(page)
            assert watched.faults == []
        with opened(browser, address, width=390, height=844, dark=True) as watched:
            expect(watched.page.locator("#slider")).to_have_attribute("data-blue", "true")
            fits_a_phone(watched.page)
            works_by_keyboard_alone(watched.page)
            assert watched.faults == []


def needs_the_printed_address(page: Page, address: str) -> None:
    expect(page.locator("#banner")).to_contain_text("Open the address that sharebox dashboard printed")
    expect(page.locator("#car-facts dd")).to_have_count(0)
    press(page, "[data-desk=park]")
    expect(page.locator("#live")).to_contain_text("open the address")
    page.goto(address)
    expect(page.locator("body")).to_have_attribute("data-link", "up")
    expect(page.locator("#banner")).to_be_hidden()
    page.focus(".skip")
    page.keyboard.press("Enter")
    page.reload()
    expect(page.locator("body")).to_have_attribute("data-link", "up")


def test_a_page_needs_the_runs_key_says_when_its_server_is_gone_and_opens_by_itself(
    browser: Browser, tmp_path: Path
) -> None:
    opener = Opener(tmp_path)
    with dashboard() as (address, program):
        port = urlsplit(address).port or 0
        with opened(browser, address.partition("#")[0], width=1440, height=900) as watched:
            page = watched.page
            needs_the_printed_address(page, address)
            takes_too_long_and_is_called_off(page)
            desk(page, "power cut")
            expect(page.locator("#banner")).to_contain_text("The module has no power")
            program.kill()
            expect(page.locator("#banner")).to_contain_text("The connection to Sharebox is lost")
            with dashboard(port, "--scenario", "privacy-of-a-trip", opens=opener.path) as (anew, _):
                expect(page.locator("#banner")).to_contain_text("Open the address that sharebox dashboard printed")
                started_with = opener.started_with()
                assert anew.partition("#")[2] not in started_with
                page.goto(started_with)
                expect(page).to_have_url(anew)
                expect(page.locator("body")).to_have_attribute("data-link", "up")
                expect(page.locator("#banner")).to_be_hidden()
                expect(page.locator("#scene")).to_have_text("Where a driver goes is nobody's business")
                press(page, "#next")
                expect(page.locator("#lines li[data-who=story]").last).to_contain_text("+ ")
                assert [fault for fault in watched.faults if "ERR_" not in fault and "403" not in fault] == []
