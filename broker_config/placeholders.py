"""Placeholders in a config's texts: `{{variable}}` of a queue, and `${macro}` that the agent knows.

Both are filled in one pass, so what a value holds is never read as a placeholder again. `\\{{x}}` and `$${x}` write the
literal `{{x}}` and `${x}`. What looks otherwise, such as `{{.Name}}` or `${x:-y}`, is the platform's own and is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from broker_config.errors import InvalidRequest, did_you_mean
from broker_config.pointers import Path, children, leaves, to_pointer

Value = bool | int | float | str
"""What a template variable can hold."""

PLACEHOLDER = re.compile(
    r"(?P<literal_variable>\\)?\{\{\s*(?P<variable>[A-Za-z_][A-Za-z0-9_-]*)\s*\}\}"
    r"|(?P<literal_macro>\$)?\$\{(?P<macro>[A-Za-z_][A-Za-z0-9_]*)\}"
)


def variables_in(text: str) -> Iterator[str]:
    """Names of the template variables in a text."""
    for found in PLACEHOLDER.finditer(text):
        if found["variable"] and not found["literal_variable"]:
            yield found["variable"]


def macros_in(text: str) -> Iterator[str]:
    """Names of the macros in a text."""
    for found in PLACEHOLDER.finditer(text):
        if found["macro"] and not found["literal_macro"]:
            yield found["macro"]


def is_open(value: Any) -> bool:
    """Whether what will stand in this place is not known yet."""
    return any(isinstance(leaf, str) and PLACEHOLDER.search(leaf) for _, leaf in leaves(value))


def fill(
    config: Mapping[str, Any], *, variables: Mapping[str, Value] | None = None, macros: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The config with values in the place of variables, or of macros, or of both; None leaves that kind as it is.

    A text that is a variable and nothing else becomes the value itself, so a number stays a number. Keys have variables
    too, and no macros.

    Raises:
        InvalidRequest: when there is no value of that name, or two keys of an object become the same.
    """
    return _Filling(variables, macros).object(config, ())


class _Filling:
    """One pass over one config."""

    def __init__(self, variables: Mapping[str, Value] | None, macros: Mapping[str, str] | None) -> None:
        self._variables = variables
        self._macros = macros

    def fill(self, value: Any, path: Path) -> Any:
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, Mapping):
            return self.object(value, path)
        if isinstance(value, list | tuple):
            return [self.fill(item, (*path, name)) for name, item in children(value)]
        return value

    def object(self, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        filled = {}
        for name, item in value.items():
            key = self._key(name, (*path, name))
            if key in filled:
                raise InvalidRequest(f"{to_pointer((*path, name))}: {key!r} is there already; write it once")
            filled[key] = self.fill(item, (*path, name))
        return filled

    def _key(self, name: str, path: Path) -> str:
        if self._variables is None or "{{" not in name:
            return name
        return PLACEHOLDER.sub(lambda found: self._inside(found, path) if found["variable"] else found[0], name)

    def _text(self, text: str, path: Path) -> Any:
        whole = PLACEHOLDER.fullmatch(text)
        if whole and whole["variable"] and not whole["literal_variable"]:
            return text if self._variables is None else self._variable(whole["variable"], path)
        return PLACEHOLDER.sub(lambda found: self._inside(found, path), text)

    def _inside(self, found: re.Match[str], path: Path) -> str:
        if name := found["variable"]:
            if self._variables is None:
                return found[0]
            if found["literal_variable"]:
                return found[0][1:]
            value = self._variable(name, path)
            return value if isinstance(value, str) else json.dumps(value)
        if self._macros is None:
            return found[0]
        return found[0][1:] if found["literal_macro"] else self._macro(found["macro"], path)

    def _variable(self, name: str, path: Path) -> Value:
        values = self._variables or {}
        if name not in values:
            raise InvalidRequest(
                f"{to_pointer(path)}: template variable {name!r} has no value{did_you_mean(name, values)}"
            )
        return values[name]

    def _macro(self, name: str, path: Path) -> str:
        values = self._macros or {}
        if name not in values:
            of_agent = "an agent knows it if its config names it in macro_environment"
            cure = f"; {of_agent}" if name.isupper() else did_you_mean(name, values)
            raise InvalidRequest(
                f"{to_pointer(path)}: macro '${{{name}}}' has no value here, and '$${{{name}}}' writes plain text{cure}"
            )
        return values[name]
