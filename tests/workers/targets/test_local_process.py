"""What a job on a local-process queue is given, and how its end is told."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from broker_config.states import FailureClass, Reason
from tests.contract.targets import LocalProcess
from tests.workers.targets.local_process_lab import ProcessLab
from workers.builders.protocol import Artifact, ArtifactKind
from workers.failures import RunFailed
from workers.targets.contract.case import Behaviour, workload_of
from workers.targets.contract.waiting import eventually
from workers.targets.local_process import LocalProcessTarget
from workers.targets.local_process.config import INHERITED
from workers.targets.protocol import Phase


@pytest.fixture
def lab(home: Path) -> Iterator[ProcessLab]:
    lab = ProcessLab(home)
    yield lab
    lab.close()


# --- render -----------------------------------------------------------------------------------------------------------


def test_the_request_of_a_job_is_exactly_this(home: Path) -> None:
    # Given
    workload = workload_of(
        "launchyard-abc-1",
        Artifact(ArtifactKind.ENVIRONMENT, "/home/agent/environments/1f"),
        ["python", "train.py"],
        Path("/home/agent/workspaces/abc"),
        config={
            "working_dir": "trainer",
            "env": {"EPOCHS": "3", "LAUNCHYARD_RUN_ID": "mine"},
            "inherit_env": ["AWS_PROFILE"],
            "nice": 5,
        },
        env={"EPOCHS": "1", "LR": "0.1", "LAUNCHYARD_RUN_ID": "abc"},
    )
    # When
    request = LocalProcessTarget(home).render(replace(workload, args=("--fast",)))
    # Then
    assert json.loads(json.dumps(request.body)) == {
        "command": ["python", "train.py", "--fast"],
        "folder": "/home/agent/workspaces/abc/trainer",
        "environment": "/home/agent/environments/1f",
        "env": {
            "PYTHONUNBUFFERED": "1",
            "EPOCHS": "3",
            "LR": "0.1",
            "LAUNCHYARD_RUN_ID": "abc",
            "VIRTUAL_ENV": "/home/agent/environments/1f",
        },
        "inherit_env": [*INHERITED, "AWS_PROFILE"],
        "stop_signal": "SIGTERM",
        "nice": 5,
    }


def test_a_job_without_an_entry_point_is_refused_with_the_cure(home: Path) -> None:
    # Given
    workload = replace(LocalProcess().workload(home, "launchyard-abc-1", Behaviour()), entry_point=())
    # When
    with pytest.raises(RunFailed, match=r"no entry point.*entry_point=\[") as failed:
        LocalProcessTarget(home).render(workload)
    # Then
    assert (failed.value.failure, failed.value.reason) == (FailureClass.CONFIG, Reason.CONFIG_INVALID)


def test_a_job_that_brings_an_image_is_refused_with_the_cure(home: Path) -> None:
    # Given
    workload = workload_of("launchyard-abc-1", Artifact(ArtifactKind.IMAGE, "busybox:1"), ["true"])
    # When
    with pytest.raises(RunFailed, match=r"'busybox:1'.*resource docker") as failed:
        LocalProcessTarget(home).render(workload)
    # Then
    assert failed.value.failure is FailureClass.CONFIG


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"workdir": "x"}, "unknown field 'workdir'; did you mean 'working_dir'"),
        ({"working_dir": "../x"}, "without '..'"),
        ({"nice": -5}, "nice: "),
        ({"stop_signal": "SIGKILL"}, "stop_signal: "),
    ],
)
def test_a_queue_config_that_cannot_work_says_why(lab: ProcessLab, config: dict[str, object], complaint: str) -> None:
    with pytest.raises(RunFailed, match="queue config of resource local-process") as failed:
        lab.request(["true"], config)
    assert complaint in str(failed.value)


# --- what the job is given --------------------------------------------------------------------------------------------


def test_the_command_finds_the_programs_of_its_environment_first(lab: ProcessLab) -> None:
    # When
    name = lab.python("import os, sys; print(sys.prefix); print(os.environ['PATH'].split(':')[0])")
    # Then
    assert lab.output_of(name) == [sys.prefix, f"{sys.prefix}/bin"]


def test_the_job_starts_in_its_code_or_in_the_working_dir_of_the_queue(lab: ProcessLab) -> None:
    # Given
    (lab.code / "trainer").mkdir()
    # When
    names = [lab.run(["pwd"]), lab.run(["pwd"], {"working_dir": "trainer"})]
    # Then
    assert [lab.output_of(name) for name in names] == [[str(lab.code)], [str(lab.code / "trainer")]]


def test_a_job_sees_its_own_variables_and_of_the_agents_only_those_that_are_named(
    lab: ProcessLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("BROKER_PASSWORD", "hunter2")
    monkeypatch.setenv("TEAM_TOKEN", "for the job")
    script = "import os; print([os.environ.get(name) for name in ('BROKER_PASSWORD', 'TEAM_TOKEN', 'LR', 'HOME')])"
    # When
    closed = lab.python(script, {"env": {"LR": "1"}})
    opened = lab.python(script, {"env": {"LR": "1"}, "inherit_env": ["TEAM_TOKEN"]}, LR="0.1", HOME="/nowhere")
    # Then
    home = os.environ["HOME"]
    assert lab.output_of(closed) == [str([None, None, "1", home])]
    assert lab.output_of(opened) == [str([None, "for the job", "1", "/nowhere"])]


def test_output_can_be_read_while_the_job_runs_and_its_input_is_empty(lab: ProcessLab) -> None:
    # When
    name = lab.python("import sys, time; print(repr(sys.stdin.read())); print('err', file=sys.stderr); time.sleep(60)")
    # Then
    eventually(lambda: lab.lines(name) == ["''", "err"])
    observed = lab.observe(name)
    assert observed is not None
    assert observed.phase is Phase.RUNNING


def test_a_job_has_the_niceness_of_its_queue_and_the_signals_of_a_fresh_process(lab: ProcessLab) -> None:
    # When
    niceness, *status = lab.output_of(lab.run(["bash", "-c", "nice; cat /proc/self/status"], {"nice": 7}))
    # Then
    assert int(niceness) == os.nice(0) + 7
    masks = {line[:6]: int(line[8:], 16) for line in status if line.startswith(("SigBlk", "SigIgn"))}
    # 32 and 33 belong to the C library, which lets nobody set them; GNU make leaves them ignored in what it starts.
    assert masks["SigBlk"] == 0
    assert masks["SigIgn"] & ~(1 << 31 | 1 << 32) == 0


# --- how it ended -----------------------------------------------------------------------------------------------------


def test_a_program_that_does_not_exist_is_the_jobs_fault_and_names_the_cure(lab: ProcessLab) -> None:
    # When
    ended = lab.end_of(lab.run(["trian", "--fast"]))
    # Then
    assert (ended.phase, ended.exit_code, ended.failure) == (Phase.FAILED, 127, FailureClass.USER)
    assert "'trian'" in ended.text
    assert "requirements" in ended.text


@pytest.mark.parametrize(("mode", "cure"), [(0o644, "chmod"), (0o755, "#!/bin/sh")])
def test_a_script_that_cannot_be_run_names_the_cure(lab: ProcessLab, mode: int, cure: str) -> None:
    # Given
    script = lab.code / "train.sh"
    script.write_text("echo hello\n")
    script.chmod(mode)
    # When
    ended = lab.end_of(lab.run(["./train.sh"]))
    # Then
    assert (ended.phase, ended.exit_code, ended.failure) == (Phase.FAILED, 126, FailureClass.USER)
    assert cure in ended.text


def test_a_working_dir_that_the_code_does_not_have_is_the_queues_fault(lab: ProcessLab) -> None:
    # When
    ended = lab.end_of(lab.run(["true"], {"working_dir": "nowhere"}))
    # Then
    assert (ended.phase, ended.failure, ended.reason) == (Phase.FAILED, FailureClass.CONFIG, Reason.CONFIG_INVALID)
    assert f"{lab.code}/nowhere" in ended.text


@pytest.mark.parametrize(
    ("number", "code", "words", "failure"),
    [
        (signal.SIGSEGV, 139, "SIGSEGV", FailureClass.USER),
        (signal.SIGKILL, 137, "killed from outside", FailureClass.INFRA),
        (signal.SIGTERM, 143, "SIGTERM", FailureClass.INFRA),
        (signal.SIGINT, 130, "SIGINT", FailureClass.INFRA),
    ],
)
def test_a_job_that_a_signal_ended_has_the_exit_code_of_a_shell_and_the_signals_name(
    lab: ProcessLab, number: int, code: int, words: str, failure: FailureClass
) -> None:
    # When
    ended = lab.end_of(lab.python(f"import os; os.kill(os.getpid(), {int(number)})"))
    # Then
    assert (ended.phase, ended.exit_code, ended.failure) == (Phase.FAILED, code, failure)
    assert words in ended.text


def test_a_machine_that_goes_down_lets_the_job_end_and_is_named_as_the_cause(lab: ProcessLab) -> None:
    # Given
    name = lab.python("import time; print('up'); time.sleep(120)")
    eventually(lambda: lab.lines(name))
    # When
    lab.supervisor_of(name).terminate()
    ended = lab.end_of(name)
    # Then
    assert (ended.phase, ended.failure, ended.exit_code) == (Phase.FAILED, FailureClass.INFRA, 143)


# --- cancel -----------------------------------------------------------------------------------------------------------


def test_a_job_gets_the_stop_signal_of_its_queue_and_may_end_in_its_own_way(lab: ProcessLab) -> None:
    # Given
    script = (
        "import signal, sys, time\n"
        "def save(*_): print('saved'); sys.exit(0)\n"
        "signal.signal(signal.SIGUSR1, save); print('up'); time.sleep(120)"
    )
    name = lab.python(script, {"stop_signal": "SIGUSR1"})
    eventually(lambda: lab.lines(name))
    # When
    lab.target.cancel(name, 60.0)
    ended = lab.end_of(name)
    # Then
    assert (ended.phase, ended.exit_code) == (Phase.CANCELLED, 0)
    assert lab.lines(name) == ["up", "saved"]


def test_the_training_under_a_shell_may_write_its_checkpoint_after_the_shell_has_died(lab: ProcessLab) -> None:
    # Given
    script = (
        "import signal, sys, time\n"
        "def save(*_): time.sleep(0.5); open('checkpoint', 'w').write('whole'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save); print('up'); time.sleep(120)"
    )
    (lab.code / "train.py").write_text(script)
    name = lab.run(["bash", "-c", "python train.py; true"])
    eventually(lambda: lab.lines(name))
    # When
    lab.target.cancel(name, 60.0)
    # Then
    assert lab.end_of(name).phase is Phase.CANCELLED
    assert (lab.code / "checkpoint").read_text() == "whole"


def test_a_second_wish_with_less_grace_counts(lab: ProcessLab) -> None:
    # Given
    name = lab.submit(Behaviour(lines=("deaf",), seconds=120, ignores_cancel=True))
    eventually(lambda: lab.lines(name))
    # When
    lab.target.cancel(name, 100.0)
    lab.target.cancel(name, 0.0)
    # Then
    assert lab.end_of(name).phase is Phase.CANCELLED


# --- what is left of it -----------------------------------------------------------------------------------------------


def test_nothing_that_a_job_started_outlives_it(lab: ProcessLab) -> None:
    # Given
    script = (
        "import subprocess\n"
        "for own_session in (False, True):\n"
        "    print(subprocess.Popen(['sleep', '120'], start_new_session=own_session).pid)"
    )
    # When
    pids = [int(line) for line in lab.output_of(lab.python(script))]
    # Then
    assert len(pids) == 2
    eventually(lambda: not any(map(psutil.pid_exists, pids)))


def test_an_end_leaves_no_zombie_behind(lab: ProcessLab) -> None:
    # When
    name = lab.run(["true"])
    supervisor = lab.supervisor_of(name)
    lab.end_of(name)
    # Then
    eventually(lambda: lab.observe(name) is not None and not supervisor.is_running())
