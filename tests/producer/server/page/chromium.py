"""A real Chromium before a real server, and what may not happen in it: questions to others, errors, refusals."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.services import require

SECONDS = 30.0
"""Longest wait for anything on a page."""

PHONE = (390, 844)
DESK = (1280, 800)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, without a window."""
    program = shutil.which("chromium")
    require(program is not None, "Chromium is not installed; apt-get install chromium")
    with sync_playwright() as playwright:
        # A container has no user namespaces for its sandbox and little shared memory; it sees our own pages alone.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@dataclass
class Visitor:
    """Somebody with a tab, and what went wrong in it."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(SECONDS * 1000)
        self.page.on("request", self._check_request)
        self.page.on("console", self._check_console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))

    def sign_in(self, key: str) -> None:
        """Sign in as somebody would."""
        self.page.goto(f"{self.url}/")
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Overview").wait_for()

    def violations(self) -> list[str]:
        """What axe finds on the page that keeps people out (WCAG 2.2 A and AA, and its best practices)."""
        found = Axe().run(self.page).response["violations"]
        return [f"{self.page.url}: {one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]

    def _check_request(self, request: Request) -> None:
        if not request.url.startswith(self.url):
            self.faults.append(f"asked elsewhere: {request.url}")

    def _check_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"console: {message.text}")


@contextmanager
def visiting(browser: Browser, url: str, *, size: tuple[int, int] = DESK, is_dark: bool = False) -> Iterator[Visitor]:
    """A tab of its own. At its end nothing may have gone wrong in it."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if is_dark else "light",
        reduced_motion="reduce",
    )
    visitor = Visitor(context.new_page(), url)
    yield visitor
    context.close()
    assert not visitor.faults
