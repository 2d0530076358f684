"""Slurm's commands, and what their failures mean: the one place that calls them.

Source: sbatch(1), squeue(1), sacct(1) and scancel(1) of Slurm 22.05 to 24.05, and the texts of `slurm_errno.c`.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker_config.errors import ConfigError, TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed

PATIENCE_SECONDS = 60.0
"""A controller under load answers late; by itself, a command gives it 10 seconds (MessageTimeout) and tries again."""

_MINE = f"--user={os.getuid()}"

_LATER = re.compile(
    "unable to contact|timed out|temporarily unable|zero bytes|connection refused|connection failure|"
    # Fewer jobs of this user's have to wait before there may be another.
    "MaxSubmitJob|try again",
    re.IGNORECASE,
)
"""In what sbatch says when the same request may be taken later; everything else is about the request."""

_NOTHING_TO_CANCEL = re.compile("invalid job id|already complet|pending execution|not running", re.IGNORECASE)
_NO_ACCOUNTING = re.compile("accounting storage is disabled|accounting_storage/none", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Job:
    """What Slurm says of one job."""

    id: str
    name: str
    state: str  # in one word, such as PENDING
    reason: str = ""  # why it waits, or has failed, in Slurm's words
    code: int | None = None  # as a shell tells it; only sacct knows it


class Failed(TemporaryError):
    """A command of Slurm's has failed; the text has its own words."""


def submit(arguments: Sequence[str], script: Path, folder: Path) -> str:
    """Submit a job that runs the script with its folder; Slurm's id of it.

    Raises:
        RunFailed: when Slurm refuses it.
        TemporaryError: when it does not answer; the job may have been made all the same.
        ConfigError: when there is no Slurm on this machine.
    """
    try:
        said = _run("sbatch", "--parsable", *arguments, str(script), str(folder))
    except Failed as error:
        if _LATER.search(str(error)):
            raise
        raise RunFailed(FailureClass.CONFIG, Reason.TARGET_REFUSED, str(error)) from error
    # Some clusters' sbatch has words of its own before it, and `;CLUSTER` may follow.
    job = said.strip().rpartition("\n")[2].partition(";")[0]
    if not job.isdecimal():
        raise Failed(f"sbatch gave no id of the job, but {said.strip()!r}")
    return job


def queue() -> list[Job]:
    """All jobs of this user, those that ended in the last minutes too (MinJobAge).

    Raises:
        TemporaryError: when Slurm does not answer.
        ConfigError: when there is no Slurm on this machine.
    """
    said = _run("squeue", _MINE, "--states=all", "--noheader", "--format=%i|%j|%T|%r")
    rows = (line.split("|", 3) for line in said.splitlines() if line.count("|") >= 3)
    return [Job(id_, name, state, "" if reason == "None" else reason) for id_, name, state, reason in rows]


def accounted(ids: Iterable[str]) -> list[Job]:
    """What the accounting has of these jobs; nothing where a cluster has none.

    Raises:
        TemporaryError: when it does not answer.
    """
    try:
        said = _run(
            "sacct", "-X", "--noheader", "--parsable2", "--format=JobID,JobName,State,ExitCode", "-j", ",".join(ids)
        )
    except Failed as error:
        if _NO_ACCOUNTING.search(str(error)):
            return []
        raise
    return [_accounted(*line.split("|")) for line in said.splitlines() if line.count("|") == 3]


def _accounted(id_: str, name: str, state: str, exit_code: str) -> Job:
    code, _, number = exit_code.partition(":")
    # It says by whom, as in `CANCELLED by 1000`.
    return Job(
        id_, name, state.partition(" ")[0].rstrip("+"), code=128 + int(number) if int(number or 0) else int(code)
    )


def cancel(name: str) -> None:
    """Take the job of that name out of the queue; if it runs, tell its script to end it.

    Raises:
        TemporaryError: when Slurm does not answer.
    """
    for arguments in (("--state=PENDING",), ("--state=RUNNING", "--batch", "--signal=TERM")):
        try:
            _run("scancel", _MINE, f"--name={name}", *arguments)
        except Failed as error:
            if not _NOTHING_TO_CANCEL.search(str(error)):
                raise


def _run(program: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"{program} is not on the agent's PATH; run agents of slurm queues on a login node, where jobs begin"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{program} timed out after {PATIENCE_SECONDS:.0f} seconds") from error
    if done.returncode:
        raise Failed(done.stderr.strip() or f"{program} ended with exit code {done.returncode}")
    return done.stdout
