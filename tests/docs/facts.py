"""What the code says about the things that the reference lists: by table, their names, and some defaults.

A table that is added to the documentation gets its entry here.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from broker_config import errors, priorities, resources
from broker_config.explaining.explanation import Code
from broker_config.jobs import CodeSource, GitSource, ImageSource, Job
from broker_config.macros import BUILT_IN
from broker_config.queues import Queue
from broker_config.resources import kubernetes, sagemaker
from broker_config.resources.docker import flags
from broker_config.resources.local_process import LocalProcessConfig
from broker_config.resources.protocol import Guard
from broker_config.resources.stub import StubConfig
from broker_config.retries import RetryPolicy
from broker_config.settings import PREFIX, Settings
from broker_config.states import TRANSITIONS, FailureClass, Reason, State
from broker_config.store.keys import Keys
from broker_config.templates import TemplateVariable
from broker_config.timeouts import Timeouts
from broker_config.wrappers import RESOURCE_ALIASES
from producer import launch_config
from producer.cli import main
from producer.cli.exits import EXIT_CODES, FATES
from producer.launches import LaunchFields
from producer.server.app import create_app
from producer.server.metrics import METRICS
from producer.wire import API
from tests.docs.pages import ROOT
from tests.docs.wandb_features import FEATURES
from workers.config import AgentConfig
from workers.config.builder import DockerBuilderConfig, NoopBuilderConfig, VenvConfig
from workers.config.buildkit import BuildkitBuilderConfig
from workers.config.cloud import AwsEnvironment, AzureEnvironment, GcpEnvironment
from workers.config.git import GitConfig, GitCredential
from workers.config.kaniko import KanikoBuilderConfig
from workers.config.load import FILE_VARIABLE, VARIABLES, WANDB_VARIABLES
from workers.config.registry import RegistryConfig
from workers.targets.kubernetes.kinds import KINDS
from workers.targets.kubernetes.rights import OF_OBJECTS, OF_OTHERS
from workers.targets.kubernetes.states import WORDS
from workers.targets.sagemaker.render import SPLIT
from workers.targets.vertex.config import RunOptions, Spec

Facts = Mapping[str, str | None]
"""What the first column must name, and the text of the second where that is checked too."""

_ACTION = re.compile(r"[a-z]+(?:-(?:[a-z]+|%s))+")


def _names(names: object) -> Facts:
    return {str(name): None for name in names}  # type: ignore[attr-defined]


def _fields(model: type[BaseModel], prefix: str = "") -> Facts:
    """Fields with their defaults as JSON; `required` and `made` stand for those that have none to show."""
    return {
        prefix + (field.alias or name): _default(field.default, has_factory=field.default_factory is not None)
        for name, field in model.model_fields.items()
    }


def _default(value: object, *, has_factory: bool) -> str | None:
    if has_factory or isinstance(value, Path):
        return None
    return "required" if value is PydanticUndefined else f"`{json.dumps(value)}`"


def _settings() -> Facts:
    return {PREFIX + name.upper(): default for name, default in _fields(Settings).items()}


def _operations() -> Facts:
    """The API's operations, each with what it does."""
    with TemporaryDirectory() as home:
        app = create_app(Settings(home=Path(home), broker_url="redis://127.0.0.1:1"))
    return {
        f"{method.upper()} {path.removeprefix(API)}": operation["description"].split("\n\n")[0].replace("\n", " ")
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def _agent_variables() -> Facts:
    return {FILE_VARIABLE: None, **{name: f"`{key}`" for name, key in {**VARIABLES, **WANDB_VARIABLES}.items()}}


def _job_variables() -> Facts:
    """Those that a job is given, read from the source: a run to call it with would be a longer way there."""
    source = (ROOT / "workers" / "job_environment.py").read_text(encoding="utf-8")
    return _names(re.findall(r'"(LAUNCHYARD_[A-Z_]+)"', source))


def _launch_config() -> Facts:
    """Its keys, with those of the objects in it."""
    names = set(launch_config.LaunchConfig.model_fields)
    for model in (launch_config.Git, launch_config.Docker, launch_config.Overrides):
        names.remove(model.__name__.lower())
        names |= {f"{model.__name__.lower()}.{name}" for name in model.model_fields}
    return _names(names)


def _wandb_variables() -> Facts:
    source = (ROOT / "workers" / "wandb.py").read_text(encoding="utf-8")
    return _names(dict.fromkeys(re.findall(r'"(WANDB_[A-Z_]+)"', source)))


def _transitions() -> Facts:
    return {
        state.value: ", ".join(f"`{new.value}`" for new in State if new in TRANSITIONS.get(state, frozenset()))
        or "none"
        for state in State
    }


def _exit_codes() -> Facts:
    return _names(sorted({0, 1, 2, *EXIT_CODES.values(), *FATES.values()}))


def _error_codes() -> Facts:
    kinds: list[type[errors.LaunchyardError]] = [errors.LaunchyardError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return _names(dict.fromkeys(kind.code for kind in kinds if kind.__module__ == errors.__name__))


def _actions() -> Facts:
    """The first word of every log line of the agent and of what it stands on, where that is an action's name."""
    return _actions_of("workers", "broker_config")


def _actions_of(*folders: str) -> Facts:
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    return _names(sorted({name for file in files for name in _logged(file)}))


def _logged(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        owner, text = node.func.value, node.args[0]
        if isinstance(owner, ast.Name) and owner.id.strip("_") == "logger" and isinstance(text, ast.Constant):
            word = str(text.value).split(" ")[0].rstrip(":")
            if _ACTION.fullmatch(word):
                yield word


def _keys() -> Facts:
    keys = Keys("launchyard:")
    found: dict[str, str | None] = {}
    for name, member in vars(Keys).items():
        if isinstance(member, property):
            found[str(getattr(keys, name))] = None
        elif inspect.isfunction(member) and not name.startswith("_") and name != "of_run":
            parts = [f"<{part}>" for part in inspect.signature(member).parameters if part != "self"]
            found[member(keys, *parts)] = None
    return found


def _commands() -> Facts:
    return {path: ", ".join(f"`{name}`" for name in _options(command)) for path, command in _leaves(main, "launchyard")}


def _leaves(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield f"{path} {name}", command
            yield from _leaves(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            yield parameter.make_metavar(click.Context(command))
        else:
            yield "/".join([*parameter.opts, *parameter.secondary_opts])


def _members(family: str) -> Callable[[], Facts]:
    return lambda: _names(sorted(entry.name for entry in entry_points(group=f"launchyard.{family}")))


GUARDED = ("docker", "local-process", "kubernetes", "sagemaker", "vertex")
INSECURE = ("docker", "kubernetes")


def _guards(resource: str, which: str) -> Callable[[], Facts]:
    """Guarded places with the reasons. A resource that gets some has to be entered above."""
    assert {entry.name for entry in entry_points(group="launchyard.resources")} == {*GUARDED, "stub"}
    return lambda: {guard.path: _told(guard) for guard in getattr(resources.load(resource), which)}


def _told(guard: Guard) -> str:
    return guard.why if guard.only is None else f"as `{guard.only}`, {guard.why}"


def _kubernetes_rights() -> Facts:
    """What a rehearsal asks for, and what only some agents need."""
    verbs = {"jobs": OF_OBJECTS}
    verbs |= {"/".join(filter(None, (one.plural, part))): verbs for (one, part), verbs in OF_OTHERS.items()}
    return {name: ", ".join(f"`{verb}`" for verb in said) for name, said in verbs.items()} | dict.fromkeys(
        ("secrets", "workloads")
    )


FACTS: Mapping[str, Callable[[], Facts]] = {
    "settings": _settings,
    "operations": _operations,
    "metrics": lambda: {name: text for name, (text, _) in METRICS.items()},
    "agent-config": lambda: _fields(AgentConfig),
    "agent-variables": _agent_variables,
    "aws-environment": lambda: _fields(AwsEnvironment),
    "gcp-environment": lambda: _fields(GcpEnvironment),
    "azure-environment": lambda: _fields(AzureEnvironment),
    "registry-config": lambda: _fields(RegistryConfig),
    "noop-builder": lambda: _fields(NoopBuilderConfig),
    "buildkit-builder": lambda: _fields(BuildkitBuilderConfig),
    "docker-builder": lambda: _fields(DockerBuilderConfig),
    "kaniko-builder": lambda: _fields(KanikoBuilderConfig),
    "git-config": lambda: _fields(GitConfig),
    "git-credential": lambda: _fields(GitCredential),
    "venv-config": lambda: _fields(VenvConfig),
    "queue-fields": lambda: _fields(Queue),
    "template-variable": lambda: _fields(TemplateVariable),
    "macros": lambda: dict(BUILT_IN),
    **{f"guarded-{name}": _guards(name, "guarded") for name in GUARDED},
    **{f"insecure-{name}": _guards(name, "insecure") for name in INSECURE},
    "retry-policy": lambda: _fields(RetryPolicy),
    "timeouts": lambda: _fields(Timeouts),
    "resource-aliases": lambda: {old: f"`{new}`" for old, new in RESOURCE_ALIASES.items()},
    "priorities": lambda: {priority.label: str(priority.value) for priority in priorities.Priority},
    "local-process-config": lambda: _fields(LocalProcessConfig),
    "stub-config": lambda: _fields(StubConfig),
    "docker-flags": lambda: _names(flags.FLAGS),
    "docker-aliases": lambda: {short: f"`{name}`" for short, name in flags.ALIASES.items()},
    "docker-refused": lambda: _names(flags.REFUSED),
    "kubernetes-keys": lambda: _names(kubernetes.OWN_KEYS),
    "kubernetes-kinds": lambda: _names(KINDS),
    "kubernetes-words": lambda: {word: f"`{phase.value}`" for word, phase in WORDS.items()},
    "kubernetes-rights": _kubernetes_rights,
    "sagemaker-keys": lambda: _names(
        (*sagemaker.SESSION_KEYS, sagemaker.SECRETS_KEY, sagemaker.PROCESSING_KEY, sagemaker.DROPPED)
    ),
    "sagemaker-split": lambda: _names(SPLIT),
    "vertex-spec": lambda: {name: told for name, told in _fields(Spec).items() if name not in RunOptions.model_fields},
    "vertex-run": lambda: _fields(RunOptions),
    "launch-fields": lambda: _names(LaunchFields.__annotations__),
    "job-fields": lambda: _fields(Job),
    "image-source": lambda: _fields(ImageSource),
    "git-source": lambda: _fields(GitSource),
    "code-source": lambda: _fields(CodeSource),
    "launch-config": _launch_config,
    "launch-config-refused": lambda: _names(launch_config.REFUSED),
    "launch-config-ignored": lambda: _names(launch_config.IGNORED),
    "job-variables": _job_variables,
    "wandb-variables": _wandb_variables,
    "states": lambda: _names(State),
    "transitions": _transitions,
    "reasons": lambda: _names(Reason),
    "explanation-codes": lambda: _names(Code),
    "failure-classes": lambda: _names(FailureClass),
    "exit-codes": _exit_codes,
    "error-codes": _error_codes,
    "actions": _actions,
    "server-actions": lambda: _actions_of("producer"),
    "keys": _keys,
    "commands": _commands,
    **{name: partial(_names, features) for name, features in FEATURES.items()},
    "sources": _members("sources"),
    "builders": _members("builders"),
    "targets": _members("targets"),
}
