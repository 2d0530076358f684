"""The pages as HTML: what they show, and that each can be read by whoever may see what is on it."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from broker_config.accounts.rights import Role
from broker_config.history import open_history
from broker_config.history.packed import pack_log
from broker_config.history.protocol import Kept
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.store import Store
from broker_config.store.logs import LogEntry
from producer import Client
from producer.server.app import create_app
from tests.producer.conftest import HandAgent
from tests.producer.server.page.believable import Past
from tests.producer.server.page.conftest import OURS, key_of
from workers.historian import Historian


@pytest.mark.parametrize("path", ["/", "/queues", "/queues/new", "/runs", "/agents", "/images"])
def test_an_empty_installation_has_pages(browser: TestClient, path: str) -> None:
    assert browser.get(path).status_code == 200


def test_what_there_is_not_is_told_with_its_sentence(browser: TestClient) -> None:
    answer = browser.get("/queues/default/nothing")
    assert (answer.status_code, "queue &#39;nothing&#39; does not exist" in answer.text) == (404, True)
    assert browser.get("/nothing").status_code == 404


def test_the_overview_counts_and_says_what_needs_somebody(browser: TestClient, yard: Client, gpu: str) -> None:
    # Given a run that waits on a queue that nobody serves
    yard.launch(queue=gpu, source="team/train:1", name="resnet")
    # When somebody looks
    text = browser.get("/").text
    # Then it says so
    assert "none is known for queue &#39;gpu&#39;, whose resource is stub. 1 run waits." in text
    assert "resnet" in text
    # And when the queue is paused, that comes first
    yard.queues.set_paused(gpu, True, "the disk is full")
    assert (
        f"Queue &#39;gpu&#39; was paused by {yard.settings.author}: the disk is full. No agent" in browser.get("/").text
    )


def test_a_queue_shows_its_order_and_what_was_changed(browser: TestClient, yard: Client, gpu: str) -> None:
    # Given runs of two priorities, and an edit
    yard.launch(queue=gpu, source="team/train:1", name="later")
    yard.launch(queue=gpu, source="team/train:1", name="sooner", priority="high")
    queue = yard.queues.get(gpu).queue
    yard.queues.edit(queue.model_copy(update={"max_running": 3}), note="one node is away")
    # When somebody looks
    text = browser.get("/queues/default/gpu").text
    # Then they stand in their order, and the edit with its difference
    assert text.index("sooner") < text.index("later")
    assert "one node is away" in text
    assert "+max_running: 3" in text


def test_a_run_says_where_it_is(browser: TestClient, yard: Client, gpu: str, agent: HandAgent) -> None:
    first = yard.launch(queue=gpu, source="team/train:1").id
    second = yard.launch(queue=gpu, source="team/train:1").id
    assert "as the next one" in browser.get(f"/runs/{first}").text
    assert "behind 1 other" in browser.get(f"/runs/{second}").text
    run = agent.start(first)
    assert "Runs for" in browser.get(f"/runs/{first}").text
    agent.finish(run, 137)
    assert "Failed. It ended with exit code 137." in browser.get(f"/runs/{first}").text


def test_a_run_whose_queue_is_full_waits_for_nothing_else(
    browser: TestClient, store: Store, settings: Settings
) -> None:
    # Given a queue whose slots are taken, with an agent that has room
    past = Past(store, settings)
    past.write()
    # Then only the slots are told of
    text = browser.get(f"/runs/{past.runs['segment-v2']}").text
    assert "behind 1 other for" in text
    assert "runs 4 at once, and 4 are live" in text
    assert "gent rack4" not in text


def test_a_run_is_found_by_the_beginning_of_its_id(browser: TestClient, yard: Client, gpu: str) -> None:
    run = yard.launch(queue=gpu, source="team/train:1").id
    assert browser.get(f"/runs/{run[:6]}").url.path == f"/runs/{run}"


def test_runs_are_chosen_and_come_page_by_page(browser: TestClient, yard: Client, gpu: str) -> None:
    # Given more runs than one page has
    runs = yard.enqueue_many({"queue": gpu, "source": "team/train:1", "name": f"run-{n}"} for n in range(60))
    runs[0].cancel()
    # When somebody goes through them
    first = browser.get("/runs").text
    older = first.split('class="button" href="')[1].split('"')[0].replace("&amp;", "&")
    second = browser.get(older).text
    # Then each is there once, and a wish is kept
    assert [f">run-{n}<" in first for n in (59, 10, 9)] == [True, True, False]
    assert [f">run-{n}<" in second for n in (10, 9, 0)] == [False, True, True]
    cancelled = browser.get("/runs", params={"state": "cancelled"}).text
    assert (">run-0<" in cancelled, ">run-1<" in cancelled) == (True, False)


def test_a_run_is_cancelled(browser: TestClient, yard: Client, gpu: str) -> None:
    run = yard.launch(queue=gpu, source="team/train:1")
    assert "Was cancelled" in browser.post(f"/runs/{run.id}/cancel").text
    assert run.refresh().run.cancel_requested_by == "alice"


def test_a_run_that_waits_gets_another_priority(browser: TestClient, yard: Client, gpu: str) -> None:
    run = yard.launch(queue=gpu, source="team/train:1")
    browser.post(f"/runs/{run.id}/priority", data={"priority": "critical"})
    assert run.refresh().run.priority.label == "critical"
    assert browser.post(f"/runs/{run.id}/priority", data={"priority": "utmost"}).status_code == 422


def test_what_was_printed_is_shown_and_can_be_downloaded(
    browser: TestClient, yard: Client, gpu: str, agent: HandAgent
) -> None:
    run = agent.start(yard.launch(queue=gpu, source="team/train:1").id)
    agent.print(run, "<b>loss</b>", "\x1b[31mred\x1b[0m")
    lines = browser.get(f"/runs/{run.id}/log").text
    assert "&lt;b&gt;loss&lt;/b&gt;" in lines
    assert '<span class="ansi-1">red</span>' in lines
    assert browser.get(f"/runs/{run.id}/log.txt").text == "<b>loss</b>\n\x1b[31mred\x1b[0m\n"
    assert browser.get(f"/runs/{run.id}/log.txt").headers["content-type"].startswith("text/plain")


def test_what_a_name_says_to_be_a_secret_is_not_shown(browser: TestClient, yard: Client) -> None:
    config = {"env": {"API_TOKEN": "hunter2", "EPOCHS": "3"}}
    yard.queues.create(Queue(name="local", resource="local-process", config=config))
    run = yard.launch(
        queue="local", source="https://example.com/code.git", entry_point=["true"], env={"PASSWORD": "hunter3"}
    )
    for path in ("/queues/default/local", f"/runs/{run.id}"):
        text = browser.get(path).text
        assert "EPOCHS" in text
        assert "hunter" not in text


def test_a_queue_is_paused_resumed_drained_and_deleted(browser: TestClient, yard: Client, gpu: str) -> None:
    standing = f"/queues/default/{gpu}/standing"
    assert "the disk is full" in browser.post(standing, data={"action": "pause", "reason": "the disk is full"}).text
    browser.post(standing, data={"action": "resume"})
    assert not yard.queues.get(gpu).paused
    assert "it moves" in browser.post(standing, data={"action": "drain", "reason": "it moves"}).text
    assert yard.queues.get(gpu).drain_reason == "it moves"
    browser.post(standing, data={"action": "undrain"})
    assert browser.post(f"/queues/default/{gpu}/delete").url.path == "/queues"
    assert yard.queues.list() == []


def test_a_revision_holds_again(browser: TestClient, yard: Client, gpu: str) -> None:
    queue = yard.queues.get(gpu).queue
    yard.queues.edit(queue.model_copy(update={"max_running": 3}))
    browser.post(f"/queues/default/{gpu}/roll-back", data={"revision": "1", "expected": "2"})
    assert (yard.queues.get(gpu).revision, yard.queues.get(gpu).queue.max_running) == (3, None)


def test_a_viewer_sees_and_is_offered_nothing(anybody: TestClient, store: Store, yard: Client) -> None:
    # Given a viewer of a team, and a queue of the team and one of another
    key = key_of(store, "vera")
    store.accounts.add_team("team-a")
    store.accounts.set_member("team-a", "vera", Role.VIEWER)
    yard.queues.create(Queue(name="mine", entity="team-a", resource="stub"))
    yard.queues.create(Queue(name="theirs", entity="team-b", resource="stub"))
    run = yard.launch(queue="team-a/mine", source="team/train:1")
    other = yard.launch(queue="team-b/theirs", source="team/train:1")
    anybody.post("/signin", data={"key": key})
    # Then there is no button for anything
    text = anybody.get("/queues/team-a/mine").text
    assert not [word for word in (">Launch<", ">Edit<", ">Pause<", ">Delete") if word in text]
    assert ">Cancel<" not in anybody.get(f"/runs/{run.id}").text
    assert anybody.post(f"/runs/{run.id}/cancel").status_code == 403
    # And nothing of the other team's
    for path in ("/", "/queues", "/runs"):
        assert "theirs" not in anybody.get(path).text
    for path in ("/queues/team-b/theirs", "/queues/team-b/theirs/edit", "/queues/team-b/theirs/launch"):
        assert anybody.get(path).status_code == 404
    for path in (f"/runs/{other.id}", f"/runs/{other.id}/log", f"/runs/{other.id}/log.txt"):
        assert anybody.get(path).status_code == 404


def test_a_form_that_says_what_cannot_be_is_no_fault(browser: TestClient, gpu: str) -> None:
    assert browser.post("/agents/nobody/wish", data={"mode": "sleeping"}).status_code == 422
    assert browser.post(f"/queues/default/{gpu}/roll-back", data={"revision": "first"}).status_code == 422


def test_a_run_that_has_left_the_broker_is_listed_and_shown(
    settings: Settings, store: Store, yard: Client, gpu: str
) -> None:
    # Given
    settings = settings.model_copy(update={"history": f"sqlite://{settings.home}/history.db"})
    run = yard.launch(queue=gpu, source="team/train:1", name="resnet").cancel()
    historian = Historian(store, open_history(settings.history or ""), "agent@hand")
    historian.prepare()
    events, record = store.runs.events(run.id), store.runs.get(run.id)
    open_history(settings.history or "").write([Kept(record, events, [*pack_log([LogEntry("1-0", "job", ["bye"])])])])
    store.finished.forget({run.id: None})
    with TestClient(create_app(settings), headers=OURS) as browser:
        browser.post("/signin", data={"key": key_of(store, "alice", is_admin=True)})
        # Then
        assert "resnet" not in browser.get("/runs").text
        assert "resnet" in browser.get("/runs?history=yes&state=cancelled&name=res").text
        assert "resnet" not in browser.get("/runs?history=yes&author=bob").text
        page = browser.get(f"/runs/{run.id}").text
        assert "From the history: the run left the broker at" in page
        assert "Cancel</button>" not in page
        assert "bye" in browser.get(f"/runs/{run.id}/log").text
        assert browser.get(f"/runs/{run.id}/log.txt").text == "bye\n"
        assert "in the history" in browser.get("/runs").text


def test_without_a_history_there_is_no_switch(browser: TestClient) -> None:
    assert "in the history" not in browser.get("/runs").text
    assert browser.get("/runs?history=yes").status_code == 404
