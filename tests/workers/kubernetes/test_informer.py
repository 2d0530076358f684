from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workers.kubernetes.api_server import PATH, ApiServer, serving
from workers.kubernetes import cluster as clusters
from workers.kubernetes import informer as informers
from workers.kubernetes.cluster import Cluster
from workers.kubernetes.informer import Informer, Kept
from workers.targets.contract.waiting import eventually


class Watched:
    """An informer, and all that it has told."""

    def __init__(self, server: ApiServer, config: str) -> None:
        self.server = server
        self.told: list[str | None] = []
        self.cluster = Cluster(config)
        self.informer = Informer(self.cluster, PATH, "", self._read, self.told.append)

    def _read(self, found: dict[str, Any], is_deleted: bool) -> Kept[str] | None:
        if "owner" not in found["metadata"]["labels"]:
            return None
        name = found["metadata"]["name"]
        state = None if is_deleted else found["metadata"]["labels"].get("state", "")
        return Kept(found["metadata"]["labels"]["owner"], name, state)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with serving(tmp_path) as (server, config):
        made = Watched(server, config)
        yield made
        made.informer.stop()


def test_what_is_there_is_listed_in_pages_and_what_changes_is_told(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(clusters, "PAGE", 2)
    for number in range(5):
        watched.server.put(f"pod-{number}", owner="a", state="old")
    watched.server.put("stranger")
    # When
    watched.informer.start()
    eventually(lambda: watched.told)
    watched.server.put("pod-0", owner="a", state="new")
    watched.server.put("other", owner="b", state="new")
    # Then
    eventually(lambda: watched.informer.of("b"))
    assert watched.told == [None, "a", "b"]
    assert watched.informer.of("a") == {"pod-0": "new", **{f"pod-{number}": "old" for number in range(1, 5)}}
    assert watched.server.calls["list"] == 3
    assert watched.informer.is_current


def test_what_is_deleted_is_told_and_not_known_any_more(watched: Watched) -> None:
    # Given
    watched.server.put("pod", owner="a")
    watched.informer.start()
    eventually(lambda: watched.informer.of("a"))
    # When
    watched.server.delete("pod")
    # Then
    eventually(lambda: not watched.informer.of("a"))
    assert watched.told[-1] == "a"


def test_a_watch_that_ends_goes_on_where_it_was_and_nothing_is_listed_anew(watched: Watched) -> None:
    # Given
    watched.server.put("pod", owner="a", state="1")
    watched.informer.start()
    eventually(lambda: watched.server.calls["watch"])
    watched.server.bookmark()
    eventually(lambda: watched.server.told == watched.server.version)
    # When the connection ends, and an earlier version than the bookmark's is not kept
    watched.server.forget_history()
    watched.server.cut()
    watched.server.put("pod", owner="a", state="2")
    # Then
    eventually(lambda: watched.informer.of("a") == {"pod": "2"})
    assert watched.server.calls["list"] == 1


def test_everything_is_listed_anew_when_the_version_is_not_kept_any_more(watched: Watched) -> None:
    # Given an informer that misses a deletion and a change
    watched.server.put("gone", owner="a")
    watched.server.put("stays", owner="b", state="1")
    watched.informer.start()
    eventually(lambda: watched.server.calls["watch"])
    watched.server.refusals = 2
    watched.server.cut()
    watched.server.delete("gone")
    watched.server.put("stays", owner="b", state="2")
    watched.server.forget_history()
    # Then
    eventually(lambda: watched.informer.of("b") == {"stays": "2"})
    assert not watched.informer.of("a")
    assert watched.told.count(None) == 2


def test_a_version_that_is_lost_again_and_again_is_listed_anew_each_time(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server that answers each watch with 410
    monkeypatch.setattr(informers, "_FIRST_WAIT_SECONDS", 0.01)
    watched.server.put("pod", owner="a", state="1")
    watched.server.oldest = watched.server.version + 10
    watched.informer.start()
    eventually(lambda: watched.server.calls["list"] == 3)
    # When
    watched.server.oldest = 0
    eventually(lambda: watched.informer.is_current)
    watched.server.put("pod", owner="a", state="2")
    # Then
    eventually(lambda: watched.informer.of("a") == {"pod": "2"})


def test_a_server_that_fails_is_asked_less_and_less_often(watched: Watched) -> None:
    # Given
    watched.server.put("pod", owner="a")
    watched.server.refusals = 3
    # When
    watched.informer.start()
    # Then
    eventually(lambda: watched.informer.of("a"))
    assert watched.server.calls["list"] == 4


def test_a_server_that_ends_each_watch_at_once_is_not_asked_in_a_circle(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(informers, "_FIRST_WAIT_SECONDS", 0.2)
    watched.server.is_leaving = True
    began = time.monotonic()
    # When
    watched.informer.start()
    eventually(lambda: watched.server.calls["watch"] == 4)
    # Then
    assert time.monotonic() - began >= 3 * 0.2


def test_a_server_that_is_lost_is_told_of_and_is_asked_at_once_when_somebody_hears_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an informer that soon waits long before it asks again
    monkeypatch.setattr(informers, "_LOST_SECONDS", 0.0)
    monkeypatch.setattr(informers, "_FIRST_WAIT_SECONDS", 0.1)
    watched.server.is_away = True
    watched.informer.start()
    # Then
    eventually(lambda: watched.told)
    assert watched.told[0] is None
    assert watched.informer.is_lost
    assert not watched.informer.is_current
    # When
    monkeypatch.setattr(random, "uniform", lambda *_: 3600.0)
    asked = watched.server.calls["list"]
    eventually(lambda: watched.server.calls["list"] > asked)
    watched.server.is_away = False
    # Then
    eventually(lambda: watched.cluster.get(PATH, {"limit": 1}) and watched.informer.is_current)


def test_an_informer_that_waits_for_events_ends_at_once(watched: Watched) -> None:
    # Given
    watched.informer.start()
    eventually(lambda: watched.server.calls["watch"])
    # When
    watched.informer.stop()
    # Then
    eventually(lambda: not watched.informer.is_alive, seconds=3.0)
    assert not watched.cluster.silence


def test_an_informer_ends_between_two_watches(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a watch that has ended, so that its connection is others'
    watched.server.is_leaving = True
    watched.informer.start()
    eventually(lambda: watched.server.calls["watch"] > 1)
    # When
    watched.informer.stop()
    # Then
    eventually(lambda: not watched.informer.is_alive, seconds=3.0)
    assert watched.cluster.get(PATH, {"limit": 1})


def test_a_list_of_somebody_else_counts_until_the_watch_has_come(watched: Watched) -> None:
    # When
    watched.informer.replace(["a"], [Kept("a", "pod", "old")])
    # Then
    assert watched.informer.of("a") == {"pod": "old"}
    # When: the watch has come while that somebody listed
    watched.server.put("pod", owner="a", state="new")
    watched.informer.start()
    eventually(lambda: watched.informer.is_current)
    watched.informer.replace(["a"], [])
    watched.informer.replace(["a"], [Kept("a", "pod", "old")])
    # Then
    assert watched.informer.of("a") == {"pod": "new"}
