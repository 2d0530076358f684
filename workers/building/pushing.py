"""Builds whose images go to a registry, which is asked before each build: one build, however many agents want it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

from broker_config.errors import ConfigError, TemporaryError
from broker_config.oci.logins import Login
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import Artifact, ArtifactKind, Builder, BuildOrder, Push
from workers.failures import RunFailed
from workers.registries.protocol import Registry, tag_of


class PushingBuilder:
    """A builder, with a registry that holds what it has built. Artifacts are images by their digest."""

    pushes: ClassVar[bool] = True

    def __init__(self, builder: Builder, registry: Registry) -> None:
        self._builder = builder
        self._registry = registry

    @property
    def place(self) -> str:
        return self._registry.repository

    def check(self) -> Sequence[str]:
        return self._builder.check()

    def remove(self, key: str, reference: str) -> str:
        # The copy that was pushed from here, if it is still there; what other machines pulled is theirs.
        self._builder.remove(key, self._tagged(key))
        return self._registry.remove(reference.partition("@")[2])

    def key(self, order: BuildOrder) -> str:
        return self._builder.key(order)

    def find(self, order: BuildOrder, key: str) -> Artifact | None:  # noqa: ARG002
        with _asking():
            digest = self._registry.digest(tag_of(key))
        return Artifact(ArtifactKind.IMAGE, f"{self._registry.repository}@{digest}") if digest else None

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        with _asking():
            self._registry.prepare()
        reference = self._tagged(key)
        built = self._builder.build(replace(order, push=Push(reference, self._login)), key, log, cancelled)
        if not built.reference.startswith(f"{self._registry.repository}@"):
            if (shown := self.find(order, key)) is None:
                raise TemporaryError(f"{reference} was pushed, and its registry does not show it")
            built = replace(built, reference=shown.reference)
        log(f"pushed {built.reference}")
        return built

    def _tagged(self, key: str) -> str:
        return f"{self._registry.repository}:{tag_of(key)}"

    def _login(self) -> Login | None:
        with _asking():
            return self._registry.login()


@contextmanager
def _asking() -> Iterator[None]:
    """Make the agent's own trouble with its registry the end of the run that needs it.

    Raises:
        RunFailed: class CONFIG, when the registry refuses, or the agent has no credentials for it.
    """
    try:
        yield
    except ConfigError as error:
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, f"the agent's registry: {error}") from error
