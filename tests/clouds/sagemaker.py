"""SageMaker for tests: its JSON protocol over HTTP, with jobs that really run, faults, and a count of all calls.

It has what no emulator has: jobs that live, names that are taken, tags, pages, and regions apart from each other. The
services around it (logs, parameters, secrets, tokens) are moto's. Format: "AWS JSON 1.1", as botocore speaks it.
"""

from __future__ import annotations

import atexit
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session

from tests.clouds.faults import Faults
from tests.clouds.sagemaker_jobs import ACCOUNT, NOUNS, FakeJob, FakeJobs, PutLines, Wrong
from tests.moto_server import aws

REGION = "eu-west-1"
_SCOPE = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/")
_OPERATION = re.compile(r"(Create|Describe|Stop|List)(TrainingJob|ProcessingJob)s?")


class SageMaker(ThreadingHTTPServer):
    """The server."""

    daemon_threads = True

    def __init__(self, put_lines: Callable[[str], PutLines], variables: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._put_lines = put_lines
        self._variables = variables
        self._regions: dict[str, FakeJobs] = {}
        self._lock = threading.Lock()
        self.faults = Faults()
        self.denied: set[str] = set()  # operations that nobody may call
        self.expired: set[str] = set()  # access keys whose token is over
        self.broken: set[str] = set()  # regions
        self.keys: set[str] = set()  # access keys that were used
        self.page = 100  # most that a list gives at once

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def region(self, name: str = REGION) -> FakeJobs:
        """The jobs of a region."""
        with self._lock:
            if name not in self._regions:
                self._regions[name] = FakeJobs(name, self._put_lines(name), self._variables)
            return self._regions[name]

    def regions(self) -> set[str]:
        """Those in which something was asked for."""
        return set(self._regions)

    def job(self, name: str, noun: str = "TrainingJob") -> FakeJob:
        """A job of the usual region."""
        return self.region().jobs[noun, name]

    def reset(self) -> None:
        """End all jobs, and forget everything."""
        for jobs in self._regions.values():
            jobs.close()
        self._regions.clear()
        self.faults.clear()
        self.faults.calls.clear()
        self.denied.clear()
        self.expired.clear()
        self.keys.clear()
        self.broken.clear()
        self.page = 100

    def answer(self, region: str, operation: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry one call out."""
        jobs = self.region(region)
        if operation == "GetResources":
            return self._resources(jobs, told)
        if operation in {"ListTags", "AddTags"}:
            job = jobs.of_arn(told["ResourceArn"])
            job.tags |= {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}
            return {"Tags": [{"Key": key, "Value": value} for key, value in job.tags.items()]}
        if (match := _OPERATION.fullmatch(operation)) is None:
            raise Wrong("UnknownOperationException", operation)
        verb, noun = match.groups()
        if verb == "Create":
            return {f"{noun}Arn": jobs.create(noun, told).arn}
        if verb == "List":
            return self._list(jobs, noun, told)
        job = jobs.find(noun, told[f"{noun}Name"])
        if verb == "Stop":
            jobs.stop(job)
            return {}
        return job.described()

    def _list(self, jobs: FakeJobs, noun: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        with jobs.lock:
            seen = [
                job
                for job in jobs.jobs.values()
                if job.noun == noun
                and told.get("NameContains", "") in job.name
                and told.get("StatusEquals") in {None, job.status}
                and job.modified > told.get("LastModifiedTimeAfter", 0)
                and time.time() - job.made >= jobs.hidden_seconds
            ]
            first = int(told.get("NextToken", 0))
            last = first + min(told.get("MaxResults", 10), self.page)
            more = {"NextToken": str(last)} if last < len(seen) else {}
            return {f"{noun}Summaries": [job.summary() for job in seen[first:last]], **more}

    def _resources(self, jobs: FakeJobs, told: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = told.get("TagFilters", [])
        kinds = {kind.removeprefix("sagemaker:") for kind in told["ResourceTypeFilters"]}
        listed = [
            {"ResourceARN": job.arn, "Tags": [{"Key": key, "Value": value} for key, value in job.tags.items()]}
            for job in list(jobs.jobs.values())
            if NOUNS[job.noun] in kinds and all(job.tags.get(one["Key"]) in one["Values"] for one in wanted)
        ]
        first = int(told.get("PaginationToken") or 0)
        more = str(first + self.page) if first + self.page < len(listed) else ""
        return {"ResourceTagMappingList": listed[first : first + self.page], "PaginationToken": more}


class _Handler(BaseHTTPRequestHandler):
    server: SageMaker
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "X-Amz-Target" not in self.headers:
            return self._refuse_token()
        told = json.loads(body)
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        fault = self.server.faults.met(operation)
        if fault is not None:
            time.sleep(fault.seconds)
            if fault.code:
                return self._error(fault.status, fault.code, fault.message, fault.headers)
            if fault.breaks and not fault.is_done:
                return self._break()
        if (refusal := self._refusal(operation)) is not None:
            return self._error(*refusal)
        try:
            answer = self.server.answer(self._scope[1], operation, told)
        except Wrong as wrong:
            return self._error(400, wrong.code, str(wrong))
        return self._break() if fault is not None and fault.is_done else self._send(200, answer)

    @property
    def _scope(self) -> tuple[str, str]:
        """The access key and the region that a call is signed with."""
        found = _SCOPE.search(self.headers["Authorization"])
        assert found is not None
        return found[1], found[2]

    def _refusal(self, operation: str) -> tuple[int, str, str] | None:
        key, region = self._scope
        self.server.keys.add(key)
        if region in self.server.broken:
            return 500, "InternalFailure", "The request processing has failed"
        if key in self.server.expired:
            return 400, "ExpiredTokenException", "The security token included in the request is expired"
        if operation in self.server.denied:
            who = f"User: arn:aws:iam::{ACCOUNT}:user/agent is not authorized to perform: sagemaker:{operation}"
            return 400, "AccessDeniedException", who
        return None

    def _refuse_token(self) -> None:
        """As STS does, which has another protocol: here it gives no role to anybody."""
        text = "User: arn:aws:iam::123456789012:user/agent is not authorized to perform: sts:AssumeRole"
        body = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{text}</Message></Error></ErrorResponse>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def _error(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, {"__type": code, "message": message}, headers)

    def _send(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/x-amz-json-1.1", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _break(self) -> None:
        self.close_connection = True
        self.connection.close()


@dataclass(frozen=True, slots=True)
class Cloud:
    """AWS as an agent finds it."""

    sagemaker: SageMaker
    variables: Mapping[str, str]  # of the agent's environment


@contextmanager
def cloud() -> Iterator[Cloud]:
    """AWS on free ports of loopback."""
    with aws() as variables:
        server = SageMaker(lambda region: _writer(variables, region), variables)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        own = {
            "AWS_ENDPOINT_URL_SAGEMAKER": server.url,
            "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API": server.url,
            "AWS_DEFAULT_REGION": REGION,
        }
        try:
            yield Cloud(server, {**variables, **own})
        finally:
            server.reset()
            server.shutdown()
            thread.join()
            server.server_close()


@cache
def shared_cloud() -> Cloud:
    """One for all tests of this process that need no fault and count nothing."""
    entered = cloud()
    made = entered.__enter__()
    atexit.register(entered.__exit__, None, None, None)
    return made


def client(variables: Mapping[str, str], service: str, region: str = REGION) -> Any:
    """A client of a service of moto's."""
    return botocore.session.Session().create_client(
        service,
        region_name=region,
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def _writer(variables: Mapping[str, str], region: str) -> PutLines:
    logs = client(variables, "logs", region)
    lock = threading.Lock()

    def put_lines(group: str, stream: str, lines: list[str]) -> None:
        at = int(time.time() * 1000)
        with lock:
            for make, names in (
                (logs.create_log_group, {"logGroupName": group}),
                (logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
            ):
                # All but the first time.
                with suppress(logs.exceptions.ResourceAlreadyExistsException):
                    make(**names)
            events = [{"timestamp": at, "message": line} for line in lines]
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    return put_lines
