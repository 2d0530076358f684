"""Code archives in tests: bytes that are put and got whole."""

from __future__ import annotations

import io
from hashlib import sha256

from broker_config.jobs import CodeSource
from broker_config.store.code import CodeStore


def source_of(data: bytes) -> CodeSource:
    """What a job names for these bytes."""
    return CodeSource(digest=f"sha256:{sha256(data).hexdigest()}", size_bytes=len(data))


def put(code: CodeStore, data: bytes) -> CodeSource:
    """Store bytes as an archive."""
    code.put(io.BytesIO(data), source_of(data))
    return source_of(data)


def get(code: CodeStore, digest: str) -> bytes:
    """The bytes of an archive."""
    file = io.BytesIO()
    code.get(digest, file)
    return file.getvalue()
