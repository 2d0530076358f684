"""Named jobs, and the code that jobs need: `/jobs`, `/code`."""

from __future__ import annotations

from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool

from broker_config.errors import InvalidRequest
from broker_config.jobs import DIGEST, CodeSource
from broker_config.named_jobs import JobReference, JobVersion
from broker_config.store.archives import ArchiveRecord
from producer.server.asking import Asked
from producer.server.paging import Wanted
from producer.wire import CodeSeen, NewVersion, Page, Stored

router = APIRouter(tags=["jobs"])

Digest = Annotated[str, Path(pattern=DIGEST)]

ANY_SIZE = 2**63
"""For the server; the settings say how large an archive may be."""

SPOOLED_BYTES = 1024 * 1024
"""Of an archive on its way to the store, in memory; a longer one waits in a file."""


@router.get("/jobs")
def list_jobs(asked: Asked, part: Wanted) -> Page[JobVersion]:
    """The newest version of every named job, by entity and name."""
    return part.of(asked.jobs.list(), lambda version: f"{version.definition.entity}/{version.definition.name}")


@router.post("/jobs", status_code=201)
def create_job(asked: Asked, version: NewVersion) -> JobVersion:
    """Write the next version of a job; one that says the same as the newest is that one."""
    return asked.jobs.create(version.definition, version.aliases)


@router.get("/jobs/{entity}/{name}")
def list_versions(asked: Asked, part: Wanted, entity: str, name: str) -> Page[JobVersion]:
    """The versions of a job, newest first."""
    return part.of(asked.jobs.versions(entity, name), lambda version: f"{version.number:09}", from_last=True)


@router.get("/jobs/{entity}/{name}/{alias}")
def get_version(asked: Asked, entity: str, name: str, alias: str, project: str | None = None) -> JobVersion:
    """The version that an alias means, such as `latest` or `v2`; with a project, only if it is of that one."""
    return asked.jobs.get(entity, JobReference(name, alias, project=project))


@router.get("/code")
def list_code(asked: Asked, part: Wanted, unneeded: bool = False, finished: bool = False) -> Page[ArchiveRecord]:
    """The code archives that are stored; or those only that nothing needs, with what only finished runs had.

    By the time at which they may be dropped.
    """
    found = asked.code.unneeded(also_finished=finished) if unneeded else asked.code.list()
    return part.of(found, lambda record: f"{record.kept_until.isoformat()} {record.digest}")


@router.delete("/code")
def prune_code(asked: Asked, finished: bool = False) -> list[ArchiveRecord]:
    """Drop the code archives that nothing needs; with `finished`, also what only finished runs had."""
    return [*asked.code.prune(also_finished=finished)]


@router.get("/code/{digest}")
def get_code(asked: Asked, digest: Digest) -> CodeSeen:
    """Whether an archive is stored. One that is stays until there is time to launch it."""
    return CodeSeen(is_stored=asked.code.is_stored(digest))


@router.put("/code/{digest}", status_code=201, max_body_size=ANY_SIZE)
async def put_code(asked: Asked, digest: Digest, request: Request) -> Stored:
    """Store an archive of code, whose bytes are the body."""
    with SpooledTemporaryFile(SPOOLED_BYTES) as file:
        seen, size = sha256(), 0
        async for chunk in request.stream():
            seen.update(chunk)
            size += len(chunk)
            if size > request.app.state.largest_code_bytes:
                raise InvalidRequest(
                    f"the archive has more than the {request.app.state.largest_code_bytes:,} bytes that are allowed"
                )
            await run_in_threadpool(file.write, chunk)
        if digest != f"sha256:{seen.hexdigest()}":
            raise InvalidRequest(f"the body's digest is sha256:{seen.hexdigest()}, and the address says {digest}")
        source = CodeSource(digest=digest, size_bytes=size)
        return Stored(place=await run_in_threadpool(asked.code.put, file, source))
