"""What a Vertex AI queue config becomes, and what is refused. The golden requests are in `tests/golden`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.cloud.aiplatform_v1.types import CustomJob, Scheduling
from google.protobuf import json_format

from tests.golden.requests import Golden, workload
from tests.workers.targets.workloads import golden_requests, refusal
from workers.builders.protocol import ArtifactKind
from workers.targets.vertex import render
from workers.targets.vertex.config import RunOptions, Spec

POOL: dict[str, Any] = {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1, "container_spec": {}}


def custom_job(body: Any) -> CustomJob:
    """The message that a request stands for."""
    message = CustomJob.pb(CustomJob())
    json_format.Parse(json.dumps(body["custom_job"]), message)
    return CustomJob.wrap(message)


@pytest.mark.parametrize("golden", golden_requests("vertex"))
def test_a_golden_request_is_a_custom_job_and_nothing_of_it_gets_lost(golden: Golden) -> None:
    # Given a request as the published message reads it, which refuses fields that it does not have
    job = custom_job(golden.request["body"])

    # When the message is written as JSON again
    written = json_format.MessageToDict(CustomJob.pb(job), preserving_proto_field_name=True)

    # Then everything is there that is not the field's default
    assert without_defaults(written) == without_defaults(golden.request["body"]["custom_job"])


def without_defaults(value: Any) -> Any:
    """JSON as the message writes it: 64-bit numbers are text, and what holds the default is left out."""
    if isinstance(value, dict):
        kept = {key: without_defaults(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (False, [], "", None)}
    if isinstance(value, list):
        return [without_defaults(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_spot_is_a_strategy_of_the_message_by_its_name_or_its_number() -> None:
    for strategy in ("SPOT", Scheduling.Strategy.SPOT.value):
        config = {"spec": {"worker_pool_specs": [POOL]}, "run": {"scheduling_strategy": strategy}}
        job = custom_job(render(workload({"config": config})).body)
        assert job.job_spec.scheduling.strategy is Scheduling.Strategy.SPOT


def test_every_option_may_stand_under_spec_too() -> None:
    assert RunOptions.model_fields.keys() < Spec.model_fields.keys()


def test_a_full_name_of_an_experiment_is_left_as_it_is() -> None:
    # Given an experiment by its full name, and a run by its short one
    context = "projects/p/locations/l/metadataStores/default/contexts/vision"
    config = {"spec": {"worker_pool_specs": [POOL]}, "run": {"experiment": context, "experiment_run": "nightly"}}

    # When they are rendered
    spec = render(workload({"config": config})).body["custom_job"]["job_spec"]

    # Then the run is named after both, as Google's client does it
    assert spec["experiment"] == context
    assert spec["experiment_run"].endswith("/contexts/vision-nightly")


_OWN = {**POOL, "container_spec": {"image_uri": "a:1"}}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "field 'spec' is missing"),
        ({"spec": {}}, "'spec.worker_pool_specs' is missing"),
        ({"spec": {"worker_pool_specs": []}}, "spec.worker_pool_specs"),
        ({"spec": {"worker_pool_specs": [{"replica_count": 1}]}}, "worker pool 0 needs a 'container_spec'"),
        ({"spec": {"worker_pool_specs": [{}]}}, "all worker pools are empty"),
        ({"worker_pool_specs": [POOL]}, "unknown field 'worker_pool_specs'"),
        ({"spec": {"worker_pool_specs": [POOL]}, "run": {"timeout": 0}}, "run.timeout"),
        ({"spec": {"worker_pool_specs": [POOL]}, "run": {"experiment_run": "a"}}, "needs 'experiment'"),
        (
            {"spec": {"worker_pool_specs": [POOL]}, "run": {"experiment": "a", "tensorboard": "b"}},
            "take 'tensorboard' away",
        ),
        ({"spec": {"worker_pool_specs": [POOL], "labels": {f"a{n}": "" for n in range(61)}}}, "66 labels"),
        (
            {"spec": {"worker_pool_specs": [_OWN, {**POOL, "container_spec": {"image_uri": "b:1"}}]}},
            "leave 'image_uri' out, or write ${image_uri}",
        ),
    ],
)
def test_a_config_that_cannot_work_is_refused_with_the_cure(config: dict[str, Any], why: str) -> None:
    assert why in refusal(render, config)


def test_more_variables_than_a_container_takes_are_refused() -> None:
    config = {"spec": {"worker_pool_specs": [POOL]}}

    assert "101 variables" in refusal(render, config, env={f"A{number}": "" for number in range(101)})


def test_an_environment_is_not_an_image() -> None:
    config = {"spec": {"worker_pool_specs": [POOL]}}

    assert ArtifactKind.ENVIRONMENT in refusal(render, config, environment="/home/agent/environments/3f2a")
