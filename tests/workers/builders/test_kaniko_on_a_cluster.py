from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import boto3
import pytest
import yaml

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from tests.cluster import cluster, has_condition, namespace, registry, until
from tests.moto_server import aws
from tests.workers.builders.kaniko_lab import kaniko, kaniko_config, order_of
from workers.builders.kaniko import verdict
from workers.builders.kaniko.job import JOBS
from workers.builders.protocol import Artifact, BuildOrder
from workers.building.pushing import PushingBuilder
from workers.config.kaniko import KanikoBuilderConfig
from workers.failures import RunCancelled, RunFailed
from workers.kubernetes.resource import CONFIG_MAPS, PODS, SECRETS, Resource

REPOSITORY = Path(__file__).parents[3]
VOLUMES = Resource("v1", "PersistentVolume", "persistentvolumes", is_namespaced=False)
CLAIMS = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SLOW = "FROM python:3.11-slim\nRUN echo begun && sleep 8\nCOPY . .\n"


@pytest.fixture(name="space")
def namespace_of_the_test() -> Iterator[str]:
    with namespace() as name:
        yield name


def code(home: Path, dockerfile: str, **files: str) -> Path:
    folder = home / "code"
    folder.mkdir()
    for name, text in {"Dockerfile": dockerfile, **files}.items():
        (folder / name).write_text(text)
    return folder


def build(builder: PushingBuilder, order: BuildOrder, log: list[str] | None = None) -> Artifact:
    lines = log if log is not None else []
    return builder.build(order, builder.key(order), lines.append, lambda: False)


def names(space: str, resource: Resource) -> set[str]:
    found = {one["metadata"]["name"] for one in cluster().get(resource.path(space))["items"]}
    return found - {"kube-root-ca.crt"}


def with_variables(config: KanikoBuilderConfig, variables: dict[str, str]) -> KanikoBuilderConfig:
    part = deepcopy(config.kaniko_config)
    (container,) = part["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    return config.model_copy(update={"kaniko_config": part})


def test_code_with_a_dependency_is_built_pushed_pulled_by_digest_and_run(space: str, home: Path) -> None:
    # Given
    folder = home / "code"
    folder.mkdir()
    (folder / "requirements.txt").write_text("six==1.17.0\n")
    (folder / "main.py").write_text("import six\nprint('six', six.__version__)\n")
    builder, order, log = kaniko(home, kaniko_config(space)), order_of(folder), list[str]()
    # When
    artifact = build(builder, order, log)
    # Then
    assert any("+ six==1.17.0" in line for line in log)
    found = builder.find(order, builder.key(order))
    assert found is not None
    assert found.reference == artifact.reference
    # When
    container = {"name": "main", "image": artifact.reference, "command": ["python", "main.py"]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    job = {"metadata": {"name": "run"}, "spec": {"template": {"spec": pod}}}
    cluster().call("POST", JOBS.path(space), body=job)
    until(lambda: has_condition(cluster().get(JOBS.path(space, "run")), "Complete"))
    # Then
    (found,) = cluster().get(PODS.path(space), {"labelSelector": "job-name=run"})["items"]
    with cluster().stream(PODS.path(space, found["metadata"]["name"], "log"), {}, 10) as stream:
        assert stream.read() == b"six 1.17.0\n"


def test_nothing_of_a_build_is_left_and_its_steps_are_told(space: str, home: Path) -> None:
    # Given
    builder = kaniko(home, kaniko_config(space))
    # When
    artifact = build(builder, order_of(code(home, "FROM scratch\nCOPY Dockerfile /\nLABEL a=b\n")))
    # Then
    assert [step.name for step in artifact.steps] == ["COPY Dockerfile /", "LABEL a=b"]
    until(lambda: not any(names(space, resource) for resource in (JOBS, PODS, CONFIG_MAPS, SECRETS)))


def test_a_step_that_fails_is_named_with_what_it_said_last(space: str, home: Path) -> None:
    # Given
    folder = code(home, "FROM python:3.11-slim\nRUN echo fine\nRUN echo about to fail && exit 7\n")
    # When
    with pytest.raises(RunFailed) as failed:
        build(kaniko(home, kaniko_config(space)), order_of(folder))
    # Then
    assert (failed.value.failure, failed.value.reason) == (FailureClass.BUILD, Reason.BUILD_FAILED)
    assert "RUN echo about to fail && exit 7" in str(failed.value)
    assert str(failed.value).endswith("about to fail")


def test_the_build_of_an_agent_that_was_killed_is_followed_to_its_end(space: str, home: Path) -> None:
    # Given
    folder, repository = code(home, SLOW), f"jobs/{space}"
    command = [sys.executable, "-m", "tests.workers.builders.kaniko_lab", str(folder), space, repository]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout is not None
        assert any(line.strip() == "begun" for line in agent.stdout)
        agent.send_signal(signal.SIGKILL)
    (pod,) = names(space, PODS)
    # When
    log = list[str]()
    artifact = build(kaniko(home, kaniko_config(space), repository), order_of(folder, "killed"), log)
    # Then
    assert log[0].startswith("following the build of ")
    assert "begun" in log
    assert artifact.reference.startswith(f"{registry()}/{repository}@sha256:")
    assert names(space, PODS) <= {pod}


def test_a_build_whose_agent_died_before_it_began_is_completed(space: str, home: Path) -> None:
    # Given
    folder, log = code(home, "FROM scratch\nCOPY Dockerfile /\n"), list[str]()
    builder, order = kaniko(home, kaniko_config(space)), order_of(folder)
    # A namespace has one ConfigMap of its own.
    no_config_maps = {"metadata": {"name": "none"}, "spec": {"hard": {"count/configmaps": "1"}}}
    quotas = Resource("v1", "ResourceQuota", "resourcequotas")
    cluster().call("POST", quotas.path(space), body=no_config_maps)
    until(lambda: (cluster().get(quotas.path(space, "none")).get("status") or {}).get("used"))
    with pytest.raises(RunFailed, match="exceeded quota"):
        build(builder, order)
    (job,) = names(space, JOBS)
    cluster().call("DELETE", quotas.path(space, "none"))
    # When
    build(builder, order, log)
    # Then
    assert job in log[0]
    assert log[0].startswith("following the build of ")


def test_a_cancelled_build_has_ended_when_the_call_returns(space: str, home: Path) -> None:
    # Given
    builder, order, log = kaniko(home, kaniko_config(space)), order_of(code(home, SLOW)), list[str]()
    # When
    with pytest.raises(RunCancelled):
        builder.build(order, builder.key(order), log.append, lambda: "begun" in log)
    # Then
    assert not names(space, JOBS)
    assert not names(space, PODS)
    assert builder.find(order, builder.key(order)) is None


def test_a_build_for_which_no_node_is_free_tells_the_scheduler_s_words(space: str, home: Path) -> None:
    # Given
    part = {"spec": {"activeDeadlineSeconds": 4, "template": {"spec": {"nodeSelector": {"no": "such-node"}}}}}
    config = kaniko_config(space).model_copy(update={"kaniko_config": part})
    log = list[str]()
    # When
    with pytest.raises(RunFailed) as failed:
        build(kaniko(home, config), order_of(code(home, SLOW)), log)
    # Then
    assert (failed.value.failure, failed.value.reason) == (FailureClass.INFRA, Reason.UNSCHEDULABLE)
    assert any(line.startswith("waiting: No node takes the pod") for line in log)


def test_an_image_of_kaniko_that_cannot_be_pulled_ends_the_build(
    space: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(verdict, "HELD_UP_SECONDS", 3)
    config = kaniko_config(space, kaniko_image=f"{registry()}/no/such:image")
    # When
    with pytest.raises(RunFailed, match=r"builder.kaniko-image in the agent's config") as failed:
        build(kaniko(home, config), order_of(code(home, SLOW)))
    # Then
    assert failed.value.reason is Reason.IMAGE_UNAVAILABLE
    until(lambda: not names(space, JOBS))


def test_a_namespace_that_takes_no_root_is_told_in_the_cluster_s_words(
    space: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(verdict, "HELD_UP_SECONDS", 3)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    space_of = Resource("v1", "Namespace", "namespaces", is_namespaced=False).path(None, space)
    merge = "application/merge-patch+json"
    cluster().call("PATCH", space_of, body={"metadata": {"labels": labels}}, content_type=merge)
    # When / Then
    with pytest.raises(RunFailed, match="violates PodSecurity"):
        build(kaniko(home, kaniko_config(space)), order_of(code(home, SLOW)))


def test_a_job_that_somebody_deletes_is_built_again_with_the_next_try(space: str, home: Path) -> None:
    # Given
    builder, order = kaniko(home, kaniko_config(space)), order_of(code(home, SLOW))

    def delete_once_begun(line: str) -> None:
        if line == "begun":
            (job,) = names(space, JOBS)
            cluster().call("DELETE", JOBS.path(space, job), {"propagationPolicy": "Background"})

    # When
    with pytest.raises(TemporaryError, match="somebody has deleted Job"):
        builder.build(order, builder.key(order), delete_once_begun, lambda: False)
    # Then
    assert build(builder, order).reference


def test_code_comes_by_a_volume_that_the_agent_has_mounted_too(space: str, home: Path) -> None:
    # Given
    shared = home / "shared"
    shared.mkdir()
    size, spec = {"storage": "1Gi"}, {"accessModes": ["ReadWriteMany"], "storageClassName": space}
    volume = {"metadata": {"name": space}, "spec": {**spec, "capacity": size, "hostPath": {"path": str(shared)}}}
    claim = {"metadata": {"name": "contexts"}, "spec": {**spec, "resources": {"requests": size}}}
    cluster().call("POST", VOLUMES.path(None), body=volume)
    cluster().call("POST", CLAIMS.path(space), body=claim)
    config = kaniko_config(space, context_volume="contexts", context_volume_path=shared)
    # When
    try:
        artifact = build(kaniko(home, config), order_of(code(home, "FROM scratch\nCOPY Dockerfile /\n")))
    finally:
        cluster().call("DELETE", VOLUMES.path(None, space))
    # Then
    assert "@sha256:" in artifact.reference
    assert not list(shared.iterdir())


def test_code_comes_through_a_bucket_and_is_gone_from_it_afterwards(
    space: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    with aws(registry().partition(":")[0]) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        bucket = boto3.resource("s3", region_name="us-east-1").create_bucket(Bucket="contexts")
        own = {"AWS_REGION": "us-east-1", "S3_ENDPOINT": variables["AWS_ENDPOINT_URL"], "S3_FORCE_PATH_STYLE": "true"}
        pod = {**own, **{name: variables[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}}
        config = with_variables(kaniko_config(space, build_context_store="s3://contexts/builds"), pod)
        seen = list[str]()
        # When
        builder, order = kaniko(home, config), order_of(code(home, "FROM scratch\nCOPY Dockerfile /\n"))
        look = lambda _: seen.extend(one.key for one in bucket.objects.all())  # noqa: E731
        artifact = builder.build(order, builder.key(order), look, lambda: False)
        # Then
        assert "@sha256:" in artifact.reference
        assert seen[0].startswith("builds/launchyard-build-")
        assert not list(bucket.objects.all())


def test_the_role_of_the_how_to_is_all_that_an_agent_needs(space: str, home: Path) -> None:
    # Given
    config = kaniko_config(space, kube_config=str(_with_the_role_of_the_page(space, home)))
    builder = kaniko(home, config)
    # When
    lacking = builder.check()
    artifact = build(builder, order_of(code(home, "FROM scratch\nCOPY Dockerfile /\n")))
    # Then
    assert lacking == []
    assert "@sha256:" in artifact.reference


def test_what_the_agent_may_not_do_is_told_before_it_builds(space: str, home: Path) -> None:
    # Given
    config = kaniko_config(space, kube_config=str(_kubeconfig(space, home)))
    # When
    lacking = kaniko(home, config).check()
    # Then
    assert any("may not create, get, patch, delete jobs in namespace" in text for text in lacking)


def _with_the_role_of_the_page(space: str, home: Path) -> Path:
    page = (REPOSITORY / "docs/how-to/kaniko.md").read_text()
    (text,) = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "kind: Role\n" in block]
    for found in yaml.safe_load_all(text):
        kind = Resource(found["apiVersion"], found["kind"], f"{found['kind'].lower()}s")
        found["metadata"]["namespace"] = space
        for subject in found.get("subjects", ()):
            subject["namespace"] = space
        cluster().call("POST", kind.path(space), body=found)
    return _kubeconfig(space, home)


def _kubeconfig(space: str, home: Path) -> Path:
    """That of a service account, which may do what its roles say."""
    accounts = Resource("v1", "ServiceAccount", "serviceaccounts")
    if cluster().find(accounts.path(space, "launchyard-agent")) is None:
        cluster().call("POST", accounts.path(space), body={"metadata": {"name": "launchyard-agent"}})
    given = cluster().call("POST", accounts.path(space, "launchyard-agent", "token"), body={"spec": {}})
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    (user,) = config["users"]
    user["user"] = {"token": given["status"]["token"]}
    path = home / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path
