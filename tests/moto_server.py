"""AWS for tests: moto's server, which answers as ECR and STS do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

from moto.server import ThreadedMotoServer


@contextmanager
def aws(address: str = "127.0.0.1") -> Iterator[dict[str, str]]:
    """Variables with which boto3 speaks to a server on a free port of that address."""
    server = ThreadedMotoServer(address, 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        # Its state is the process's, and outlives a server.
        urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").close()
        yield {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.stop()
