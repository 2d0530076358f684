"""The two operations of SageMaker that run a job: where they take what, and how much of it.

Limits and members are those of the service's API reference, `CreateTrainingJob` and `CreateProcessingJob`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Operation:
    """Where an operation takes what a job brings."""

    name: str
    job_name: str  # the member that names the job
    program: str  # the member that holds image, entry point and arguments
    image: str
    required: tuple[str, ...]
    variable_characters: int  # of a variable's value


TRAINING = Operation(
    name="CreateTrainingJob",
    job_name="TrainingJobName",
    program="AlgorithmSpecification",
    image="TrainingImage",
    required=("RoleArn", "OutputDataConfig", "ResourceConfig", "StoppingCondition"),
    variable_characters=512,
)
PROCESSING = Operation(
    name="CreateProcessingJob",
    job_name="ProcessingJobName",
    program="AppSpecification",
    image="ImageUri",
    required=("RoleArn", "ProcessingResources"),
    variable_characters=256,
)

JOB_NAME_CHARACTERS = 63
VARIABLES = 100
WORDS = 100
"""Of an entry point, and of arguments."""

WORD_CHARACTERS = 256
TAGS = 50
TAG_CHARACTERS = 256

_MAPS = {
    "Environment",
    "HyperParameters",
    "HookParameters",
    "CollectionParameters",
    "RuleParameters",
    "ProfilingParameters",
}
"""Members whose keys are the user's own."""

_ODD = {"volume_size_in_gb": "VolumeSizeInGB"}


def camel_case(value: Any) -> Any:
    """A request in the service's own spelling: `resource_config` is `ResourceConfig`, on every level."""
    if isinstance(value, list):
        return [camel_case(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    spelled = {member(key): item for key, item in value.items()}
    return {name: item if name in _MAPS else camel_case(item) for name, item in spelled.items()}


def member(key: str) -> str:
    """A member's name as the service writes it."""
    return _ODD.get(key) or "".join(word[:1].upper() + word[1:] for word in key.split("_"))
