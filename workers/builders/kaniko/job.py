"""The Job of one build in its cluster, with the objects that belong to it: made or taken over, and cleaned away.

Its name is that of the build, so whoever wants the same image at the same place finds it. It is made suspended, and is
let go when what belongs to it is there: an agent that dies in between leaves nothing that runs, and the next one
completes it.
"""

from __future__ import annotations

import logging
import time

from broker_config.errors import ConfigError, TemporaryError
from broker_config.oci.references import Reference
from broker_config.states import FailureClass, Reason
from workers.builders.kaniko import verdict
from workers.builders.kaniko.context import Contexts
from workers.builders.kaniko.credentials import Credentials
from workers.builders.kaniko.render import IMAGE_ANNOTATION, Build, config_map, job, secret
from workers.config.kaniko import KanikoBuilderConfig
from workers.failures import RunFailed
from workers.images.recipe import KEY_LABEL
from workers.kubernetes.cluster import MERGE_PATCH, Cluster, Object, Refused
from workers.kubernetes.resource import CONFIG_MAPS, SECRETS, Resource

logger = logging.getLogger(__name__)

JOBS = Resource("batch/v1", "Job", "jobs")

_GONE_SECONDS = 90.0
_LOOK_SECONDS = 0.25


class BuildJob:
    """One build's Job, which may not be there yet, or not any more."""

    def __init__(self, cluster: Cluster, build: Build, contexts: Contexts) -> None:
        self.name = build.name
        self.repository = Reference.parse(build.push.reference).repository
        self._cluster = cluster
        self._build = build
        self._contexts = contexts
        self._path = JOBS.path(build.namespace, build.name)

    def find(self) -> Object | None:
        """It as the cluster has it."""
        return self._cluster.find(self._path)

    def make(self, config: KanikoBuilderConfig) -> bool:
        """Make it, or take over the one that is there; says whether one was.

        Raises:
            RunFailed: when the cluster refuses it, or the code cannot be sent.
            TemporaryError: when the cluster or the store does not answer.
        """
        credentials = Credentials(config, self.repository, self._build.push.login(), self._build.recipe.secrets)
        manifest = job(config, self._build, self._contexts.of(self.name), credentials)
        found, was_there = self._made(manifest)
        if found["spec"].get("suspend"):
            self._complete(found, credentials)
        return was_there

    def remove(self) -> None:
        """Delete it, and return when nothing of it is left that runs."""
        self._delete("Foreground")
        end = time.monotonic() + _GONE_SECONDS
        while self.find() is not None:
            if time.monotonic() > end:
                raise TemporaryError(f"Job {self.name} was deleted, and is still there after {_GONE_SECONDS:.0f} s")
            time.sleep(_LOOK_SECONDS)
        self._drop_context()

    def clean(self) -> None:
        """Delete what is left of it after its end."""
        try:
            self._delete("Background")
        except TemporaryError as error:
            # The cluster does so by itself an hour later.
            logger.warning("build-kept job=%s: %s", self.name, error)
        self._drop_context()

    def _made(self, manifest: Object) -> tuple[Object, bool]:
        while True:
            try:
                return self._cluster.call("POST", JOBS.path(self._build.namespace), body=manifest), False
            except Refused as error:
                if not error.is_conflict:
                    raise
            found = self.find()
            if found is not None and self._is_usable(found):
                return found, True
            self.remove()

    def _is_usable(self, found: Object) -> bool:
        """Whether the Job of this name is this build, and has not failed some time ago."""
        marks = found["metadata"].get("annotations") or {}
        if (marks.get(KEY_LABEL), marks.get(IMAGE_ANNOTATION)) != (self._build.recipe.key, self._build.push.reference):
            raise RunFailed(
                FailureClass.CONFIG,
                Reason.CONFIG_INVALID,
                f"Job {self.name} in namespace {self._build.namespace} is not this build's; write another "
                "builder.build-job-name in the agent's config",
            )
        return found["metadata"].get("deletionTimestamp") is None and verdict.of_job(found, None) is None

    def _complete(self, found: Object, credentials: Credentials) -> None:
        """Make what belongs to it, and let it go."""
        files = self._contexts.send(self.name, self._build.recipe)
        self._own(CONFIG_MAPS, config_map(self._build, files, found))
        if (own := secret(self._build, credentials, found)) is not None:
            self._own(SECRETS, own)
        self._cluster.call("PATCH", self._path, body={"spec": {"suspend": False}}, content_type=MERGE_PATCH)

    def _own(self, resource: Resource, body: Object) -> None:
        end = time.monotonic() + _GONE_SECONDS
        while True:
            try:
                self._cluster.call("POST", resource.path(self._build.namespace), body=body)
                return
            except Refused as error:
                if not error.is_conflict:
                    raise
            there = self._cluster.find(resource.path(self._build.namespace, self.name))
            if there and _owner(there) == _owner(body):
                return
            # It belongs to a Job that was here before, and the garbage collector has not come by yet.
            if time.monotonic() > end:
                raise TemporaryError(f"{resource.kind} {self.name} of an earlier build is still there")
            time.sleep(_LOOK_SECONDS)

    def _delete(self, how: str) -> None:
        try:
            self._cluster.call("DELETE", self._path, {"propagationPolicy": how})
        except Refused as error:
            if not error.is_not_found:
                raise

    def _drop_context(self) -> None:
        try:
            self._contexts.drop(self.name)
        except (ConfigError, TemporaryError) as error:
            logger.warning("build-context-kept job=%s: %s", self.name, error)


def _owner(found: Object) -> str:
    return next((str(one["uid"]) for one in found["metadata"].get("ownerReferences") or ()), "")
