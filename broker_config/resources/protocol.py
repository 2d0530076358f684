"""What is known of a target resource without speaking to it: how its configs are written, merged and guarded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from broker_config.findings import Finding


class Guard(NamedTuple):
    """A place in a config of which a run could make itself master of more than its own resources.

    `path` is a JSON Pointer in which `*` stands for any one name and a leading `/**` for any depth: `/volume`,
    `/**/hostPID`, `/**/annotations/container.apparmor.security.beta.kubernetes.io~1*`.
    """

    path: str
    why: str  # ends the sentence "'/volume' is guarded: ..."
    only: object = None  # guarded only where it has this value; None: whatever it holds


class Resource(Protocol):
    """A target resource as both sides see it.

    1. Members are found by entry point in the group `launchyard.resources`, under the name that a queue writes as its
       resource. A resource without a member is one about whose configs nothing is known.
    2. The member's module imports no SDK: its tables are needed wherever a run is looked at. What needs one is in a
       module of its own that `check` imports when it is called; without the SDK, `check` gives a warning that names
       the extra.
    3. `check` is pure. It gets the queue config with every template variable filled by its default, or by a value that
       its schema allows; macros are there as texts. What it finds in such a place counts as a warning.
    """

    named_lists: ClassVar[Mapping[str, str]]
    """Lists of named things, by the key under which a list stands, anywhere: the key in its items that names them."""

    guarded: ClassVar[Sequence[Guard]]
    """What a job's overrides may not touch unless the queue's owner names that place."""

    insecure: ClassVar[Sequence[Guard]]
    """What an agent in secure mode refuses, whoever wrote it; where it holds false, null or nothing it is harmless."""

    is_rehearsed: ClassVar[bool]
    """Whether its target can ask the platform what it thinks of a job before there is one."""

    def canonical(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The config with one spelling for every key, so that an override meets what it means."""

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:
        """What its author should know about a queue config."""
