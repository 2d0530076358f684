"""The way to the API server is cut, frozen, or loses its replies: jobs notice nothing, and none is made twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_config.errors import TemporaryError
from tests.cluster import JOBS, cluster, namespace
from tests.faults.api_server import ClusterProxy
from tests.workers.targets.kubernetes_lab import Lab
from workers.kubernetes import cluster as clusters
from workers.targets.contract.waiting import eventually
from workers.targets.protocol import Phase


class Remote(Lab):
    """A target whose way to the cluster can be struck, and that watches."""

    def __init__(self, home: Path, space: str) -> None:
        super().__init__(home, space)
        self.proxy = ClusterProxy(home)
        self.told: list[str | None] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.target.watch, args=(self.told.append, self.stop))
        self.thread.start()

    def submit(self, *command: str, **config: object) -> str:
        return super().submit(*command, configFile=str(self.proxy.config), **config)

    def close(self) -> None:
        self.stop.set()
        self.thread.join(10)
        self.proxy.close()


@pytest.fixture
def remote(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    monkeypatch.setattr(clusters, "ANSWER_SECONDS", (2.0, 2.0))
    cluster()
    with namespace() as space:
        made = Remote(home, space)
        yield made
        made.close()


@pytest.mark.parametrize("fault", ["cut", "frozen"])
def test_an_end_that_came_while_the_server_was_out_of_reach_is_told_afterwards(remote: Remote, fault: str) -> None:
    # Given
    name = remote.submit("sleep", "2")
    eventually(lambda: (seen := remote.observe(name)) is not None and seen.phase is Phase.RUNNING, 30)
    # When
    remote.proxy.freeze()
    ended = lambda: (remote.object(name).get("status") or {}).get("succeeded")  # noqa: E731
    eventually(ended, 30)
    remote.told.clear()
    if fault == "cut":
        remote.proxy.cut()
    remote.proxy.thaw()
    # Then
    eventually(lambda: {name, None} & {*remote.told}, 40)
    assert remote.end_of(name).phase is Phase.SUCCEEDED


def test_a_submit_whose_reply_was_lost_is_adopted_by_the_next(remote: Remote) -> None:
    # Given
    request = remote.target.render(remote.workload("sleep", "1", configFile=str(remote.proxy.config)))
    remote.submit("true")
    # When
    remote.proxy.lose_replies()
    with pytest.raises(TemporaryError):
        remote.target.submit(request)
    remote.proxy.cut()
    remote.target.submit(request)
    # Then
    assert remote.end_of(request.name).phase is Phase.SUCCEEDED
    assert len(cluster().get(JOBS.path(remote.space))["items"]) == 2


def test_what_the_server_does_not_say_is_not_guessed(remote: Remote) -> None:
    # Given
    name = remote.submit("sleep", "30")
    remote.target = type(remote.target)(remote.proxy.config.parent)  # that watches nothing
    # When
    remote.proxy.close()
    # Then
    with pytest.raises(TemporaryError, match="does not answer"):
        remote.observe(name)
