"""`launchyard code`: which archives are stored, and dropping those that nothing needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker_config.connection import connect
from broker_config.queues import QueueRecord
from broker_config.settings import Settings
from broker_config.store import Store
from tests.producer.cli.conftest import Call


@pytest.fixture
def digest(launchyard: Call, code: Path, queue: QueueRecord, store: Store) -> str:
    """The archive of a run that waits."""
    launchyard("launch", "-q", "gpu-queue", "--code", str(code), "--", "python", "main.py")
    return next(store.runs.newest()).spec.job.archive


@pytest.fixture
def let_all_time_pass(settings: Settings) -> Any:
    def let_pass(digest: str) -> None:
        with connect(settings) as client:
            client.zadd("launchyard:archives", {digest: 1})

    return let_pass


def test_the_list_says_how_large_an_archive_is_where_and_for_whom(launchyard: Call, digest: str) -> None:
    shown = launchyard("code", "list")
    assert shown.out.splitlines()[0].split() == ["DIGEST", "SIZE", "PLACE", "STORED", "KEPT"]
    row = shown.out.splitlines()[1]
    assert digest.startswith(row.split()[0])
    assert (" B " in row, "broker" in row, row.endswith("for 1 run or job")) == (True, True, True), row
    (archive,) = launchyard("code", "list", "--json").json["archives"]
    assert (archive["digest"], archive["holders"]) == (digest, 1)


def test_without_an_archive_the_list_says_so(launchyard: Call) -> None:
    assert launchyard("code", "list").err.strip() == "No code archive is stored."


def test_prune_keeps_what_a_waiting_run_needs_and_drops_what_nothing_does(
    launchyard: Call, store: Store, digest: str, let_all_time_pass: Any
) -> None:
    # Given an archive whose time is over, and whose run waits still
    let_all_time_pass(digest)
    kept = launchyard("code", "prune")

    # When the run ends, and its record has been kept long enough
    launchyard("cancel", next(store.runs.newest()).id)
    let_all_time_pass(digest)
    tried = launchyard("code", "prune", "--dry-run")
    pruned = launchyard("code", "prune")

    # Then
    assert kept.err.strip() == "Every code archive is needed still."
    assert tried.err.startswith("archives: 1, ")
    assert "nothing was dropped" in tried.err
    assert "next: launchyard code prune" in tried.err
    assert "all were dropped" in pruned.err
    assert store.code.list() == []


def test_what_an_ended_run_had_is_dropped_only_when_that_is_said(launchyard: Call, store: Store, digest: str) -> None:
    # Given
    launchyard("cancel", next(store.runs.newest()).id)

    # When
    kept = launchyard("code", "prune", "--json").json
    dropped = launchyard("code", "prune", "--finished", "--json").json

    # Then
    assert kept == {"dropped": [], "dry_run": False}
    assert [archive["digest"] for archive in dropped["dropped"]] == [digest]
