"""The kaniko builder: from a job's code to an image in a registry, by a Job of a Kubernetes cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from broker_config.states import FailureClass, Reason
from workers.builders.kaniko.access import lacking
from workers.builders.kaniko.bases import bases_of
from workers.builders.kaniko.build import KanikoBuild
from workers.builders.kaniko.context import Contexts
from workers.builders.kaniko.job import BuildJob
from workers.builders.kaniko.render import Build, name_of
from workers.builders.kaniko.verdict import of_kaniko
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.config.kaniko import KanikoBuilderConfig
from workers.failures import RunCancelled, RunFailed
from workers.images.output import follow
from workers.images.recipe import Code, Recipe, Recipes
from workers.images.steps import Ended
from workers.kubernetes.cluster import Cluster

_PLATFORM = "linux/amd64"


class KanikoBuilder:
    """Builds and pushes; there is no place where an image could stay without."""

    pushes: ClassVar[bool] = True

    def __init__(self, home: Path, config: KanikoBuilderConfig) -> None:
        self._config = config
        self._cluster = Cluster(config.kube_config, config.kube_context)
        self._contexts = Contexts(config)
        # What kaniko understands of `RUN --mount` depends on its version, so a written Dockerfile has none.
        self._recipes = Recipes(config, _PLATFORM, bases_of(config), mounts=False)

    @property
    def place(self) -> str:
        return f"{self._cluster.name}/{self._namespace}"

    def check(self) -> Sequence[str]:
        return lacking(self._cluster, self._namespace)

    def remove(self, key: str, reference: str) -> str:
        return "builder kaniko keeps no image"

    def key(self, order: BuildOrder) -> str:
        return self._recipe(order).key

    def find(self, order: BuildOrder, key: str) -> Artifact | None:
        return None

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        build = self._build(order, key)
        job = BuildJob(self._cluster, build, self._contexts)
        if cancelled():
            if job.find() is not None:
                job.remove()
            raise RunCancelled("the build was cancelled")
        verb = "following the build of" if job.make(self._config) else "building"
        origin, reference = build.recipe.origin, build.push.reference
        log(f"{verb} {reference} from {origin} with kaniko, as Job {job.name} in namespace {build.namespace}")
        ended = self._followed(job, log, cancelled)
        if ended.failure is not None:
            raise of_kaniko(ended.failure, reference)
        return Artifact(ArtifactKind.IMAGE, ended.pushed or reference, steps=ended.steps)

    def _followed(self, job: BuildJob, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Ended:
        try:
            ended = follow(KanikoBuild(self._cluster, job, self._namespace), log, cancelled)
        except RunFailed:
            job.clean()
            raise
        job.clean()
        return ended

    def _build(self, order: BuildOrder, key: str) -> Build:
        if order.push is None:
            raise RunFailed(
                FailureClass.CONFIG,
                Reason.CONFIG_INVALID,
                "builder kaniko pushes what it builds; write builder.destination in the agent's config",
            )
        name = name_of(self._config, key, order.push.reference)
        return Build(self._recipe(order, key), order.push, name, self._namespace)

    def _recipe(self, order: BuildOrder, key: str | None = None) -> Recipe:
        code = Code(order.fetched.folder, order.fetched.digest, order.accelerator)
        return self._recipes.recipe(order.job, code, key)

    @property
    def _namespace(self) -> str:
        own = (self._config.kaniko_config.get("metadata") or {}).get("namespace")
        return self._config.namespace or own or self._cluster.namespace
