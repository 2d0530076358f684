"""From a workload to the request: a custom job as JSON of `google.cloud.aiplatform.v1.CustomJob`, and where it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from broker_config.errors import InvalidRequest
from broker_config.frozen import parse
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.containers import Container, image_of, place_command, place_env, place_image
from workers.targets.identity import fitting, identity, prefixed
from workers.targets.protocol import Request, Workload
from workers.targets.vertex import secrets
from workers.targets.vertex.config import Spec, VertexConfig
from workers.targets.vertex.handles import Handle
from workers.targets.vertex.labels import PREFIX

CONTEXT = "projects/{project}/locations/{location}/metadataStores/default/contexts/"
"""What stands before an experiment that is given by its name. Whoever submits fills in project and location."""

PLACE = ("impersonate_service_account", "project", "location")
"""Keys of `spec` that choose where a job goes, and as whom it is sent there."""

_WHAT = "queue config of resource vertex"
_PASSED_ON = (
    *("service_account", "network", "reserved_ip_ranges", "psc_interface_config", "persistent_resource_id"),
    *("enable_web_access", "enable_dashboard_access", "tensorboard"),
)
"""Options that are fields of `CustomJobSpec` by the same name."""

VARIABLES = 100
"""Of one container."""

_DISPLAY_NAME_CHARACTERS = 128
_LABEL_CHARACTERS = 63
_LABELS = 64


def render(workload: Workload) -> Request:
    """The request for a workload: `custom_job` is created as it is, but for what `CONTEXT` leaves open.

    `place` has the project and the location where the config names them. `secrets` are variables of the agent, by name.
    Their values go into the run's own secret in Secret Manager, and the job refers to them: what stands in it is shown
    to everybody who may see it. A job whose image starts by itself gets none.

    Raises:
        RunFailed: class CONFIG, when the queue config cannot work.
    """
    try:
        body = _body(workload)
    except InvalidRequest as error:
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, str(error)) from error
    except ValueError as error:
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, f"{_WHAT}: {error}") from error
    return Request(str(Handle.of(workload.name, body["place"])), body)


def place_of(config: Mapping[str, Any]) -> Handle | None:
    """Where the jobs of a queue config are; None where only a run's template values or macros tell."""
    spec = config.get("spec")
    place = {key: str(spec.get(key) or "") for key in PLACE} if isinstance(spec, Mapping) else {}
    if any("{" in part for part in place.values()):
        return None
    return Handle.of("", place)


def doubts(request: Request) -> Iterator[str]:
    """What a job that is sent like that will lack."""
    pools = request.body["custom_job"]["job_spec"]["worker_pool_specs"]
    if any(pool and not pool["container_spec"].get("command") for pool in pools):
        yield (
            "an image of the job starts by itself, so secrets of the agent such as WANDB_API_KEY do not reach it; give "
            "the job an entry point, or 'command' to the container in the queue config"
        )


def _body(workload: Workload) -> dict[str, Any]:
    config = parse(VertexConfig, workload.config, _WHAT)
    spec = config.spec
    pools, own = _pools(spec, workload)
    job: dict[str, Any] = {
        "display_name": prefixed(spec.display_name, workload.name, _DISPLAY_NAME_CHARACTERS),
        "job_spec": {"worker_pool_specs": pools, **_options(config.options)},
        "labels": _labels(spec, workload),
    }
    if output := _output(spec, workload):
        job["job_spec"]["base_output_directory"] = {"output_uri_prefix": output}
    if spec.encryption_spec_key_name:
        job["encryption_spec"] = {"kms_key_name": spec.encryption_spec_key_name}
    place = spec.model_dump(include=set(PLACE), exclude_none=True)
    return {"place": place, "custom_job": job, "secrets": own}


def _pools(spec: Spec, workload: Workload) -> tuple[list[dict[str, Any]], list[str]]:
    """The worker pools, and the variables of the agent whose values they are to read."""
    pools = deepcopy(spec.worker_pool_specs)
    containers = []
    for place, pool in enumerate(pools):
        container = pool.get("container_spec")
        if pool and not isinstance(container, dict):
            raise ValueError(f"worker pool {place} needs a 'container_spec', which may be empty")
        if isinstance(container, dict):
            containers.append(container)
    if not containers:
        raise ValueError("all worker pools are empty; at least the first needs a 'container_spec'")
    image = image_of(workload)
    place_image([[container] for container in containers], "image_uri", image)
    for container in containers:
        if container["image_uri"] == image:
            place_command(container, workload.entry_point, workload.args)
        place_env(container, workload)
    own = _secrets(spec, workload, [one for one in containers if one["image_uri"] == image])
    for container in containers:
        # One more is the program that reads secrets.
        number = len(container.get("env", ())) + secrets.is_wrapped(container)
        if number > VARIABLES:
            raise ValueError(f"a container has {number} variables, and Vertex AI takes {VARIABLES}")
    return pools, own


def _secrets(spec: Spec, workload: Workload, containers: Sequence[Container]) -> list[str]:
    """Have the job's containers read secrets; the agent's that they read."""
    secrets.check(spec.secrets)
    if spec.secrets and not all(container.get("command") for container in containers):
        raise ValueError(
            f"'secrets' needs an entry point: without one the image starts by itself, and nothing can give it "
            f"{', '.join(spec.secrets)}; give the job one, or 'command' to the container in the queue config"
        )
    wrapped = [secrets.wrap(one, workload.name, workload.secrets, spec.secrets) for one in containers]
    return [name for name in workload.secrets if any(name in own for own in wrapped)]


def _options(options: dict[str, Any]) -> dict[str, Any]:
    scheduling = {
        "timeout": _duration(options["timeout"]),
        "max_wait_duration": _duration(options["max_wait_duration"]),
        "strategy": options["scheduling_strategy"],
        "restart_job_on_worker_restart": options["restart_job_on_worker_restart"],
        "disable_retries": options["disable_retries"],
    }
    told = {
        **{name: options[name] for name in _PASSED_ON},
        **_experiment(options["experiment"], options["experiment_run"], options["tensorboard"]),
        "scheduling": {name: value for name, value in scheduling.items() if value is not None},
    }
    return {name: value for name, value in told.items() if value is not None}


def _experiment(experiment: str | None, run: str | None, tensorboard: str | None) -> dict[str, str]:
    """Experiment and run as the contexts that they are. That of a run is named after both."""
    if experiment is None:
        if run is not None:
            raise ValueError("'experiment_run' needs 'experiment'")
        return {}
    if tensorboard is not None:
        raise ValueError("'experiment' brings its own TensorBoard; take 'tensorboard' away")
    told = {"experiment": _context(experiment)}
    if run is not None:
        told["experiment_run"] = _context(run if "/" in run else f"{experiment.rpartition('/')[2]}-{run}")
    return told


def _context(name: str) -> str:
    return name if "/" in name else CONTEXT + name


def _duration(seconds: int | None) -> str | None:
    """As JSON writes a `google.protobuf.Duration`."""
    return None if seconds is None else f"{seconds}s"


def _output(spec: Spec, workload: Workload) -> str | None:
    if spec.base_output_dir or not spec.staging_bucket:
        return spec.base_output_dir
    bucket = spec.staging_bucket.rstrip("/")
    return f"{bucket if bucket.startswith('gs://') else f'gs://{bucket}'}/{workload.name}"


def _labels(spec: Spec, workload: Workload) -> dict[str, str]:
    """The queue's labels win over those of the launch, and Launchyard's over both.

    A label is lower case, and its name begins with a letter.
    """
    launch = {_label(f"label-{name}"): _label(value) for name, value in sorted(workload.labels.items())}
    own = {name: _label(value) for name, value in identity(workload, PREFIX).items()}
    labels = {**launch, **spec.labels, **own}
    # One more, the digest of all this, comes with the submission.
    if (count := len(labels) + 1) > _LABELS:
        raise ValueError(f"the job has {count} labels, and Vertex AI takes {_LABELS}; give it fewer")
    return labels


def _label(text: str) -> str:
    return fitting(text.lower(), r"\w-", _LABEL_CHARACTERS)
