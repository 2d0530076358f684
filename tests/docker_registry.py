"""A registry of a test's own: the one of the CNCF that most registries are made of, as Debian has it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from broker_config.oci.answers import Transport
from broker_config.oci.logins import Login
from broker_config.oci.tokens import Authorization
from tests.certificates import Certificates
from tests.ports import free_port, wait_until_listening
from tests.services import require
from tests.token_server import TokenServer

LOGIN = Login("agent", "secret")

HTPASSWD = "agent:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"
"""The line of `LOGIN` in an htpasswd file."""

KIND = "application/vnd.oci.image.index.v1+json"


@contextmanager
def docker_registry(
    folder: Path, tls: Certificates | None = None, tokens: TokenServer | None = None, *, has_password: bool = False
) -> Iterator[str]:
    """Run one on loopback. Yields its host with the port."""
    program = shutil.which("docker-registry")
    require(program is not None, "there is no docker-registry; apt-get install docker-registry")
    assert program is not None
    host = f"127.0.0.1:{(port := free_port())}"
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}, "delete": {"enabled": True}},
        "http": {"addr": host},
    }
    if tls:
        config["http"]["tls"] = {"certificate": str(tls.server), "key": str(tls.server_key)}
    if has_password:
        (folder / "htpasswd").write_text(HTPASSWD)
        config["auth"] = {"htpasswd": {"realm": "tests of this project", "path": str(folder / "htpasswd")}}
    if tokens:
        bundle = folder / "tokens.pem"
        bundle.write_bytes(tokens.certificate)
        service = {"realm": tokens.realm, "service": tokens.service, "issuer": tokens.issuer}
        config["auth"] = {"token": {**service, "rootcertbundle": str(bundle)}}
    # YAML has JSON in it.
    (folder / "registry.yml").write_text(json.dumps(config))
    with (folder / "registry.log").open("ab") as log:
        process = subprocess.Popen(
            [program, "serve", str(folder / "registry.yml")], stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until_listening(port)
        yield host
    finally:
        process.terminate()
        process.wait(30)


def put_index(host: str, path: str, tag: str, transport: Transport, login: Login | None = None) -> str:
    """Push a platform index without images. Returns its digest."""
    url = f"{transport.url_of(host)}/v2/{path}/manifests/{tag}"
    named = {"annotations": {"tag": tag}}  # so that no two have one digest
    body = json.dumps({"schemaVersion": 2, "mediaType": KIND, "manifests": [], **named}).encode()
    asked = transport.ask("GET", url)
    wanted = Authorization(path, lambda: login, "", transport).answer(asked.headers, "pull,push") if login else {}
    request = Request(url, method="PUT", data=body, headers={"Content-Type": KIND, **wanted})
    with urlopen(request, timeout=10, context=transport._context) as answer:
        return str(answer.headers["Docker-Content-Digest"])
