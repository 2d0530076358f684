"""All that a builder needs to make an image: what to build, and the key that names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from broker_config.jobs import Job
from broker_config.states import FailureClass, Reason
from workers.config.image_builder import BuildSecret, ImageBuilderConfig
from workers.failures import RunFailed
from workers.images.bases import Bases, pinned
from workers.images.dockerfile import dockerfile
from workers.images.ignored import ignored
from workers.images.written import Means

KEY_LABEL = "launchyard.build-key"
"""On every image that we build. A container has its image's labels, so none of those that mark containers is here."""

KEY_VERSION = 2
"""Raised when images of the same parts come to be built differently."""

TAG_LENGTH = 32
"""Of the key, in a tag: 128 bits, so that no two builds ever meet in one."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One build, decided in full. Every builder of images makes its own call of it, and decides nothing else.

    `dockerfile` is the text to build, whichever file it came from: write it beside the context, not into it. `ignored`
    is what its `.dockerignore` is to say; the one in the context does not count. `secrets` are given to the build by
    their ids and stay out of the image. `labels` go onto the image.
    """

    key: str  # 64 hexadecimal digits; the first TAG_LENGTH of them are the tag
    dockerfile: str
    origin: str  # of the Dockerfile, in words for the log
    folder: Path  # the context
    ignored: tuple[str, ...]
    platform: str
    build_args: Mapping[str, str]
    secrets: Mapping[str, BuildSecret]

    @property
    def labels(self) -> Mapping[str, str]:
        return {KEY_LABEL: self.key}


@dataclass(frozen=True, slots=True)
class Code:
    """What an image is built from."""

    folder: Path | None  # None: the job's source brought no code
    digest: str  # names what is in the folder
    accelerator: str | None = None  # the image that the queue wants written Dockerfiles to build upon


class Recipes:
    """Makes the recipes of one builder. Two builders with the same settings give an order the same key.

    A builder makes one `Recipes` with its config, the platform for which it builds, what its base images are
    (`Bases` of a small function that asks the engine or the registry) and whether it knows `RUN --mount`. Its `key`
    is that of the recipe. In `build` it hands on the key that it is given: a base image that moved in between must
    not give the image another name than the one under which it is waited for.
    """

    def __init__(self, config: ImageBuilderConfig, platform: str, bases: Bases, *, mounts: bool) -> None:
        self._config = config
        self._platform = config.platform or platform
        self._bases = bases
        self._mounts = mounts

    def recipe(self, job: Job, code: Code, key: str | None = None) -> Recipe:
        """The recipe for a job's code; with the key that it has already, if any.

        Raises:
            RunFailed: class CONFIG, when there is no code, or its Dockerfile or dependencies cannot be used.
        """
        if code.folder is None:
            raise RunFailed(
                FailureClass.CONFIG,
                Reason.BUILD_FAILED,
                f"the job's source is {job.source.type!r} and brought no code, so there is nothing to build",
            )
        build_args, means = self._config.build_args, Means(self._config, accelerator=code.accelerator)
        # Mounts change how fast an image is built, not what is in it.
        named = dockerfile(job, code.folder, means)
        built = dockerfile(job, code.folder, replace(means, mounts=self._mounts))
        text, _ = pinned(built.text, build_args, self._bases)
        left_out = ignored(built.context, built.path)
        parts = {
            "source": code.digest,
            "context": str(built.context.relative_to(code.folder)),
            "dockerfile": named.text,
            "ignored": left_out,
        }
        return Recipe(
            key=key or self._key(parts, named.text),
            dockerfile=text,
            origin=built.origin,
            folder=built.context,
            ignored=left_out,
            platform=self._platform,
            build_args=build_args,
            secrets=self._config.secrets,
        )

    def _key(self, parts: Mapping[str, object], text: str) -> str:
        _, digests = pinned(text, self._config.build_args, self._bases)
        own = {
            "version": KEY_VERSION,
            "platform": self._platform,
            "build-args": self._config.build_args,
            "secrets": sorted(self._config.secrets),
            "bases": digests,
        }
        words = json.dumps({**parts, **own}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(words.encode()).hexdigest()
