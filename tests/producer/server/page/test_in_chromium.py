"""The whole story in a real browser, with a real agent whose jobs are real processes; and every page for everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from broker_config.settings import Settings
from broker_config.store import Store
from producer import Client
from producer.server.app import create_app
from producer.server.serving import serving
from tests.agents import AgentProcess
from tests.producer.conftest import HandAgent
from tests.producer.server.page.believable import Past
from tests.producer.server.page.chromium import DESK, PHONE, SECONDS, chromium, visiting

CONFIG = 'env:\n  RATE: "{{rate}}"\n'

NOTE_FOCUS = """() => {
    const one = document.activeElement;
    reached.add(one);
    const isMarked = [one, one.closest(".numbered")].some((it) => it && getComputedStyle(it).outlineStyle !== "none");
    if (one !== document.body && !isMarked) unmarked.push(one.outerHTML);
}"""
"""Remembers what has the focus, and whether that can be seen."""

JOB = """\
import os, pathlib, sys, time
print("rate", os.environ["RATE"], flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.05)
print("\\x1b[32mdone\\x1b[0m", flush=True)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=SECONDS * 1000)
    with chromium() as browser:
        yield browser


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    with serving(create_app(settings)) as url:
        yield url


def create_a_queue(page: Page) -> None:
    """Through the form, first with a mistake, which is told while it is written."""
    page.get_by_role("link", name="Queues").click()
    page.get_by_role("link", name="Create a queue").click()
    page.get_by_label("Name").fill("gpu")
    page.get_by_label("Resource").select_option("local-process")
    page.get_by_label("Config").fill(CONFIG)
    expect(page.locator("#findings .error")).to_contain_text("rate")
    page.get_by_label("Template variables").fill("rate: {type: number, maximum: 1, default: 0.5}")
    expect(page.locator("#findings")).to_have_text("Nothing is wrong with it.")
    page.get_by_role("button", name="Create the queue").click()


def launch(page: Page) -> None:
    """Through the form that the queue's schema makes, with a plan beside it."""
    page.get_by_role("link", name="Launch", exact=True).click()
    page.get_by_label("Named job").check()
    page.get_by_label("Job", exact=True).fill("train:v0")
    page.get_by_label("rate").fill("0.25")
    expect(page.locator("#plan")).to_contain_text("RATE")
    page.get_by_role("button", name="Launch").click()


def relaunch(page: Page) -> None:
    """The same again, as its page offers it."""
    page.get_by_role("link", name="Relaunch").click()
    expect(page.get_by_label("rate")).to_have_value("0.25")
    page.get_by_role("button", name="Launch").click()


@pytest.fixture
def go(yard: Client, tmp_path: Path, python: str) -> Iterator[Path]:
    """The file for which the jobs of the named job `train` wait, once they have printed their first line."""
    folder, go = tmp_path / "code", tmp_path / "go"
    folder.mkdir()
    (folder / "train.py").write_text(JOB)
    yard.jobs.create(name="train", source=folder, entry_point=[python, "train.py", str(go)])
    yield go
    # A job outlives its agent.
    go.touch()


@pytest.fixture
def agent_of_gpu(settings: Settings) -> Iterator[AgentProcess]:
    """An agent with one slot, which a test starts."""
    agent = AgentProcess(settings, "gpu", max_jobs=1)
    yield agent
    agent.stop()


def test_the_whole_story(browser: Browser, url: str, key: str, go: Path, agent_of_gpu: AgentProcess) -> None:
    with visiting(browser, url) as visitor:
        page = visitor.page
        log, status, reasons = (page.locator(part) for part in ("#log", "#status", "#reasons"))

        # Given somebody who signs in, creates a queue, and launches on it
        visitor.sign_in(key)
        create_a_queue(page)
        launch(page)

        # Then the run's page says why it waits
        expect(reasons).to_contain_text("No agent is alive, and none is known for queue 'gpu'")
        page.evaluate("window.stayed = true")

        # When an agent comes
        agent_of_gpu.start()

        # Then what the job prints is there without a reload, and so is its end
        expect(log).to_contain_text("rate 0.25")
        expect(status).to_contain_text("running")
        expect(log).not_to_contain_text("done")
        go.touch()
        expect(log.locator(".ansi-2")).to_have_text("done")
        expect(status).to_contain_text("Succeeded")
        assert page.evaluate("window.stayed")

        # When it is launched again twice
        go.unlink()
        relaunch(page)
        expect(status).to_contain_text("running")
        second = page.url
        relaunch(page)

        # Then the third one says what it waits for
        expect(reasons).to_contain_text("Agent agent@test has 1 of at most 1 run.")
        third = page.url

        # When the second one is cancelled
        page.goto(second)
        page.get_by_role("button", name="Cancel").click()
        expect(status).to_contain_text("Was cancelled")

        # Then the third one runs
        page.goto(third)
        expect(log).to_contain_text("rate 0.25")
        go.touch()
        expect(status).to_contain_text("Succeeded")


def test_a_log_is_shown_from_its_end(browser: Browser, url: str, key: str, seen: list[str]) -> None:
    with visiting(browser, url) as visitor:
        visitor.sign_in(key)
        visitor.page.goto(f"{url}{seen[-3]}")
        expect(visitor.page.get_by_text("step 99")).to_be_in_viewport()
        expect(visitor.page.get_by_text("step 0 ")).not_to_be_in_viewport()
        expect(visitor.page.get_by_label("Follow")).to_be_checked()


def test_a_log_can_be_searched(browser: Browser, url: str, key: str, seen: list[str]) -> None:
    with visiting(browser, url) as visitor:
        visitor.sign_in(key)
        visitor.page.goto(f"{url}{seen[-3]}")
        expect(visitor.page.locator("#log")).to_contain_text("step 99")
        visitor.page.get_by_label("Search").fill("STEP 4")
        expect(visitor.page.locator("#hits")).to_have_text("11 lines")
        expect(visitor.page.get_by_text("step 5", exact=True)).to_be_hidden()


@pytest.fixture
def seen(store: Store, settings: Settings, key: str, yard: Client, gpu: str, agent: HandAgent) -> list[str]:
    """The addresses of all pages, of an installation in which there is something on each."""
    Past(store, settings).write()
    running, failed, waiting = (yard.launch(queue=gpu, source="team/train:1", name=f"resnet-{n}").id for n in range(3))
    run = agent.start(running)
    agent.print(run, *(f"\x1b[{30 + n % 8}mstep {n}\x1b[0m of a long training" for n in range(100)))
    agent.finish(agent.start(failed), 137)
    queue = yard.queues.get(gpu).queue
    yard.queues.edit(queue.model_copy(update={"max_running": 3}), note="one node is away")
    yard.queues.set_paused(gpu, True, "the disk is full")
    of_queue = f"/queues/default/{gpu}"
    return [
        *("/", "/queues", "/queues/new", "/runs", "/runs?state=preempted", "/agents", "/images"),
        *(of_queue, f"{of_queue}/edit", f"{of_queue}/launch"),
        *(f"/runs/{run_id}" for run_id in (running, failed, waiting)),
    ]


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_every_page_can_be_used_by_everybody(
    *, browser: Browser, url: str, key: str, seen: list[str], size: tuple[int, int], is_dark: bool
) -> None:
    found: list[str] = []
    with visiting(browser, url, size=size, is_dark=is_dark) as visitor:
        # Given the page to sign in, and each page behind it
        visitor.page.goto(f"{url}/signin")
        found += visitor.violations()
        visitor.sign_in(key)
        for path in seen:
            visitor.page.goto(f"{url}{path}")
            visitor.page.wait_for_load_state("load")
            # Then axe finds nothing, and nothing is wider than the window
            found += visitor.violations()
            if visitor.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{path} is wider than {size[0]} pixels")
    assert found == []


def test_the_keyboard_is_enough(browser: Browser, url: str, key: str, seen: list[str]) -> None:
    with visiting(browser, url) as visitor:
        page = visitor.page
        visitor.sign_in(key)
        for path in seen:
            # Given a page
            page.goto(f"{url}{path}")
            wanted = page.evaluate(
                "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]"
                ".filter((one) => one.checkVisibility() && (one.type !== 'radio' || one.checked)).length"
            )
            # When somebody goes through it with the tab key
            page.evaluate("document.activeElement?.blur(); window.reached = new Set(), window.unmarked = []")
            for _ in range(wanted + 20):
                page.keyboard.press("Tab")
                page.evaluate(NOTE_FOCUS)
            # Then everything that can be used is reached, and it is seen where one is
            reached = page.evaluate(
                "[...reached].filter((one) => one.matches('a, button, input, select, textarea, summary')).length"
            )
            assert reached == wanted, path
            assert page.evaluate("unmarked") == [], path


def test_the_skip_link_leads_past_the_pages_list(browser: Browser, url: str, key: str) -> None:
    with visiting(browser, url) as visitor:
        visitor.sign_in(key)
        visitor.page.goto(f"{url}/queues")
        visitor.page.keyboard.press("Tab")
        expect(visitor.page.get_by_text("Skip to the content")).to_be_focused()
        visitor.page.keyboard.press("Enter")
        visitor.page.keyboard.press("Tab")
        expect(visitor.page.get_by_role("link", name="Create a queue")).to_be_focused()


def test_lists_stay_up_to_date_and_keep_the_focus(browser: Browser, url: str, key: str, yard: Client, gpu: str) -> None:
    with visiting(browser, url) as visitor:
        page = visitor.page
        # Given the overview with the focus on a queue in it
        visitor.sign_in(key)
        page.get_by_role("link", name=gpu, exact=True).focus()
        # When a run is launched elsewhere
        yard.launch(queue=gpu, source="team/train:1", name="resnet")
        # Then it is shown, and the focus is where it was
        expect(page.locator("#recent")).to_contain_text("resnet")
        expect(page.get_by_role("link", name=gpu, exact=True).first).to_be_focused()


def test_what_changes_while_a_page_opens_is_not_missed(
    browser: Browser, url: str, key: str, yard: Client, gpu: str
) -> None:
    def launch_first(route: Route) -> None:
        yard.launch(queue=gpu, source="team/train:1", name="resnet")
        route.continue_()

    with visiting(browser, url) as visitor:
        # Given a run that is launched after the overview was read, and before it listens
        visitor.page.route("**/api/v1/stream", launch_first, times=1)
        # When the overview is opened
        visitor.sign_in(key)
        # Then it shows the run
        expect(visitor.page.locator("#recent")).to_contain_text("resnet")


def test_a_mistake_is_one_click_away(browser: Browser, url: str, key: str) -> None:
    with visiting(browser, url) as visitor:
        page = visitor.page
        visitor.sign_in(key)
        page.goto(f"{url}/queues/new")
        page.get_by_label("Name").fill("gpu")
        page.get_by_label("Config").fill("env:\n  A: 1\n  A: 2\n")
        # When the place of a finding is clicked
        page.get_by_role("button", name=re.compile("config:3:")).click()
        # Then the cursor is in that line
        before = page.evaluate("document.activeElement.value.slice(0, document.activeElement.selectionStart)")
        assert before.count("\n") == 2
        # And the line is marked
        expect(page.locator('.gutter[data-of="config"] .error')).to_have_count(1)


def test_a_connection_that_is_lost_is_told(browser: Browser, settings: Settings, key: str) -> None:
    with ExitStack() as stack:
        # Given the overview
        server = ExitStack()
        url = server.enter_context(serving(create_app(settings)))
        visitor = stack.enter_context(visiting(browser, url))
        visitor.sign_in(key)
        # When its server goes away
        server.close()
        # Then the page says that it is not up to date any more
        expect(visitor.page.locator("#connection")).to_be_visible()
        # The browser's own word on that is no fault.
        visitor.faults.clear()
