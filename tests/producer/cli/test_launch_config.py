"""What people write for W&B's `wandb launch`, with `launchyard` in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from broker_config.jobs import CodeSource, GitSource, ImageSource
from broker_config.queues import Queue, QueueRecord
from broker_config.runs import Run
from broker_config.store import Store
from broker_config.templates import TemplateVariable
from tests.producer.cli.conftest import Call

GIT = "https://github.com/team/project.git"


@pytest.fixture
def launched(launchyard: Call, store: Store, queue: QueueRecord) -> Any:
    """The run that a command line launches on the queue."""

    def launch(*arguments: str) -> Run:
        answer = launchyard("launch", "-q", "gpu-queue", *arguments)
        assert answer.code == 0, answer.err
        return next(store.runs.newest())

    return launch


def test_the_flags_of_wandb_launch_mean_what_they_mean_there(launched: Any) -> None:
    # When a git job is launched as W&B's documentation does it
    run = launched(
        *("--uri", GIT, "-g", "main", "-E", "train.py", "-p", "digits", "-n", "try-1", "-P", "high"),
        *("--build-context", "src", "-D", "docker/Dockerfile", "-e", "default"),
    )

    # Then
    job = run.spec.job
    assert job.source == GitSource(repository=GIT, ref="main")
    assert job.entry_point == ("python", "train.py")
    assert (job.build_context, job.dockerfile) == ("src", "docker/Dockerfile")
    assert (run.spec.project, run.spec.name, run.spec.priority.label) == ("digits", "try-1", "high")


def test_an_image_with_an_entry_point_and_arguments(launched: Any) -> None:
    run = launched("-d", "team/train:1", "-p", "digits", "--entry-point", "python -m 'my train'", "--", "--lr", "0.1")
    assert run.spec.job.source == ImageSource(image="team/train:1")
    assert (run.spec.job.entry_point, run.spec.job.args) == (("python", "-m", "my train"), ("--lr", "0.1"))


def test_a_folder_is_a_uri_and_a_shell_script_gets_its_interpreter(launched: Any, code: Path) -> None:
    run = launched("-u", str(code), "-E", "train.sh", "-B", "python:3.12")
    assert isinstance(run.spec.job.source, CodeSource)
    assert (run.spec.job.entry_point, run.spec.job.base_image) == (("bash", "train.sh"), "python:3.12")


@pytest.mark.parametrize("options", [("-e", "team"), ("-c", '{"entity": "team"}')])
def test_the_entity_of_a_launch_says_whose_queue_is_meant(
    launchyard: Call, store: Store, options: tuple[str, str]
) -> None:
    # Given a team's queue with a template variable
    variables = {"seconds": TemplateVariable(type="integer")}
    config = {"seconds": "{{seconds}}"}
    queue = Queue(name="gpu", entity="team", resource="stub", config=config, template_variables=variables)
    store.queues.create(queue)

    # When it is named by its entity and its plain name
    words = ("launch", "-q", "gpu", *options, "-d", "a:1", "-R", '{"stub": {"lines": ["a"]}}', "--set-var", "seconds=3")
    answer = launchyard(*words)

    # Then
    assert answer.code == 0, answer.err
    run = next(store.runs.newest())
    assert (run.spec.queue.full_name, run.spec.resource_config) == ("team/gpu", {"seconds": 3, "lines": ["a"]})


CONFIG = {
    "docker": {"docker_image": "team/train:1"},
    "project": "digits",
    "entity": "default",
    "name": "from-file",
    "author": "bob",
    "sweep_id": {},
    "priority": 0,
    "overrides": {
        "args": ["--epochs", 3],
        "run_config": {"lr": 0.1, "model": {"depth": 2, "width": 8}},
        "entry_point": ["python", "train.py"],
    },
    "resource_args": {"stub": {"seconds": 1, "lines": ["a"]}},
}


def test_a_launch_config_gives_all_of_a_launch(launched: Any, launchyard: Call, tmp_path: Path) -> None:
    # Given
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIG))

    # When
    run = launched("--config", str(file))

    # Then
    assert run.spec.job.source == ImageSource(image="team/train:1")
    assert (run.spec.job.entry_point, run.spec.job.args) == (("python", "train.py"), ("--epochs", "3"))
    assert run.spec.job.run_config == {"lr": 0.1, "model": {"depth": 2, "width": 8}}
    assert (run.spec.name, run.spec.project, run.spec.priority.label) == ("from-file", "digits", "critical")
    assert run.spec.author != "bob"
    assert "'author' changes nothing here" in launchyard("launch", "-q", "gpu-queue", "-c", str(file)).err


def test_services_beside_a_job_become_overrides_where_the_owner_lets_jobs_bring_some(
    launchyard: Call, store: Store
) -> None:
    # Given
    store.queues.create(Queue(name="cluster", resource="kubernetes", overridable=["/additional_services"]))
    service = {"name": "db", "config": {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": []}}}
    config = {"additional_services": [service], "docker": {"docker_image": "a:1"}}

    # When
    answer = launchyard("launch", "-q", "cluster", "-c", json.dumps(config))

    # Then
    assert answer.code == 0, answer.err
    assert next(store.runs.newest()).spec.overrides == {"additional_services": [service]}


def test_options_come_over_the_launch_config_key_by_key(launched: Any) -> None:
    # When
    run = launched(
        *("-c", json.dumps(CONFIG), "--name", "mine", "-P", "low", "--run-config", "model.depth=3"),
        *("--override", "lines=null", "-R", '{"stub": {"seconds": 2}}', "-d", "other:2"),
    )

    # Then
    assert (run.spec.name, run.spec.project, run.spec.priority.label) == ("mine", "digits", "low")
    assert run.spec.job.source == ImageSource(image="other:2")
    assert run.spec.job.run_config == {"lr": 0.1, "model": {"depth": 3, "width": 8}}
    assert run.spec.overrides == {"seconds": 2, "lines": None}


def test_yaml_and_args_without_the_name_of_a_resource_are_taken_too(launched: Any, tmp_path: Path) -> None:
    # Given
    (tmp_path / "args.yaml").write_text("seconds: 3\n")

    # When
    run = launched(
        "-c",
        "uri: https://host/r.git\ngit: {version: v1}\noverrides: {entry_point: [make]}\n",
        "-R",
        str(tmp_path / "args.yaml"),
    )

    # Then
    assert run.spec.job.source == GitSource(repository="https://host/r.git", ref="v1")
    assert run.spec.overrides == {"seconds": 3}


def test_a_queue_with_wandbs_name_of_a_resource_takes_args_with_either_name(launchyard: Call, store: Store) -> None:
    store.queues.create(Queue(name="containers", resource="local-container"))
    for name in ("docker", "local-container"):
        arguments = ("-q", "containers", "-d", "a:1", "-R", json.dumps({name: {"cpus": 1}}))
        assert launchyard("launch", *arguments).code == 0
        assert next(store.runs.newest()).spec.overrides == {"cpus": 1}
    answer = launchyard("launch", "-q", "containers", "-d", "a:1", "-R", '{"kubernetes": {"spec": {}}}')
    assert "is one of resource 'kubernetes', and the queue is on 'docker'" in answer.err


def test_template_variables_come_from_both_places_in_their_types(launchyard: Call, store: Store) -> None:
    # Given
    variables = {"seconds": {"type": "number", "maximum": 5}, "line": {"type": "string"}}
    config = {"seconds": "{{seconds}}", "lines": ["{{line}}"]}
    store.queues.create(
        Queue.model_validate({"name": "t", "resource": "stub", "config": config, "template_variables": variables})
    )
    file = '{"template_variables": {"line": "a", "seconds": 4}}'

    # When
    answer = launchyard("launch", "-q", "t", "-d", "a:1", "-c", file, "-v", "seconds=0.5")
    refused = launchyard("launch", "-q", "t", "-d", "a:1", "-v", "line=1", "-v", "second=1")

    # Then
    assert answer.code == 0, answer.err
    assert next(store.runs.newest()).spec.resource_config == {"seconds": 0.5, "lines": ["a"]}
    assert (refused.code, "no template variable 'second'; did you mean 'seconds'" in refused.err) == (3, True)


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", '{"_wandb_api_key": "hunter2"}'], "'_wandb_api_key' cannot be honoured: a key would be stored"),
        (["-c", '{"sweep_id": "abc"}'], "'sweep_id' cannot be honoured: sweeps of W&B's"),
        (
            ["-d", "a:1", "-c", '{"additional_services": [{"name": "db"}]}'],
            "are of Kubernetes, and the queue has 'stub'",
        ),
        (["-c", '{"overrides": {"files": {"a.yaml": {}, "b": "c"}}}'], "'overrides.files' cannot be honoured"),
        (["-c", '{"overides": {}, "projct": "x"}'], "unknown field 'projct'; did you mean 'project'"),
        (["-c", '{"overrides": {"arg": ["x"]}}'], "unknown field 'overrides.arg'"),
        (["-c", "lr=0.1"], "for a value of the run config: --run-config lr=0.1"),
        (["-c", "/nowhere.json"], "--config: cannot read '/nowhere.json'"),
        (["-c", "[1, 2]\n[3]"], "--config:2:1: the JSON text has ended"),
        (["-d", "a:1", "-c", '{"resource": "kubernetes"}'], "for resource 'kubernetes', and the queue has 'stub'"),
        (["-u", "https://wandb.ai/team/project/runs/abc", "-E", "x"], "is on W&B's server"),
        (["-u", "https://github.com/team/r/tree/main", "-E", "x"], "write https://github.com/team/r@main"),
        (["-u", "https://github.com/team/r@a", "-g", "b", "-E", "x"], "choose one"),
        (["-u", ".", "-g", "b", "-E", "x"], "is a folder, and is packed as it is"),
        (["-d", "a:1", "-g", "b"], "write --git URL@REF"),
        (["-u", GIT, "-d", "a:1"], "choose one"),
        (["-u", GIT, "-E", "train.ipynb"], "jupyter nbconvert --to script train.ipynb"),
        (["-u", GIT, "-E", "python 'train.py"], "cannot be read: No closing quotation"),
        (["-c", '{"uri": "https://h/r", "docker": {"docker_image": "a:1"}}'], "choose one"),
    ],
)
def test_what_cannot_be_honoured_is_told_and_nothing_is_launched(
    launchyard: Call, store: Store, arguments: list[str], message: str
) -> None:
    answer = launchyard("launch", "-q", "gpu-queue", *arguments)
    assert (answer.code, message in answer.err, "hunter2" in answer.err) == (3, True, False), answer.err
    assert not list(store.runs.newest())
