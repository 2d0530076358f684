"""Pictures of every page, in light and in dark, for docs/pages: `make screenshots`."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from broker_config.embedded import EmbeddedBroker
from broker_config.settings import Settings
from broker_config.store import Store
from producer.server.app import create_app
from producer.server.serving import serving
from tests.producer.server.page.believable import GPU, SHOWN, SPOT, Past
from tests.producer.server.page.chromium import Visitor, chromium, visiting
from tests.producer.server.page.conftest import key_of

FOLDER = Path(__file__).parents[4] / "docs" / "pages"
QUALITY = 80

MISTAKEN = """\
spec:
  template:
    spec:
      containers:
      - resources:
          limits:
            nvidia.com/gpu: "{{gpu}}"
"""


@contextmanager
def installation() -> Iterator[tuple[str, str, Past]]:
    """The believable one: its URL, an admin's key, and what happened there."""
    with tempfile.TemporaryDirectory(prefix="ly-") as folder:
        broker = EmbeddedBroker(Path(folder))
        broker.ensure_running()
        settings = Settings(home=Path(folder), broker_url=broker.url)
        store = Store(settings)
        try:
            key = key_of(store, "alice", is_admin=True)
            past = Past(store, settings)
            past.write()
            with serving(create_app(settings)) as url:
                yield url, key, past
        finally:
            store.close()
            broker.stop()


def take_all() -> None:
    """Make all pictures anew."""
    FOLDER.mkdir(exist_ok=True)
    with installation() as (url, key, past), chromium() as browser:
        for look in ("light", "dark"):
            with visiting(browser, url, is_dark=look == "dark") as visitor:
                _go_round(visitor, key, past, look)


def _go_round(visitor: Visitor, key: str, past: Past, look: str) -> None:
    page, runs = visitor.page, past.runs
    page.goto(f"{visitor.url}/signin")
    _take(page, "sign-in", look)
    visitor.sign_in(key)
    addresses = {
        "overview": "/",
        "queues": "/queues",
        "queue": f"/queues/{GPU}",
        "runs": "/runs",
        "run": f"/runs/{runs[SHOWN]}",
        "run-that-waits": f"/runs/{runs['segment-v2']}",
        "run-that-failed": f"/runs/{runs['detector-wide']}",
        "agents": "/agents",
        "images": "/images",
    }
    for name, address in addresses.items():
        page.goto(visitor.url + address)
        if name == "run":
            page.get_by_text("epoch 40").wait_for()
        _take(page, name, look)
    page.goto(f"{visitor.url}/queues/{SPOT}/launch?like={runs['pretrain-1b-try']}")
    page.locator("#plan pre").wait_for()
    _take(page, "launch", look)
    page.goto(f"{visitor.url}/queues/new")
    page.get_by_label("Name").fill("gpu-large")
    page.get_by_label("Resource").select_option("kubernetes")
    page.get_by_label("Config").fill(MISTAKEN)
    page.locator("#findings .error", has_text="gpu").wait_for()
    page.locator("#findings").scroll_into_view_if_needed()
    _take(page, "create-a-queue", look)


def _take(page: Page, name: str, look: str) -> None:
    """The window as WebP, which Playwright itself does not write: a third of PNG's size."""
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    (FOLDER / f"{name}-{look}.webp").write_bytes(base64.b64decode(taken["data"]))


if __name__ == "__main__":
    take_all()
