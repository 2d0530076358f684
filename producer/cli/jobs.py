"""`launchyard job`: create, list and describe named jobs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import click

from broker_config.errors import InvalidRequest
from broker_config.jobs import GitSource, ImageSource
from broker_config.named_jobs import JobVersion
from producer import readable
from producer.cli import documents, output, pairs
from producer.cli.job_fields import job_fields
from producer.cli.launch_options import words
from producer.cli.session import Session, json_option, pass_session
from producer.readable import source_text
from producer.sources import LocalCode, uri

DEFAULT_ENTRY_POINT = "main.py"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TAG = re.compile(r"[^/]+:([A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?)")
_PLAIN = ("project", "entity", "build_context", "base_image", "dockerfile")


@dataclass(frozen=True)
class JobOptions:
    """What stands on the command line of `job create`; None and empty ones were not given."""

    name: str | None
    project: str | None
    entity: str | None
    description: str | None
    aliases: tuple[str, ...]
    entry_point: str | None
    run_config: tuple[str, ...]
    env: tuple[str, ...]
    schema: str | None
    git_hash: str | None = None
    runtime: str | None = None
    build_context: str | None = None
    base_image: str | None = None
    dockerfile: str | None = None

    def fields(self, kind: str, path: str) -> dict[str, Any]:
        """The fields of the new version.

        Raises:
            InvalidRequest: when the path is no source of that kind, or an option is wrong.
        """
        aliases, entry_point = self.aliases, self.entry_point
        if kind == "image":
            source: Any = ImageSource(image=path)
            tag = _TAG.fullmatch(path.partition("@")[0].rpartition("/")[2])
            if tag and tag[1] != "latest":
                aliases = (*aliases, tag[1])
        else:
            source = _code_source(kind, path, self.git_hash)
            entry_point = entry_point or _default_entry_point(source)
        return {
            **{name: value for name in _PLAIN if (value := getattr(self, name))},
            "name": self.name,
            "source": source,
            "description": self.description or "",
            "aliases": aliases,
            "entry_point": words(entry_point) if entry_point else (),
            "run_config": pairs.settings(self.run_config, "--run-config"),
            "env": pairs.plain_pairs(self.env, "--env"),
            "python_version": self.runtime,
            "inputs": pairs.file_or_object(self.schema, "--schema") if self.schema else None,
        }


def _code_source(kind: str, path: str, ref: str | None) -> GitSource | LocalCode:
    source = uri(path, ref)
    if isinstance(source, LocalCode) == (kind == "git"):
        wanted = "a git URL" if kind == "git" else "a folder"
        raise InvalidRequest(
            f"{path!r} is not {wanted}; use: launchyard job create {'code' if kind == 'git' else 'git'}"
        )
    return source


def _default_entry_point(source: GitSource | LocalCode) -> str:
    if isinstance(source, LocalCode) and not (source.folder / DEFAULT_ENTRY_POINT).is_file():
        raise InvalidRequest(f"{str(source.folder)!r} has no {DEFAULT_ENTRY_POINT}; say what to run with --entry-point")
    return DEFAULT_ENTRY_POINT


@click.group("job")
def group() -> None:
    """Named jobs: what to run under a name, in versions that never change."""


@group.group("create")
def create() -> None:
    """Create a version of a job."""


def _options(command: Any) -> Any:
    for option in (
        click.option("--run-config", multiple=True, metavar="KEY=VALUE", help="A value, or JSON, of the run config."),
        click.option(
            "--schema", metavar="FILE|TEXT", help="A JSON Schema that the run config of launches has to obey."
        ),
        click.option("--env", multiple=True, metavar="KEY=VALUE", help="An environment variable; no secrets."),
        click.option("--entry-point", "-E", metavar="TEXT", help=f"What to run; {DEFAULT_ENTRY_POINT} for code."),
        click.option("--alias", "-a", "aliases", multiple=True, help="A word for this version; may be repeated."),
        click.option("--description", "-d", help="What the job does."),
        click.option("--name", "-n", help="The job's name; made up from the source when absent."),
        click.option("--entity", "-e", help="The team or user that owns the job."),
        click.option("--project", "-p", help="What its runs belong to, unless their launch says so."),
    ):
        command = option(command)
    return command


def _build_options(command: Any) -> Any:
    for option in (
        click.option("--dockerfile", "-D", metavar="PATH", help="Path of the Dockerfile inside the build context."),
        click.option("--base-image", "-B", metavar="IMAGE", help="Build nothing: run this image with the code in it."),
        click.option("--build-context", "-b", metavar="DIR", help="Folder inside the source that counts as the code."),
        click.option("--runtime", "-r", metavar="3.N", help="The Python that is built for."),
    ):
        command = option(command)
    return command


@create.command("git")
@click.argument("path", metavar="URL")
@click.option("--git-hash", "-g", metavar="REF", help="Commit, tag or branch.")
@_build_options
@_options
@json_option
@pass_session
def create_git(session: Session, /, path: str, **options: Any) -> None:
    """Create a version from a git repository."""
    _create(session, JobOptions(**options).fields("git", path))
    ref = options["git_hash"] or uri(path).ref  # type: ignore[union-attr]  # it was read as a git URL
    if not (ref and _COMMIT.fullmatch(ref)):
        output.note(f"note: {ref or 'the default branch'} may move; --git-hash with a commit's id pins the code")


@create.command("code")
@click.argument("path", metavar="DIR")
@_build_options
@_options
@json_option
@pass_session
def create_code(session: Session, /, path: str, **options: Any) -> None:
    """Create a version from a folder of code, which is packed now."""
    _create(session, JobOptions(**options).fields("code", path))


@create.command("image")
@click.argument("path", metavar="IMAGE")
@_options
@json_option
@pass_session
def create_image(session: Session, /, path: str, **options: Any) -> None:
    """Create a version from an image that exists. Its tag becomes an alias."""
    _create(session, JobOptions(**options).fields("image", path))


def _create(session: Session, fields: Any) -> None:
    version = session.client.jobs.create(**fields)
    if session.as_json:
        output.document(documents.job_version(version))
        return
    click.echo(version.reference)
    output.note(f"aliases: {', '.join(version.aliases)}")
    output.next_command(f"launchyard launch -q QUEUE -j {version.definition.entity}/{version.definition.name}")


@group.command("list")
@click.option("--entity", "-e", help="Jobs of this owner only.")
@click.option("--project", "-p", help="Jobs of this project only.")
@json_option
@pass_session
def list_jobs(session: Session, entity: str | None, project: str | None) -> None:
    """List the named jobs, each with its newest version."""

    def is_wanted(version: JobVersion) -> bool:
        definition = version.definition
        return entity in (None, definition.entity) and project in (None, definition.project)

    found = [version for version in session.client.jobs.list() if is_wanted(version)]
    if session.as_json:
        output.document({"jobs": [documents.job_version(version) for version in found]})
        return
    output.table(
        ("JOB", "VERSION", "ALIASES", "PROJECT", "SOURCE", "AGE", "DESCRIPTION"),
        [_row(version) for version in found],
        empty="There is no named job yet.",
    )


def _row(version: JobVersion) -> tuple[str, ...]:
    definition = version.definition
    return (
        f"{definition.entity}/{definition.name}",
        f"v{version.number}",
        ", ".join(version.aliases),
        definition.project or "",
        source_text(version.job.source),
        readable.age(version.created_at),
        definition.description,
    )


@group.command()
@click.argument("job", metavar="JOB")
@click.option("--entity", "-e", help="The owner, when JOB does not name it.")
@json_option
@pass_session
def describe(session: Session, /, job: str, entity: str | None) -> None:
    """Show a version of a job, and which others there are. JOB is a name, with :v0 or an alias if not the newest."""
    version = session.client.jobs.get(job, entity)
    versions = session.client.jobs.versions(job, entity)
    if session.as_json:
        output.document(
            {**documents.job_version(version), "versions": [documents.job_version(one) for one in versions]}
        )
        return
    definition = version.definition
    inputs = definition.inputs and definition.inputs.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    output.fields(
        [
            ("job", version.reference),
            ("aliases", ", ".join(version.aliases)),
            ("description", definition.description),
            ("project", definition.project or ""),
            ("created", f"{output.clock(version.created_at)} by {version.author}"),
            *job_fields(version.job),
            ("inputs", pairs.to_yaml(inputs) if inputs else ""),
            ("versions", "\n".join(_line(one) for one in versions)),
        ]
    )
    output.next_command(f"launchyard launch -q QUEUE -j {version.reference}")


def _line(version: JobVersion) -> str:
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    return f"v{version.number}{aliases}, {readable.age(version.created_at)} ago by {version.author}"
