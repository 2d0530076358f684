"""Whether this agent carries a run out: what its queue's owner lets a job change, and what the agent itself refuses.

The producer has looked at the first already. The agent does so again, because who may write to the broker may leave the
producer out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker_config import resources, rights, templates
from broker_config.errors import InvalidRequest
from broker_config.jobs import ImageSource
from broker_config.runs import Run, RunSpec
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import Artifact, ArtifactKind
from workers.failures import RunFailed
from workers.macros import Macros


@dataclass(frozen=True, slots=True)
class Admission:
    """The stage between claim and prepare."""

    macros: Macros
    secure_mode: bool = False

    def admit(self, run: Run, kind: ArtifactKind) -> None:
        """Look at a run before anything is built for it; its target runs artifacts of that kind.

        Raises:
            RunFailed: class CONFIG, when it is not carried out here.
        """
        spec = run.spec
        try:
            templates.check_values(
                spec.queue.template_variables, spec.template_values, f"queue {spec.queue.full_name!r}"
            )
            # A macro without a value is told now rather than after the build.
            macros = self.macros.of_job(run, Artifact(kind, ""))
            config = spec.config_with(macros)
            rights.Rights(spec.queue).check(spec.overrides, spec.template_values, macros)
        except InvalidRequest as error:
            raise _refused(str(error)) from error
        if self.secure_mode and (refused := list(_insecure(spec, config))):
            raise _refused(f"the agent is in secure mode, and refuses {'; '.join(refused)}")


def _insecure(spec: RunSpec, config: Mapping[str, Any]) -> Iterator[str]:
    yield from rights.insecure(resources.load(spec.queue.resource), config)
    # Code of the job's own starts with words of its own. An image was allowed for what it starts by itself.
    if spec.job.entry_point and isinstance(spec.job.source, ImageSource):
        yield "an entry point in place of the image's own; take entry_point away"


def _refused(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text)
