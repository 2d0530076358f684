#!/usr/bin/env -S python3 -S
"""Slurm's commands for tests: `sbatch`, `squeue`, `sacct` and `scancel`, by the name under which this file is called.

Jobs are files in the folder that FAKE_SLURM names, and run as processes of this machine. It takes the options that the
target uses and refuses all others. Faults are files beside the jobs:

    down            no command reaches the controller
    lost-reply      the next sbatch submits its job, and says that the controller did not answer
    hidden          squeue does not list jobs that are younger than so many seconds
    full            jobs wait for resources
    forgetful       squeue lists no job that has ended
    no-accounting   sacct has nothing to ask
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["FAKE_SLURM"])
LIVE = {"PENDING", "RUNNING"}


def fail(text: str) -> None:
    sys.exit(f"{Path(sys.argv[0]).name}: error: {text}")


def path_of(job: str) -> Path:
    return FOLDER / f"{job}.json"


def jobs() -> list[dict]:
    return sorted((json.loads(path.read_text()) for path in FOLDER.glob("*.json")), key=lambda job: int(job["id"]))


def write(job: dict) -> None:
    draft = FOLDER / f".{job['id']}.{os.getpid()}"
    draft.write_text(json.dumps(job))
    draft.rename(path_of(job["id"]))


def change(job: str, **fields: object) -> dict:
    """The job with other fields. Its end is decided once."""
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = json.loads(path_of(job).read_text())
        if held["state"] in LIVE:
            held |= fields
            write(held)
        return held


def options(arguments: list[str], known: set[str]) -> tuple[dict[str, str], list[str]]:
    found = {}
    while arguments and arguments[0].startswith("-"):
        name, _, value = arguments.pop(0).partition("=")
        if name == "-j":
            value = arguments.pop(0)
        if name.strip("-") not in known:
            fail(f"unrecognized option '{name}'")
        found[name.strip("-")] = value
    return found, arguments


def sbatch(arguments: list[str]) -> None:
    known = {"parsable", "job-name", "comment", "output", "chdir", "export", "no-requeue", "partition", "gres", "time"}
    told, (script, *rest) = options(arguments, known)
    if told.get("partition") == "none":
        fail("Batch job submission failed: Invalid partition name specified")
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        number = str(len(jobs()) + 1)
        job = {"id": number, "name": told["job-name"], "state": "PENDING", "reason": "Resources", "code": ""}
        write({**job, "pid": 0, "made": time.time(), "options": told, "command": ["/bin/sh", script, *rest]})
    runner = [sys.executable, "-S", str(Path(__file__).resolve()), "run", number]
    quiet = subprocess.DEVNULL
    subprocess.Popen(runner, start_new_session=True, stdin=quiet, stdout=quiet, stderr=quiet)
    if (FOLDER / "lost-reply").exists():
        (FOLDER / "lost-reply").unlink()
        fail("Batch job submission failed: Socket timed out on send/recv operation")
    print(number)


def run(number: str) -> None:
    while (FOLDER / "full").exists():
        time.sleep(0.05)
        if json.loads(path_of(number).read_text())["state"] != "PENDING":
            return
    job = json.loads(path_of(number).read_text())
    told = job["options"]
    env = {name: os.environ[name] for name in told["export"].split(",") if name in os.environ}
    with Path(told["output"].replace("%j", number)).open("ab") as output:
        process = subprocess.Popen(
            job["command"],
            cwd=told["chdir"],
            env={**env, "SLURM_JOB_ID": number},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    change(number, state="RUNNING", reason="None", pid=process.pid)
    status = process.wait()
    code = f"{status}:0" if status >= 0 else f"0:{-status}"
    change(number, state="FAILED" if status else "COMPLETED", reason="NonZeroExitCode" if status else "None", code=code)


def squeue(arguments: list[str]) -> None:
    told, _ = options(arguments, {"user", "states", "noheader", "format"})
    assert told["format"] == "%i|%j|%T|%r", told
    with (FOLDER / "squeue.calls").open("a") as calls:
        calls.write("1\n")
    hidden = FOLDER / "hidden"
    oldest = time.time() - (float(hidden.read_text()) if hidden.exists() else 0.0)
    for job in jobs():
        is_forgotten = (FOLDER / "forgetful").exists() and job["state"] not in LIVE
        if job["made"] <= oldest and not is_forgotten:
            print("|".join((job["id"], job["name"], job["state"], job["reason"])))


def sacct(arguments: list[str]) -> None:
    told, _ = options(arguments, {"X", "noheader", "parsable2", "format", "j"})
    if (FOLDER / "no-accounting").exists():
        fail("Slurm accounting storage is disabled")
    for job in jobs():
        if job["id"] in told["j"].split(","):
            state = "CANCELLED by 0" if job["state"] == "CANCELLED" else job["state"]
            print("|".join((job["id"], job["name"], state, str(job["code"] or "0:0"))))


def scancel(arguments: list[str]) -> None:
    told, ids = options(arguments, {"user", "name", "state", "batch", "signal"})
    for job in jobs():
        is_meant = job["id"] in ids if ids else job["name"] == told["name"]
        if not is_meant or job["state"] not in LIVE or told.get("state", job["state"]) != job["state"]:
            continue
        if job["state"] == "PENDING":
            change(job["id"], state="CANCELLED", reason="None")
        elif "signal" in told:
            os.kill(job["pid"], signal.SIGTERM)
        else:
            change(job["id"], state="CANCELLED", reason="None")
            os.killpg(job["pid"], signal.SIGKILL)


if __name__ == "__main__":
    program = Path(sys.argv[0]).name
    if program == "slurm.py":
        run(sys.argv[2])
    elif (FOLDER / "down").exists():
        fail("Unable to contact slurm controller (connect failure)")
    else:
        {"sbatch": sbatch, "squeue": squeue, "sacct": sacct, "scancel": scancel}[program](sys.argv[1:])
