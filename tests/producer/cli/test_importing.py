from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from broker_config.settings import Settings
from tests.producer.cli.conftest import Call, command

API: dict[str, Any] = {
    "id": "UnVuUXVldWU6MQ==",
    "name": "gpu",
    "type": "kubernetes",
    "entityName": "vision",
    "prioritizationMode": "V0",
    "config": {
        "resource_args": {
            "kubernetes": {
                "builder": {"accelerator": {"base_image": "nvidia/cuda"}},
                "spec": {"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "{{cpu}}"}}}]}}},
            }
        }
    },
    "templateVariables": [{"name": "cpu", "schema": '{"type": "integer", "minimum": 1, "maximum": 4, "default": 2}'}],
    "externalLinks": {"links": [{"label": "board", "url": "https://example.com"}]},
}

VALUES = {
    "id": "vision:train",
    "name": "train",
    "entity_name": "vision",
    "resource": "local-container",
    "resource_config": json.dumps({"resource_args": {"local-container": {"gpus": "{{gpu-count}}"}}}),
    "template_variables": json.dumps({"variable1": {"name": "gpu-count", "schema": {"type": "integer", "default": 1}}}),
    "prioritization_mode": "DISABLED",
    "external_links": None,
}
RESOURCE = {"address": "wandb_run_queue.a", "type": "wandb_run_queue", "name": "a", "values": VALUES}
MODULE = {"root_module": {"child_modules": [{"resources": [{"type": "other", "name": "x", "values": {}}, RESOURCE]}]}}


@pytest.fixture
def api_file(tmp_path: Path) -> str:
    path = tmp_path / "queue.json"
    path.write_text(json.dumps(API))
    return str(path)


def test_a_queue_of_the_api_becomes_a_queue_and_what_is_left_is_told(launchyard: Call, api_file: str) -> None:
    # Given the API's answer, when it is imported
    answer = launchyard("import", "wandb", api_file)

    # Then the queue is there with everything that has a counterpart, and the rest is named with the reason
    assert (answer.code, answer.out) == (0, "queue 'vision/gpu' on kubernetes: created\n")
    for left in ("'builder' of the config", "'id'"):
        assert f"not carried over: {left}" in answer.err
    shown = launchyard("queue", "show", "vision/gpu", "--json").json
    assert (shown["entity"], shown["prioritization"]) == ("vision", True)
    assert shown["template_variables"]["cpu"]["maximum"] == 4
    assert list(shown["config"]) == ["spec"]
    assert shown["external_links"] == {"board": "https://example.com"}


@pytest.mark.parametrize(
    "document",
    [
        {"format_version": "1.0", "values": MODULE},
        {"planned_values": MODULE, "prior_state": {"values": MODULE}, "resource_changes": [RESOURCE]},
        {"version": 4, "resources": [{**RESOURCE, "values": None, "instances": [{"attributes": VALUES}]}]},
    ],
    ids=["state", "plan", "state file"],
)
def test_a_queue_of_terraform_becomes_a_queue(launchyard: Call, tmp_path: Path, document: dict[str, Any]) -> None:
    # Given what terraform prints, when it is imported
    (tmp_path / "show.json").write_text(json.dumps(document))
    launchyard("import", "wandb", str(tmp_path / "show.json"))

    # Then its queue is there once, with its variable under the name that the config has
    (queue,) = launchyard("queue", "list", "--json").json["queues"]
    assert (queue["name"], queue["resource"], queue["config"]) == ("train", "docker", {"gpus": "{{gpu-count}}"})
    assert list(queue["template_variables"]) == ["gpu-count"]


def test_a_second_import_changes_nothing_and_a_different_queue_only_when_told_to(
    launchyard: Call, tmp_path: Path, api_file: str
) -> None:
    # Given an imported queue to which its owner has given retries
    launchyard("import", "wandb", api_file)
    launchyard("queue", "edit", "vision/gpu", "--retries", "{infra: 3}")

    # When it is imported again, then it is left alone
    assert "is there already, unchanged" in launchyard("import", "wandb", api_file).out

    # And when it is different, then only --replace edits it, and leaves what W&B knows nothing of
    (tmp_path / "other.yaml").write_text(json.dumps({**API, "prioritizationMode": "DISABLED"}))
    refused = launchyard("import", "wandb", str(tmp_path / "other.yaml"))
    assert (refused.code, "edit it with --replace" in refused.err) == (5, True)
    assert "edited" in launchyard("import", "wandb", str(tmp_path / "other.yaml"), "--replace").out
    shown = launchyard("queue", "show", "vision/gpu", "--json").json
    assert (shown["prioritization"], shown["retries"]["infra"]) == (False, 3)


def test_a_users_own_queue_becomes_a_private_one_and_only_that_user_imports_it(
    settings: Settings, tmp_path: Path
) -> None:
    # Given a team's queue, and one that only its user may push to
    queues = [API, {**API, "name": "mine", "access": "USER", "entityName": "alice"}]
    (tmp_path / "queues.json").write_text(json.dumps(queues))

    # When two people import them
    of_bob = command(settings, "bob")("import", "wandb", str(tmp_path / "queues.json"))
    of_alice = command(settings, "alice")("import", "wandb", str(tmp_path / "queues.json"))

    # Then the second one is that user
    assert (of_bob.code, "queue 'alice/mine' is private to 'alice', and the author" in of_bob.err) == (6, True)
    assert (of_alice.code, of_alice.out.splitlines()[1]) == (0, "queue 'alice/mine' on kubernetes: created")


def test_a_dry_run_writes_nothing(launchyard: Call, api_file: str) -> None:
    # Given a queue, when its import is only tried
    answer = launchyard("import", "wandb", api_file, "--dry-run", "--json")

    # Then it is told what would be done, and nothing is there
    assert [(one["name"], one["action"]) for one in answer.json["queues"]] == [("vision/gpu", "create")]
    assert launchyard("queue", "list", "--json").json["queues"] == []


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({}, "has no queue of W&B Launch in it"),
        ([{"name": "a b", "type": "docker"}], "'a b' cannot be a name"),
        (
            [{"name": "a", "type": "docker", "config": {"resource_args": {"kubernetes": {}}}}],
            "of resource 'kubernetes'",
        ),
        ([{"name": "a", "type": "docker", "config": {"memroy": "1g"}}], "queue 'a': /memroy: flag 'memroy' does not"),
        ([{"name": "a", "type": 5}], "queue 'a'"),
        ([API], "queue 'vision/gpu' is there twice"),
        ([{"name": "a", "type": "docker", "templateVariables": "{"}], "template_variables:1:2"),
    ],
)
def test_a_file_that_cannot_become_queues_is_told_and_nothing_is_written(
    launchyard: Call, tmp_path: Path, document: Any, error: str
) -> None:
    # Given a file with one good queue before the bad one, when it is imported
    good = [API] if document else []
    (tmp_path / "file.json").write_text(json.dumps([*good, *document]))
    answer = launchyard("import", "wandb", str(tmp_path / "file.json"))

    # Then the error names what is wrong, and not even the good one is written
    assert (answer.code, error in answer.err) == (3, True), answer.err
    assert launchyard("queue", "list", "--json").json["queues"] == []
