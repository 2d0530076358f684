from __future__ import annotations

import pytest

from broker_config.queues import Queue, QueueRecord
from broker_config.states import Reason, State
from broker_config.store import Store
from producer import Client, RunHandle
from tests.producer.cli.conftest import Call
from tests.producer.conftest import HandAgent


@pytest.fixture
def run(client: Client, queue: QueueRecord) -> RunHandle:
    return client.launch(queue="gpu-queue", source="python:3.11", name="try", entry_point=["python", "x.py"])


def test_runs_are_listed_newest_first_in_aligned_columns(launchyard: Call, client: Client, run: RunHandle) -> None:
    # Given two runs
    second = client.launch(queue="gpu-queue", source="python:3.11", priority="critical")

    # When they are listed where nobody looks
    lines = launchyard("runs").out.splitlines()

    # Then there is a header and a line each, without colours
    assert [line.split()[0] for line in lines] == ["ID", second.id, run.id]
    assert lines[1].index("critical") == lines[2].index("medium") == lines[0].index("PRIORITY")
    assert "\x1b" not in "".join(lines)


def test_runs_can_be_filtered_by_queue_and_state_and_limited(
    launchyard: Call, client: Client, store: Store, run: RunHandle
) -> None:
    # Given runs on two queues, one of them cancelled
    store.queues.create(Queue(name="other", resource="stub"))
    others = [client.launch(queue="other", source="python:3.11") for _ in range(3)]
    others[0].cancel()

    # When they are filtered
    def ids(*arguments: str) -> list[str]:
        return [run["id"] for run in launchyard("runs", *arguments, "--json").json["runs"]]

    # Then only those are listed
    assert ids("-q", "gpu-queue") == [run.id]
    assert ids("-s", "cancelled") == [others[0].id]
    assert ids("-q", "other", "-n", "2") == [others[2].id, others[1].id]
    assert launchyard("runs", "-q", "othre").code == 4


def test_an_empty_list_says_so_beside_an_empty_answer(launchyard: Call) -> None:
    # Given no run, when runs are listed, then stdout is empty and stderr says how to begin
    answer = launchyard("runs")
    assert (answer.code, answer.out) == (0, "")
    assert "There is no run yet." in answer.err
    assert "next: launchyard launch" in answer.err


def test_show_tells_all_about_a_run_and_its_events(launchyard: Call, run: RunHandle, agent: HandAgent) -> None:
    # Given a failed run
    agent.finish(agent.start(run.id), exit_code=3)

    # When it is shown by the beginning of its id
    text = launchyard("show", run.id[:6]).out
    document = launchyard("show", run.id[:6], "--json").json

    # Then state, cause and every event are there
    assert "It ended with exit code 3." in text
    assert [line.split()[2] for line in text.splitlines()[-4:]] == ["queued", "claimed", "running", "failed"]
    assert (document["state"], document["exit_code"], document["failure"]) == ("failed", 3, "user")
    assert [event["new"] for event in document["events"]] == ["queued", "claimed", "running", "failed"]
    assert document["job"]["entry_point"] == ["python", "x.py"]


def test_an_unknown_run_is_not_found_and_an_ambiguous_one_is_asked_for_more(
    launchyard: Call, client: Client, run: RunHandle
) -> None:
    # Given many runs, so that some letter begins several ids
    runs = client.enqueue_many([{"queue": "gpu-queue", "source": "python:3.11"}] * 80)
    letters = [handle.id[0] for handle in runs]
    common = max(letters, key=letters.count)

    # When they are asked for, then each error says what to do
    assert launchyard("show", "nope").code == 4
    answer = launchyard("show", common)
    assert answer.code == 3
    assert "give more of the id" in answer.err


def test_logs_give_the_jobs_lines_on_stdout_and_the_builds_beside_them(
    launchyard: Call, run: RunHandle, agent: HandAgent, store: Store
) -> None:
    # Given a run whose build and job printed
    started = agent.start(run.id)
    store.logs.append(run.id, "build", ["installing"])
    agent.print(started, "epoch 1", "epoch 2")

    # When its log is shown
    answer = launchyard("logs", run.id)

    # Then the job's lines alone are the answer
    assert answer.out == "epoch 1\nepoch 2\n"
    assert "build | installing" in answer.err
    assert launchyard("logs", run.id, "-n", "1").out == "epoch 2\n"
    assert launchyard("logs", run.id, "--json").json["lines"][0] == {"stream": "build", "line": "installing"}


@pytest.mark.parametrize(("exit_code", "fate"), [(0, 0), (3, 3)])
def test_following_ends_with_the_jobs_own_exit_code(
    launchyard: Call, run: RunHandle, agent: HandAgent, exit_code: int, fate: int
) -> None:
    # Given a run that printed and ended
    started = agent.start(run.id)
    agent.print(started, "done")
    agent.finish(started, exit_code)

    # When it is followed, then lines, events and the exit code tell all
    answer = launchyard("logs", "-f", run.id)
    assert (answer.code, answer.out) == (fate, "done\n")
    lines = launchyard("logs", "-f", run.id, "--json").lines
    assert [line["type"] for line in lines] == ["event", "event", "event", "log", "event", "run"]


@pytest.mark.parametrize(("state", "fate"), [(State.FAILED, 1), (State.CANCELLED, 130), (State.PREEMPTED, 75)])
def test_a_followed_run_without_an_exit_code_has_a_fate_too(
    launchyard: Call, run: RunHandle, agent: HandAgent, state: State, fate: int
) -> None:
    # Given a run that ended without its job's word, when it is followed, then the exit code tells how
    agent.move(agent.claim(run.id), state, Reason.OBJECT_GONE)
    assert launchyard("logs", "-f", run.id).code == fate


def test_cancelling_names_every_run_and_a_mistyped_one_cancels_none(
    launchyard: Call, client: Client, run: RunHandle, agent: HandAgent
) -> None:
    # Given a queued and a running run
    running = client.launch(queue="gpu-queue", source="python:3.11")
    agent.start(running.id)

    # When one name is mistyped, then nothing is cancelled
    assert launchyard("cancel", run.id, "nope").code == 4
    assert run.state is State.QUEUED

    # When both are cancelled, then each outcome is told
    out = launchyard("cancel", run.id, running.id).out
    assert "has ended: cancelled" in out
    assert "is running and was asked to end" in out


def test_queued_runs_are_given_another_priority(launchyard: Call, client: Client, run: RunHandle) -> None:
    # Given
    other = client.launch(queue="gpu-queue", source="python:3.11")

    # When
    answer = launchyard("prioritize", run.id, other.id, "high")

    # Then
    assert answer.code == 0
    assert answer.out.splitlines()[0] == f"run {run.id} (try) waits with the priority high"
    assert [one["priority"] for one in launchyard("runs", "--json").json["runs"]] == ["high", "high"]
    assert "gave it the priority high; it had medium." in launchyard("show", run.id).out
    assert launchyard("prioritize", run.id, "low", "--json").json["runs"][0]["priority"] == "low"


def test_a_priority_that_there_is_not_and_a_run_that_waits_no_more_are_told(
    launchyard: Call, run: RunHandle, agent: HandAgent
) -> None:
    assert "did you mean 'high'?" in launchyard("prioritize", run.id, "hihg").err
    agent.start(run.id)
    answer = launchyard("prioritize", run.id, "high")
    assert (answer.code, answer.err) == (
        5,
        f"error: run {run.id} is running: only a run that is queued can be given a priority\n",
    )


def test_a_timeline_has_a_bar_for_each_state(launchyard: Call, run: RunHandle, agent: HandAgent) -> None:
    # Given a run that ended
    agent.finish(agent.start(run.id))

    # When its phases are shown
    lines = launchyard("show", run.id, "--timeline").out.splitlines()

    # Then each state that it was in has a bar, and none is before the one above it
    assert [line.split()[0] for line in lines] == ["PHASE", "queued", "claimed", "running"]
    starts = [line.index("█") for line in lines[1:]]
    assert starts == sorted(starts)
    assert "█" in lines[-1]
