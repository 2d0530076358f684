"""Containers for the tests of the docker target: real ones, removed at the end of the test."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from tests.contract.targets import Docker
from tests.docker_engine import BASE_IMAGE, engine, remove_marks
from workers.builders.protocol import Artifact, ArtifactKind
from workers.targets.contract.case import workload_of
from workers.targets.contract.lab import Lab
from workers.targets.contract.waiting import eventually
from workers.targets.protocol import Request


class DockerLab(Lab):
    """A lab that runs Python scripts in containers."""

    def __init__(self, home: Path) -> None:
        super().__init__(Docker(), home)
        self.api = engine()
        # Connects now, so that a test can send later targets another way.
        self.target.observe(["launchyard-none-1"])

    def request(
        self, script: str, config: Mapping[str, Any] | None = None, name: str | None = None, image: str = BASE_IMAGE
    ) -> Request:
        command = ["python", "-u", "-c", script]
        artifact = Artifact(ArtifactKind.IMAGE, image)
        return self.target.render(workload_of(name or self.new_name(), artifact, command, config=config))

    def submit_with(self, script: str, **fields: Any) -> str:
        """Submit a script with further fields of its workload; its name."""
        artifact = Artifact(ArtifactKind.IMAGE, BASE_IMAGE)
        workload = workload_of(self.new_name(), artifact, ["python", "-u", "-c", script])
        request = self.target.render(replace(workload, **fields))
        self.target.submit(request)
        return request.name

    def python(self, script: str, config: Mapping[str, Any] | None = None) -> str:
        """Submit a script; its name."""
        request = self.request(script, config)
        self.target.submit(request)
        return request.name

    def printed(self, name: str) -> list[str]:
        """What it has printed, as soon as that is anything."""
        return eventually(lambda: self.lines(name))

    def inspect(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.api.inspect_container(name)
        except NotFound:
            return None
        return found

    def close(self) -> None:
        for name in self.names:
            with suppress(NotFound):
                self.api.remove_container(name, v=True, force=True)
            remove_marks(name)
