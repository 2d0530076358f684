from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from broker_config.oci.logins import Login
from broker_config.oci.references import Reference
from workers.builders.kaniko.context import Context, Contexts
from workers.builders.kaniko.credentials import Credentials
from workers.builders.kaniko.render import Build, config_map, job, name_of, secret
from workers.builders.protocol import Push
from workers.config.kaniko import KanikoBuilderConfig
from workers.failures import RunFailed
from workers.images.recipe import Recipe

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/jobs"
GAR = "europe-west1-docker.pkg.dev/project/repository/jobs"
ACR = "name.azurecr.io/jobs"
OWNER = {"metadata": {"uid": "1-2-3"}}


def recipe(**changes: Any) -> Recipe:
    parts: dict[str, Any] = {
        "key": "ab" * 32,
        "dockerfile": "FROM scratch\n",
        "origin": "Dockerfile",
        "folder": Path("/code"),
        "ignored": (".git", "**/*.pyc"),
        "platform": "linux/amd64",
        "build_args": {"A": "1 2"},
        "secrets": {},
    }
    return Recipe(**(parts | changes))


def config_of(**keys: Any) -> KanikoBuilderConfig:
    return KanikoBuilderConfig.model_validate(keys)


def build_of(push: Push, recipe: Recipe) -> Build:
    return Build(recipe, push, "build-1", "builds")


def rendered(config: KanikoBuilderConfig, push: Push, **changes: Any) -> dict[str, Any]:
    made = build_of(push, recipe(**changes))
    context = Context("tar:///kaniko/launchyard/context.tar.gz", files=["context.tar.gz"])
    return job(config, made, context, credentials_of(config, push))


def credentials_of(config: KanikoBuilderConfig, push: Push) -> Credentials:
    return Credentials(config, Reference.parse(push.reference).repository, push.login(), config.secrets)


def container_of(manifest: dict[str, Any]) -> dict[str, Any]:
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    return dict(container)


def mounted(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The volumes by the folder that they are mounted at."""
    volumes = {one["name"]: one for one in manifest["spec"]["template"]["spec"]["volumes"]}
    return {one["mountPath"]: volumes[one["name"]] for one in container_of(manifest)["volumeMounts"]}


def test_a_build_is_a_job_that_waits_for_its_inputs_and_is_tried_once() -> None:
    # When
    manifest = rendered(config_of(), Push("registry.example.com/jobs:tag"))
    # Then
    assert manifest["metadata"]["name"] == "build-1"
    assert manifest["metadata"]["namespace"] == "builds"
    spec = manifest["spec"]
    assert (spec["suspend"], spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (True, 0, 1800)
    assert container_of(manifest)["image"].startswith("ghcr.io/osscontainertools/kaniko:")
    assert container_of(manifest)["args"] == [
        "--dockerfile=/kaniko/launchyard/Dockerfile",
        "--context=tar:///kaniko/launchyard/context.tar.gz",
        "--destination=registry.example.com/jobs:tag",
        "--digest-file=/dev/termination-log",
        "--log-format=json",
        "--cache=true",
        "--cache-repo=registry.example.com/jobs",
        "--snapshot-mode=redo",
        "--compressed-caching=false",
        "--push-retry=3",
        f"--label=launchyard.build-key={'ab' * 32}",
        "--build-arg=A=1 2",
    ]


def test_a_build_has_no_power_over_its_cluster_and_its_node() -> None:
    # When
    manifest = rendered(config_of(), Push("registry.example.com/jobs:tag"))
    # Then
    security = container_of(manifest)["securityContext"]
    assert security["capabilities"]["drop"] == ["ALL"]
    assert "SYS_ADMIN" not in security["capabilities"]["add"]
    assert security["allowPrivilegeEscalation"] is False
    assert manifest["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_the_config_s_own_part_lies_over_the_job_and_its_arguments_win_by_name() -> None:
    # Given
    own = {
        "metadata": {"name": "other", "generateName": "x-", "labels": {"team": "vision"}},
        "spec": {
            "activeDeadlineSeconds": 60,
            "template": {
                "spec": {
                    "tolerations": [{"key": "builds"}],
                    "containers": [
                        {
                            "args": ["--cache=false", "--build-arg=B=2", "--verbosity=debug"],
                            "resources": {"limits": {"memory": "4Gi"}},
                            "env": [{"name": "HTTPS_PROXY", "value": "http://proxy"}],
                        }
                    ],
                }
            },
        },
    }
    # When
    manifest = rendered(config_of(**{"kaniko-config": own}), Push("registry.example.com/jobs:tag"))
    # Then
    assert manifest["metadata"]["name"] == "build-1"
    assert "generateName" not in manifest["metadata"]
    assert manifest["metadata"]["labels"]["team"] == "vision"
    assert manifest["spec"]["activeDeadlineSeconds"] == 60
    assert manifest["spec"]["template"]["spec"]["tolerations"] == [{"key": "builds"}]
    container = container_of(manifest)
    assert container["name"] == "kaniko"
    assert container["resources"] == {"limits": {"memory": "4Gi"}}
    assert container["env"] == [{"name": "HTTPS_PROXY", "value": "http://proxy"}]
    cache = [one for one in container["args"] if one.startswith("--cache=")]
    assert cache == ["--cache=false"]
    assert [one for one in container["args"] if one.startswith("--build-arg=")] == [
        "--build-arg=A=1 2",
        "--build-arg=B=2",
    ]


def test_another_destination_is_another_job_and_the_same_one_the_same() -> None:
    # When
    names = [name_of(config_of(), "ab" * 32, reference) for reference in ("a/b:1", "a/b:1", "a/c:1")]
    # Then
    assert names[0] == names[1] != names[2]
    assert len(name_of(config_of(**{"build-job-name": "b" * 32}), "ab" * 32, "a/b:1")) <= 63


def test_a_login_is_in_the_build_s_own_secret_and_nowhere_else() -> None:
    # Given
    push = Push("registry.example.com:5000/jobs:tag", lambda: Login("agent", "s3cret"))
    made = build_of(push, recipe())
    # When
    manifest = rendered(config_of(), push)
    kept = secret(made, credentials_of(config_of(), push), OWNER)
    # Then
    assert "s3cret" not in json.dumps(manifest)
    assert mounted(manifest)["/kaniko/.docker"]["secret"]["secretName"] == "build-1"
    assert kept is not None
    (value,) = kept["data"].values()
    assert json.loads(b64decode(value)) == {"auths": {"registry.example.com:5000": {"auth": "YWdlbnQ6czNjcmV0"}}}
    (owner,) = kept["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Job", "build-1", "1-2-3")


@pytest.mark.parametrize("reference", ["team/jobs:tag", "docker.io/team/jobs:tag"])
def test_docker_hub_s_login_has_the_name_that_docker_gives_it(reference: str) -> None:
    # When
    (content,) = credentials_of(config_of(), Push(reference, lambda: Login("me", "x"))).files.values()
    # Then
    assert list(json.loads(content)["auths"]) == ["https://index.docker.io/v1/"]


def test_a_secret_of_logins_that_is_there_stands_for_the_agent_s_login() -> None:
    # Given
    config = config_of(**{"docker-config-secret": "logins"})
    push = Push("registry.example.com/jobs:tag", lambda: Login("agent", "s3cret"))
    # When
    volume = mounted(rendered(config, push))["/kaniko/.docker"]
    # Then
    assert volume["secret"]["secretName"] == "logins"
    assert volume["secret"]["items"] == [{"key": ".dockerconfigjson", "path": "config.json"}]
    assert secret(build_of(push, recipe()), credentials_of(config, push), OWNER) is None


@pytest.mark.parametrize(
    ("repository", "folder", "file"),
    [(ECR, "/root/.aws", "credentials"), (GAR, "/kaniko/.config/gcloud", "config.json")],
)
def test_credentials_of_a_cloud_are_where_its_library_looks(repository: str, folder: str, file: str) -> None:
    # Given
    config = config_of(**{"secret-name": "cloud", "secret-key": "key.json"})
    # When
    volume = mounted(rendered(config, Push(f"{repository}:tag")))[folder]
    # Then
    assert volume["secret"]["secretName"] == "cloud"
    assert volume["secret"]["items"] == [{"key": "key.json", "path": file}]


def test_each_cloud_gets_the_variables_and_labels_that_it_needs() -> None:
    # Given
    config = config_of(**{"secret-name": "cloud", "secret-key": "password"})
    # When
    aws, gcp, azure = (rendered(config, Push(f"{repository}:tag")) for repository in (ECR, GAR, ACR))
    # Then
    assert container_of(aws)["env"] == [{"name": "AWS_REGION", "value": "eu-west-1"}]
    assert container_of(gcp)["env"][0]["value"] == "/kaniko/.config/gcloud/config.json"
    (key,) = container_of(azure)["env"]
    assert key["name"] == "AZURE_STORAGE_ACCESS_KEY"
    assert key["valueFrom"]["secretKeyRef"] == {"name": "cloud", "key": "password"}
    assert azure["spec"]["template"]["metadata"]["labels"]["azure.workload.identity/use"] == "true"


def test_secrets_of_a_build_are_files_of_its_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    (tmp_path / "token").write_text("from a file")
    monkeypatch.setenv("INDEX_TOKEN", "from the environment")
    config = config_of(secrets={"index": {"env": "INDEX_TOKEN"}, "other": {"file": str(tmp_path / "token")}})
    push = Push("registry.example.com/jobs:tag")
    # When
    manifest = rendered(config, push, secrets=config.secrets)
    files = credentials_of(config, push).files
    # Then
    assert files == {"index": b"from the environment", "other": b"from a file"}
    assert "--secret=id=index,src=/kaniko/launchyard-secrets/index" in container_of(manifest)["args"]
    assert mounted(manifest)["/kaniko/launchyard-secrets"]["secret"]["secretName"] == "build-1"


def test_a_secret_that_the_agent_has_not_is_named() -> None:
    # Given
    config = config_of(secrets={"index": {"env": "NO_SUCH_VARIABLE"}})
    # When / Then
    with pytest.raises(RunFailed, match=r"secret 'index' is in the variable NO_SUCH_VARIABLE, which is not set"):
        _ = credentials_of(config, Push("a.example/b:1")).files


def test_the_dockerfile_and_what_it_ignores_come_in_a_config_map() -> None:
    # Given
    made = build_of(Push("a.example/b:1"), recipe())
    # When
    sent = config_map(made, {"context.tar.gz": b"\x1f\x8b"}, OWNER)
    # Then
    assert sent["data"] == {"Dockerfile": "FROM scratch\n", "Dockerfile.dockerignore": ".git\n**/*.pyc\n"}
    assert b64decode(sent["binaryData"]["context.tar.gz"]) == b"\x1f\x8b"


def test_a_volume_with_the_context_is_mounted_where_the_address_says(tmp_path: Path) -> None:
    # Given
    config = config_of(**{"context-volume": "claim", "context-volume-path": str(tmp_path)})
    push = Push("a.example/b:1")
    # When
    context = Contexts(config).of("build-1")
    manifest = job(config, build_of(push, recipe()), context, credentials_of(config, push))
    # Then
    (argument,) = [one for one in container_of(manifest)["args"] if one.startswith("--context=")]
    folder, _, name = argument.removeprefix("--context=tar://").rpartition("/")
    assert name == "build-1.tar.gz"
    assert mounted(manifest)[folder]["persistentVolumeClaim"] == {"claimName": "claim", "readOnly": True}
