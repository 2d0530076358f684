"""Golden requests: a workload and the exact request that it gives, in one file that reads well in a review.

A file has two YAML documents. The first is written by hand and says what is launched; what does not matter there is
left out. The second is written by `make golden`, and read by people before they commit it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from broker_config import resources
from broker_config.overrides import merge
from broker_config.runs import RunId
from workers.builders.protocol import Artifact, ArtifactKind
from workers.targets import docker, kubernetes, local_process, sagemaker, vertex
from workers.targets.protocol import Request, Workload

RENDERS: Mapping[str, Callable[[Workload], Request]] = {
    "docker": docker.render,
    "kubernetes": kubernetes.render,
    "local_process": local_process.render,
    "sagemaker": sagemaker.render,
    "vertex": vertex.render,
}
ROOT = Path(__file__).parent
FILES = sorted(path for target in RENDERS for path in (ROOT / target / "render").glob("*.yaml"))

_SEPARATOR = "\n---\n"
_KEYS = {
    *("image", "environment", "folder", "attempt", "entry_point", "args", "env", "labels", "secrets"),
    *("config", "overrides"),
}


@dataclass(frozen=True, slots=True)
class Golden:
    """One file."""

    path: Path
    launched: str  # the first document, with its comments
    request: Any

    @classmethod
    def read(cls, path: Path) -> Golden:
        launched, _, request = path.read_text(encoding="utf-8").partition(_SEPARATOR)
        return cls(path, launched, yaml.safe_load(request))

    @property
    def target(self) -> str:
        return self.path.parents[1].name

    def write(self, request: Any) -> None:
        """Put this request in the place of the one that is there."""
        self.path.write_text(self.launched.rstrip() + _SEPARATOR + as_yaml(request), encoding="utf-8")

    def workload(self) -> Workload:
        return workload(yaml.safe_load(self.launched), self.target)

    def render(self) -> Any:
        """The request that the code gives now, as plain data."""
        request = RENDERS[self.target](self.workload())
        return {"name": request.name, "body": dict(request.body)}


def workload(given: Mapping[str, Any], target: str = "") -> Workload:
    """The workload of a launch, as the submit stage makes it: overrides merged in the target's way, texts filled in."""
    if unknown := given.keys() - _KEYS:
        raise ValueError(f"a golden file knows nothing of {', '.join(sorted(unknown))}")
    attempt = given.get("attempt", 1)
    resource = resources.load(target.replace("_", "-"))
    config, overrides = (resource.canonical(given.get(name, {})) for name in ("config", "overrides"))
    kind = ArtifactKind.ENVIRONMENT if "environment" in given else ArtifactKind.IMAGE
    return Workload(
        name=f"launchyard-r7k2m9x4q8ab-{attempt}",
        run_id=RunId("r7k2m9x4q8ab"),
        attempt=attempt,
        queue="gpu-queue",
        artifact=Artifact(kind, given.get("environment") or given.get("image", "registry.example/team/train:1")),
        folder=Path(given["folder"]) if "folder" in given else None,
        entry_point=tuple(given.get("entry_point", ())),
        args=tuple(given.get("args", ())),
        env=given.get("env", {}),
        labels=given.get("labels", {}),
        secrets=tuple(given.get("secrets", ())),
        config=merge(config, overrides, resource.named_lists),
    )


def as_yaml(request: Any) -> str:
    """A request as it stands in a file."""
    return yaml.safe_dump(request, sort_keys=False, allow_unicode=True, width=120)


def difference(golden: Golden, request: Any) -> str:
    """What has changed, line by line."""
    lines = (as_yaml(golden.request).splitlines(), as_yaml(request).splitlines())
    return "\n".join(difflib.unified_diff(*lines, str(golden.path.relative_to(ROOT)), "what render gives", lineterm=""))
