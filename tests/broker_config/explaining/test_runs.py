"""Why a run is where it is."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from broker_config.explaining import runs
from broker_config.explaining.exit_codes import meaning
from broker_config.explaining.reasons import ADVICE
from broker_config.runs import Event
from broker_config.states import FailureClass, Hold, Reason, State
from broker_config.timeouts import Timeouts
from tests.broker_config.explaining.facts import AT, a_run, ago, an_agent, codes, find, queue_facts, record, run_facts

HOLDER = "one@host"


def test_every_run_has_a_reason_in_every_state_and_for_every_reason() -> None:
    assert set(ADVICE) == set(Reason)
    for state, reason, hold in product(State, Reason, (None, *Hold)):
        run = a_run(state, reason, hold=hold if state is State.QUEUED else None, agent=HOLDER)
        found = runs.explain(run_facts(run))
        assert found.code == f"run-{state}"
        assert found.causes or state is State.SUCCEEDED, (state, reason)
        assert all(one.text and one.text[-1] in ".!?:" for _, one in found.walk()), (state, reason)


def test_a_run_that_waits_for_others_names_those_that_have_not_succeeded() -> None:
    # Given three of which one has succeeded, one runs, and one is of another team
    done, other = a_run(State.SUCCEEDED), a_run(State.RUNNING, queue={"entity": "team-b"}, text="secret")
    busy = a_run(State.RUNNING, Reason.RUNNING, text="The job runs")
    after = (done.id, busy.id, other.id)
    run = a_run(reason=Reason.AFTER, hold=Hold.RUNS, spec={"after": after})

    # When
    held = runs.explain(run_facts(run, others={one.id: one for one in (done, busy, other)})).causes[0]

    # Then
    assert (held.code, held.text) == ("held-for-runs", "It waits until 3 runs succeeded: 2 did not yet.")
    assert [one.text for one in held.causes] == [
        f"Run {busy.id} (train-1) is running for 2 min: The job runs.",
        f"Run {other.id}, of another team, has not succeeded yet.",
    ]


def test_a_run_whose_dependency_failed_names_it() -> None:
    bad = a_run(State.FAILED, Reason.EXITED, text="It ended with exit code 1.")
    run = a_run(State.FAILED, Reason.DEPENDENCY_FAILED, spec={"after": (bad.id,)})

    (cause,) = runs.explain(run_facts(run, others={bad.id: bad})).causes

    assert (cause.code, codes(cause)) == ("dependency-failed", ["dependency"])


def test_held_until_a_time_and_when_that_is_over() -> None:
    later = a_run(reason=Reason.NOT_BEFORE, hold=Hold.TIME, not_before=AT + timedelta(hours=2))
    assert "in 2 h" in find(runs.explain(run_facts(later)), "held-until").text
    over = a_run(reason=Reason.NOT_BEFORE, hold=Hold.TIME, not_before=ago(3))
    assert codes(runs.explain(run_facts(over)))[0] == "hold-is-over"


def test_a_retry_says_when_it_begins_and_why_the_attempt_before_ended() -> None:
    run = a_run(
        reason=Reason.RETRYING, hold=Hold.TIME, not_before=AT + timedelta(seconds=30), attempt=2, text="Failed (user)"
    )

    retry = find(runs.explain(run_facts(run)), "retry-later")

    assert retry.text.startswith("Attempt 2 begins at ")
    assert [one.text for one in retry.causes] == ["Failed (user)."]


def test_an_earlier_attempt_is_told_also_when_the_record_says_something_else_by_now() -> None:
    event = Event(at=ago(60), actor="a", new=State.QUEUED, reason=Reason.RETRYING, text="Failed (infra): gone.")
    found = runs.explain(run_facts(a_run(reason=Reason.DUE, attempt=2), events=[event]))
    assert find(found, "earlier-attempt").text == "Failed (infra): gone."


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (1, "Each author runs 1 at once on queue 'gpu-queue', and alice has 1."),
        (2, "alice may run one more on queue 'gpu-queue'; an agent gives it its order within a minute."),
    ],
)
def test_an_author_at_the_limit_is_told_which_runs_hold_the_slots(limit: int, text: str) -> None:
    live = [a_run(State.RUNNING, Reason.RUNNING, spec={"author": name}) for name in ("alice", "bob")]
    facts = queue_facts(record(max_running_per_author=limit), an_agent(), live=live)

    held = find(runs.explain(run_facts(a_run(reason=Reason.WAITING_FOR_SLOT, hold=Hold.SLOT), facts)), "held-for-slot")

    assert held.text == text
    assert [live[0].id in one.text for one in held.causes] == [True]


@pytest.mark.parametrize(
    ("is_alive", "stopped", "code"), [(False, False, "agent-silent"), (False, True, "agent-stopped")]
)
def test_a_live_run_whose_agent_is_gone_says_that_first(is_alive: bool, stopped: bool, code: str) -> None:
    facts = queue_facts(None, an_agent(is_alive=is_alive, stopped=stopped))
    found = runs.explain(run_facts(a_run(State.RUNNING, Reason.RUNNING, agent=HOLDER), facts))
    assert codes(found) == [code, "running"]


def test_a_run_out_of_contact_says_so_with_its_agent_below() -> None:
    facts = queue_facts(None, an_agent(is_alive=False))
    run = a_run(State.RUNNING, Reason.CONTACT_LOST, agent=HOLDER, text="Agent one@host is silent.")
    (lost,) = runs.explain(run_facts(run, facts)).causes
    assert (lost.code, codes(lost)) == ("contact-lost", ["agent-silent"])
    assert lost.command == "launchyard agent -q gpu-queue"


@pytest.mark.parametrize("reason", [Reason.UNSCHEDULABLE, Reason.NOT_ADMITTED, Reason.TARGET_UNAVAILABLE])
def test_a_run_that_the_platform_keeps_waiting_has_the_platforms_words_and_what_helps(reason: Reason) -> None:
    run = a_run(State.STARTING, reason, agent=HOLDER, text="0/8 nodes: insufficient nvidia.com/gpu")
    (cause,) = runs.explain(run_facts(run)).causes
    assert (cause.code, cause.text) == (reason, "0/8 nodes: insufficient nvidia.com/gpu.")
    assert cause.next_action


def test_a_build_shows_its_last_lines_or_whom_it_waits_for() -> None:
    run = a_run(State.BUILDING, Reason.BUILDING, agent=HOLDER)
    progress = find(runs.explain(run_facts(run, build_lines=["#7 [3/5] RUN pip install"])), "build-progress")
    assert progress.lines == ("#7 [3/5] RUN pip install",)
    line = "waiting for agent two@host, which builds the same for run abc; it says:"
    awaited = find(runs.explain(run_facts(run, build_lines=[line], awaited=line)), "build-awaited")
    assert awaited.text.endswith("waiting for agent two@host, which builds the same for run abc.")


def test_a_limit_of_time_says_how_much_is_left() -> None:
    queue = {"timeouts": Timeouts(run=600, queued=600)}
    run = a_run(State.RUNNING, Reason.RUNNING, agent=HOLDER, started_at=ago(120), queue=queue)
    text = "If it is still running in 8 min, it fails: its run timeout is 600 s."
    assert find(runs.explain(run_facts(run)), "time-limit").text == text
    waits = find(runs.explain(run_facts(a_run(queue=queue), ahead=1)), "time-limit")
    assert waits.text == "If it is not taken in 8 min, it fails: its queue timeout is 600 s."


def test_a_wish_to_cancel_says_whose_it_is() -> None:
    run = a_run(State.RUNNING, Reason.ENDING, agent=HOLDER, cancel_requested_by="bob")
    assert runs.explain(run_facts(run)).causes[0].text.startswith("bob asked to cancel it")


def test_a_failed_run_has_its_exit_code_its_retries_and_its_last_lines() -> None:
    run = a_run(
        *(State.FAILED, Reason.EXITED),
        exit_code=137,
        failure=FailureClass.INFRA,
        attempt=3,
        retries_infra=2,
        text="It ended.",
    )

    found = runs.explain(run_facts(run, build_lines=["built"], job_lines=["epoch 1", "Killed"]))

    assert codes(found) == ["exited", "exit-code", "earlier-attempt", "last-lines"]
    assert "usually means: SIGKILL: it was killed from outside" in find(found, "exit-code").text
    assert find(found, "earlier-attempt").text == "It was attempt 3; retries were made: 2 after infra."
    assert find(found, "last-lines").lines == ("epoch 1", "Killed")


def test_a_failed_build_shows_where_it_failed() -> None:
    run = a_run(State.FAILED, Reason.BUILD_FAILED, failure=FailureClass.BUILD)
    last = find(runs.explain(run_facts(run, build_lines=["ERROR: no such package"])), "last-lines")
    assert (last.text, last.lines) == ("The last of what its build printed:", ("ERROR: no such package",))


@pytest.mark.parametrize(
    ("code", "clause"),
    [(1, "traceback"), (127, "PATH"), (137, "SIGKILL"), (139, "native library"), (143, "SIGTERM"), (3, ""), (200, "")],
)
def test_exit_codes_have_their_usual_meaning(code: int, clause: str) -> None:
    assert clause in meaning(code)
    assert bool(meaning(code)) == bool(clause)
