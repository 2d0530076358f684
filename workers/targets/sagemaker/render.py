"""From a workload to the request: the operation of SageMaker, its input, and the session in which it is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from broker_config.resources.sagemaker import DROPPED, PROCESSING_KEY, SECRETS_KEY, SESSION_KEYS, spelled
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.containers import image_of
from workers.targets.identity import fitting, identity, prefixed
from workers.targets.protocol import Request, Workload
from workers.targets.sagemaker import operations, secrets
from workers.targets.sagemaker.handles import Handle
from workers.targets.sagemaker.operations import BY_NAME, PROCESSING, TRAINING, Operation
from workers.targets.starting import started

ROLE = "arn:{partition}:iam::{account}:role/"
"""What stands before a role that is given by its name. Partition and account are filled in when it is submitted."""

SPLIT = ("LAUNCHYARD_CONFIG", "WANDB_CONFIG", "WANDB_LAUNCH_FILE_OVERRIDES")
"""Variables whose readers put the parts `NAME_0`, `NAME_1`, ... together again."""

_TAG_CHARACTERS = r"\w .:/=+\-@"


def render(workload: Workload) -> Request:
    """The request for a workload: `input` is the whole body of `operation`, but for what `ROLE` leaves open.

    `secrets` are variables of the agent, by name. Their values go into the run's own secret in Secrets Manager, and the
    input refers to them: what stands in it is shown to everybody who may see the job. A job whose image starts by
    itself gets none.

    Raises:
        RunFailed: class CONFIG, when the queue config cannot work.
    """
    try:
        operation, body = _body(workload)
    except ValueError as error:
        text = f"queue config of resource sagemaker: {error}"
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text) from error
    handle = Handle.of(workload.name, body["session"], operation, body["input"][operation.job_name])
    return Request(str(handle), body)


def place_of(config: Mapping[str, Any]) -> Handle | None:
    """Where the jobs of a queue config are; None where only a run's template values or macros tell."""
    given = spelled(config)
    session = {key: str(given.get(key) or "") for key in SESSION_KEYS}
    if any("{" in part for part in session.values()):
        return None
    return Handle.of("", session, PROCESSING if PROCESSING_KEY in given else TRAINING, "")


def doubts(request: Request) -> Iterator[str]:
    """What a job that is sent like that will lack."""
    body = request.body
    if why := _keeps_secrets_out(BY_NAME[body["operation"]], body["input"]):
        yield f"secrets of the agent such as WANDB_API_KEY do not reach the job: {why}"


def _body(workload: Workload) -> tuple[Operation, dict[str, Any]]:
    given = spelled(workload.config)
    session = {key: given.pop(key) for key in SESSION_KEYS if key in given}
    if odd := next((key for key, value in session.items() if not isinstance(value, str) or not value), None):
        raise ValueError(f"{odd!r} must be a text")
    of_queue = _object(given, SECRETS_KEY)
    given.pop(SECRETS_KEY, None)
    given.pop(DROPPED, None)
    operation, told = _operation(given)
    missing = [name for name in operation.required if not told.get(name)]
    if missing:
        raise ValueError(f"{operation.name} needs {', '.join(missing)}; add them to the queue config")
    # The ARN has the name in small letters, and a job is found by its ARN.
    prefix = str(told.get(operation.job_name, "")).lower()
    told[operation.job_name] = prefixed(prefix, workload.name, operations.JOB_NAME_CHARACTERS)
    told["RoleArn"] = _role(told["RoleArn"])
    told[operation.program] = _program(operation, _object(told, operation.program), workload)
    own = _bring(operation, told, workload, of_queue)
    told["Tags"] = _tags(told.get("Tags", []), workload)
    return operation, {"session": session, "operation": operation.name, "input": told, "secrets": own}


def _bring(
    operation: Operation, told: dict[str, Any], workload: Workload, of_queue: Mapping[str, Any]
) -> Sequence[str]:
    """Give the job its variables, and a start that reads those whose values no request holds; the agent's of them."""
    given = _object(told, "Environment")
    own = [name for name in workload.secrets if name not in {*given, *of_queue}]
    referred = secrets.references(workload.name, own, of_queue)
    if why := _keeps_secrets_out(operation, told):
        if of_queue:
            raise ValueError(f"'secrets' cannot reach the job: {why}")
        own, referred = [], {}
    if referred:
        program = told[operation.program]
        program["ContainerEntrypoint"] = _words("entry point", started(program["ContainerEntrypoint"]))
    told["Environment"] = _environment(operation, given, workload, secrets.variables(referred))
    return own


def _keeps_secrets_out(operation: Operation, told: Mapping[str, Any]) -> str:
    """Why a job cannot read secrets as it starts; empty: it can."""
    if not isinstance(told[operation.program].get("ContainerEntrypoint"), list):
        return "its image starts by itself; give it an entry point, or ContainerEntrypoint in the queue config"
    if told.get("EnableNetworkIsolation") or _object(told, "NetworkConfig").get("EnableNetworkIsolation"):
        return "EnableNetworkIsolation keeps it from asking for them; leave that out, or have it need none"
    return ""


def _operation(given: dict[str, Any]) -> tuple[Operation, dict[str, Any]]:
    """Which operation a config is for, and its input."""
    if PROCESSING_KEY not in given:
        return TRAINING, given
    if len(given) > 1:
        others = ", ".join(sorted(given.keys() - {PROCESSING_KEY}))
        raise ValueError(f"{PROCESSING_KEY!r} is for processing jobs, and {others} for training jobs; keep one")
    return PROCESSING, _object(given, PROCESSING_KEY)


def _role(role: Any) -> str:
    if not isinstance(role, str):
        raise ValueError("'RoleArn' must be the name of a role, or its ARN")
    return role if role.startswith("arn:") else ROLE + role


def _program(operation: Operation, given: Mapping[str, Any], workload: Workload) -> dict[str, Any]:
    """Image, entry point and arguments. An image or algorithm, and an entry point, of the queue's stay."""
    program, image = dict(given), image_of(workload)
    if operation is TRAINING:
        program.setdefault("TrainingInputMode", "File")
    if "AlgorithmName" not in program:
        program[operation.image] = program.get(operation.image) or image
    if workload.entry_point and not program.get("ContainerEntrypoint"):
        program["ContainerEntrypoint"] = _words("entry point", workload.entry_point)
    if workload.args:
        program["ContainerArguments"] = _words("arguments", workload.args)
    return program


def _words(what: str, words: Sequence[str]) -> list[str]:
    longest = max(map(len, words))
    if len(words) > operations.WORDS or longest > operations.WORD_CHARACTERS:
        raise ValueError(
            f"the job's {what} are {len(words)} words of up to {longest} characters, and SageMaker takes "
            f"{operations.WORDS} of {operations.WORD_CHARACTERS}; give long values in the run config"
        )
    return list(words)


def _environment(
    operation: Operation, given: Mapping[str, Any], workload: Workload, more: Mapping[str, str]
) -> dict[str, str]:
    """The queue's variables and the job's, and `more` that are no affair of theirs."""
    if odd := next((name for name, value in given.items() if not isinstance(value, str)), None):
        raise ValueError(f"variable {odd!r} in 'Environment' must be a text; put it in quotes")
    limit = operation.variable_characters
    environment: dict[str, str] = {}
    for name, value in sorted(_whole(workload.environment(given)).items()):
        if len(value) <= limit:
            environment[name] = value
        elif name in SPLIT:
            parts = [value[start : start + limit] for start in range(0, len(value), limit)]
            environment |= {f"{name}_{place}": part for place, part in enumerate(parts)}
        else:
            raise ValueError(
                f"variable {name!r} has {len(value)} characters, and SageMaker takes {limit}; give it in the run config"
            )
    environment |= more
    count = len(environment) + (len(secrets.program(limit)) if more else 0)
    if count > operations.VARIABLES:
        raise ValueError(
            f"the job has {count} variables, long ones counted by their parts, and SageMaker takes "
            f"{operations.VARIABLES}; have it read some from a file"
        )
    return environment


def _whole(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables with those in one piece again that came in parts which may be too long here."""
    whole = dict(variables)
    for name in SPLIT:
        parts: list[str] = []
        while (part := whole.pop(f"{name}_{len(parts)}", None)) is not None:
            parts.append(part)
        if parts:
            whole[name] = "".join(parts)
    return whole


def _tags(given: Any, workload: Workload) -> list[dict[str, str]]:
    """The queue's tags win over the job's labels, and Launchyard's over both.

    A job's labels get a prefix of ours: rights may hang on a tag.
    """
    if not isinstance(given, list) or not all(
        isinstance(tag, Mapping) and isinstance(tag.get("Key"), str) for tag in given
    ):
        raise ValueError("'Tags' must be a list of objects with 'Key' and 'Value'")
    tags = {f"label.launchyard/{name}": value for name, value in sorted(workload.labels.items())}
    tags |= {tag["Key"]: tag.get("Value", "") for tag in given} | identity(workload, "launchyard/")
    # One more, the digest of all this, comes with the submission.
    if (count := len(tags) + 1) > operations.TAGS:
        raise ValueError(f"the job has {count} tags, and SageMaker takes {operations.TAGS}; give it fewer labels")
    return [
        {"Key": key, "Value": fitting(str(value), _TAG_CHARACTERS, operations.TAG_CHARACTERS)}
        for key, value in tags.items()
    ]


def _object(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = told.get(name, {})
    if not isinstance(value, Mapping):
        raise ValueError(f"{name!r} must be an object")
    return dict(value)
