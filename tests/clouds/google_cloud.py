"""What Vertex AI's jobs and agents need of Google Cloud besides Vertex AI: tokens, Secret Manager, Cloud Logging, IAM.

Formats: the REST references of the Secret Manager API (v1), the Cloud Logging API (v2), the IAM Service Account
Credentials API, Resource Manager's `testIamPermissions`, and the metadata server ("About VM metadata").
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.clouds.faults import Faults
from tests.clouds.pub_sub import Subscription

PROJECT = "research"
AGENT = "agent@research.iam.gserviceaccount.com"
JOB = "trainer@research.iam.gserviceaccount.com"
_CODES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_CODES |= {409: "ALREADY_EXISTS", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}


class Answered(Exception):
    """An error in place of a result."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class GoogleServices(ThreadingHTTPServer):
    """The services, all at one address. Tokens say whose they are."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults = Faults()
        self.lock = threading.Lock()
        self.secrets: dict[str, dict[str, Any]] = {}  # by name
        self.values: dict[str, list[str]] = {}
        self.entries: list[dict[str, Any]] = []
        self.subscriptions: dict[str, Subscription] = {}  # by name
        self.denied: set[str] = set()  # permissions that the agent lacks
        self.readers = {AGENT, JOB}  # who may read secrets
        self.late_seconds = 0.0  # between an entry's arrival and the moment from which it is found
        self.page = 1000

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def reset(self) -> None:
        """Forget everything."""
        with self.lock:
            self.secrets.clear()
            self.values.clear()
            self.entries.clear()
        self.subscriptions.clear()
        self.faults.clear()
        self.faults.calls.clear()
        self.denied.clear()
        self.readers = {AGENT, JOB}
        self.late_seconds = 0.0
        self.page = 1000

    def variables(self, folder: Path) -> dict[str, str]:
        """By which an agent finds the services, as a service account."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        account = {"type": "service_account", "project_id": PROJECT, "private_key_id": "1", "private_key": text}
        account |= {"client_email": AGENT, "token_uri": f"{self.url}/token"}
        path = folder / "account.json"
        path.write_text(json.dumps(account))
        names = ("LOGGING", "SECRETMANAGER", "IAMCREDENTIALS", "IAM", "CLOUDRESOURCEMANAGER", "PUBSUB")
        return {
            "GOOGLE_APPLICATION_CREDENTIALS": str(path),
            **{f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{name}": f"{self.url}/" for name in names},
        }

    def variables_of_jobs(self) -> dict[str, str]:
        """By which a job finds the services, as its own service account."""
        overrides = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"
        return {"GCE_METADATA_HOST": self.address, overrides: self.url}

    def is_known(self, token: str) -> bool:
        """Whether a token holds."""
        return bool(self.whose(token))

    def whose(self, token: str) -> str:
        """The account of a token: one of ours says it, and one that the account has signed itself too."""
        if token.startswith("token-of-"):
            return token.removeprefix("token-of-")
        if token.count(".") == 2:
            payload = token.split(".")[1]
            told = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            return str(told["iss"]) if told["exp"] > time.time() else ""
        return ""

    def put_lines(self, job: str, replica: str, lines: list[str], at: datetime | None = None) -> None:
        """Write to the log."""
        with self.lock:
            for line in lines:
                number = len(self.entries)
                stamp = _moment(at or datetime.now(UTC), number)
                labels = {"job_id": job, "task_name": replica, "project_id": PROJECT}
                self.entries.append(
                    {
                        "insertId": f"{number:012}",
                        "resource": {"type": "ml_job", "labels": labels},
                        "timestamp": stamp,
                        "receiveTimestamp": _moment(datetime.now(UTC), number),
                        "severity": "INFO",
                        "jsonPayload": {"levelname": "INFO", "message": f"{line}\n"},
                    }
                )

    # --- the services -------------------------------------------------------------------------------------------------

    def answer(self, verb: str, path: str, query: Mapping[str, str], body: Mapping[str, Any], who: str) -> Any:
        """Carry one call out."""
        if path == "/v2/entries:list":
            self._expect("logging.logEntries.list", who)
            return self._listed(body)
        if path.endswith(":generateAccessToken"):
            account = path.rpartition("/")[2].partition(":")[0]
            self._expect("iam.serviceAccounts.getAccessToken", who)
            until = datetime.now(UTC) + timedelta(hours=1)
            return {"accessToken": f"token-of-{account}", "expireTime": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
        if path.endswith(":testIamPermissions"):
            return {"permissions": [one for one in body["permissions"] if one not in self.denied]}
        if "/subscriptions/" in path:
            self._expect("pubsub.subscriptions.consume", who)
            name, _, action = path.removeprefix("/v1/").partition(":")
            if name not in self.subscriptions:
                raise Answered(404, f"Resource not found (resource={name.rpartition('/')[2]}).")
            return self.subscriptions[name].answer(action, body)
        found = re.fullmatch(r"/v1/projects/([^/]+)/secrets(?:/([^/:]+))?(/versions/[^/:]+)?(:\w+)?", path)
        if found is None:
            raise Answered(404, f"there is no {path}")
        with self.lock:
            return self._secret(verb, found[2] or query.get("secretId", ""), found[4] or "", query, body, who)

    def _secret(
        self, verb: str, name: str, action: str, query: Mapping[str, str], body: Mapping[str, Any], who: str
    ) -> Any:
        if action == ":access":
            if who not in self.readers:
                raise Answered(403, f"Permission 'secretmanager.versions.access' denied for {name}")
            if not self.values.get(name):
                raise Answered(404, f"Secret [{name}] not found or has no versions.")
            return {"payload": {"data": self.values[name][-1]}}
        permission = {"GET": "get" if name else "list", "POST": "create", "DELETE": "delete"}[verb]
        self._expect("secretmanager.versions.add" if action else f"secretmanager.secrets.{permission}", who)
        if not name:
            key, _, value = query["filter"].removeprefix("labels.").partition("=")
            return {"secrets": [one for one in self.secrets.values() if one.get("labels", {}).get(key) == value]}
        if verb == "POST" and not action:
            if name in self.secrets:
                raise Answered(409, f"Secret [{name}] already exists.")
            self.secrets[name] = {**body, "name": name, "createTime": _moment(datetime.now(UTC))}
            return self.secrets[name]
        if name not in self.secrets:
            raise Answered(404, f"Secret [{name}] not found.")
        if action:
            self.values.setdefault(name, []).append(body["payload"]["data"])
        if verb == "DELETE":
            self.values.pop(name, None)
            return self.secrets.pop(name) and {}
        return self.secrets[name]

    def _expect(self, permission: str, who: str) -> None:
        if not who:
            raise Answered(401, "Request had invalid authentication credentials.")
        if permission in self.denied:
            raise Answered(403, f"Permission '{permission}' denied on resource (or it may not exist).")

    def _listed(self, body: Mapping[str, Any]) -> Any:
        wanted = [re.fullmatch(r'([\w.]+)(=|!=|>=)"([^"]*)"', one) for one in body["filter"].split(" AND ")]
        until = _moment(datetime.now(UTC) - timedelta(seconds=self.late_seconds), 10**9 - 1)
        with self.lock:
            found = [
                one
                for one in self.entries
                if one["receiveTimestamp"] <= until and all(cond and _holds(one, *cond.groups()) for cond in wanted)
            ]
        found.sort(key=lambda one: (one["timestamp"], one["insertId"]))
        first = int(body.get("pageToken") or 0)
        last = first + min(body.get("pageSize", 50), self.page)
        return {"entries": found[first:last], **({"nextPageToken": str(last)} if last < len(found) else {})}


def _holds(entry: Mapping[str, Any], name: str, sign: str, value: str) -> bool:
    found: Any = entry
    for part in name.split("."):
        found = found.get(part, {})
    if sign == ">=":
        return bool(found >= value)
    return (found == value) is (sign == "=")


def _moment(at: datetime, number: int = 0) -> str:
    """With nanoseconds, of which the last three only keep entries apart."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}{number % 1000:03}Z"


class _Handler(BaseHTTPRequestHandler):
    server: GoogleServices
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._carry_out()

    def do_POST(self) -> None:
        self._carry_out()

    def do_DELETE(self) -> None:
        self._carry_out()

    def _carry_out(self) -> None:
        given = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        if split.path == "/token":
            return self._say(200, {"access_token": f"token-of-{AGENT}", "expires_in": 3600, "token_type": "Bearer"})
        if split.path.startswith("/computeMetadata/"):
            return self._say(200, {"access_token": f"token-of-{JOB}", "expires_in": 3600, "token_type": "Bearer"})
        what = "entries.list" if split.path.startswith("/v2/entries") else split.path
        fault = self.server.faults.met(what)
        if fault is not None:
            time.sleep(fault.seconds)
            if fault.code:
                return self._fail(fault.status, fault.message, fault.headers)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        who = self.server.whose(self.headers.get("Authorization", "").removeprefix("Bearer "))
        try:
            told = self.server.answer(self.command, split.path, query, json.loads(given or "{}"), who)
        except Answered as wrong:
            return self._fail(wrong.status, str(wrong), {})
        return self._say(200, told)

    def _fail(self, status: int, message: str, headers: Mapping[str, str]) -> None:
        error = {"code": status, "message": message, "status": _CODES[status]}
        self._say(status, {"error": error}, headers)

    def _say(self, status: int, told: object, headers: Mapping[str, str] | None = None) -> None:
        text = json.dumps(told).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def services() -> Iterator[GoogleServices]:
    """The services on a free port of loopback."""
    server = GoogleServices()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
