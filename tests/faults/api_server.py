"""The API server of the tests' cluster: how the way to it, or the server, is struck, and what agents ask of it."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from broker_config.errors import TemporaryError
from tests.agents import eventually
from tests.cluster import cluster
from tests.faults.proxy import TcpProxy
from tests.services import require
from workers.kubernetes.cluster import Cluster

READY_SECONDS = 60.0


class ClusterProxy(TcpProxy):
    """In front of the API server that `KUBECONFIG` names; `config` is a kubeconfig that leads through it."""

    def __init__(self, folder: Path) -> None:
        content = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
        server = content["clusters"][0]["cluster"]
        address = urlsplit(server["server"])
        assert address.hostname is not None
        assert address.port is not None
        super().__init__(address.hostname, address.port)
        server |= {"server": f"https://127.0.0.1:{self.port}", "tls-server-name": address.hostname}
        self.config = folder / "through-the-proxy"
        self.config.write_text(yaml.safe_dump(content))


class ApiServer:
    """That of the lab. Whoever uses the same lab loses it too, so nothing else may run beside a test that kills it."""

    def __init__(self) -> None:
        self._pid_file = Path(os.environ["KUBECONFIG"]).parents[1] / "kube-apiserver.pid"
        require(self._pid_file.exists(), "the cluster is not one of tests/lab/kubernetes.sh, so it is not killed")
        self._command: Sequence[str] = ()

    def kill(self) -> None:
        """End it as a crash does."""
        pid = int(self._pid_file.read_text())
        self._command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
        os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        """Start it as it was started before, and wait until it answers."""
        with self._pid_file.with_suffix(".log").open("ab") as log:
            process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        self._pid_file.write_text(f"{process.pid}\n")
        eventually(_is_ready, "the API server is ready again", READY_SECONDS)


def _is_ready() -> bool:
    try:
        return cluster().text("/readyz") == b"ok"
    except TemporaryError:
        return False


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an agent."""

    at: float
    method: str
    path: str
    query: str

    @property
    def is_list(self) -> bool:
        return self.method == "GET" and self.path.endswith("/pods") and "watch=true" not in self.query


def note_calls(home: Path) -> None:
    """Have all requests of this process written down from now on."""
    original = Cluster._request

    @functools.wraps(original)
    def noted(self: Cluster, method: str, url: str, *rest: Any, **named: Any) -> Any:
        with _notes(home).open("a") as notes:
            notes.write(f"{time.time()} {method} {url}\n")
        return original(self, method, url, *rest, **named)

    Cluster._request = noted  # type: ignore[method-assign]


def calls(home: Path, since: float) -> Sequence[Call]:
    """What agents have asked since a time."""
    found = []
    for line in _notes(home).read_text().splitlines():
        at, method, url = line.split(" ", 2)
        path, _, query = url.partition("?")
        found.append(Call(float(at), method, path, query))
    return [one for one in found if one.at >= since]


def _notes(home: Path) -> Path:
    return home / "api-calls"
