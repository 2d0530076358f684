"""The types of SageMaker's API as shapes, from the service model that botocore carries."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, StringShape, StructureShape
from botocore.model import Shape as Described

from broker_config.resources.sagemaker import member
from broker_config.resources.shapes import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    TEXT,
    ListOf,
    MapOf,
    Members,
    Scalar,
    Shape,
)

_SCALARS: dict[str, Shape] = {
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "long": INTEGER,
    "float": NUMBER,
    "double": NUMBER,
    "timestamp": TEXT,
}

_FILLED = frozenset(
    {
        *("TrainingJobName", "ProcessingJobName", "AlgorithmSpecification", "AppSpecification"),
        *("TrainingInputMode", "ImageUri"),
    }
)
"""Fields that the service requires and that the target fills in."""

_NEEDED = {"CreateTrainingJobRequest": ("ResourceConfig", "StoppingCondition")}
"""Fields that the service can do without only for jobs of other kinds than a queue's."""


@cache
def _service() -> ServiceModel:
    # The model alone: a session would look for credentials and settings of this machine.
    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"))


@cache
def shape_of(operation: str) -> Shape:
    """The shape of an operation's input."""
    return _members(_service().operation_model(operation).input_shape.name)


@cache
def _members(name: str) -> Members:
    described = _service().shape_for(name)

    @cache
    def fields() -> dict[str, Shape]:
        return {field: _shape(inner) for field, inner in described.members.items()}

    required = [field for field in described.required_members if field not in _FILLED]
    return Members(name, fields, [*required, *_NEEDED.get(name, ())], spell=member)


def _shape(described: Described) -> Shape:
    if isinstance(described, StructureShape):
        return _members(described.name)
    if isinstance(described, ListShape):
        return ListOf(_shape(described.member))
    if isinstance(described, MapShape):
        return MapOf(_shape(described.value))
    if isinstance(described, StringShape):
        return Scalar(TEXT.noun, TEXT.types, tuple(described.enum))
    return _SCALARS.get(described.type_name, ANYTHING)
