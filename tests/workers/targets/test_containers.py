"""Where a job goes in a list of containers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, strategies

from tests.golden.requests import workload
from workers.targets.containers import image_of, literal, place_command, place_env, place_image


def expanded(text: str) -> str:
    """A text as a container gets it: Kubernetes' documentation, "Dependent environment variables"."""
    return re.sub(r"\$(\$|\((.*?)\))", lambda found: "$" if found[1] == "$" else f"<{found[2]}>", text)


@given(strategies.text(alphabet="$()A \n"))
def test_a_container_gets_the_text_that_the_job_wrote(text: str) -> None:
    assert expanded(literal(text)) == text


def test_code_that_lies_on_the_agents_machine_cannot_get_to_a_platform() -> None:
    with pytest.raises(ValueError, match="leave the base image out"):
        image_of(workload({"image": "python:3.12", "folder": "/home/agent/workspaces/a"}))


def test_the_image_goes_where_none_is_and_nowhere_else() -> None:
    # Given two pods, one of which has a container of another kind
    groups: list[list[dict[str, Any]]] = [[{"image": "proxy:1"}, {}], [{"image": "job:1"}]]

    # When the job's image is placed
    place_image(groups, "image", "job:1")

    # Then the other container keeps its own
    assert groups == [[{"image": "proxy:1"}, {"image": "job:1"}], [{"image": "job:1"}]]


def test_first_containers_that_agree_on_another_image_are_the_jobs() -> None:
    groups = [[{"image": "python:3.12"}, {"image": "proxy:1"}], [{"image": "python:3.12"}]]

    place_image(groups, "image", "job:1")

    assert [[one["image"] for one in group] for group in groups] == [["job:1", "proxy:1"], ["job:1"]]


def test_first_containers_that_do_not_agree_leave_no_place_for_the_job() -> None:
    with pytest.raises(ValueError, match="they name a:1, b:1"):
        place_image([[{"image": "a:1"}], [{"image": "b:1"}]], "image", "job:1")


def test_a_command_of_the_queue_stays_and_the_jobs_args_replace_its_args() -> None:
    container = {"command": ["wrap"], "args": ["--quiet"]}

    place_command(container, ["python", "train.py"], ["--lr", "1"])

    assert container == {"command": ["wrap"], "args": ["--lr", "1"]}


def test_variables_of_launchyard_win_over_the_queues_which_win_over_the_jobs() -> None:
    # Given a container whose queue sets one variable of each
    container: dict[str, Any] = {
        "env": [{"name": "LR", "value": "queue"}, {"name": "LAUNCHYARD_RUN_ID", "value": "forged"}]
    }

    # When those of the job come to it
    place_env(container, workload({"env": {"LR": "job", "A": "job", "LAUNCHYARD_RUN_ID": "r7"}}))

    # Then each is there once
    assert {one["name"]: one["value"] for one in container["env"]} == {
        "LR": "queue",
        "A": "job",
        "LAUNCHYARD_RUN_ID": "r7",
    }
    assert len(container["env"]) == 3


def test_a_secret_gives_way_to_a_variable_that_job_or_queue_set() -> None:
    # Given a job and a queue that each set one of three secrets
    references = [{"name": name, "valueFrom": {}} for name in ("A", "B", "C")]
    container: dict[str, Any] = {"env": [{"name": "A", "value": "queue"}]}

    # When they are placed
    place_env(container, workload({"env": {"B": "job"}}), references)

    # Then only the third is a reference
    assert sorted(one["name"] for one in container["env"] if "valueFrom" in one) == ["C"]
