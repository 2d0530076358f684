"""The two operations of SageMaker that run a job: where they take what, and how much of it.

Limits and members are those of the service's API reference, `CreateTrainingJob` and `CreateProcessingJob`.
"""

from __future__ import annotations

from dataclasses import dataclass


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
