"""`k8s/kustomize` is the chart in another form: what it applies is what the chart makes."""

from __future__ import annotations

import json
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
COMPONENT = FOLDER / "buildkit"
NOT_OF_THE_CHART = {"ConfigMap", "Secret", "Namespace"}

# Labels, and annotations by which a change of a config is a new pod: kustomize gives changed configs new names.
_OF_HELM = ("app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/")


def of_the_chart(*folders: Path, **values: Any) -> Sequence[Object]:
    """What the chart gives with the values in these folders, but for what the form of kustomize makes by itself."""
    for folder in folders:
        values |= yaml.safe_load((folder / "values.yaml").read_text())
    objects = [each for each in rendered(values, release="launchyard") if each["kind"] not in NOT_OF_THE_CHART]
    return [_without_helm(each) for each in sorted(objects, key=lambda each: (each["kind"], names(each)))]


def written(ordered: Sequence[Object]) -> str:
    """The file that has these."""
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
def folder(tmp_path: Path) -> Path:
    """A copy with passwords of its own."""
    copy = tmp_path / "kustomize"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("secrets"))
    environment = {name: value for name, value in os.environ.items() if name != "LAUNCHYARD_SECRETS"}
    subprocess.run([copy / "prepare.sh"], env=environment, check=True, timeout=30, capture_output=True)
    return copy


@pytest.fixture
def built(folder: Path) -> Sequence[Object]:
    return applied(folder)


@pytest.fixture
def built_with_buildkit(folder: Path) -> Sequence[Object]:
    subprocess.run([folder / "buildkit" / "prepare.sh"], check=True, timeout=30, capture_output=True)
    file = folder / "kustomization.yaml"
    file.write_text(file.read_text().replace("# components:", "components:"))
    return applied(folder)


def applied(folder: Path) -> Sequence[Object]:
    """What `kubectl apply -k` would apply."""
    program = shutil.which("kustomize")
    require(program is not None, "there is no kustomize; tests/lab/helm.sh build, and its path goes into PATH")
    done = subprocess.run([str(program), "build", folder], check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_the_objects_are_those_of_the_chart(request: pytest.FixtureRequest) -> None:
    # Given
    plain, all_of_it = of_the_chart(FOLDER), of_the_chart(FOLDER, COMPONENT)
    kept = {(each["kind"], names(each)) for each in plain}
    more = [each for each in all_of_it if (each["kind"], names(each)) not in kept]

    # Then
    for file, objects in ((FOLDER / "launchyard.yaml", plain), (COMPONENT / "buildkit.yaml", more)):
        if request.config.getoption("--rewrite-golden"):
            file.write_text(written(objects))
        assert file.read_text() == written(objects), "the chart has changed: run `make golden`, and read the diff"


def test_with_the_component_they_are_those_of_the_chart_with_buildkit(built_with_buildkit: Sequence[Object]) -> None:
    # Given
    image = {"repository": "registry.example.com/launchyard"}

    # When
    made = [each["metadata"]["name"] for each in built_with_buildkit if each["kind"] in {"ConfigMap", "Secret"}]
    plain = [_without_suffixes(each, made) for each in built_with_buildkit if each["kind"] not in NOT_OF_THE_CHART]

    # Then
    assert _ordered(plain) == _ordered(of_the_chart(FOLDER, COMPONENT, image=image))


def _without_suffixes(found: Object, made: Sequence[str]) -> Object:
    """The same with the names that objects had before kustomize wrote a digest behind them."""
    text = json.dumps(found)
    for name in made:
        text = text.replace(f'"{name}"', f'"{name.rpartition("-")[0]}"')
    return dict(json.loads(text))


def _ordered(found: Any) -> Any:
    """The same with mappings of a list in an order of their own: kustomize has them in another one than the chart."""
    if isinstance(found, dict):
        return {key: _ordered(value) for key, value in found.items()}
    if isinstance(found, list) and all(isinstance(each, dict) for each in found):
        return sorted((_ordered(each) for each in found), key=lambda each: json.dumps(each, sort_keys=True))
    return found


@pytest.mark.parametrize(("side", "use"), [("daemon", "sslserver"), ("agent", "sslclient")])
def test_prepare_makes_certificates_of_one_authority_once(folder: Path, side: str, use: str) -> None:
    # Given
    secrets = folder / "buildkit" / "secrets"

    def prepared() -> dict[Path, bytes]:
        subprocess.run([folder / "buildkit" / "prepare.sh"], check=True, timeout=30, capture_output=True)
        return {file: file.read_bytes() for file in secrets.rglob("*.*")}

    # When
    first, second = prepared(), prepared()
    host = ["-verify_hostname", "launchyard-buildkit.launchyard.svc"] if side == "daemon" else []
    command = ["openssl", "verify", "-CAfile", "agent/ca.crt", "-purpose", use, *host, f"{side}/tls.crt"]
    verified = subprocess.run(command, cwd=secrets, check=False, timeout=30, capture_output=True, text=True)

    # Then
    assert first == second
    assert {file.stat().st_mode & 0o077 for file in first} == {0}
    assert verified.returncode == 0, verified.stderr


@pytest.mark.parametrize(("form", "count"), [("built", 3), ("built_with_buildkit", 6)])
def test_every_config_and_secret_that_is_read_is_there_under_its_generated_name(
    form: str, count: int, request: pytest.FixtureRequest
) -> None:
    # Given
    objects: Sequence[Object] = request.getfixturevalue(form)
    there = {each["metadata"]["name"] for each in objects if each["kind"] in {"ConfigMap", "Secret"}}

    # When
    read = {name for spec in pod_specs(objects) for name in _names_read(spec)}

    # Then
    assert read == there | {"kube-root-ca.crt"}, "the last one is in every namespace"
    assert len(there) == count


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
    users = ("agent", "flower", "producer", "server")
    of_users = {name for user in users for name in (f"broker-{user}-password", f"{user}-url")}
    assert first.keys() == {"password", "flower-password", "users.acl", "url", "flower.py", *of_users}
    assert "@" not in first["users.acl"].replace("+@all -@admin -@dangerous", "").replace("-@all", "")
    assert {(tmp_path / "secrets" / name).stat().st_mode & 0o077 for name in first} == {0}
