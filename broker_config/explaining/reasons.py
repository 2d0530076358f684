"""What each reason of a run means, and what helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from broker_config.explaining.explanation import Explanation
from broker_config.explaining.wording import sentence
from broker_config.runs import Run
from broker_config.states import Reason


class Advice(NamedTuple):
    """What is told of a reason. `RUN`, `QUEUE` and `AGENT` in the command stand for those of the run."""

    meaning: str  # where the run says nothing itself
    next_action: str = ""
    command: str = ""


_LOGS, _SHOW, _RUNS, _AGENTS = "launchyard logs RUN", "launchyard show RUN", "launchyard runs", "launchyard agents"
_QUEUE, _EDIT = "launchyard queue show QUEUE", "launchyard queue edit QUEUE --editor"

ADVICE: Mapping[Reason, Advice] = {
    Reason.ENQUEUED: Advice("It was launched, and waits for an agent."),
    Reason.CLAIMED: Advice("An agent has taken it, and fetches its source."),
    Reason.SOURCE_PINNED: Advice("Its source is fetched; every attempt runs the same."),
    Reason.ADOPTED: Advice("An agent has taken it up from an earlier session; the job was not touched."),
    Reason.RECOVERED: Advice("Its record was lost with the broker's data, and written anew from what the target has."),
    Reason.RELEASED: Advice(
        "Its agent has stopped; the job goes on, and another agent may adopt it.",
        "Start an agent for the queue on the same machine, or anywhere for a target that is not local.",
        "launchyard agent -q QUEUE",
    ),
    Reason.CONTACT_LOST: Advice(
        "Its agent is silent, and no other agent can reach the job.",
        "Start an agent for the queue on that agent's machine.",
        "launchyard agent -q QUEUE",
    ),
    Reason.BUILDING: Advice("Its image or environment is being made.", "", "launchyard logs -f RUN"),
    Reason.SUBMITTING: Advice("Its request goes to the target."),
    Reason.STARTING: Advice("The target has it, and has not started it yet."),
    Reason.UNSCHEDULABLE: Advice(
        "The platform has no room for it now.", "Wait for room, ask for less, or have nodes or quota added.", _QUEUE
    ),
    Reason.NOT_ADMITTED: Advice(
        "A queue of the platform's own holds it back.", "Wait, or look at that queue's quota.", _SHOW
    ),
    Reason.RUNNING: Advice("The job runs.", "", "launchyard logs -f RUN"),
    Reason.EXITED: Advice("The job ended by itself.", "Read the end of its log.", _LOGS),
    Reason.OUT_OF_MEMORY: Advice(
        "The job was ended because memory ran out.",
        "Give it more memory in the queue config or its overrides, or have it use less.",
        _LOGS,
    ),
    Reason.CANCEL_REQUESTED: Advice("Somebody asked for its end, which is being carried out."),
    Reason.ENDING: Advice("Its target was asked to end the job, which has its grace for that."),
    Reason.CANCELLED_BY_USER: Advice("It ended because somebody asked for that."),
    Reason.CONFIG_INVALID: Advice(
        "The queue config, an override or the job cannot work.", "Correct what is named, and launch again.", _EDIT
    ),
    Reason.SOURCE_UNAVAILABLE: Advice(
        "Its code or commit cannot be had.", "Check the ref, and the agent's git credentials.", _SHOW
    ),
    Reason.BUILD_FAILED: Advice(
        "Its build failed by itself.", "Correct the requirements or the Dockerfile, and launch again.", _LOGS
    ),
    Reason.IMAGE_UNAVAILABLE: Advice(
        "Its image cannot be pulled.", "Check the image's name, and the agent's login to the registry.", _SHOW
    ),
    Reason.TARGET_REFUSED: Advice(
        "The target does not accept the request.", "Correct what the target's own words name.", _SHOW
    ),
    Reason.TARGET_UNAVAILABLE: Advice(
        "The target does not answer; the agent asks again.", "See that the target is up and reachable.", _SHOW
    ),
    Reason.NAME_TAKEN: Advice(
        "At the target there is another object with this run's name.", "Remove that object, or launch again.", _SHOW
    ),
    Reason.UNSIGNED: Advice(
        "Its agent takes signed runs only.", "Launch again with a signing key, or through the server.", _SHOW
    ),
    Reason.PLAN_DIFFERS: Advice(
        "Its request would be another one than its plan shows.", "Plan again, and launch that plan.", _SHOW
    ),
    Reason.OBJECT_GONE: Advice("Somebody removed the job's process or object.", "Launch again.", _LOGS),
    Reason.AGENT_FAULT: Advice("The agent met an error of its own.", "See its log at that time, and report it.", _SHOW),
    Reason.REQUEUED: Advice("It is back in its queue, as its agent was gone before it was submitted."),
    Reason.NOT_BEFORE: Advice("It is held until its time."),
    Reason.AFTER: Advice("It is held until other runs have succeeded."),
    Reason.WAITING_FOR_SLOT: Advice("As many runs as may be are live."),
    Reason.PRIORITY_CHANGED: Advice("Somebody gave it another priority."),
    Reason.DUE: Advice("It is no longer held, and waits for an agent."),
    Reason.DEPENDENCY_FAILED: Advice(
        "A run that it waited for did not succeed.", "Mend that one, and launch both again.", _RUNS
    ),
    Reason.RETRYING: Advice("The attempt failed, and the next one follows.", "", _LOGS),
    Reason.PREEMPTED: Advice("The platform took its place away."),
    Reason.QUARANTINED: Advice(
        "It ended too many agents, and is given to no other one.",
        "See those agents' logs, and the memory of their machines.",
        _AGENTS,
    ),
    Reason.QUEUE_TIMEOUT: Advice(
        "It waited for longer than it may.", "Add agents, or raise the queue's limit.", "launchyard explain QUEUE"
    ),
    Reason.BUILD_TIMEOUT: Advice("Its build took longer than it may.", "Make it shorter, or raise the limit.", _LOGS),
    Reason.START_TIMEOUT: Advice(
        "The target did not start it in time.", "See what the target is short of, or raise the limit.", _SHOW
    ),
    Reason.RUN_TIMEOUT: Advice(
        "It ran for longer than it may.", "Have it do less, or raise the limit, and launch again.", _LOGS
    ),
}


def own_reason(run: Run) -> Explanation:
    """What the run's record says itself."""
    advice = ADVICE[run.reason]
    return Explanation(
        code=run.reason,
        text=sentence(run.text) or advice.meaning,
        since=run.since,
        next_action=advice.next_action,
        command=advice.command.replace("RUN", run.id).replace("QUEUE", run.spec.queue.full_name),
    )
