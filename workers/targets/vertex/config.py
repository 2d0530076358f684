"""What a queue can say about its custom jobs: `spec` and `run`, as W&B Launch has them.

They are the arguments of `CustomJob` and of its `submit` in Google's client; the names are theirs.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from broker_config.frozen import Frozen, JsonObject


class RunOptions(Frozen):
    """How a job runs. W&B Launch reads them under `run`, and its documentation has some under `spec`: both work."""

    service_account: str | None = None
    """Email of the account as which the job runs."""

    network: str | None = None
    """Full name of the Compute Engine network to which the job is peered."""

    reserved_ip_ranges: list[str] | None = None
    """Names of the address ranges of that network that it may use."""

    psc_interface_config: JsonObject | None = None
    """Private Service Connect, as `PscInterfaceConfig`."""

    timeout: int | None = Field(default=None, ge=1)
    """Seconds after which Vertex AI ends the job."""

    max_wait_duration: int | None = Field(default=None, ge=0)
    """Seconds for which it may wait for resources; 0 is no limit."""

    scheduling_strategy: str | int | None = None
    """`STANDARD`, `SPOT` or `FLEX_START`: a name of `Scheduling.Strategy`, or its number."""

    restart_job_on_worker_restart: bool | None = None
    """Whether the whole job begins anew when one of its workers does."""

    disable_retries: bool = True
    """Whether Vertex AI leaves a job alone that failed by a fault of its own; Launchyard tries it again."""

    persistent_resource_id: str | None = None
    """Persistent resource on which the job runs."""

    enable_web_access: bool | None = None
    """Whether there is an interactive shell."""

    enable_dashboard_access: bool | None = None
    """Whether there is a dashboard."""

    experiment: str | None = None
    """Name of an experiment, or of its context."""

    experiment_run: str | None = None
    """Name of a run of that experiment, or of its context."""

    tensorboard: str | None = None
    """Full name of a TensorBoard."""

    create_request_timeout: float | None = None
    """Taken, and without effect: the agent has its own limits for requests."""


class Spec(RunOptions):
    """What a job is."""

    worker_pool_specs: list[JsonObject] = Field(min_length=1)
    """Pools as `WorkerPoolSpec`, each with a `container_spec`; an empty object skips a place in their order."""

    display_name: str = ""
    """Put before the run's name."""

    staging_bucket: str | None = None
    """Bucket in which every run gets a folder of its own as base output directory."""

    base_output_dir: str | None = None
    """Base output directory, in the place of one in the bucket."""

    encryption_spec_key_name: str | None = None
    """Cloud KMS key that protects the job."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Labels of the job; they win over those of the launch."""

    secrets: dict[str, str] = Field(default_factory=dict)
    """Variables of the job by name, each with a reference to its value in Secret Manager."""

    project: str | None = None
    """Project, when it is not the one of the agent's credentials."""

    location: str | None = None
    """Region, when it is not the one of the agent's environment."""

    impersonate_service_account: str | None = None
    """Email of a service account as which the agent asks Google Cloud for everything."""


class VertexConfig(Frozen):
    """Queue config of resource `vertex`."""

    spec: Spec
    run: RunOptions = Field(default_factory=RunOptions)

    @property
    def options(self) -> dict[str, Any]:
        """All run options; one under `run` wins over the same under `spec`."""
        under_spec = self.spec.model_dump(include=set(RunOptions.model_fields))
        return under_spec | self.run.model_dump(exclude_unset=True)
