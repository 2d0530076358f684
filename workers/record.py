"""Writing a run's record as the agent that holds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker_config import passports
from broker_config.errors import StaleWrite
from broker_config.jobs import Source
from broker_config.runs import Run, now
from broker_config.states import FailureClass, Reason, State, may_change
from broker_config.store.changes import Change
from broker_config.store.runs import RunStore
from workers import quarantine
from workers.failures import RunCancelled
from workers.seals import Seals
from workers.verdict import Verdict


class Recorder:
    """Every write carries this session's fence, so that none is accepted after another session took the run."""

    def __init__(self, runs: RunStore, agent: str, fence: int, seals: Seals | None = None) -> None:
        self._runs = runs
        self.seals = seals or Seals()
        self._agent = agent
        self._fence = fence

    def reach(self, run: Run, state: State, reason: Reason, text: str, **fields: Any) -> Run:
        """Bring the run to a state on its way forward, if it is not there or beyond.

        Raises:
            RunCancelled: when the wish to cancel was written before the job was submitted.
            StaleWrite: when the run is another session's.
        """

        def decide(current: Run) -> Change | None:
            if current.cancel_requested_by and not current.submission:
                raise RunCancelled(f"cancelled by {current.cancel_requested_by}")
            if not may_change(current.state, state):
                return None
            return Change(state, reason, text, self._agent, fields, self._fence)

        return self._runs.change_until_written(run, decide)

    def confirm(self, run: Run) -> Run:
        """The run as it is now.

        Raises:
            StaleWrite: when it is another session's by now, or has ended.
        """
        current = self._runs.get(run.id)
        if not current.state.is_live or current.fence != self._fence:
            raise StaleWrite(f"run {run.id} is not agent {self._agent}'s any more")
        # What was looked at holds; see `RunStore.change_until_written`.
        return current.model_copy(update={"spec": run.spec})

    def wait_for_replicas(self, run: Run) -> None:
        """Return when as many replicas of the broker as the settings ask for have the record as it was written.

        Raises:
            NotReplicated: when they have not in time.
            StaleWrite: when a failover of the broker lost it.
        """
        self._runs.wait_for_replicas(run)

    def passport(self, run: Run) -> str:
        """The record for its object to carry.

        Raises:
            NotFound: when the broker has lost it.
        """
        is_to_the_letter = not run.signature or self.seals.is_signed(run)
        return passports.write(
            run, run.spec.model_dump_json() if is_to_the_letter else self._runs.spec_text(run.id).text
        )

    def note(self, run: Run, reason: Reason, text: str) -> Run:
        """Say why the run is where it is, once for the same reason."""

        def decide(current: Run) -> Change | None:
            if current.state.is_terminal or current.reason is reason:
                return None
            return Change(current.state, reason, text, self._agent, {}, self._fence)

        return self._runs.change_until_written(run, decide)

    def see(self, run: Run, reason: Reason, text: str, *, anew: bool = False) -> Run:
        """Say what its target tells, once for the same reason; `anew`: again when the words are other ones.

        That an end is wanted is worth more, and stays told.
        """

        def decide(current: Run) -> Change | None:
            is_said = current.reason is reason and not (anew and current.text != text)
            # What the caller has may be from before the wish to cancel.
            is_ending = current.cancel_requested_by or current.end_reason
            if current.state.is_terminal or is_said or is_ending:
                return None
            return Change(current.state, reason, text, self._agent, {}, self._fence)

        return self._runs.change_until_written(run, decide)

    def pin(self, run: Run, source: Source, text: str) -> Run:
        """Keep what the job's source was resolved to: the first word on it holds for every attempt.

        Raises:
            StaleWrite: when the run is another session's.
            RunFailed: when there is a word on it by now that is no agent's.
        """

        def decide(current: Run) -> Change | None:
            if current.pinned_source or current.state.is_terminal:
                return None
            fields = {"pinned_source": source, "source_signature": self.seals.of_source(run, source)}
            return Change(current.state, Reason.SOURCE_PINNED, text, self._agent, fields, self._fence)

        pinned = self._runs.change_until_written(run, decide)
        self.seals.check(pinned)
        return pinned

    def conclude(self, run: Run, judge: Callable[[Run], Verdict]) -> Run:
        """Write the end of the run, or of this attempt, as `judge` says for the record as it is now."""

        def decide(current: Run) -> Change | None:
            if not current.state.is_live:
                return None
            found = judge(current)
            return Change(found.state, found.reason, found.text, self._agent, found.fields, self._fence)

        return self._runs.change_until_written(run, decide)

    def condemn(self, run: Run, reason: Reason, text: str) -> Run:
        """Write why the run has to end, before its target is asked to end it."""

        def decide(current: Run) -> Change | None:
            if not current.state.is_live or current.end_reason:
                return None
            return Change(current.state, reason, text, self._agent, {"end_reason": reason}, self._fence)

        return self._runs.change_until_written(run, decide)

    def give_back(self, run: Run, text: str) -> Run:
        """Put a run that was not submitted back to the front of its queue, with its order."""

        def decide(current: Run) -> Change | None:
            if current.state.is_terminal:
                return None
            fields = {"agent": "", "image": "", "submission": ""}
            return Change(State.QUEUED, Reason.REQUEUED, text, self._agent, fields, self._fence)

        return self._runs.change_until_written(run, decide)

    def adopt(self, run: Run) -> Run:
        """Make a run of a session that is gone this session's. One that has another holder by now stays as it is."""

        def decide(current: Run) -> Change | None:
            if not _is_held_as(current, run) or current.fence == self._fence:
                return None
            what = "after its restart" if run.agent == self._agent else f"from agent {run.agent}, which is gone"
            text = f"Taken up by agent {self._agent} {what}."
            fields = {"agent": self._agent, "fence": self._fence, **quarantine.counted(current, now())}
            return Change(current.state, Reason.ADOPTED, text, self._agent, fields)

        return self._runs.change_until_written(run, decide)

    def holds(self, run: Run) -> bool:
        """Whether the run is this session's to carry on."""
        return run.state.is_live and run.fence == self._fence

    def reclaim(self, run: Run, text: str) -> Run:
        """Put a run of a session that is gone, and that it had not submitted, back to its queue."""

        def decide(current: Run) -> Change | None:
            if not _is_held_as(current, run) or current.submission:
                return None
            crashed = quarantine.counted(current, now())
            if crashed.get("end_reason"):
                end = {**crashed, "failure": FailureClass.INFRA}
                return Change(State.FAILED, Reason.QUARANTINED, crashed["crash_evidence"], self._agent, end)
            fields = {"agent": "", "image": "", **crashed}
            return Change(State.QUEUED, Reason.REQUEUED, text, self._agent, fields)

        return self._runs.change_until_written(run, decide)

    def mark(self, run: Run, reason: Reason, text: str) -> Run:
        """Say, once for the same reason, why a run of a session that is gone does not go on."""

        def decide(current: Run) -> Change | None:
            if not _is_held_as(current, run) or current.reason is reason:
                return None
            return Change(current.state, reason, text, self._agent)

        return self._runs.change_until_written(run, decide)

    def release(self, run: Run) -> Run:
        """Tell the other agents that this session follows the run no more, and that its job goes on."""

        def decide(current: Run) -> Change | None:
            if not current.state.is_live or current.fence != self._fence:
                return None
            text = f"Agent {self._agent} has stopped; the job goes on."
            return Change(current.state, Reason.RELEASED, text, self._agent, fence=self._fence, wish=True)

        return self._runs.change_until_written(run, decide)


def _is_held_as(current: Run, seen: Run) -> bool:
    return current.state.is_live and (current.agent, current.fence) == (seen.agent, seen.fence)
