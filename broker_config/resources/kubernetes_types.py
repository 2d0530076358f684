"""The types of Kubernetes' API as shapes, from the models of the installed client."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import kubernetes
from kubernetes.client import models

from broker_config.resources.shapes import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    TEXT,
    ListOf,
    MapOf,
    Members,
    Quantity,
    Shape,
)

NAME = f"the kubernetes client {kubernetes.__version__}"

_SCALARS: dict[str, Shape] = {
    "bool": BOOLEAN,
    "int": INTEGER,
    "float": NUMBER,
    "str": TEXT,
    "datetime": TEXT,
    "bytes": TEXT,
    "object": ANYTHING,
}

_QUANTITIES = frozenset({"limits", "requests", "overhead", "capacity", "hard", "size_limit", "divisor"})
"""Attributes that the API has as quantities, and the client as texts: a number may stand there too."""

_FILLED = frozenset({"containers", "template", "job_template"})
"""Attributes that the types require and that the target fills in; so it does with the name of a container."""


@cache
def shape_of(api_version: str, kind: str) -> Members | None:
    """The shape of an object; None when the client knows no such kind."""
    version = api_version.rpartition("/")[2]
    name = f"{version[:1].upper()}{version[1:]}{kind}"
    return _members(name) if hasattr(models, name) else None


@cache
def _members(name: str) -> Members:
    model: Any = getattr(models, name)
    names: dict[str, str] = model.attribute_map

    @cache
    def fields() -> dict[str, Shape]:
        return {names[attribute]: _shape(attribute, type_) for attribute, type_ in model.openapi_types.items()}

    filled = _FILLED | ({"name"} if name == "V1Container" else set())
    required = [
        names[attribute]
        for attribute, field in model.model_fields.items()
        if field.is_required() and attribute not in filled
    ]
    what = re.sub(r"^[A-Za-z]*V\d+(alpha\d+|beta\d+)?", "", name)
    return Members(what, fields, required, lenient=True)


def _shape(attribute: str, type_: str) -> Shape:
    if inner := re.fullmatch(r"List\[(.+)\]", type_):
        return ListOf(_shape(attribute, inner[1]))
    if inner := re.fullmatch(r"Dict\[str, (.+)\]", type_):
        return MapOf(_shape(attribute, inner[1]))
    if type_ == "str" and attribute in _QUANTITIES:
        return Quantity()
    return _SCALARS.get(type_) or _members(type_)
