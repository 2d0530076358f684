"""What a SageMaker queue config becomes, and what is refused. The golden requests are in `tests/golden`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator

from broker_config.resources.sagemaker import spelled
from tests.golden.requests import Golden, workload
from tests.workers.targets.workloads import golden_requests, refusal
from workers.builders.protocol import ArtifactKind
from workers.targets.sagemaker import doubts, operations, render
from workers.targets.sagemaker.operations import PROCESSING, TRAINING, Operation

REQUIRED = {
    "RoleArn": "Trainer",
    "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}


@pytest.fixture(scope="module")
def service() -> ServiceModel:
    """SageMaker as its SDK knows it."""
    model: ServiceModel = get_session().get_service_model("sagemaker")
    return model


def excesses(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """What breaks the limits of the service's model that botocore leaves to the service: most, and patterns."""
    most, pattern = shape.metadata.get("max"), shape.metadata.get("pattern", "")
    if isinstance(value, str | list | dict) and most is not None and len(value) > most:
        yield f"{path} has more than {most}"
    # Python has no classes such as `\p{L}`.
    if isinstance(value, str) and r"\p" not in pattern and not re.fullmatch(pattern or r"[\s\S]*", value):
        yield f"{path} is not {pattern}"
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from excesses(item, below(shape, key), f"{path}/{key}")


def below(shape: Shape, key: Any) -> Shape:
    found: Shape
    match shape:
        case StructureShape():
            found = shape.members[key]
        case ListShape():
            found = shape.member
        case MapShape():
            found = shape.value
        case _:
            raise AssertionError(f"{shape} has nothing below it")
    return found


@pytest.mark.parametrize("golden", golden_requests("sagemaker"))
def test_a_golden_request_is_valid_for_the_service(golden: Golden, service: ServiceModel) -> None:
    # Given a request, its role complete
    body = golden.request["body"]
    shape = service.operation_model(body["operation"]).input_shape
    role = body["input"]["RoleArn"].format(partition="aws-cn", account="123456789012")
    told = {**body["input"], "RoleArn": role}

    # When the SDK judges it
    report = ParamValidator().validate(told, shape)

    # Then it finds nothing, and no limit of the service is passed
    assert not report.has_errors(), report.generate_report()
    assert not list(excesses(told, shape))


@pytest.mark.parametrize("operation", [TRAINING, PROCESSING], ids=lambda operation: operation.name)
def test_our_limits_are_those_of_the_service(operation: Operation, service: ServiceModel) -> None:
    shape = service.operation_model(operation.name).input_shape
    program = shape.members[operation.program].members

    for name in ("ContainerEntrypoint", "ContainerArguments"):
        assert program[name].metadata["max"] == operations.WORDS
        assert program[name].member.metadata["max"] == operations.WORD_CHARACTERS
    assert shape.members["Environment"].metadata["max"] == operations.VARIABLES
    assert shape.members["Environment"].value.metadata["max"] == operation.variable_characters
    assert shape.members["Tags"].metadata["max"] == operations.TAGS
    assert shape.members["Tags"].member.members["Value"].metadata["max"] == operations.TAG_CHARACTERS
    assert shape.members[operation.job_name].metadata["max"] == operations.JOB_NAME_CHARACTERS
    assert operation.image in program


@pytest.mark.parametrize("operation", [TRAINING, PROCESSING], ids=lambda operation: operation.name)
def test_every_member_may_be_written_in_snake_case(operation: Operation, service: ServiceModel) -> None:
    # Given a value of the operation's input that has every member, and one key of the user's own in every map
    whole = sample(service.operation_model(operation.name).input_shape)

    # When it is written as Python writes names, and read
    read = spelled(snake_case(whole, service.operation_model(operation.name).input_shape))

    # Then nothing is lost, and the user's keys are as they were
    assert read == whole
    assert spelled(whole) == whole


def sample(shape: Shape) -> Any:
    match shape:
        case StructureShape():
            return {name: sample(member) for name, member in shape.members.items()}
        case ListShape():
            return [sample(shape.member)]
        case MapShape():
            return {"own_key": sample(shape.value)}
        case _:
            return 0


def snake_case(value: Any, shape: Shape) -> Any:
    match shape:
        case StructureShape():
            return {xform_name(name): snake_case(item, shape.members[name]) for name, item in value.items()}
        case ListShape():
            return [snake_case(item, shape.member) for item in value]
        case _:
            return value


def test_a_long_run_config_comes_in_parts_that_make_it_again() -> None:
    # Given a run config that is longer than a variable
    text = "".join(f"{number}," for number in range(1000))

    # When it is rendered
    request = render(workload({"config": REQUIRED, "env": {"LAUNCHYARD_CONFIG": text}}))
    environment = request.body["input"]["Environment"]

    # Then its parts, in order, are the whole
    assert "LAUNCHYARD_CONFIG" not in environment
    assert "".join(environment[f"LAUNCHYARD_CONFIG_{place}"] for place in range(len(environment))) == text


def test_parts_that_are_still_too_long_are_cut_again() -> None:
    # Given W&B's config in the parts that an agent makes of it
    parts = {"WANDB_CONFIG_0": "a" * 32_670, "WANDB_CONFIG_1": "b"}

    # When it is rendered
    environment = render(workload({"config": REQUIRED, "env": parts})).body["input"]["Environment"]

    # Then every part fits, and together they are the same
    assert max(map(len, environment.values())) == 512
    assert "".join(environment[f"WANDB_CONFIG_{place}"] for place in range(64)) == "a" * 32_670 + "b"


def test_all_required_keys_that_are_missing_are_named_at_once() -> None:
    told = refusal(render, {"RoleArn": "Trainer"})

    assert "CreateTrainingJob needs OutputDataConfig, ResourceConfig, StoppingCondition" in told


_PROCESSING: dict[str, Any] = {"processing_job": {"role_arn": "a", "processing_resources": {"cluster_config": {}}}}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "needs RoleArn"),
        ({**REQUIRED, "RoleArn": ["a"]}, "name of a role, or its ARN"),
        ({**REQUIRED, "Environment": ["A=1"]}, "'Environment' must be an object"),
        ({**REQUIRED, "Environment": {"A": 1}}, "put it in quotes"),
        ({**REQUIRED, "Environment": {"A": "x" * 513}}, "give it in the run config"),
        ({**REQUIRED, "Environment": {f"A{number}": "" for number in range(101)}}, "101 variables"),
        ({**REQUIRED, "Tags": {"team": "vision"}}, "'Key' and 'Value'"),
        ({**REQUIRED, "Tags": [{"Key": str(number), "Value": ""} for number in range(46)]}, "51 tags"),
        ({**REQUIRED, "AlgorithmSpecification": "image:1"}, "'AlgorithmSpecification' must be an object"),
        ({**REQUIRED, **_PROCESSING}, "keep one"),
        ({**REQUIRED, "secrets": ["A"]}, "'secrets' must be an object"),
        ({**REQUIRED, "secrets": {"A": "value"}}, "no reference for 'A'"),
        ({**REQUIRED, "secrets": {"A": "ssm:/a"}}, "starts by itself; give it an entry point"),
        (
            {**REQUIRED, "secrets": {"A": "ssm:/a"}, "EnableNetworkIsolation": True}
            | {"AlgorithmSpecification": {"ContainerEntrypoint": ["python"]}},
            "keeps it from asking",
        ),
        ({**REQUIRED, "region": ""}, "'region' must be a text"),
        ({"processing_job": {}}, "CreateProcessingJob needs RoleArn, ProcessingResources"),
        ({"processing_job": "a"}, "'ProcessingJob' must be an object"),
    ],
)
def test_a_config_that_cannot_work_is_refused_with_the_cure(config: dict[str, Any], why: str) -> None:
    assert why in refusal(render, config)


def test_words_that_are_too_many_or_too_long_are_refused() -> None:
    assert "1 words of up to 257 characters" in refusal(render, REQUIRED, args=["x" * 257])
    assert "101 words" in refusal(render, REQUIRED, entry_point=["x"] * 101)


def test_an_environment_is_not_an_image() -> None:
    assert ArtifactKind.ENVIRONMENT in refusal(render, REQUIRED, environment="/home/agent/environments/3f2a")


@pytest.mark.parametrize(
    ("launched", "why"),
    [
        ({"config": REQUIRED}, "starts by itself"),
        ({"config": {**REQUIRED, "EnableNetworkIsolation": True}, "entry_point": ["python"]}, "EnableNetworkIsolation"),
        ({"config": REQUIRED, "entry_point": ["python", "train.py"]}, ""),
    ],
)
def test_a_plan_says_why_secrets_do_not_reach_a_job(launched: dict[str, Any], why: str) -> None:
    # Given a request as an agent with a key makes it
    request = render(workload({**launched, "secrets": ["WANDB_API_KEY"]}))

    # Then
    assert why in "".join(doubts(request))
    assert bool(why) == bool([*doubts(request)])
    assert bool(request.body["secrets"]) == (not why)
