"""One agent with two clusters, of which one goes silent: what the other has is seen, read and listed as before."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster import namespace
from tests.faults.api_server import ClusterProxy
from tests.workers.targets.kubernetes_lab import Lab
from workers.kubernetes import cluster as clusters
from workers.targets.contract.waiting import eventually
from workers.targets.kubernetes.target import KubernetesTarget
from workers.targets.protocol import Phase, Unanswered, Unlisted

ANSWER_SECONDS = 3.0


class Two(Lab):
    """Two ways to the cluster as two clusters, each with a namespace of its own; the far one's can be frozen."""

    def __init__(self, home: Path, near: str, far: str) -> None:
        super().__init__(home, near)
        self.home = home
        self.far = far
        self.proxy = ClusterProxy(home)

    def submit_far(self) -> str:
        return self.submit("sleep", "600", namespace=self.far, configFile=str(self.proxy.config))


@pytest.fixture
def two(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    monkeypatch.setattr(clusters, "ANSWER_SECONDS", (ANSWER_SECONDS, ANSWER_SECONDS))
    with namespace() as near, namespace() as far:
        made = Two(home, near, far)
        yield made
        made.proxy.close()


@contextmanager
def watching(target: KubernetesTarget) -> Iterator[None]:
    stop, began = threading.Event(), threading.Event()
    thread = threading.Thread(target=target.watch, args=(lambda _: began.set(), stop))
    thread.start()
    began.wait(10)
    yield
    stop.set()
    thread.join(10)


def test_runs_of_a_cluster_are_seen_while_another_one_is_silent(two: Two) -> None:
    # Given
    near, far = two.submit("sleep", "5"), [two.submit_far() for _ in range(3)]
    eventually(lambda: (seen := two.observe(near)) is not None and seen.phase is Phase.RUNNING, 30)

    def look() -> tuple[Phase, float]:
        began = time.monotonic()
        with pytest.raises(Unanswered) as answer:
            two.target.observe([near, *far])
        assert set(answer.value.silent) == {*far}
        return answer.value.seen[near].phase, time.monotonic() - began

    # When an agent starts that has runs there
    two.proxy.freeze()
    two.target = KubernetesTarget(two.home)
    with watching(two.target):
        _, first = look()

        # Then it waits for the cluster once, and not for each run
        assert first < 2 * ANSWER_SECONDS
        looks = [look()]
        while looks[-1][0] is not Phase.SUCCEEDED:
            time.sleep(0.1)
            looks.append(look())
        assert max(seconds for _, seconds in looks) < ANSWER_SECONDS / 2, "nobody waits for it any more"

        # When
        two.proxy.thaw()
        two.proxy.cut()

        # Then
        eventually(lambda: _are_seen(two, far), 30)


def _are_seen(two: Two, names: list[str]) -> bool:
    try:
        return two.target.observe(names).keys() == {*names}
    except Unanswered:
        return False


def test_what_a_cluster_has_is_listed_while_another_one_is_silent(two: Two) -> None:
    # Given
    near, far = two.submit("sleep", "600"), two.submit_far()
    assert {near, far} <= {*two.target.inventory()}
    two.target.cancel(near, 0)
    eventually(lambda: (seen := two.observe(near)) is not None and seen.phase.is_end, 30)
    two.target.release(near)
    other = two.submit("sleep", "600")

    # When
    two.proxy.close()

    # Then
    with pytest.raises(Unlisted, match="through-the-proxy") as answer:
        two.target.inventory()
    assert other in answer.value.names
    assert far not in answer.value.names
    assert near in two.target.released(0)
