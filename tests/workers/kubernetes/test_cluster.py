"""What an API server says besides yes: of the agent's credentials, and that it wants to be left alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import ConfigError, TemporaryError
from workers.kubernetes import access
from workers.kubernetes.cluster import Cluster, Refused, Unauthorized


class Gatekeeper:
    """Answers who shows the token that it wants, and counts who asks."""

    def __init__(self) -> None:
        self.token = ""
        self.asked = 0
        self.answers: list[tuple[int, dict[str, str], dict[str, Any]]] = []

    def answer(self, shown: str | None) -> tuple[int, dict[str, str], dict[str, Any]]:
        self.asked += 1
        if self.answers:
            return self.answers.pop(0)
        if shown is None and self.token:
            words = 'pods is forbidden: User "system:anonymous" cannot list resource "pods"'
            return 403, {}, {"reason": "Forbidden", "message": words}
        if self.token and shown != f"Bearer {self.token}":
            return 401, {}, {"reason": "Unauthorized", "message": "Unauthorized"}
        return 200, {}, {"is": "there"}


@pytest.fixture
def keeper() -> Gatekeeper:
    return Gatekeeper()


@pytest.fixture
def address(keeper: Gatekeeper) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = keeper.answer(self.headers.get("Authorization"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def connected(address: str, folder: Path, context: str | None = None, **user: Any) -> Cluster:
    """A cluster that knows its user from a kubeconfig. Its current context leads nowhere, if another one is wanted."""
    content = {
        "clusters": [
            {"name": "c", "cluster": {"server": address}},
            {"name": "gone", "cluster": {"server": "http://127.0.0.1:9"}},
        ],
        "contexts": [
            {"name": "gone", "context": {"cluster": "gone", "user": "u", "namespace": "gone"}},
            {"name": "lab", "context": {"cluster": "c", "user": "u", "namespace": "team-a"}},
        ],
        "users": [{"name": "u", "user": user}],
        "current-context": "gone" if context else "lab",
    }
    config = folder / "kubeconfig"
    config.write_text(json.dumps(content))
    return Cluster(str(config), context)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "RELOAD_SECONDS", 0.0)


def test_the_context_that_is_named_is_used_and_not_the_current_one(
    keeper: Gatekeeper, address: str, tmp_path: Path
) -> None:
    # Given
    keeper.token = "first"
    # When
    cluster = connected(address, tmp_path, "lab", token="first")
    # Then
    assert cluster.get("/") == {"is": "there"}
    assert cluster.namespace == "team-a"


def test_a_context_that_is_not_there_is_told_with_the_one_that_is_near(address: str, tmp_path: Path) -> None:
    # Given
    cluster = connected(address, tmp_path, "labb")
    # Then
    with pytest.raises(ConfigError) as refused:
        cluster.get("/")
    kubeconfig = tmp_path / "kubeconfig"
    assert str(refused.value) == f"{kubeconfig} has no context 'labb'; did you mean 'lab'?"


def test_a_token_that_expired_is_read_from_its_file_again(keeper: Gatekeeper, address: str, tmp_path: Path) -> None:
    # Given
    keeper.token = "first"
    file = tmp_path / "token"
    file.write_text("first")
    cluster = connected(address, tmp_path, tokenFile=str(file))
    assert cluster.get("/") == {"is": "there"}
    # When
    keeper.token = "second"
    with pytest.raises(Unauthorized, match="credentials"):
        cluster.get("/")
    file.write_text("second")
    # Then
    assert cluster.get("/") == {"is": "there"}


def test_an_exec_plug_in_that_failed_is_run_again_and_no_run_pays_for_it(
    keeper: Gatekeeper, address: str, tmp_path: Path
) -> None:
    # Given a program that prints a credential once it has one
    keeper.token = "fresh"
    version = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": "fresh"}}
    plugin = {"apiVersion": version, "command": "cat", "args": [str(tmp_path / "credential")]}
    cluster = connected(address, tmp_path, exec=plugin)
    # Then
    with pytest.raises(TemporaryError, match="system:anonymous"):
        cluster.get("/")
    # When
    (tmp_path / "credential").write_text(json.dumps(credential))
    # Then
    assert cluster.get("/") == {"is": "there"}


def test_what_a_known_user_may_not_do_is_refused(keeper: Gatekeeper, address: str, tmp_path: Path) -> None:
    # Given
    words = 'pods is forbidden: User "agent" cannot list resource "pods"'
    keeper.answers = [(403, {}, {"reason": "Forbidden", "message": words})]
    # Then
    with pytest.raises(Refused, match="cannot list"):
        connected(address, tmp_path).get("/")


@pytest.mark.parametrize(("headers", "body"), [({"Retry-After": "7"}, {}), ({}, {"details": {"retryAfterSeconds": 7}})])
def test_a_server_that_wants_to_be_left_alone_is_asked_nothing_meanwhile(
    keeper: Gatekeeper, address: str, tmp_path: Path, headers: dict[str, str], body: dict[str, Any]
) -> None:
    # Given
    keeper.answers = [(429, headers, {"reason": "TooManyRequests", "message": "too many", **body})]
    cluster = connected(address, tmp_path)
    # When
    with pytest.raises(TemporaryError) as first:
        cluster.get("/")
    with pytest.raises(TemporaryError, match="asked again in 7 s") as second:
        cluster.get("/another")
    # Then
    assert first.value.delay_seconds == 7
    assert 6 < second.value.delay_seconds <= 7
    assert keeper.asked == 1


def test_the_pause_that_a_server_wants_ends(keeper: Gatekeeper, address: str, tmp_path: Path) -> None:
    # Given
    keeper.answers = [(429, {"Retry-After": "0"}, {})]
    cluster = connected(address, tmp_path)
    with pytest.raises(TemporaryError):
        cluster.get("/")
    # Then
    assert cluster.get("/") == {"is": "there"}


def test_a_kubeconfig_that_is_no_yaml_is_one_clear_error(tmp_path: Path) -> None:
    # Given
    path = tmp_path / "kubeconfig"
    path.write_text("clusters: [{name: x\nusers: []\n")

    # Then
    with pytest.raises(ConfigError, match=r"kubeconfig of .*/kubeconfig is no YAML: .* line 2"):
        Cluster(str(path)).get("/version")
