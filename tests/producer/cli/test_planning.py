"""`launchyard plan` as a user sees it, with the program behind it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from broker_config.queues import Queue
from broker_config.states import State
from broker_config.store import Store
from producer import Client
from producer.cli.planning import request_lines
from tests.producer.cli.conftest import Call

POD = {"spec": {"template": {"spec": {"containers": [{"name": "train", "resources": {"limits": {"cpu": "4"}}}]}}}}


@pytest.fixture
def lab(store: Store) -> None:
    store.queues.create(Queue(name="lab", resource="local-process", config={"env": {"A": "1"}}))


def plan_of(launchyard: Call, *options: str) -> Any:
    answer = launchyard("plan", "-q", "lab", *options, "--json", "--", "python", "train.py")
    assert answer.code == 0, answer.err
    return answer.json


@pytest.fixture
def here(code: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(code)
    return code


def test_the_request_is_shown_with_who_decides_each_value(
    launchyard: Call, lab: None, here: Path, store: Store
) -> None:
    # When
    options = ("--override", "nice=3", "--env", "MY_TOKEN=abc")
    answer = launchyard("plan", "-q", "lab", *options, "--", "python", "train.py")

    # Then it is all there, within 100 columns, and nothing was launched
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert answer.code == 0
    assert {"nice: 3 # override", "- train.py # job", "stop_signal: SIGTERM # default", "A: '1' # queue"} <= {*lines}
    assert "abc" not in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100
    assert next(store.runs.newest(), None) is None


def test_a_request_for_a_cluster_is_shown_without_one(
    launchyard: Call, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    store.queues.create(Queue(name="k8s", resource="kubernetes", config=POD))

    # When
    answer = launchyard("plan", "-q", "k8s", "--image", "team/train:1", "--json")

    # Then
    (container,) = answer.json["request"]["object"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "team/train:1"
    assert answer.json["build"] == "nothing is built: the image is team/train:1"
    (note,) = answer.json["notes"]
    assert note["text"].startswith("the target was not asked what it thinks of this: there is no Kubernetes cluster")


def test_an_environment_that_is_there_is_used_again(launchyard: Call, lab: None, here: Path, home: Path) -> None:
    # Given the environment that the builder makes of this code
    key = plan_of(launchyard)["build"].rpartition(" ")[2]
    environment = home / "environments" / key
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").touch()
    (environment / "launchyard-ready").touch()

    # When, then
    assert plan_of(launchyard)["build"] == f"{environment} is used again, key {key}"


def test_a_plan_is_launched_as_it_was_seen_and_twice_it_is_one_run(
    launchyard: Call, lab: None, here: Path, store: Store
) -> None:
    # Given a plan in a file, which only its owner may read
    shown = plan_of(launchyard, "--out", "plan.json", "--env", "MY_TOKEN=abc")
    (here / "train.py").write_text("print('edited since')")

    # When
    answers = [launchyard("launch", "--plan", "plan.json", "--json") for _ in range(2)]

    # Then
    (run,) = store.runs.newest()
    assert [answer.json["id"] for answer in answers] == [shown["run_id"]] * 2
    assert (run.state, run.spec.planned, run.spec.job.env) == (State.QUEUED, shown["digest"], {"MY_TOKEN": "abc"})
    assert stat.S_IMODE((here / "plan.json").stat().st_mode) == 0o600


def test_a_plan_does_not_outlive_an_edit_of_its_queue(launchyard: Call, lab: None, here: Path) -> None:
    # Given
    plan_of(launchyard, "--out", "plan.json")
    launchyard("queue", "edit", "lab", "--set", "nice=5")

    # When
    answer = launchyard("launch", "--plan", "plan.json")

    # Then
    assert (answer.code, "was edited since the plan was made" in answer.err) == (5, True)


def test_a_plan_that_was_edited_by_hand_is_refused(launchyard: Call, lab: None, here: Path) -> None:
    # Given
    plan_of(launchyard, "--out", "plan.json")
    plan = json.loads(Path("plan.json").read_text())
    plan["launch"]["overrides"] = {"nice": 19}
    Path("plan.json").write_text(json.dumps(plan))

    # When
    answer = launchyard("launch", "--plan", "plan.json")

    # Then
    assert (answer.code, "was changed after it was made" in answer.err) == (5, True)


@pytest.mark.parametrize(
    ("text", "options", "clause"),
    [
        ("{}", (), "is no plan of this version"),
        ("{}", ("-q", "lab"), "the plan holds the whole launch; leave queue out"),
    ],
)
def test_what_is_no_plan_or_more_than_one_is_refused(
    launchyard: Call, here: Path, text: str, options: tuple[str, ...], clause: str
) -> None:
    Path("plan.json").write_text(text)
    answer = launchyard("launch", "--plan", "plan.json", *options)
    assert (answer.code, clause in answer.err) == (3, True)


def test_what_the_owner_does_not_let_is_shown_and_no_plan_is_written(launchyard: Call, store: Store) -> None:
    # Given a queue of which a job may change nothing
    store.queues.create(Queue(name="closed", resource="local-process", overridable="nothing"))

    # When
    options = ("--override", "nice=3", "--image", "a:b", "--out", "plan.json")
    answer = launchyard("plan", "-q", "closed", *options)

    # Then
    assert answer.code == 3
    assert "error: queue 'closed' takes no overrides" in answer.err
    assert not Path("plan.json").exists()


def test_a_plan_is_compared_with_an_earlier_run(launchyard: Call, lab: None, here: Path, store: Store) -> None:
    # Given a run, and another launch that differs in three places
    launchyard("launch", "-q", "lab", "--env", "GONE=1", "--", "python", "train.py")
    (run,) = store.runs.newest()

    # When
    same = plan_of(launchyard, "--env", "GONE=1", "--diff", run.id)
    other = plan_of(launchyard, "--override", "nice=3", "--env", "MY_KEY=abc", "--diff", run.id)

    # Then who the run is makes no difference
    assert same["changes"] == []
    assert {change["pointer"]: (change["old"], change["new"]) for change in other["changes"]} == {
        "/nice": (0, 3),
        "/env/GONE": ("1", None),
        "/env/MY_KEY": (None, "***"),
    }


def test_python_makes_and_launches_plans_too(client: Client, lab: None, code: Path) -> None:
    # When
    plan = client.plan(queue="lab", source=str(code), entry_point=["python", "train.py"])
    handle = client.launch_plan(plan)

    # Then
    assert plan.preview.origins["/nice"] == ("default",)
    assert (handle.id, handle.run.spec.planned) == (plan.run_id, plan.preview.digest)


def test_a_long_value_is_cut_to_the_width_and_a_list_in_a_list_is_yaml() -> None:
    lines = list(request_lines({"a": "x" * 200, "b": [[1, {"c": "d: e"}]], "f": {}}, {"/a": ("queue",)}))

    assert len(lines[0]) == 100
    assert [line.partition("  #")[0].rstrip() for line in lines[1:]] == ["b:", "  - - 1", "    - c: 'd: e'", "f: {}"]


@pytest.mark.parametrize(("ref", "warnings"), [("@main", 1), ("", 1), ("@" + "a1" * 20, 0)])
def test_what_may_move_until_it_is_fetched_is_told(launchyard: Call, lab: None, ref: str, warnings: int) -> None:
    # Given a repository that nobody answers for
    answer = launchyard("plan", "-q", "lab", "--git", f"https://127.0.0.1:1/team/r{ref}", "--json", "--", "python")

    # Then the request is there all the same
    notes = [note["text"] for note in answer.json["notes"]]
    assert [note.partition(";")[2] for note in notes] == [" to be sure, name a commit"] * warnings
    assert answer.json["build"].startswith("it cannot be said here what is built: repository")
    assert answer.json["request"]["command"] == ["python"]
