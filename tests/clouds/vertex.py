"""Vertex AI for tests: the JobService of its public API over gRPC, with jobs that run, faults, and a count of calls.

Nothing of the product stands between the messages and this. The services around it (logs, secrets, tokens) are in
`tests.clouds.google_cloud`.
"""

from __future__ import annotations

import atexit
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from google.cloud.aiplatform_v1.types import (
    CancelCustomJobRequest,
    CreateCustomJobRequest,
    CustomJob,
    DeleteCustomJobRequest,
    GetCustomJobRequest,
    ListCustomJobsRequest,
    ListCustomJobsResponse,
)
from google.longrunning.operations_pb2 import Operation
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from tests.certificates import make_certificates
from tests.clouds.faults import Fault, Faults
from tests.clouds.google_cloud import PROJECT, GoogleServices, services
from tests.clouds.vertex_jobs import FakeJob, FakeJobs, PutLines, Wrong

LOCATION = "europe-west4"
_SERVICE = "google.cloud.aiplatform.v1.JobService"
_REQUESTS: Mapping[str, Any] = {
    "CreateCustomJob": CreateCustomJobRequest,
    "GetCustomJob": GetCustomJobRequest,
    "ListCustomJobs": ListCustomJobsRequest,
    "CancelCustomJob": CancelCustomJobRequest,
    "DeleteCustomJob": DeleteCustomJobRequest,
}


class Vertex:
    """The server."""

    def __init__(self, put_lines: PutLines, variables: Mapping[str, str], is_known: Callable[[str], bool]) -> None:
        """`is_known` says whether a bearer's token holds."""
        self._put_lines = put_lines
        self._variables = variables
        self._is_known = is_known
        self._places: dict[str, FakeJobs] = {}
        self.faults = Faults()
        self.denied: set[str] = set()  # methods that nobody may call
        self.broken: set[str] = set()  # locations
        self.tokens: set[str] = set()  # that were used
        self.page = 100  # most that a list gives at once
        self.refuses_tokens = False

    def place(self, project: str = PROJECT, location: str = LOCATION) -> FakeJobs:
        """The jobs of a project and location."""
        return self._places.setdefault(f"{project}/{location}", FakeJobs(self._put_lines, self._variables))

    def job(self, run: str) -> FakeJob:
        """The job of a run, by its name with the attempt, at the usual place."""
        run_id, attempt = run.removeprefix("launchyard-").split("-")
        filter_ = f'labels.launchyard-run-id="{run_id}" AND labels.launchyard-attempt="{attempt}"'
        [job] = self.place().listed(filter_)
        return job

    def reset(self) -> None:
        """End all jobs, and forget everything."""
        for jobs in self._places.values():
            jobs.close()
        self._places.clear()
        self.faults.clear()
        self.faults.calls.clear()
        self.denied.clear()
        self.broken.clear()
        self.tokens.clear()
        self.page = 100
        self.refuses_tokens = False

    def handler(self, method: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        """Answers the calls of one method, with the faults that are to come."""

        def handle(given: bytes, context: grpc.ServicerContext) -> bytes:
            self._expect_token(method, context)
            fault = self.faults.met(method)
            if fault is not None:
                time.sleep(fault.seconds)
                if not fault.is_done and (fault.code or fault.breaks):
                    _abort(context, fault)
            try:
                answer = self._answer(method, _REQUESTS[method].deserialize(given))
            except Wrong as wrong:
                context.abort(getattr(grpc.StatusCode, wrong.status), str(wrong))
            if fault is not None and fault.is_done:
                _abort(context, fault)
            return answer

        return handle

    def _expect_token(self, method: str, context: grpc.ServicerContext) -> None:
        given = dict(context.invocation_metadata()).get("authorization", b"")
        token = (given.decode() if isinstance(given, bytes) else given).removeprefix("Bearer ")
        self.tokens.add(token)
        if self.refuses_tokens or not self._is_known(token):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Request had invalid authentication credentials.")
        if method in self.denied:
            permission = f"aiplatform.customJobs.{method.removesuffix('s').removesuffix('CustomJob').lower()}"
            text = f"Permission '{permission}' denied on resource '//aiplatform.googleapis.com/' (or it may not exist)."
            context.abort(grpc.StatusCode.PERMISSION_DENIED, text)

    def _answer(self, method: str, request: Any) -> bytes:
        parts = (getattr(request, "parent", "") or request.name).split("/")
        # A name that the service gave has the project's number.
        project = PROJECT if parts[1].isdigit() else parts[1]
        if parts[3] in self.broken:
            raise Wrong("UNAVAILABLE", f"{parts[3]} is away")
        jobs = self.place(project, parts[3])
        match method:
            case "CreateCustomJob":
                return bytes(CustomJob.serialize(jobs.create(request.parent, request.custom_job)))
            case "ListCustomJobs":
                return bytes(ListCustomJobsResponse.serialize(self._list(jobs, request)))
            case "GetCustomJob":
                return bytes(CustomJob.serialize(jobs.find(request.name).said))
            case "CancelCustomJob":
                jobs.cancel(jobs.find(request.name))
                return Empty().SerializeToString()
        jobs.delete(jobs.find(request.name))
        done = Operation(name=f"{request.name}/operations/1", done=True)
        done.response.Pack(Empty())
        return done.SerializeToString()

    def _list(self, jobs: FakeJobs, request: ListCustomJobsRequest) -> ListCustomJobsResponse:
        found = jobs.listed(request.filter)
        first = int(request.page_token or 0)
        last = first + min(request.page_size or self.page, self.page)
        shown = [_masked(job.said, request.read_mask.paths) for job in found[first:last]]
        return ListCustomJobsResponse(custom_jobs=shown, next_page_token=str(last) if last < len(found) else "")


def _masked(said: CustomJob, paths: Any) -> CustomJob:
    if not paths:
        return said
    shown = CustomJob()
    for path in paths:
        if CustomJob.pb(said).DESCRIPTOR.fields_by_name[path].message_type is None or path in said:
            setattr(shown, path, getattr(said, path))
    return shown


def _abort(context: grpc.ServicerContext, fault: Fault) -> None:
    code = getattr(grpc.StatusCode, fault.code or "UNAVAILABLE")
    if (hint := fault.headers.get("retry-after")) is not None:
        packed = AnyMessage()
        packed.Pack(RetryInfo(retry_delay=Duration(seconds=int(hint))))
        status = Status(code=code.value[0], message=fault.message, details=[packed])
        context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(code, fault.message)


@dataclass(frozen=True, slots=True)
class Cloud:
    """Google Cloud as an agent finds it."""

    vertex: Vertex
    services: GoogleServices
    variables: Mapping[str, str]  # of the agent's environment

    def reset(self) -> None:
        self.vertex.reset()
        self.services.reset()


@contextmanager
def cloud() -> Iterator[Cloud]:
    """Google Cloud on free ports of loopback."""
    with services() as found, tempfile.TemporaryDirectory() as folder:
        certificates = make_certificates(Path(folder))
        vertex = Vertex(found.put_lines, found.variables_of_jobs(), found.is_known)
        server = grpc.server(ThreadPoolExecutor(16))
        handlers = {name: grpc.unary_unary_rpc_method_handler(vertex.handler(name)) for name in _REQUESTS}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        pair = (certificates.server_key.read_bytes(), certificates.server.read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
        server.start()
        own = {
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"https://127.0.0.1:{port}/",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificates.authority),
        }
        try:
            yield Cloud(vertex, found, {**found.variables(Path(folder)), **own})
        finally:
            vertex.reset()
            server.stop(None).wait()


@cache
def shared_cloud() -> Cloud:
    """One for all tests of this process: gRPC reads its authorities once in a process."""
    entered = cloud()
    made = entered.__enter__()
    atexit.register(entered.__exit__, None, None, None)
    return made
