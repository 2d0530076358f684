"""The store under any sequence of what producers, agents, people and faults do, against a model in memory."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from broker_config import messages
from broker_config.connection import connect
from broker_config.embedded import EmbeddedBroker
from broker_config.messages import Order
from broker_config.priorities import Priority, list_key
from broker_config.queues import Queue
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import State, may_change
from broker_config.store import Store
from broker_config.store.claims import Claimed
from tests.broker_config.conftest import Hand

QUEUE = "gpu-queue"
FORWARD = [State.BUILDING, State.SUBMITTING, State.STARTING, State.RUNNING]
ENDS = [State.SUCCEEDED, State.FAILED, State.CANCELLED]


class Life(RuleBasedStateMachine):
    """One queue, one agent, and orders that may be lost or come twice."""

    runs = Bundle("runs")
    broker: EmbeddedBroker  # one server for all examples; set by the test below
    home: Path

    @initialize()
    def start_empty(self) -> None:
        configuration = Settings(home=self.home, broker_url=self.broker.url, author="tester")
        self.client = connect(configuration)
        self.client.flushall()
        self.store = Store(configuration)
        self.hand = Hand(self.store, self.store.queues.create(Queue(name=QUEUE, resource="stub", prioritization=True)))
        self.known: list[str] = []
        self.ends: dict[str, Run] = {}

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        try:
            self.every_queued_run_can_still_be_had()
        finally:
            self.store.close()
            self.client.close()

    @rule(target=runs, priority=st.sampled_from(Priority), count=st.integers(1, 3))
    def enqueue(self, priority: Priority, count: int) -> object:
        made = [run.id for run in self.hand.enqueue(count, priority)]
        self.known += made
        return multiple(*made)

    @rule(dies=st.booleans())
    def fetch(self, dies: bool) -> None:
        """An agent takes the next order, and claims its run unless it dies before."""
        for priority in Priority:
            if text := self.client.rpop(list_key(QUEUE, priority)):
                if not dies:
                    self.claim(str(text))
                return

    def claim(self, text: str) -> None:
        run = self.store.runs.get(messages.run_id(text))
        outcome, _ = self.store.runs.claim(run.spec, self.hand.name, self.hand.fence, self.hand.session)
        assert (outcome is Claimed.CLAIMED) == (run.state is State.QUEUED)

    @rule(run_id=runs, state=st.sampled_from([*FORWARD, *ENDS]))
    def move(self, run_id: str, state: State) -> None:
        run = self.store.runs.get(run_id)
        if run.state.is_live and may_change(run.state, state):
            written = self.hand.move(run, state)
            if state.is_terminal:
                self.ends[run_id] = written

    @rule(run_id=runs)
    def requeue(self, run_id: str) -> None:
        run = self.store.runs.get(run_id)
        if run.state.is_live:
            self.hand.requeue(run)

    @rule(run_id=runs, priority=st.sampled_from(Priority))
    def prioritize(self, run_id: str, priority: Priority) -> None:
        run = self.store.runs.get(run_id)
        if run.state is State.QUEUED:
            assert self.store.runs.set_priority(run, priority, "bob").priority is priority

    @rule(run_id=runs)
    def cancel(self, run_id: str) -> None:
        run = self.store.runs.request_cancel(self.store.runs.get(run_id), "bob")
        if run.state.is_terminal:
            self.ends.setdefault(run_id, run)

    @rule(run_id=consumes(runs))
    def deliver_twice(self, run_id: str) -> None:
        self.store.runs.send_again(Order(self.store.runs.get(run_id).spec))

    @rule()
    def send_lost_orders(self) -> None:
        for order in reversed(self.store.runs.overtaken(QUEUE)):
            self.store.runs.send_again(order)

    @invariant()
    def counts_and_indexes_tell_what_the_records_tell(self) -> None:
        runs = self.store.runs.get_many(self.known)
        counts = {state: count for state, count in self.store.queues.counts(QUEUE).items() if count}
        assert counts == Counter(run.state for run in runs)
        queued = [run for run in runs if run.state is State.QUEUED]
        queued.sort(key=lambda run: (run.priority, run.place))
        assert self.store.runs.waiting(QUEUE, 1000) == [run.id for run in queued]
        shares = Counter(
            f"{'live' if run.state.is_live else 'queued'} {run.spec.author}"
            for run in runs
            if not run.state.is_terminal
        )
        stored = self.client.hgetall(f"launchyard:queue:{QUEUE}:authors")
        assert {share: int(count) for share, count in stored.items() if count != "0"} == shares
        held = {run.id for run in self.store.runs.held_by(self.hand.name)}
        assert held == {run.id for run in runs if run.state.is_live}

    @invariant()
    def an_end_is_for_ever(self) -> None:
        for run_id, end in self.ends.items():
            assert self.store.runs.get(run_id) == end

    @invariant()
    def every_version_has_its_event(self) -> None:
        for run in self.store.runs.get_many(self.known):
            events = [event for _, event in self.store.runs.events(run.id)]
            assert len(events) == run.version
            assert [event.old for event in events[1:]] == [event.new for event in events[:-1]]
            assert events[-1].new is run.state

    def every_queued_run_can_still_be_had(self) -> None:
        for _ in range(len(self.known) + 2):
            self.send_lost_orders()
            while any(self.client.llen(list_key(QUEUE, priority)) for priority in Priority):
                self.fetch(False)
        assert self.store.runs.waiting(QUEUE, 1000) == []


Life.TestCase.settings = settings(max_examples=25, stateful_step_count=25, suppress_health_check=list(HealthCheck))


class TestLife(Life.TestCase):  # type: ignore[misc, valid-type]
    """No run is lost, doubled or miscounted."""

    @classmethod
    def setUpClass(cls) -> None:
        Life.home = Path(tempfile.mkdtemp(prefix="ly-"))
        Life.broker = EmbeddedBroker(Life.home)
        Life.broker.ensure_running()

    @classmethod
    def tearDownClass(cls) -> None:
        Life.broker.stop()
        shutil.rmtree(Life.home)
