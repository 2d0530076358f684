"""How long an object stays after its end, for people to look at: one that succeeded, and one that did not.

An agent that is away for longer would not see how a run ended. So what the config says of it is written into
annotations, and its controller is told of it when the end is on record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.targets.kubernetes.kinds import Kind, holders
from workers.targets.kubernetes.manifest import PREFIX
from workers.targets.kubernetes.pods import Object, section

SUCCEEDED = f"{PREFIX}keep-seconds"
FAILED = f"{PREFIX}keep-failed-seconds"

FAILED_KEY = "ttlSecondsAfterFailed"
"""Beside the manifest: how long an object stays whose run did not succeed. Else it is as long as for the others."""

_OF_ARGO = {SUCCEEDED: "secondsAfterSuccess", FAILED: "secondsAfterFailure"}
_BOTH_OF_ARGO = "secondsAfterCompletion"


def keep(manifest: Object, kind: Kind, config: Mapping[str, Any]) -> None:
    """Take out of a manifest what would have its controller remove it, and write it down.

    Raises:
        ValueError: when it is no number of seconds, or nothing removes objects of that kind.
    """
    times = _take(manifest, kind.clean_up) if kind.clean_up else {}
    if (failed := config.get(FAILED_KEY)) is not None:
        if not kind.clean_up:
            raise ValueError(f"{FAILED_KEY!r}: nothing removes a {manifest['kind']} some time after its end")
        times[FAILED] = _seconds(FAILED_KEY, failed)
    if times:
        section(manifest["metadata"], "annotations").update({name: str(value) for name, value in times.items()})


def seconds(found: Object, *, has_succeeded: bool) -> int | None:
    """How long an object is to stay; None when it is to go at once."""
    written = found["metadata"].get("annotations") or {}
    names = [SUCCEEDED] if has_succeeded else [FAILED, SUCCEEDED]
    return next((int(written[name]) for name in names if name in written), None)


def _take(manifest: Object, path: str) -> dict[str, int]:
    name = path.rpartition(".")[2]
    times: dict[str, int] = {}
    for holder in holders(manifest, path.split(".")):
        given = holder.pop(name, None)
        if isinstance(given, dict):
            # Argo has a number for each way to end.
            both = given.get(_BOTH_OF_ARGO)
            given = {key: given.get(word, both) for key, word in _OF_ARGO.items()}
        else:
            given = {SUCCEEDED: given}
        times |= {key: _seconds(path, value) for key, value in given.items() if value is not None}
    return times


def _seconds(path: str, value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{path!r} must be a number of seconds")
    return value
