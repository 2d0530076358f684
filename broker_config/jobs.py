"""Jobs: what to run, and where its code or image comes from."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from broker_config.frozen import Frozen, JsonObject, is_unicode
from broker_config.retries import JobRetries
from broker_config.timeouts import Timeouts

ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DIGEST = r"^sha256:[0-9a-f]{64}$"

_TOKEN = re.compile(r"(?:gh[oprsu]_|github_pat_|gl(?:pat|dt|cbt)-|ATBB|ATCTT|hf_)[\w=-]{20,}", re.ASCII)
"""How access tokens begin at GitHub, GitLab, Bitbucket and Hugging Face: each takes one as the user of a URL."""


def check_inside(path: str) -> str:
    """A path that stays inside the source: relative, and without `..`."""
    if not path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} must be a path inside the source, relative and without '..'")
    return path


InsidePath = Annotated[str, AfterValidator(check_inside)]


def check_word(word: str) -> str:
    """Text that a process can be given as an argument or in its environment. The error does not repeat it."""
    if "\0" in word or not is_unicode(word):
        raise ValueError("the text cannot be given to a process; use UTF-8 without NUL")
    return word


Word = Annotated[str, AfterValidator(check_word)]


ImageName = Annotated[str, Field(pattern=r"^[^\s-]\S*$", max_length=512)]


class ImageSource(Frozen):
    """A container image that exists already."""

    type: Literal["image"] = "image"
    image: ImageName
    tag: str = ""  # that it was named by, for people, when it was pinned to its digest


class GitSource(Frozen):
    """A git repository at a branch, tag or commit."""

    type: Literal["git"] = "git"
    repository: str = Field(pattern=r"^[^\s-]\S*$", max_length=2048)  # https://, ssh:// or scp-like
    ref: str | None = Field(default=None, pattern=r"^[^\s-][^\s]*$")  # the remote's HEAD when absent
    patch: str | None = Field(default=None, pattern=DIGEST)  # archive of changes to lay over it: a git diff, gzip

    @field_validator("repository")
    @classmethod
    def _holds_no_secret(cls, repository: str) -> str:
        # It is stored with the run and shown to everybody who may see the run.
        url = urlsplit(repository if "://" in repository else "")
        if url.password is not None:
            raise ValueError("the git URL holds a password; leave it out, and give the agent git credentials")
        # A mere user name stays: some hosts put one into the URLs that they offer.
        if _TOKEN.fullmatch(unquote(url.username or "")):
            raise ValueError("the git URL holds an access token; leave it out, and give the agent git credentials")
        return repository


class CodeSource(Frozen):
    """An archive of code in the content-addressed store, named by the digest of its bytes."""

    type: Literal["code"] = "code"
    digest: str = Field(pattern=DIGEST)
    size_bytes: int = Field(ge=0)


Source = Annotated[ImageSource | GitSource | CodeSource, Field(discriminator="type")]


class Job(Frozen):
    """What to run."""

    source: Source
    entry_point: tuple[Word, ...] = ()  # argv; an image's own when empty
    args: tuple[Word, ...] = ()  # appended to the entry point
    env: dict[str, Word] = Field(default_factory=dict)  # plain values: no secrets
    run_config: JsonObject = Field(default_factory=dict)  # given to the job as JSON in LAUNCHYARD_CONFIG
    build_context: InsidePath | None = None  # folder inside the source that counts as the code; all of it when absent
    dockerfile: InsidePath | None = None  # path inside the build context
    base_image: ImageName | None = None  # nothing is built: this image runs, with the code brought into it
    python_version: str | None = Field(default=None, pattern=r"^3\.\d+$")
    retries: JobRetries | None = None  # fewer than the queue's
    timeouts: Timeouts | None = None  # shorter than the queue's

    @property
    def archive(self) -> str:
        """The digest of what the store has for its source; empty when that brings nothing."""
        if isinstance(self.source, GitSource):
            return self.source.patch or ""
        return self.source.digest if isinstance(self.source, CodeSource) else ""

    @field_validator("env")
    @classmethod
    def _names_are_portable(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            if not ENVIRONMENT_NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be an environment variable; use letters, digits and '_'")
        return env

    @model_validator(mode="after")
    def _is_built_in_one_way(self) -> Job:
        if isinstance(self.source, ImageSource) and (self.base_image or self.build_context or self.dockerfile):
            raise ValueError(
                "the source is an image, so nothing is built; leave out build_context, dockerfile, base_image"
            )
        if self.base_image and self.dockerfile:
            raise ValueError("base_image runs without a build, and dockerfile is for a build; choose one")
        return self
