"""The members of the family of registries, for the contract suite. A new registry is added to `REGISTRIES`."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from broker_config.oci.answers import Transport
from broker_config.oci.logins import Login, docker_config
from tests import clouds
from tests.docker_registry import LOGIN, docker_registry, put_index
from tests.moto_server import aws
from tests.oci_registry import registry
from tests.token_server import token_server
from workers.config.images import RegistryKind
from workers.config.registry import RegistryConfig
from workers.environments.aws import Aws
from workers.environments.azure import Azure
from workers.environments.gcp import Gcp
from workers.registries.acr import USER as ACR_USER
from workers.registries.acr import AcrRegistry
from workers.registries.ecr import EcrRegistry
from workers.registries.gcr import USER as GOOGLE_USER
from workers.registries.gcr import ArtifactRegistry
from workers.registries.oci import OciRegistry
from workers.registries.protocol import Registry
from workers.registries.stub import StubRegistry

ACCOUNT = "123456789012"
ECR_HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"


@dataclass(frozen=True)
class Case:
    """A registry with a repository, and what the suite does behind its back."""

    registry: Registry
    login: Login | None
    put: Callable[[str], str]  # an image with that tag; returns its digest
    refuse: Callable[[], None] | None = None  # from now on its credentials do not hold
    leave: Callable[[], None] | None = None  # from now on nobody answers


def config_of(kind: RegistryKind, uri: str) -> RegistryConfig:
    """The config of a fake on loopback, whose address is not one of its kind."""
    return RegistryConfig.model_construct(type=kind, uri=uri, plain_http=False, ca_file=None, create_repository=False)


@contextmanager
def stub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    made = StubRegistry(config_of(RegistryKind.OCI, "registry.example.com/team/jobs"), None)

    def put(tag: str) -> str:
        made.images[tag] = "sha256:" + tag.encode().hex().ljust(64, "0")
        return made.images[tag]

    yield Case(made, None, put)


@contextmanager
def oci(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with registry("agent:secret") as server:
        monkeypatch.setenv("DOCKER_CONFIG", str(home))
        auth = base64.b64encode(b"agent:secret").decode()
        (home / "config.json").write_text(json.dumps({"auths": {server.address: {"auth": auth}}}))

        def refuse() -> None:
            server.login = "another"

        def leave() -> None:
            server.status = 503

        made = OciRegistry(config_of(RegistryKind.OCI, f"{server.address}/team/jobs"), None)
        yield Case(made, Login("agent", "secret"), lambda tag: server.put("team/jobs", tag), refuse, leave)


@contextmanager
def oci_with_password(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """The CNCF's registry with an htpasswd file."""
    with ExitStack() as stack:
        host = stack.enter_context(docker_registry(home, has_password=True))
        yield _of_docker(host, home, monkeypatch, stack)


@contextmanager
def oci_with_tokens(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """The CNCF's registry, with somebody else who gives its tokens."""
    with token_server({LOGIN.user: LOGIN.password}) as tokens, ExitStack() as stack:
        host = stack.enter_context(docker_registry(home, tokens=tokens))
        yield _of_docker(host, home, monkeypatch, stack)


def _of_docker(host: str, home: Path, monkeypatch: pytest.MonkeyPatch, running: ExitStack) -> Case:
    monkeypatch.setenv("DOCKER_CONFIG", str(home))

    def log_in(login: Login) -> None:
        (home / "config.json").write_text(json.dumps(docker_config({host: login})))

    log_in(LOGIN)
    made = OciRegistry(config_of(RegistryKind.OCI, f"{host}/team/jobs"), None)
    return Case(
        made,
        LOGIN,
        lambda tag: put_index(host, "team/jobs", tag, Transport(), LOGIN),
        lambda: log_in(Login(LOGIN.user, "another")),
        running.close,
    )


@contextmanager
def gcr(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with clouds.tokens() as tokens, registry(f"{GOOGLE_USER}:{clouds.TOKEN}") as server:
        for name, value in clouds.google(tokens, home).items():
            monkeypatch.setenv(name, value)

        def refuse() -> None:
            server.login = "another"

        def leave() -> None:
            server.status = 503

        made = ArtifactRegistry(config_of(RegistryKind.GCR, f"{server.address}/team/jobs"), Gcp(None))
        login = Login(GOOGLE_USER, clouds.TOKEN)
        yield Case(made, login, lambda tag: server.put("team/jobs", tag), refuse, leave)


@contextmanager
def acr(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with clouds.tokens() as tokens, registry(f"{ACR_USER}:refresh") as server:
        for name, value in clouds.azure(tokens).items():
            monkeypatch.setenv(name, value)
        clouds.exchanges(server, "refresh")

        def refuse() -> None:
            clouds.exchanges(server, "another")

        def leave() -> None:
            server.status = 503

        made = AcrRegistry(config_of(RegistryKind.ACR, f"{server.address}/team/jobs"), Azure(None))
        yield Case(made, Login(ACR_USER, "refresh"), lambda tag: server.put("team/jobs", tag), refuse, leave)


@contextmanager
def ecr(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with aws() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("ecr", "eu-west-1")
        client.create_repository(repositoryName="team/jobs")
        (given,) = client.get_authorization_token()["authorizationData"]
        user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")

        def put(tag: str) -> str:
            kind = "application/vnd.oci.image.manifest.v1+json"
            # moto makes the digest from those of the layers.
            layers = [{"digest": "sha256:" + tag.encode().hex(), "size": 1}]
            manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": {"size": 1}, "layers": layers})
            done = client.put_image(repositoryName="team/jobs", imageManifest=manifest, imageTag=tag)
            return str(done["image"]["imageId"]["imageDigest"])

        def refuse() -> None:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                monkeypatch.delenv(name)
            monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
            monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)

        def leave() -> None:
            monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

        made = EcrRegistry(config_of(RegistryKind.ECR, f"{ECR_HOST}/team/jobs"), Aws(None))
        yield Case(made, Login(user, password), put, refuse, leave)


REGISTRIES: dict[str, Callable[[Path, pytest.MonkeyPatch], AbstractContextManager[Case]]] = {
    "stub": stub,
    "oci": oci,
    "oci with a password": oci_with_password,
    "oci with tokens": oci_with_tokens,
    "ecr": ecr,
    "gcr": gcr,
    "acr": acr,
}

CAN_FAIL = [name for name in REGISTRIES if name != "stub"]
"""Those that have somebody to refuse, or not to answer."""
