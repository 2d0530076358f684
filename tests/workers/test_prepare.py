"""From a job to what its target runs: what is built, what is not, and where the code is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broker_config.jobs import CodeSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Run, RunSpec, new_run_id, now
from broker_config.states import FailureClass
from broker_config.store import Store
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.builders.stub import StubBuilder
from workers.building.builds import Builds
from workers.config import AgentConfig
from workers.failures import RunFailed
from workers.prepare import Preparer
from workers.record import Recorder
from workers.sources.protocol import Fetched
from workers.sources.stub import StubSource

DIGEST = "sha256:" + "0" * 64


class TwoFolders(StubSource):
    """Code with a file in each of two folders."""

    def fetch(self, source: Any, folder: Path, part: str | None = None) -> Fetched:
        for name in ("train", "serve"):
            (folder / name).mkdir()
            (folder / name / "main.py").write_text(name)
        (folder / "out").symlink_to("/")
        return Fetched(digest=DIGEST, folder=folder)


class Noting(StubBuilder):
    """Notes what it was told to build."""

    def __init__(self) -> None:
        self.orders: list[BuildOrder] = []

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        self.orders.append(order)
        return Artifact(ArtifactKind.IMAGE, "built:1")


@pytest.fixture
def builder() -> Noting:
    return Noting()


@pytest.fixture
def preparer(store: Store, home: Path, builder: Noting, builds: Builds) -> Preparer:
    recorder = Recorder(store.runs, "agent@test", 7)
    return Preparer(
        recorder,
        store.logs,
        home / "workspaces",
        lambda _: TwoFolders(store.code, home, AgentConfig()),
        lambda _: builder,
        builds=builds,
    )


@pytest.fixture
def run(store: Store) -> Callable[..., Run]:
    """Makes runs that are not in the store: nothing here writes to their record, but for a build."""
    queue = store.queues.create(Queue(name="q", resource="stub")).queue

    def make(image: str = "", run_id: str = "", **job: Any) -> Run:
        spec = RunSpec(
            id=run_id or new_run_id(),  # type: ignore[arg-type]
            name="test",
            queue=queue,
            queue_revision=1,
            job=Job(source=CodeSource(digest=DIGEST, size_bytes=1), **job),
            priority=Priority.MEDIUM,
            author="tester",
            created_at=now(),
        )
        return Run.model_validate(
            {"spec": spec, "version": 1, "state": "claimed", "since": now(), "reason": "claimed", "image": image}
        )

    return make


def never() -> bool:
    return False


Runs = Callable[..., Run]


def test_a_job_on_a_base_image_is_not_built_and_brings_its_code(preparer: Preparer, builder: Noting, run: Runs) -> None:
    prepared = preparer.prepare(run(base_image="team/torch:2"), ArtifactKind.IMAGE, never)

    assert prepared.artifact == Artifact(ArtifactKind.IMAGE, "team/torch:2")
    assert prepared.folder is not None
    assert (prepared.folder / "train" / "main.py").read_text() == "train"
    assert builder.orders == []


def test_a_base_image_is_refused_where_jobs_run_as_processes(preparer: Preparer, run: Runs) -> None:
    with pytest.raises(RunFailed, match="base image 'team/torch:2', and this queue runs jobs as processes") as caught:
        preparer.prepare(run(base_image="team/torch:2"), ArtifactKind.ENVIRONMENT, never)
    assert caught.value.failure is FailureClass.CONFIG


def test_a_build_context_is_the_code_of_the_job(preparer: Preparer, run: Runs) -> None:
    prepared = preparer.prepare(run(base_image="x:1", build_context="serve"), ArtifactKind.IMAGE, never)

    assert prepared.folder is not None
    assert [path.name for path in prepared.folder.iterdir()] == ["main.py"]


@pytest.mark.parametrize("context", ["missing", "train/main.py", "out"])
def test_a_build_context_that_is_no_folder_of_the_source_is_refused(
    preparer: Preparer, run: Runs, context: str
) -> None:
    with pytest.raises(RunFailed, match="is no folder in its source") as caught:
        preparer.prepare(run(build_context=context), ArtifactKind.IMAGE, never)
    assert caught.value.failure is FailureClass.CONFIG


def test_what_was_prepared_before_a_crash_is_used_again(preparer: Preparer, run: Runs) -> None:
    # Given a run on a base image that was prepared by an agent that died
    fields: dict[str, Any] = {"run_id": "abcdefghijkm", "base_image": "x:1", "build_context": "train"}
    first = preparer.prepare(run(**fields), ArtifactKind.IMAGE, never)
    assert first.folder is not None
    (first.folder / "marker").touch()

    # When another one goes on, and again when the code was removed meanwhile
    second = preparer.prepare(run(image="x:1", **fields), ArtifactKind.IMAGE, never)
    preparer.discard(second.run)
    third = preparer.prepare(run(image="x:1", **fields), ArtifactKind.IMAGE, never)

    # Then
    assert (second.artifact, second.folder) == (third.artifact, third.folder) == (first.artifact, first.folder)
    assert not (first.folder / "marker").exists()


def test_a_built_image_has_the_code_so_none_is_brought(preparer: Preparer, run: Runs) -> None:
    prepared = preparer.prepare(run(image="built:1"), ArtifactKind.IMAGE, never)
    assert (prepared.artifact.reference, prepared.folder) == ("built:1", None)
