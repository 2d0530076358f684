"""A YAML file as plain data, with the place of every key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from broker_config.errors import ConfigError
from broker_config.frozen import Place


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where."""

    data: dict[str, Any]
    path: Path | None = None
    marks: dict[Place, yaml.Mark] = field(default_factory=dict)

    def place(self, path: Place) -> str:
        """Where the file has that key, or the block around it, in words; empty when it has neither."""
        while path and path not in self.marks:
            path = path[:-1]
        mark = self.marks.get(path)
        return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def read_document(path: Path) -> Document:
    """Read a file that must hold a mapping; an empty one holds nothing.

    Raises:
        ConfigError: when the file is missing, cannot be read, or is not YAML.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        data = loader.construct_document(node) if node else {}
    except FileNotFoundError:
        raise ConfigError(f"agent config {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"agent config {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"agent config {path} is not valid YAML: {_words(error)}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"agent config {path} must be a mapping of keys, not a {type(data).__name__}")
    return Document(data, path, dict(_marks(node, ())))


def _marks(node: yaml.Node | None, path: Place) -> Iterator[tuple[Place, yaml.Mark]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key.start_mark
            yield from _marks(value, (*path, key.value))


def _words(error: yaml.YAMLError) -> str:
    """PyYAML's own sentence, and the cure of its most frequent case: W&B's documentation has tabs in its examples."""
    mark = getattr(error, "problem_mark", None)
    text = f"{getattr(error, 'problem', None) or error}"
    if "'\\t'" in text:
        text = "a tab stands where YAML wants spaces; indent with two spaces"
    return f"{text} (line {mark.line + 1}, column {mark.column + 1})" if mark else text
