"""Agents and supervisors are killed at every moment: a job runs once, goes on, and its end is known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from broker_config.states import FailureClass, Reason
from tests.workers.targets.local_process_lab import ProcessLab, agent_process, go
from workers.targets.contract.case import Behaviour
from workers.targets.contract.waiting import eventually
from workers.targets.local_process import supervisor
from workers.targets.local_process.folder import ProcessFolder
from workers.targets.protocol import Phase, Request

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part in this is Linux's")


@pytest.fixture
def lab(home: Path) -> Iterator[ProcessLab]:
    lab = ProcessLab(home)
    yield lab
    lab.close()


def counting(lab: ProcessLab, and_then: str = "") -> Request:
    """A job that writes one line into a file of the test each time it runs."""
    return lab.request(["bash", "-c", f"echo ran >> ran; {and_then}"])


def times_run(lab: ProcessLab) -> int:
    ran = lab.code / "ran"
    return len(ran.read_text().splitlines()) if ran.exists() else 0


def test_a_job_lives_on_when_the_agent_that_submitted_it_is_killed(lab: ProcessLab) -> None:
    # Given
    request = counting(lab, "echo one; while [ ! -e go ]; do sleep 0.05; done; echo two; exit 5")
    agent = agent_process(lab.home, "target.submit(request); os.kill(os.getpid(), signal.SIGKILL)", request)
    # When
    go(agent)
    assert agent.wait(30) == -signal.SIGKILL
    # Then
    observed = lab.observe(request.name)
    assert observed is not None
    assert observed.phase is Phase.RUNNING
    eventually(lambda: lab.lines(request.name) == ["one"])
    position = lab.target.read_logs(request.name, "").position
    (lab.code / "go").touch()
    ended = lab.end_of(request.name)
    assert (ended.phase, ended.exit_code) == (Phase.FAILED, 5)
    assert lab.lines(request.name, position=position) == ["two"]


def test_two_agents_that_submit_at_the_same_moment_run_the_job_once(lab: ProcessLab) -> None:
    # Given
    requests = [counting(lab, "sleep 0.3") for _ in range(5)]
    for count, request in enumerate(requests, start=1):
        agents = [agent_process(lab.home, "target.submit(request); print('done')", request) for _ in range(2)]
        # When
        for agent in agents:
            go(agent)
        # Then
        assert [agent.communicate(timeout=30)[0] for agent in agents] == ["done\n", "done\n"]
        assert lab.end_of(request.name).phase is Phase.SUCCEEDED
        assert times_run(lab) == count


def test_an_agent_killed_at_any_moment_of_a_submission_leaves_a_job_that_runs_once(lab: ProcessLab) -> None:
    for count in range(1, 16):
        # Given
        request = counting(lab)
        agent = agent_process(lab.home, "target.submit(request)", request)
        # When
        go(agent)
        time.sleep((count - 1) * 0.004)  # not a proof: it spreads the kills over the steps of a submission
        agent.kill()
        agent.wait(30)
        lab.target.submit(request)
        # Then
        assert lab.end_of(request.name).phase is Phase.SUCCEEDED
        assert times_run(lab) == count


def test_a_wish_is_carried_out_by_force_although_the_agent_died_right_after_it(lab: ProcessLab) -> None:
    # Given
    name = lab.submit(Behaviour(lines=("deaf",), seconds=120, ignores_cancel=True))
    eventually(lambda: lab.lines(name))
    agent = agent_process(lab.home, f"target.cancel({name!r}, 0.5); os.kill(os.getpid(), signal.SIGKILL)")
    # When
    go(agent)
    assert agent.wait(30) == -signal.SIGKILL
    # Then
    assert lab.end_of(name).phase is Phase.CANCELLED


def test_a_wish_that_came_before_the_start_keeps_the_job_from_running(lab: ProcessLab) -> None:
    # Given
    request = counting(lab)
    folder = ProcessFolder(lab.home / "processes" / request.name)
    folder.place(request)  # as an agent that was killed before it could start a supervisor
    assert lab.observe(request.name) is None
    lab.target.cancel(request.name, 1.0)
    # When
    lab.target.submit(request)
    # Then
    assert lab.end_of(request.name).phase is Phase.CANCELLED
    assert times_run(lab) == 0


def test_a_wish_that_comes_in_the_moment_of_the_end_is_written_down(home: Path) -> None:
    # Given a supervisor that is there in one moment and gone in the next
    folder, is_over = ProcessFolder(home), threading.Event()
    os.mkfifo(home / supervisor.WAKE)

    def come_and_go() -> None:
        while not is_over.is_set():
            os.close(os.open(home / supervisor.WAKE, os.O_RDONLY | os.O_NONBLOCK))

    coming = threading.Thread(target=come_and_go)
    coming.start()
    try:
        # When
        for _ in range(1000):
            folder.wish_cancelled(1.0)
    finally:
        is_over.set()
        coming.join()
    # Then
    assert (home / supervisor.CANCEL).exists()


def test_a_second_supervisor_of_a_folder_leaves_without_running_anything(lab: ProcessLab) -> None:
    # Given
    request = counting(lab)
    lab.target.submit(request)
    ended = lab.end_of(request.name)
    # When
    folder = lab.home / "processes" / request.name
    second = subprocess.run(
        [sys.executable, "-I", "-S", supervisor.__file__, folder], capture_output=True, timeout=30, check=True
    )
    # Then
    assert second.stdout == supervisor.TAKEN
    assert times_run(lab) == 1
    assert lab.observe(request.name) == ended


def test_a_job_dies_with_its_supervisor_although_no_agent_is_there_to_see_it(lab: ProcessLab) -> None:
    # Given
    name = lab.run(["sleep", "120"])
    job = psutil.Process(lab.file(name, supervisor.STARTED)["pid"])
    assert job.cmdline() == ["sleep", "120"]
    # When
    lab.supervisor_of(name).kill()
    # Then
    eventually(lambda: not job.is_running() or job.status() == psutil.STATUS_ZOMBIE)


def test_a_killed_supervisor_takes_all_of_its_job_with_it_and_is_told_as_lost(lab: ProcessLab) -> None:
    # Given
    script = (
        "import os, subprocess, time\n"
        "own = subprocess.Popen(['sleep', '120'], start_new_session=True)\n"
        "print(os.getpid(), own.pid); time.sleep(120)"
    )
    told: list[str | None] = []
    stop = threading.Event()
    thread = threading.Thread(target=lab.target.watch, args=(told.append, stop))
    thread.start()
    try:
        name = lab.python(script)
        pids = [int(pid) for pid in eventually(lambda: lab.lines(name))[0].split()]
        # When
        lab.supervisor_of(name).kill()
        # Then
        eventually(lambda: name in told)
    finally:
        stop.set()
        thread.join(10)
    ended = lab.end_of(name)
    assert (ended.phase, ended.failure, ended.reason) == (Phase.FAILED, FailureClass.INFRA, Reason.OBJECT_GONE)
    assert "supervisor was killed" in ended.text
    eventually(lambda: not any(map(psutil.pid_exists, pids)))
    assert lab.another_agent().observe([name])[name] == ended


def test_a_lost_process_stays_lost_although_its_pid_lives_again(lab: ProcessLab) -> None:
    # Given
    name = lab.run(["sleep", "120"])
    lab.supervisor_of(name).kill()
    claim = lab.home / "processes" / name / supervisor.CLAIM
    eventually(lambda: ProcessFolder(claim.parent).is_over)
    # When
    claim.write_text(f'{{"pid": {os.getpid()}, "ticks": 1}}')
    # Then
    assert lab.end_of(name).reason is Reason.OBJECT_GONE
    assert ProcessFolder(claim.parent).open_pidfd() is None


def test_one_thread_watches_any_number_of_processes(lab: ProcessLab) -> None:
    # Given
    ended: set[str | None] = set()
    stop = threading.Event()
    threads_before = threading.active_count()
    thread = threading.Thread(target=lab.target.watch, args=(ended.add, stop))
    thread.start()
    try:
        # When
        names = [lab.run(["sh", "-c", "while [ ! -e go ]; do sleep 0.05; done"]) for _ in range(40)]
        assert threading.active_count() == threads_before + 1
        (lab.code / "go").touch()
        # Then
        eventually(lambda: ended >= {*names})
    finally:
        stop.set()
        thread.join(10)
    assert {one.phase for one in lab.target.observe(names).values()} == {Phase.SUCCEEDED}
    assert not [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE]
