"""What stands on the command line of `launchyard launch`, and the launch that it means."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from broker_config.errors import InvalidRequest
from broker_config.jobs import ImageSource
from broker_config.queues import Queue, full_name
from broker_config.templates import read_values
from broker_config.texts import read_object
from broker_config.wrappers import RESOURCE_ALIASES, unwrap
from producer import checkouts, launch_config
from producer.cli import pairs
from producer.launches import LaunchFields
from producer.sources import LocalCode, LocalGit, git, uri

INTERPRETERS = {".py": "python", ".sh": "bash"}
_PAIR = re.compile(r"[\w.]+=")
_PLAIN = ("idempotency_key", "build_context", "dockerfile", "base_image", "python_version")


@dataclass(frozen=True)
class LaunchOptions:
    """The options; None and empty ones were not given."""

    queue: str
    job: str | None
    uri: str | None
    code: str | None
    repository: str | None
    image: str | None
    git_version: str | None
    git_diff: bool
    entry_point: str | None
    config: str | None
    resource_args: str | None
    name: str | None
    project: str | None
    entity: str | None
    priority: str | None
    env: tuple[str, ...]
    labels: tuple[str, ...]
    overrides: tuple[str, ...]
    variables: tuple[str, ...]
    run_config: tuple[str, ...]
    idempotency_key: str | None
    not_before: str | None
    after: tuple[str, ...]
    retries: str | None
    timeouts: str | None
    build_context: str | None
    dockerfile: str | None
    base_image: str | None
    python_version: str | None
    command: tuple[str, ...]

    @cached_property
    def _read(self) -> tuple[launch_config.LaunchConfig, list[str]]:
        if self.config and _PAIR.match(self.config):
            raise InvalidRequest(
                f"--config takes a launch config; for a value of the run config: --run-config {self.config}"
            )
        return launch_config.read(pairs.file_or_object(self.config, "--config") if self.config else {})

    @property
    def notes(self) -> list[str]:
        """What of the launch config changes nothing, in sentences."""
        return [*self._read[1], *(_left_behind(self._checkout) if self.git_diff else ())]

    @property
    def _checkout(self) -> str:
        """The folder that --git-diff is about."""
        given = [one for one in (self.job, self.repository, self.image, self.git_version) if one is not None]
        folder = LocalCode(".") if self.uri is None else uri(self.uri)
        if given or not isinstance(folder, LocalCode) or (self.uri and self.code):
            raise InvalidRequest("--git-diff launches a checkout on this machine; name its folder with --code, if any")
        return str(self.code or folder.path)

    def fields(self, queue_of: Callable[[str], Queue]) -> LaunchFields:
        """The launch; `queue_of` looks a queue up. Options come over the launch config.

        Raises:
            InvalidRequest: when an option or the launch config is wrong, or two of them contradict each other.
        """
        config, _ = self._read
        fields: dict[str, Any] = {**config.fields, **self._given, "queue": self.queue}
        for name, text in (("retries", self.retries), ("timeouts", self.timeouts)):
            fields[name] = read_object(text, f"--{name}") if text else None
        if what := self._what():
            fields = {**{name: value for name, value in fields.items() if name not in ("job", "source")}, **what}
        elif not {"job", "source"} & fields.keys():
            fields["source"] = _present_folder(fields)
        fields["run_config"] = pairs.lay_over(
            fields.get("run_config", {}), pairs.settings(self.run_config, "--run-config")
        )
        queue = full_name(self.queue, fields.get("entity"))
        fields["overrides"] = self._overrides(lambda: queue_of(queue).resource)
        if self.variables:
            known, texts = queue_of(queue).template_variables, pairs.plain_pairs(self.variables, "--set-var")
            values = read_values(known, texts, f"queue {queue!r}")
            fields["template_variables"] = {**config.template_variables, **values}
        launch: LaunchFields = fields  # type: ignore[assignment]  # checked by the launch itself, at run time
        return launch

    def _overrides(self, resource: Callable[[], str]) -> dict[str, Any]:
        """The resource args of both places, and the overrides over them."""
        config, _ = self._read
        overrides: Mapping[str, Any] = {}
        args = pairs.file_or_object(self.resource_args, "--resource-args") if self.resource_args else {}
        if config.resource or config.resource_args or config.additional_services or args:
            overrides = _unwrapped(config, args, resource())
        return pairs.lay_over(overrides, pairs.settings(self.overrides, "--override"))

    @property
    def _given(self) -> Mapping[str, Any]:
        """Those options that are fields of a launch as they stand, or nearly so."""
        given: dict[str, Any] = {
            **{name: getattr(self, name) for name in ("name", "project", "entity", "priority", *_PLAIN)},
            "env": pairs.plain_pairs(self.env, "--env"),
            "labels": pairs.plain_pairs(self.labels, "--label"),
            "not_before": _moment(self.not_before),
            "after": self.after,
            "entry_point": words(self.entry_point) if self.entry_point else self.command,
            "args": self.command if self.entry_point else (),
        }
        return {name: value for name, value in given.items() if value}

    def _what(self) -> dict[str, Any]:
        """The job or source that is named here, if one is."""
        named = [one for one in (self.job, self.uri, self.code, self.repository, self.image) if one is not None]
        if self.git_diff:
            return {"source": LocalGit(self._checkout)}
        if len(named) > 1:
            raise InvalidRequest("--job, --uri, --code, --git and --image each name what to run; choose one")
        if self.git_version is not None and self.uri is None:
            raise InvalidRequest("--git-version belongs to --uri; write --git URL@REF")
        if self.job is not None:
            return {"job": self.job}
        if self.uri is not None:
            return {"source": uri(self.uri, self.git_version)}
        if self.repository is not None:
            return {"source": git(self.repository)}
        if self.image is not None:
            return {"source": ImageSource(image=self.image)}
        return {"source": LocalCode(self.code)} if self.code is not None else {}


def _left_behind(checkout: str) -> list[str]:
    """The note on files that git does not know, if there are any."""
    names = checkouts.untracked(LocalGit(checkout).folder)
    if not names:
        return []
    what = f"{names[0]!r} is" if len(names) == 1 else f"{len(names)} files such as {names[0]!r} are"
    return [f"{what} not known to git and not brought; git add --intent-to-add brings them"]


def _present_folder(fields: Mapping[str, Any]) -> LocalCode:
    """What runs when nothing says where the code is."""
    if not fields.get("entry_point"):
        raise InvalidRequest("say what to run: a command after --, or --job, --code, --git or --image")
    return LocalCode(".")


def _unwrapped(config: launch_config.LaunchConfig, args: Mapping[str, Any], resource: str) -> dict[str, Any]:
    """The resource args of both places as overrides."""
    named = config.resource and RESOURCE_ALIASES.get(config.resource, config.resource)
    if named and named != resource:
        raise InvalidRequest(f"launch config: it is for resource {named!r}, and the queue has {resource!r}")
    beside = {"additional_services": list(config.additional_services)} if config.additional_services else {}
    if beside and resource != "kubernetes":
        raise InvalidRequest(f"launch config: 'additional_services' are of Kubernetes, and the queue has {resource!r}")
    return pairs.lay_over({**unwrap(config.resource_args, resource).config, **beside}, unwrap(args, resource).config)


def words(entry_point: str) -> list[str]:
    """An entry point's words; a script alone gets its interpreter.

    Raises:
        InvalidRequest: when quotes are not closed, or it is a notebook.
    """
    try:
        found = shlex.split(entry_point)
    except ValueError as error:
        raise InvalidRequest(f"--entry-point {entry_point!r} cannot be read: {error}") from error
    if len(found) != 1:
        return found
    if found[0].endswith(".ipynb"):
        raise InvalidRequest(
            f"{found[0]!r} is a notebook; make a script of it: jupyter nbconvert --to script {found[0]}"
        )
    interpreter = next((program for end, program in INTERPRETERS.items() if found[0].endswith(end)), None)
    return [interpreter, *found] if interpreter else found


def _moment(text: str | None) -> datetime | float | None:
    """A time, on this machine's clock unless it names its zone, or a number of seconds from now.

    Raises:
        InvalidRequest: when it is neither.
    """
    if text is None:
        return None
    for read in (float, datetime.fromisoformat):
        try:
            found = read(text)
        except ValueError:
            continue
        return found.astimezone() if isinstance(found, datetime) else found
    raise InvalidRequest(f"--not-before {text!r} is no time; give seconds from now, or one like 2027-01-31T08:00")
