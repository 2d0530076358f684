"""The two kinds of jobs that SageMaker runs: where their operations take what, how much of it, and their names.

Limits and members are those of the service's API reference, `CreateTrainingJob` and `CreateProcessingJob`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """Where an operation takes what a job brings, and the words of the operations that go with it."""

    name: str
    noun: str  # `DescribeTrainingJob`, `TrainingJobStatus` and so on are made of it
    kind: str  # of its jobs, as in their ARNs
    log_group: str
    program: str  # the member that holds image, entry point and arguments
    image: str
    required: tuple[str, ...]
    variable_characters: int  # of a variable's value

    @property
    def job_name(self) -> str:
        """The member that names the job."""
        return f"{self.noun}Name"


TRAINING = Operation(
    name="CreateTrainingJob",
    noun="TrainingJob",
    kind="training-job",
    log_group="/aws/sagemaker/TrainingJobs",
    program="AlgorithmSpecification",
    image="TrainingImage",
    required=("RoleArn", "OutputDataConfig", "ResourceConfig", "StoppingCondition"),
    variable_characters=512,
)
PROCESSING = Operation(
    name="CreateProcessingJob",
    noun="ProcessingJob",
    kind="processing-job",
    log_group="/aws/sagemaker/ProcessingJobs",
    program="AppSpecification",
    image="ImageUri",
    required=("RoleArn", "ProcessingResources"),
    variable_characters=256,
)

BY_NAME = {operation.name: operation for operation in (TRAINING, PROCESSING)}
BY_KIND = {operation.kind: operation for operation in (TRAINING, PROCESSING)}

JOB_NAME_CHARACTERS = 63
VARIABLES = 100
WORDS = 100
"""Of an entry point, and of arguments."""

WORD_CHARACTERS = 256
TAGS = 50
TAG_CHARACTERS = 256
