"""The forms: a queue from its texts, a launch from a queue's template variables, and what is wrong with them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from broker_config.runs import Run
from producer import Client

QUEUE = {
    "entity": "default",
    "name": "gpu",
    "resource": "local-process",
    "config": "env:\n  RATE: '{{rate}}'\n",
    "template_variables": "rate: {type: number, maximum: 1, default: 0.5}",
    "max_running": "4",
    "more": "retries: {user: 1}\n",
}


class _Form(HTMLParser):
    """What a browser would send of a page's fields, as they are."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        name = of.get("name") or ""
        if tag == "input" and of.get("type") != "checkbox":
            self.values[name] = of.get("value") or ""
        elif tag == "input" and "checked" in of:
            self.values[name] = "on"
        elif tag in {"textarea", "select"}:
            self._text = name
            self.values[name] = ""
        elif tag == "option":
            self._is_chosen = "selected" in of

    def handle_data(self, data: str) -> None:
        if self.lasttag == "textarea" or (self.lasttag == "option" and self._is_chosen):
            self.values[self._text] += data

    def handle_endtag(self, tag: str) -> None:
        self.lasttag = ""


def test_a_queue_is_created_from_texts(browser: TestClient, yard: Client) -> None:
    answer = browser.post("/queues", data={**QUEUE, "prioritization": "on"})
    assert answer.url.path == "/queues/default/gpu"
    queue = yard.queues.get("gpu").queue
    assert queue.config == {"env": {"RATE": "{{rate}}"}}
    assert (queue.prioritization, queue.max_running, queue.retries.user) == (True, 4, 1)


@pytest.mark.parametrize(
    ("changed", "place", "sentence"),
    [
        ({"config": "env:\n  RATE: '{{rate}}'\n  RATE: 2"}, "config:3:", "RATE"),
        ({"config": "env:\n  RATE: '{{other}}'\n"}, "config:2:", "other"),
        ({"config": "env: {a: {{rate}}}"}, "config:1:", "write it in quotes"),
        ({"template_variables": "rate: {type: number"}, "template variables:", ""),
        ({"max_running": "-1"}, "", "write a whole number"),
        ({"more": "retry: {}"}, "", "retry"),
        ({"name": "a b"}, "", "cannot be a name"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_nothing_is_written(
    browser: TestClient, yard: Client, changed: dict[str, str], place: str, sentence: str
) -> None:
    # When it is looked at while it is written, and when it is sent
    checked = browser.post("/queues/check", data={**QUEUE, **changed})
    sent = browser.post("/queues", data={**QUEUE, **changed})
    # Then both say where and what
    assert sent.status_code == 422
    for text in (checked.text, sent.text):
        (found,) = re.findall(r'class="error" data-place="([^"]*)">(.*)</li>', text)
        assert found[0].startswith(place)
        assert sentence in found[1]
    # And nothing of what was written is lost
    for value in changed.values():
        assert value.split("\n")[-1].replace("'", "&#39;") in sent.text
    assert yard.queues.list() == []


def test_an_edit_that_somebody_else_overtook_is_told(browser: TestClient, yard: Client) -> None:
    # Given a form with revision 1 in it, and an edit meanwhile
    browser.post("/queues", data=QUEUE)
    queue = yard.queues.get("gpu").queue
    yard.queues.edit(queue.model_copy(update={"max_running": 9}))
    # When the form is sent
    answer = browser.post("/queues/default/gpu/edit", data={**QUEUE, "expected": "1"})
    # Then it says so, and the other edit stays
    assert (answer.status_code, "is at revision 2" in answer.text) == (409, True)
    assert yard.queues.get("gpu").queue.max_running == 9


def test_the_form_of_a_queue_says_what_the_queue_says(browser: TestClient, yard: Client) -> None:
    # Given a queue
    browser.post("/queues", data={**QUEUE, "prioritization": "on"})
    before = yard.queues.get("gpu").queue
    # When its form is sent as it is shown
    form = _Form(browser.get("/queues/default/gpu/edit").text)
    answer = browser.post("/queues/default/gpu/edit", data=form.values)
    # Then nothing is another one
    assert answer.url.path == "/queues/default/gpu"
    assert yard.queues.get("gpu").queue == before


def only(yard: Client) -> Run:
    (handle,) = yard.runs()
    return handle.run


def test_a_launch_is_made_from_the_template(browser: TestClient, yard: Client, gpu: str) -> None:
    # Given the form that the queue's schema makes
    form = browser.get("/queues/default/gpu/launch").text
    assert 'type="number" step="1" min="1" max="8"' in form
    # When it is filled and sent, twice
    run_id = form.split('name="run_id" value="')[1].split('"')[0]
    filled = {
        "run_id": run_id,
        "source": "image",
        "image": "team/train:1",
        "entry_point": "python train.py --name 'two words'",
        "var.gpus": "4",
        "env": "EPOCHS: 3",
        "priority": "high",
    }
    assert browser.post("/queues/default/gpu/launch", data=filled).url.path == f"/runs/{run_id}"
    assert browser.post("/queues/default/gpu/launch", data=filled).url.path == f"/runs/{run_id}"
    # Then there is one run, with all of that
    spec = only(yard).spec
    assert (spec.author, spec.template_values, spec.priority.label) == ("alice", {"gpus": 4}, "high")
    assert spec.job.entry_point == ("python", "train.py", "--name", "two words")
    assert spec.job.env == {"EPOCHS": "3"}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"var.gpus": "9"}, "must be at most 8"),
        ({"entry_point": "echo 'x"}, "close the quote"),
        ({"image": ""}, "say what runs"),
        ({"source": "git", "repository": ""}, "say what runs"),
        ({"source": "job", "job": "nothing:v1"}, "nothing"),
        ({"env": "[1"}, "env:1"),
        ({"image": "/etc"}, ""),
        ({"run_id": "../../x"}, "run"),
    ],
)
def test_a_launch_that_cannot_work_is_told_and_stays_in_the_form(
    browser: TestClient, yard: Client, gpu: str, changed: dict[str, str], sentence: str
) -> None:
    filled = {"source": "image", "image": "team/train:1", "entry_point": "true", "var.gpus": "1", **changed}
    answer = browser.post("/queues/default/gpu/launch", data=filled)
    if not sentence:
        # A path is the name of an image here, and never a folder of the server's.
        assert only(yard).spec.job.source.type == "image"
        return
    assert answer.status_code in {404, 422}
    assert sentence in answer.text
    assert [*yard.runs()] == []


def test_a_plan_shows_what_would_be_sent(browser: TestClient, gpu: str) -> None:
    filled = {"source": "image", "image": "team/train:1", "entry_point": "true", "var.gpus": "2"}
    assert "seconds: 2" in browser.post("/queues/default/gpu/launch/plan", data=filled).text


def test_a_run_is_launched_again_with_all_that_it_had(browser: TestClient, yard: Client, gpu: str, code: Path) -> None:
    # Given a run of local code, with all kinds of fields
    first = yard.launch(
        queue=gpu,
        source=code,
        entry_point=["python", "train.py"],
        args=["two words"],
        env={"X": "1", "Y": "2"},
        labels={"team": "vision"},
        base_image="team/base:1",
        overrides={"lines": ["a"]},
        template_variables={"gpus": 3},
        priority="low",
    )
    # When its form is sent with one change
    form = _Form(browser.get(f"/queues/default/gpu/launch?like={first.id}").text)
    assert form.values["entry_point"] == "python train.py 'two words'"
    sent = browser.post("/queues/default/gpu/launch", data={**form.values, "source": "same", "env": "Y: 3"})
    # Then the other run has all of that, with the change
    assert sent.status_code == 200, sent.text
    again, spec = next(iter(yard.runs())).run.spec, first.refresh().run.spec
    assert again.id != spec.id
    assert again.job == spec.job.model_copy(
        update={"env": {"X": "1", "Y": "3"}, "entry_point": ("python", "train.py", "two words"), "args": ()}
    )
    same = ("labels", "overrides", "template_values", "priority", "queue")
    assert {name: getattr(again, name) for name in same} == {name: getattr(spec, name) for name in same}
