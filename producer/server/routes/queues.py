"""Queues: `/queues`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from broker_config.errors import InvalidRequest
from broker_config.queues import Queue, QueueRecord, full_name
from broker_config.revisions import QueueRevision
from broker_config.runs import Run
from producer.installation import Installation
from producer.server.asking import Asked
from producer.server.paging import Wanted
from producer.wire import Edit, Page, QueueSeen, RollBack, Standing

router = APIRouter(prefix="/queues", tags=["queues"])
ONE = "/{entity}/{name}"


@router.get("")
def list_queues(asked: Asked, part: Wanted) -> Page[QueueSeen]:
    """The queues that you may see, by name."""
    found = part.of(asked.queues.list(), lambda record: record.name)
    return Page(items=[_seen(asked, record) for record in found.items], cursor=found.cursor)


@router.post("", status_code=201)
def create_queue(asked: Asked, queue: Queue) -> QueueRecord:
    """Write a new queue."""
    return asked.queues.create(queue)


@router.post("/check-author", status_code=204)
def check_author(asked: Asked, queue: Queue) -> None:
    """Whether you may write a queue like that. Nothing is written."""
    asked.queues.check_author(queue)


@router.get(ONE)
def get_queue(asked: Asked, entity: str, name: str) -> QueueSeen:
    """One queue."""
    return _seen(asked, asked.queues.get(full_name(name, entity)))


@router.put(ONE)
def edit_queue(asked: Asked, entity: str, name: str, edit: Edit) -> QueueRecord:
    """Replace a queue's definition; queued runs keep the config that they were enqueued with."""
    if edit.queue.full_name != full_name(name, entity):
        raise InvalidRequest(
            f"a queue keeps its name: the address says {full_name(name, entity)!r}, and the definition "
            f"{edit.queue.full_name!r}; create another queue, and delete this one"
        )
    return asked.queues.edit(edit.queue, edit.expected, edit.note)


@router.delete(ONE, status_code=204)
def delete_queue(asked: Asked, entity: str, name: str) -> None:
    """Delete a queue that has no runs that wait or are live."""
    asked.queues.delete(full_name(name, entity))


@router.patch(f"{ONE}/standing")
def set_standing(asked: Asked, entity: str, name: str, standing: Standing) -> QueueRecord:
    """Pause or resume a queue, or have it take no launches any more."""
    queue = full_name(name, entity)
    record = asked.queues.get(queue)
    if standing.paused is not None:
        record = asked.queues.set_paused(queue, standing.paused, standing.reason)
    if standing.draining is not None:
        record = asked.queues.set_draining(queue, standing.draining, standing.reason)
    return record


@router.get(f"{ONE}/waiting")
def list_waiting(asked: Asked, entity: str, name: str, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Run]:
    """The next runs to leave the queue, in their order."""
    return asked.runs.waiting(full_name(name, entity), limit)


@router.get(f"{ONE}/revisions")
def list_revisions(asked: Asked, entity: str, name: str) -> list[QueueRevision]:
    """The queue's revisions that are kept, newest first."""
    return asked.queues.history(full_name(name, entity))


@router.get(f"{ONE}/revisions/{{number}}")
def get_revision(asked: Asked, entity: str, name: str, number: int) -> QueueRevision:
    """One revision."""
    return asked.queues.revision(full_name(name, entity), number)


@router.post(f"{ONE}/roll-back")
def roll_back(asked: Asked, entity: str, name: str, back: RollBack) -> QueueRecord:
    """Have an earlier revision's definition hold again, as a new revision."""
    return asked.queues.roll_back(full_name(name, entity), back.revision, back.expected)


def _seen(asked: Installation, record: QueueRecord) -> QueueSeen:
    name = record.name
    return QueueSeen(record=record, counts=asked.queues.counts(name), oldest_wait=asked.queues.oldest_wait(name))
