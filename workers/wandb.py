"""W&B's variables for a job, so that code which calls `wandb.init` works as it does under W&B Launch.

A job gets them where its agent has a key for W&B, or a mode such as `offline`. The names and their meaning are those of
wandb's documentation, "Environment variables", and of what W&B's own agent sets.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from broker_config.jobs import GitSource, ImageSource
from broker_config.queues import DEFAULT_ENTITY
from broker_config.runs import Run

API_KEY = "WANDB_API_KEY"
PASSED_ON = ("WANDB_BASE_URL", "WANDB_MODE")
"""Variables of the agent whose values every job may see. The key is not one: it goes to the job by name alone."""

CONFIG_CHUNK = 32_670
"""Characters of WANDB_CONFIG beyond which wandb reads it in parts: WANDB_CONFIG_0, WANDB_CONFIG_1 and so on."""


@dataclass(frozen=True, slots=True)
class Wandb:
    """What the environment of this agent says about W&B."""

    has_key: bool = False
    passed_on: Mapping[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Variables of the agent that the target gives to the job."""
        return (API_KEY,) if self.has_key else ()

    def variables(self, run: Run) -> dict[str, str]:
        """The variables for a run; none where W&B is not configured."""
        if not (self.has_key or "WANDB_MODE" in self.passed_on):
            return {}
        config = json.dumps(run.spec.job.run_config, sort_keys=True)
        return {**self.passed_on, **_identity(run), **in_parts("WANDB_CONFIG", config, CONFIG_CHUNK)}


def from_environment(environ: Mapping[str, str] | None = None) -> Wandb:
    """W&B as the agent's environment has it: `WANDB_API_KEY`, `WANDB_BASE_URL` and `WANDB_MODE`."""
    environ = os.environ if environ is None else environ
    passed_on = {name: environ[name] for name in PASSED_ON if environ.get(name)}
    return Wandb(bool(environ.get(API_KEY)), passed_on)


def _identity(run: Run) -> dict[str, str]:
    spec = run.spec
    # An entity that nobody named is no entity at W&B, where the key's own is the default.
    entity = spec.queue.entity if spec.queue.entity != DEFAULT_ENTITY else ""
    git = run.pinned_source if isinstance(run.pinned_source, GitSource) else None
    given = {
        "WANDB_PROJECT": spec.project,
        "WANDB_ENTITY": entity,
        "WANDB_RUN_ID": spec.id,
        "WANDB_NAME": spec.name,
        "WANDB_USERNAME": spec.author,
        "WANDB_DOCKER": spec.job.source.image if isinstance(spec.job.source, ImageSource) else "",
        "WANDB_GIT_REMOTE_URL": git.repository if git else "",
        "WANDB_GIT_COMMIT": git.ref if git else "",
        # The id stays the same, so a later attempt goes on with what the earlier one wrote.
        "WANDB_RESUME": "allow" if run.attempt > 1 else "",
        # Without it, wandb does not read WANDB_CONFIG.
        "WANDB_LAUNCH": "True",
        "WANDB_LAUNCH_QUEUE_NAME": spec.queue.name,
        "WANDB_LAUNCH_QUEUE_ENTITY": entity,
        "WANDB_LAUNCH_TRACE_ID": spec.id,
    }
    return {name: value for name, value in given.items() if value}


def in_parts(name: str, text: str, size: int) -> dict[str, str]:
    """A variable, or if it is too long, `<name>_0`, `<name>_1` and so on, whose texts together are its."""
    if len(text) <= size:
        return {name: text}
    return {f"{name}_{place}": text[start : start + size] for place, start in enumerate(range(0, len(text), size))}
