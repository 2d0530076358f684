"""The base of every model that crosses a boundary: immutable, and strict about unknown fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from broker_config.errors import InvalidRequest, did_you_mean


class Frozen(BaseModel):
    """An immutable value. Unknown fields are refused; a change makes a new value."""

    # An input may hold a password, so no error of pydantic's repeats it.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True)


def check_json(data: dict[str, Any]) -> dict[str, Any]:
    """Data that comes out of JSON as it went in."""
    problem = _not_json(data, "")
    if problem:
        raise ValueError(f"{problem}; use text, finite numbers, true, false, null, lists and objects")
    return data


JsonObject = Annotated[dict[str, Any], AfterValidator(check_json)]


def _not_json(value: Any, path: str) -> str:
    """What of a value JSON cannot hold; empty when there is nothing."""
    if isinstance(value, dict):
        odd = next((key for key in value if not isinstance(key, str)), None)
        if odd is not None:
            return f"the key {odd!r}{f' in {path!r}' if path else ''} is not text"
        parts = ((f"{path}.{key}".lstrip("."), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        parts = ((f"{path}[{place}]", item) for place, item in enumerate(value))
    else:
        return "" if _is_plain(value) else f"{path!r} is a {type(value).__name__} that JSON cannot hold"
    return next((found for name, item in parts if (found := _not_json(item, name))), "")


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return value is None or isinstance(value, bool | int) or (isinstance(value, str) and is_unicode(value))


def is_unicode(text: str) -> bool:
    """Whether text can be written as UTF-8; what came from a command line in another encoding cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


M = TypeVar("M", bound=BaseModel)

Place = tuple[str | int, ...]
"""Where in a document something stands: keys, and numbers of items, from the outside in."""


def parse(model: type[M], data: Mapping[str, Any], what: str, place: Callable[[Place], str] = lambda _: "") -> M:
    """Validate `data` as `model`.

    `what` names the thing in the error, as in "queue 'gpu'"; `place` adds to it where a file says what is wrong.

    Raises:
        InvalidRequest: when a field is unknown, missing or of the wrong type; every such field is named.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        sentences = "; ".join(_sentence(model, detail) + place(detail["loc"]) for detail in details)
        raise InvalidRequest(f"{what}: {sentences}" if what else sentences) from error


class Problem(NamedTuple):
    """One thing that is wrong with data."""

    place: Place
    text: str
    given: Any  # the wrong value; None where a field is missing or unknown


def problems(model: type[BaseModel], data: Mapping[str, Any]) -> list[Problem]:
    """Why data cannot be this model; nothing if it can."""
    try:
        model.model_validate(data)
    except ValidationError as error:
        return [
            Problem(detail["loc"], _clause(model, detail), None if detail["type"] in _OF_FIELDS else detail["input"])
            for detail in error.errors(include_url=False)
        ]
    return []


_OF_FIELDS = frozenset({"extra_forbidden", "missing"})


def _sentence(model: type[BaseModel], detail: ErrorDetails) -> str:
    clause = _clause(model, detail)
    path = _path(detail)
    return f"{path}: {clause}" if path and detail["type"] not in _OF_FIELDS else clause


def _clause(model: type[BaseModel], detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        known = _names(model) if len(detail["loc"]) == 1 else ()
        return f"unknown field {_path(detail)!r}{did_you_mean(str(detail['loc'][-1]), known)}"
    if detail["type"] == "missing":
        return f"field {_path(detail)!r} is missing"
    # Errors that we raise in validators carry their own sentence; pydantic puts a prefix before it.
    return detail["msg"].removeprefix("Value error, ")


def _path(detail: ErrorDetails) -> str:
    return ".".join(str(part) for part in detail["loc"])


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
