"""`k8s/kustomize` is the chart in another form: what it applies is what the chart makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.chart import CHART, Object, config_of, names, of_kind, pod_specs, rendered
from tests.services import require

FOLDER = CHART.parent / "kustomize"
RENDERED = FOLDER / "launchyard.yaml"

# Labels, and annotations by which a change of a config is a new pod: kustomize gives changed configs new names.
_OF_HELM = ("app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/")


def expected() -> str:
    """The file that the chart gives with the values beside it."""
    values = yaml.safe_load((FOLDER / "values.yaml").read_text())
    objects = [each for each in rendered(values, release="launchyard") if each["kind"] not in {"ConfigMap", "Secret"}]
    ordered = [_without_helm(each) for each in sorted(objects, key=lambda each: (each["kind"], names(each)))]
    return (
        "# Made by `make golden` from the chart and values.yaml; what you change here is overwritten.\n"
        + "---\n".join(yaml.safe_dump(each, sort_keys=False, width=120) for each in ordered)
    )


def _without_helm(found: Any) -> Any:
    """The same without what tells Helm of itself and of configs."""
    if isinstance(found, list):
        return [_without_helm(each) for each in found]
    if not isinstance(found, dict):
        return found
    kept = {key: _without_helm(value) for key, value in found.items() if not key.startswith(_OF_HELM)}
    return {key: value for key, value in kept.items() if key != "annotations" or value}


@pytest.fixture
def built(tmp_path: Path) -> Sequence[Object]:
    """What `kubectl apply -k` would apply, of a copy with passwords of its own."""
    program = shutil.which("kustomize")
    require(program is not None, "there is no kustomize; tests/lab/helm.sh build, and its path goes into PATH")
    folder = tmp_path / "kustomize"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("secrets"))
    environment = {name: value for name, value in os.environ.items() if name != "LAUNCHYARD_SECRETS"}
    subprocess.run([folder / "prepare.sh"], env=environment, check=True, timeout=30, capture_output=True)
    done = subprocess.run([str(program), "build", folder], check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_the_objects_are_those_of_the_chart(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite-golden"):
        RENDERED.write_text(expected())

    assert RENDERED.read_text() == expected(), "the chart has changed: run `make golden`, and read the diff"


def test_every_config_and_secret_that_is_read_is_there_under_its_generated_name(built: Sequence[Object]) -> None:
    # Given
    there = {each["metadata"]["name"] for each in built if each["kind"] in {"ConfigMap", "Secret"}}

    # When
    read = {name for spec in pod_specs(built) for name in _names_read(spec)}

    # Then
    assert read == there | {"kube-root-ca.crt"}, "the last one is in every namespace"
    assert len(there) == 3


def _names_read(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for key, value in found.items():
            if key in {"secretKeyRef", "secret", "configMap"}:
                yield value.get("secretName") or value["name"]
            else:
                yield from _names_read(value)
    elif isinstance(found, list):
        for value in found:
            yield from _names_read(value)


def test_agents_run_beside_the_broker_and_jobs_elsewhere(built: Sequence[Object], tmp_path: Path) -> None:
    spaces = {each["metadata"]["name"] for each in of_kind(built, "Namespace")}
    (role,) = of_kind(built, "Role")

    assert spaces == {"launchyard", "launchyard-jobs"}
    assert role["metadata"]["namespace"] == "launchyard-jobs"
    assert {
        each["metadata"]["namespace"] for each in built if each["kind"] not in {"Namespace", "Role", "RoleBinding"}
    } == {"launchyard"}


def test_the_launch_config_is_one_that_agents_read(built: Sequence[Object], tmp_path: Path) -> None:
    (found,) = of_kind(built, "ConfigMap")
    found["metadata"]["name"] = "yard-launchyard-agent"

    assert config_of(built, "agent", tmp_path).queues == ("gpu-queue",)


def test_prepare_keeps_the_passwords_that_are_there(tmp_path: Path) -> None:
    # Given
    def prepared() -> dict[str, str]:
        environment = {**os.environ, "LAUNCHYARD_SECRETS": str(tmp_path / "secrets")}
        subprocess.run([FOLDER / "prepare.sh"], env=environment, check=True, timeout=30, capture_output=True)
        return {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    # When
    first, second = prepared(), prepared()

    # Then
    assert first == second
    assert first.keys() == {"password", "flower-password", "users.acl", "url", "flower.py"}
    assert {(tmp_path / "secrets" / name).stat().st_mode & 0o077 for name in first} == {0}
