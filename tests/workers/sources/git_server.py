"""A git server on loopback: git's own CGI program (git-http-backend) behind a small HTTP server."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_IDENTITY = {
    "GIT_AUTHOR_NAME": "tester",
    "GIT_AUTHOR_EMAIL": "tester@example.org",
    "GIT_COMMITTER_NAME": "tester",
    "GIT_COMMITTER_EMAIL": "tester@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; what it writes."""
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **_IDENTITY}, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def new_repository(folder: Path, files: Mapping[str, str]) -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    commit(folder, files)
    return folder


def commit(folder: Path, files: Mapping[str, str]) -> str:
    """One more commit; its id."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a change")
    return git(folder, "rev-parse", "HEAD")


@dataclass
class GitServer:
    """Serves every repository below `root`; `fault` is an HTTP status with which it answers everything."""

    root: Path
    password: str = ""
    fault: int = 0
    only_files: bool = False  # the "dumb" protocol of a plain web server
    asked: list[str] = field(default_factory=list)
    large: dict[str, bytes] = field(default_factory=dict)  # by SHA-256: what its Git LFS has

    def __post_init__(self) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, served=self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()

    def url(self, repository: str, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self._http.server_port}/{repository}/.git"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def refuses(self, authorization: str | None) -> bool:
        expected = "Basic " + base64.b64encode(f"agent:{self.password}".encode()).decode()
        return bool(self.password) and authorization != expected


class _Handler(SimpleHTTPRequestHandler):
    """Made for every request; `served` is the server that it answers for."""

    def __init__(self, *args: Any, served: GitServer) -> None:
        self._served = served
        super().__init__(*args, directory=str(served.root))

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        self._served.asked.append(self.path)

    def _answer(self) -> None:
        if self._served.fault:
            self.send_error(self._served.fault)
        elif self._served.refuses(self.headers.get("Authorization")):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.endswith("/info/lfs/objects/batch"):
            self._tell_large()
        elif self.path.startswith("/large/"):
            self._send(self._served.large[self.path.removeprefix("/large/")], "application/octet-stream")
        elif self._served.only_files:
            super().do_GET()
        else:
            self._run_git()

    def _tell_large(self) -> None:
        """The batch API of Git LFS (docs/api/batch.md of git-lfs), for downloads."""
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["objects"]
        root = f"http://{self.headers['Host']}/large/"
        gone = {"error": {"code": 404, "message": "Object does not exist on the server"}}
        there = {one["oid"]: {"actions": {"download": {"href": root + one["oid"]}}} for one in wanted}
        objects = [{**one, **(there[one["oid"]] if one["oid"] in self._served.large else gone)} for one in wanted]
        self._send(json.dumps({"transfer": "basic", "objects": objects}).encode(), "application/vnd.git-lfs+json")

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _run_git(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        variables = {
            "GIT_PROJECT_ROOT": str(self._served.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={**os.environ, **_IDENTITY, **variables},
            capture_output=True,
            timeout=60,
            check=False,  # its own errors come in its answer
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
