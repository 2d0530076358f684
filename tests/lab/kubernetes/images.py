"""Push the images of the lab's cluster into its registry, without any engine.

    python -m tests.lab.kubernetes.images REGISTRY EXECUTOR

`EXECUTOR` is kaniko's program. Each image has one layer. Source of the formats: "OCI Image Format Specification" and
"OCI Distribution Specification".
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import ssl
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

from tests.lab import base_image

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

KANIKO = "kaniko/executor:lab"
KANIKO_VARIABLES = {
    "HOME": "/root",
    "USER": "root",
    "PATH": "/usr/local/bin:/kaniko",
    "SSL_CERT_DIR": "/kaniko/ssl/certs",
    "DOCKER_CONFIG": "/kaniko/.docker/",
}
PYTHON = "library/" + base_image.PYTHON.replace("python", "python:") + "-slim"


def main() -> None:
    registry, executor = sys.argv[1:]
    busybox = Path(shutil.which("busybox") or sys.exit("busybox is missing: apt-get install busybox-static"))
    authorities = Path(ssl.get_default_verify_paths().cafile or f"/{base_image.CERTIFICATES}")
    # As the first process it hears no polite signal, and the runtime sends a sandbox none.
    push(registry, "pause:1", layer({"busybox": busybox}), {"Entrypoint": ["/busybox", "sleep", "infinity"]})
    kaniko = layer({"kaniko/executor": Path(executor), "kaniko/ssl/certs/ca-certificates.crt": authorities})
    push(registry, KANIKO, kaniko, {"Entrypoint": ["/kaniko/executor"], "Env": _list(KANIKO_VARIABLES)})
    python = io.BytesIO()
    base_image.write_image(python)
    push(registry, PYTHON, python.getvalue(), {"Cmd": ["python3"], "Env": _list(base_image.ENVIRONMENT)})


def layer(files: Mapping[str, Path]) -> bytes:
    """An archive of these files, by their paths in the image."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, path in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = path.stat().st_size, 0o755
            with path.open("rb") as file:
                tar.addfile(entry, file)
    return content.getvalue()


def push(registry: str, name: str, content: bytes, settings: Mapping[str, object]) -> None:
    """Make an image of one layer. What the registry has already is not sent again."""
    repository, _, tag = name.rpartition(":")
    url = f"http://{registry}/v2/{repository}"
    config = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [_digest(content)]},
    }
    blobs = [json.dumps(config).encode(), content]
    for blob in blobs:
        _push_blob(url, blob)
    first, *layers = (
        {"mediaType": kind, "digest": _digest(blob), "size": len(blob)}
        for kind, blob in zip((CONFIG, LAYER), blobs, strict=True)
    )
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": first, "layers": layers}
    _ask("PUT", f"{url}/manifests/{tag}", json.dumps(manifest).encode(), MANIFEST)


def _push_blob(url: str, blob: bytes) -> None:
    try:
        _ask("HEAD", f"{url}/blobs/{_digest(blob)}")
    except HTTPError:
        upload = urljoin(url, _ask("POST", f"{url}/blobs/uploads/"))
        mark = "&" if "?" in upload else "?"
        _ask("PUT", f"{upload}{mark}digest={_digest(blob)}", blob, "application/octet-stream")


def _ask(method: str, url: str, body: bytes | None = None, kind: str = "") -> str:
    """The address that the answer leads to."""
    with urlopen(Request(url, body, {"Content-Type": kind} if kind else {}, method=method), timeout=60) as answer:
        return str(answer.headers.get("Location", ""))


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _list(variables: Mapping[str, str]) -> Sequence[str]:
    return [f"{name}={value}" for name, value in variables.items()]


if __name__ == "__main__":
    main()
