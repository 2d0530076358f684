"""What people write on the command line for mappings: `KEY=VALUE`, `key.path=value`, JSON and YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from broker_config.errors import InvalidRequest
from broker_config.texts import read, read_file, read_object


def plain_pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping of texts.

    Raises:
        InvalidRequest: when a text has no `=`.
    """
    return dict(_split(text, option) for text in texts)


def settings(texts: Sequence[str], option: str) -> dict[str, Any]:
    """Texts that are each JSON or YAML of an object, or `key.path=value` whose value is read as YAML; later ones win.

    A value of `null` stays: as an override it removes what the queue config has.

    Raises:
        InvalidRequest: when a text is neither.
    """
    collected: dict[str, Any] = {}
    for text in texts:
        collected = lay_over(collected, _mapping(text, option))
    return collected


def _mapping(text: str, option: str) -> dict[str, Any]:
    if text.lstrip().startswith("{") or "\n" in text.strip():
        return read_object(text, option)
    path, written = _split(text, option)
    nested: Any = read(written, f"{option} {path}").data
    for key in reversed(path.split(".")):
        nested = {key: nested}
    return dict(nested)


def lay_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both, object by object; what is above wins, and `None` stays."""
    laid = dict(below)
    for key, value in above.items():
        under = laid.get(key)
        laid[key] = lay_over(under, value) if isinstance(value, Mapping) and isinstance(under, Mapping) else value
    return laid


def _split(text: str, option: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise InvalidRequest(f"{option} {text!r} must be KEY=VALUE")
    return key, value


def file_or_object(text: str, option: str) -> dict[str, Any]:
    """The object that is written in the text, or in the JSON or YAML file that it names; `-` is stdin.

    Raises:
        InvalidRequest: when there is no such file, or it holds something else.
    """
    is_written_here = text.lstrip().startswith("{") or "\n" in text.strip()
    return read_object(text, option) if is_written_here else read_file(text, option).object


def to_yaml(value: Any) -> str:
    """YAML for people: block style, keys in the order given."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False).strip()
