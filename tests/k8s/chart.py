"""The chart, rendered by Helm itself from values of a test's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.services import require
from workers.config import AgentConfig, load_config

Object = dict[str, Any]

CHART = Path(__file__).parents[2] / "k8s" / "chart"
RELEASE = "yard"
NAMESPACE = "launchyard"


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """One command of Helm, whose values come from its input."""
    return subprocess.run(
        [_program(), *arguments, "--values", "-"],
        input=yaml.safe_dump(dict(values or {})),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def rendered(values: Mapping[str, Any], namespace: str = NAMESPACE, release: str = RELEASE) -> Sequence[Object]:
    """The objects that an installation with these values has."""
    done = helm("template", release, str(CHART), "--namespace", namespace, values=values)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def refusal(values: Mapping[str, Any]) -> str:
    """What Helm says to values that are not taken."""
    done = helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, values=values)
    assert done.returncode != 0, "these values are taken"
    return done.stderr


def one(objects: Sequence[Object], kind: str, name: str, namespace: str = NAMESPACE) -> Object:
    """The object of that kind and name."""
    found = [each for each in of_kind(objects, kind) if (names(each)) == (namespace, name)]
    assert len(found) == 1, f"no single {kind} {namespace}/{name} among {[names(each) for each in objects]}"
    return found[0]


def of_kind(objects: Sequence[Object], kind: str) -> Sequence[Object]:
    return [each for each in objects if each["kind"] == kind]


def names(found: Object) -> tuple[str, str]:
    """Namespace and name."""
    return found["metadata"]["namespace"], found["metadata"]["name"]


def pod_specs(objects: Sequence[Object]) -> Iterator[Object]:
    """What each workload says of its pods."""
    for each in objects:
        if "template" in each.get("spec", {}):
            yield each["spec"]["template"]["spec"]


def config_of(objects: Sequence[Object], agents: str, folder: Path) -> AgentConfig:
    """What the agents of a set read."""
    file = folder / "launch-config.yaml"
    file.write_text(one(objects, "ConfigMap", f"{RELEASE}-launchyard-{agents}")["data"]["launch-config.yaml"])
    return load_config(file, folder, {}).config


def agent_of(objects: Sequence[Object], agents: str) -> Object:
    """The container of an agent of a set."""
    deployment = one(objects, "Deployment", f"{RELEASE}-launchyard-{agents}")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(container)


def environment(container: Object) -> Mapping[str, Object]:
    """Its variables by name."""
    return {variable["name"]: variable for variable in container["env"]}


@cache
def _program() -> str:
    found = shutil.which("helm")
    require(found is not None, "there is no helm; tests/lab/helm.sh build, and its path goes into PATH")
    assert found is not None
    return found
