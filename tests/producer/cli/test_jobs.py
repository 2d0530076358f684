"""`launchyard job`, and launching what it created."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker_config.jobs import GitSource
from broker_config.queues import QueueRecord
from broker_config.store import Store
from tests.code import get
from tests.producer.cli.conftest import Call

GIT = "https://github.com/team/project.git"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_git_job_is_created_as_with_wandb_and_launched_by_its_alias(
    launchyard: Call, store: Store, queue: QueueRecord
) -> None:
    # When
    created = launchyard(
        *("job", "create", "git", GIT, "-p", "digits", "-e", "team", "-n", "train", "-d", "trains", "-a", "production"),
        *("-E", "src/train.py", "-g", COMMIT, "-r", "3.12", "-b", "src", "-D", "Dockerfile"),
    )
    launched = launchyard("launch", "-q", "gpu-queue", "-j", "team/digits/train:production", "--", "python", "other.py")

    # Then
    assert (created.code, created.out.strip(), "may move" in created.err) == (0, "team/train:v0", False), created.err
    assert launched.code == 0, launched.err
    spec = next(store.runs.newest()).spec
    assert (spec.job_version, spec.project) == ("team/train:v0", "digits")
    assert spec.job.source == GitSource(repository=GIT, ref=COMMIT)
    assert (spec.job.entry_point, spec.job.python_version) == (("python", "other.py"), "3.12")
    assert (spec.job.build_context, spec.job.dockerfile) == ("src", "Dockerfile")


def test_a_branch_is_told_to_move(launchyard: Call) -> None:
    assert "main may move" in launchyard("job", "create", "git", GIT, "-g", "main").err
    assert "the default branch may move" in launchyard("job", "create", "git", GIT).err


def test_a_folder_is_packed_when_the_job_is_created(launchyard: Call, store: Store, code: Path) -> None:
    # Given
    (code / "main.py").touch()

    # When
    created = launchyard("job", "create", "code", str(code), "--run-config", "lr=0.1", "--json").json

    # Then
    assert (created["reference"], created["aliases"]) == ("default/project:v0", ["latest"])
    assert (created["job"]["entry_point"], created["job"]["run_config"]) == (["python", "main.py"], {"lr": 0.1})
    assert get(store.code, created["job"]["source"]["digest"])


def test_the_tag_of_an_image_is_an_alias(launchyard: Call) -> None:
    launchyard("job", "create", "image", "registry.example:5000/team/train:1.4")
    launchyard("job", "create", "image", "registry.example:5000/team/train:latest")
    shown = launchyard("job", "describe", "train:1.4")
    assert (shown.code, "registry.example:5000/team/train:1.4" in shown.out) == (0, True)
    assert "v1 (latest)" in shown.out
    assert "v0 (1.4)" in shown.out


def test_jobs_are_listed_by_entity_and_project(launchyard: Call) -> None:
    # Given
    for entity, project in (("a", "x"), ("a", "y"), ("b", "x")):
        launchyard("job", "create", "image", "a:1", "-e", entity, "-p", project, "-n", f"of-{project}")

    # Then
    def listed(*options: str) -> list[str]:
        return [job["reference"] for job in launchyard("job", "list", *options, "--json").json["jobs"]]

    assert listed() == ["a/of-x:v0", "a/of-y:v0", "b/of-x:v0"]
    assert listed("-e", "a", "-p", "x") == ["a/of-x:v0"]
    assert "b/of-x" in launchyard("job", "list").out
    assert launchyard("job", "describe", "of-x", "-e", "b", "--json").json["versions"][0]["number"] == 0


def test_a_schema_is_taken_from_a_file_and_shown(launchyard: Call, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text('{"properties": {"epochs": {"type": "integer", "maximum": 9}}}')
    launchyard("job", "create", "image", "a:1", "-n", "train", "--schema", str(tmp_path / "schema.json"))
    assert "maximum: 9" in launchyard("job", "describe", "train").out
    assert launchyard("job", "create", "image", "a:1", "--schema", '{"maximun": 3}').code == 3


def test_a_launch_config_names_a_job(launchyard: Call, store: Store, queue: QueueRecord) -> None:
    launchyard("job", "create", "image", "a:1", "-e", "team", "-n", "train")
    answer = launchyard("launch", "-q", "gpu-queue", "-c", '{"job": "team/train:v0", "overrides": {"args": [1]}}')
    assert answer.code == 0, answer.err
    spec = next(store.runs.newest()).spec
    assert (spec.job_version, spec.job.args) == ("team/train:v0", ("1",))
    assert "team/train:v0" in launchyard("show", spec.id).out


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["create", "git", "."], 3, "is not a git URL; use: launchyard job create code"),
        (["create", "code", GIT], 3, "is not a folder; use: launchyard job create git"),
        (["create", "code", "{code}"], 3, "has no main.py; say what to run with --entry-point"),
        (["create", "code", "{code}", "-E", "train.py", "-r", "2.7"], 3, "python_version"),
        (["create", "image", "a:1", "-a", "v3"], 3, "alias 'v3' is given by Launchyard itself"),
        (["create", "image", "a:1", "-r", "3.12"], 2, "No such option"),
        (["describe", "missing"], 4, "there is none yet: launchyard job create"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_created(
    launchyard: Call, store: Store, code: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    answer = launchyard("job", *(word.format(code=code) for word in arguments))
    assert (answer.code, message in answer.err) == (exit_code, True), answer.err
    assert store.jobs.list() == []
