"""A headless Chromium, and what a page did in it that it must not do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.support import needs

_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_WATCH_POLICY: Final = """
    document.addEventListener("securitypolicyviolation", (event) =>
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The program of this computer; nothing is fetched for it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs.find("chromium"), args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, and every fault that it showed."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.faults: list[str] = []
        self._origin = origin
        page.add_init_script(_WATCH_POLICY)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self._origin, "file:")):
            self.faults.append(f"outside: {request.url}")


@contextmanager
def opened(browser: Browser, address: str, *, width: int, height: int, dark: bool = False) -> Iterator[Watched]:
    """A fresh page at `address`."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    try:
        watched = Watched(context.new_page(), address.partition("#")[0])
        watched.page.goto(address)
        yield watched
    finally:
        context.close()
