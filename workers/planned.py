"""A run's request as it is known before anything is built for it, and that an agent keeps to a plan.

What is not known then stands in the request as a placeholder, on both sides: the image or environment that is built,
the folder of the code, the variables of an agent's environment that macros name, and which attempt it is. What an agent
adds of its own for W&B is left out. So the same run gives the same request everywhere, unless something has changed
what is sent: the run, the queue, or the version of the code that renders it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from broker_config import macros
from broker_config.jobs import GitSource, ImageSource, Source
from broker_config.runs import Run, RunSpec
from broker_config.states import FailureClass, Reason, State
from workers.builders.protocol import Artifact, ArtifactKind
from workers.failures import RunFailed
from workers.macros import Macros
from workers.prepare import Prepared, on_base_image
from workers.submit import workload
from workers.targets.protocol import Request, Target, Workload
from workers.wandb import Wandb

PLACEHOLDERS = {ArtifactKind.IMAGE: "${image_uri}", ArtifactKind.ENVIRONMENT: "${environment}"}
CODE = Path("${code}")
COMMIT = "${git_commit}"

Render = Callable[[Workload], Request]


def planned_workload(spec: RunSpec, kind: ArtifactKind) -> Workload:
    """What a target that runs artifacts of that kind renders before anything is built.

    Raises:
        RunFailed: class CONFIG, when the config has a macro that no agent knows, or the job cannot be what it runs.
    """
    run = Run(
        spec=spec,
        version=1,
        state=State.QUEUED,
        since=spec.created_at,
        reason=Reason.ENQUEUED,
        pinned_source=_pinned(spec.job.source),
    )
    of_agents = {
        name: f"${{{name}}}"
        for config in (spec.queue.config, spec.overrides)
        for name in macros.names_in(config)
        if macros.ENVIRONMENT_NAME.fullmatch(name)
    }
    return workload(_prepared(run, kind), Wandb(), Macros(of_agents))


def _pinned(source: Source) -> Source | None:
    return source.model_copy(update={"ref": COMMIT}) if isinstance(source, GitSource) else None


def _prepared(run: Run, kind: ArtifactKind) -> Prepared:
    job = run.spec.job
    if isinstance(job.source, ImageSource):
        return Prepared(run, Artifact(kind, job.source.image), None)
    if job.base_image:
        return Prepared(run, on_base_image(job.base_image, kind), CODE)
    return Prepared(run, Artifact(kind, PLACEHOLDERS[kind]), CODE if kind is ArtifactKind.ENVIRONMENT else None)


def keep_to_plan(spec: RunSpec, target: Target) -> None:
    """Whether what would be sent to the target is what the launch was agreed on with, if it came from a plan.

    Raises:
        RunFailed: class CONFIG, when it is something else.
    """
    if not spec.planned:
        return
    digest = target.render(planned_workload(spec, target.artifact)).digest
    if digest != spec.planned:
        raise RunFailed(
            FailureClass.CONFIG,
            Reason.PLAN_DIFFERS,
            f"the request of this run, {digest}, is not the plan's, {spec.planned}: the run was changed on its way, or "
            "this agent's version renders it otherwise; plan it again with the agent's version, and launch that plan",
        )
