"""Revisions of a queue: what it was, since when and by whom, and what is different between two of them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import yaml

from broker_config.frozen import Frozen
from broker_config.pointers import Path, to_pointer
from broker_config.queues import Queue

_ABSENT = object()


class QueueRevision(Frozen):
    """A queue's definition as one edit made it."""

    revision: int
    at: datetime
    author: str
    note: str = ""
    queue: Queue


class Changed(Frozen):
    """One field with another value; `old` or `new` is absent where the field was added or removed."""

    path: str  # JSON Pointer in the queue's definition
    old: Any = None
    new: Any = None
    kind: str  # "added", "removed" or "changed"


def changes(old: Queue, new: Queue) -> list[Changed]:
    """What is different, field by field; a list counts as one value."""
    return _changes(old.model_dump(mode="json"), new.model_dump(mode="json"), ())


def _changes(old: Any, new: Any, path: Path) -> list[Changed]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*old, *(name for name in new if name not in old)]
        return [
            change
            for name in names
            for change in _changes(old.get(name, _ABSENT), new.get(name, _ABSENT), (*path, name))
        ]
    pointer = to_pointer(path)
    if old is _ABSENT:
        return [Changed(path=pointer, new=new, kind="added")]
    if new is _ABSENT:
        return [Changed(path=pointer, old=old, kind="removed")]
    return [] if _is_same(old, new) else [Changed(path=pointer, old=old, new=new, kind="changed")]


def _is_same(old: Any, new: Any) -> bool:
    # For Python 1, 1.0 and True are the same; for a platform they are not.
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def unified_diff(old: QueueRevision, new: QueueRevision) -> list[str]:
    """The lines of a unified diff of both definitions as YAML; none when they say the same."""
    if not changes(old.queue, new.queue):
        return []
    return list(difflib.unified_diff(_yaml(old.queue), _yaml(new.queue), _header(old), _header(new), lineterm=""))


def _header(revision: QueueRevision) -> str:
    return f"revision {revision.revision} by {revision.author}, {revision.at:%Y-%m-%d %H:%M:%S} UTC"


def _yaml(queue: Queue) -> list[str]:
    text: str = yaml.safe_dump(
        queue.model_dump(mode="json"), sort_keys=True, allow_unicode=True, default_flow_style=False, width=1000
    )
    return text.split("\n")[:-1]
