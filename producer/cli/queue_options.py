"""What stands on the command line of `launchyard queue create` and `edit`, and the fields of a queue that it means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import click

from broker_config.errors import InvalidRequest
from broker_config.queues import LIMITS, PinImages
from broker_config.texts import Document, read, read_file, read_object

NOT_PINNED = "never"


@dataclass(frozen=True)
class QueueOptions:
    """The options that create and edit a queue; None and empty ones were not given."""

    config_file: str | None
    config_json: str | None
    entity: str | None
    private: bool | None
    prioritization: bool | None
    pin_images: str | None
    description: str | None
    max_running: int | None
    max_running_per_author: int | None
    max_queued: int | None
    max_queued_per_author: int | None
    retries: str | None
    timeouts: str | None
    template_variables: str | None
    overridable: tuple[str, ...]
    resource: str | None = None
    changes: tuple[str, ...] = ()
    editor: bool = False
    rehearse: bool | None = None

    @cached_property
    def document(self) -> Document | None:
        """The text with the config; None when none was given."""
        if self.config_file and self.config_json:
            raise InvalidRequest("--config and --config-json both give the config; choose one")
        if self.config_file:
            return read_file(self.config_file, "--config")
        return read(self.config_json, "--config-json") if self.config_json else None

    @property
    def given(self) -> dict[str, Any]:
        """The fields that these options set."""
        fields: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("entity", "private", "prioritization", "description", "resource")
            if getattr(self, name) is not None
        }
        if self.document is not None:
            fields["config"] = self.document.object
        for name in LIMITS:
            if (limit := getattr(self, name)) is not None:
                fields[name] = limit or None
        if self.template_variables is not None:
            fields["template_variables"] = _in_text_or_file(self.template_variables, "--template-variables")
        if self.pin_images is not None:
            fields["pin_images"] = None if self.pin_images == NOT_PINNED else self.pin_images
        if self.overridable:
            is_word = len(self.overridable) == 1 and not self.overridable[0].startswith("/")
            fields["overridable"] = self.overridable[0] if is_word else self.overridable
        for name, text in (("retries", self.retries), ("timeouts", self.timeouts)):
            if text is not None:
                fields[name] = read_object(text, f"--{name}")
        return fields


def _in_text_or_file(given: str, option: str) -> Any:
    is_text = given.lstrip().startswith(("{", "["))
    document = read(given, option) if is_text else read_file(given, option)
    return {} if document.data is None else document.data


_LIMITS = (
    ("max_running", "Most runs that agents hold at once; 0: no limit."),
    ("max_running_per_author", "The same of one author; others overtake what waits for it."),
    ("max_queued", "Most runs that may wait; a launch beyond it is refused. 0: no limit."),
    ("max_queued_per_author", "The same of one author."),
)


_REHEARSE = click.option(
    "--rehearse/--no-rehearse",
    default=None,
    help="Ask the platform what it says to such a job, and refuse the queue when it says no; or do not ask. "
    "Without either it is asked where it can be, and its words are warnings.",
)


def queue_options(command: Any) -> Any:
    """The options that `queue create` and `queue edit` share."""
    for option in (
        _REHEARSE,
        click.option("--editor", is_flag=True, help="Write or change it in your editor ($VISUAL or $EDITOR)."),
        click.option("--description", help="What the queue is for."),
        click.option(
            "--prioritization/--no-prioritization",
            default=None,
            help="Whether runs may have priorities; off: one FIFO.",
        ),
        click.option(
            "--pin-images",
            type=click.Choice([*map(str, PinImages), NOT_PINNED]),
            help="When a job's image becomes the digest that its tag stands for.",
        ),
        click.option("--entity", help="The team or user that owns the queue; NAME may say it too, as ENTITY/NAME."),
        click.option("--private/--shared", default=None, help="Whether the queue is one author's own: its entity's."),
        *(click.option(f"--{name.replace('_', '-')}", type=click.IntRange(0), help=text) for name, text in _LIMITS),
        click.option("--retries", metavar="TEXT", help='All of the retry policy as JSON or YAML: {"user": 1}.'),
        click.option("--timeouts", metavar="TEXT", help='All of the limits, in seconds: {"run": 86400}.'),
        click.option(
            "--overridable",
            multiple=True,
            metavar="WORD|PATH",
            help="What a job's overrides may change: nothing, variables, all, or paths in the config (repeatable).",
        ),
        click.option(
            "--template-variables",
            metavar="TEXT|FILE",
            help='Schemas of the {{variables}} in the config: {"gpus": {"type": "integer", "maximum": 8}}.',
        ),
        click.option("--config-json", metavar="TEXT", help="The queue config as JSON or YAML."),
        click.option("--config", "config_file", metavar="FILE", help="A file with the queue config; - is stdin."),
    ):
        command = option(command)
    return command
