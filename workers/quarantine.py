"""Runs that end their agents: a run whose agents died again and again while they prepared or submitted it is no
longer given to another one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from broker_config.runs import Run
from broker_config.states import Reason, State

MOST_CRASHES = 3
"""A run may meet so many deaths by chance, for instance of a machine that is switched off again and again."""

_SUSPECT = frozenset({State.CLAIMED, State.BUILDING, State.SUBMITTING})


def counted(run: Run, now: datetime) -> dict[str, Any]:
    """The fields to write when a session takes up this run of one that is gone: none, or one crash more.

    A run that was started already cannot have ended its agent, and one that was released has an agent that stopped.
    """
    if run.state not in _SUSPECT or run.reason is Reason.RELEASED:
        return {}
    crashes = run.crashes + 1
    seen = f"{run.state} by {run.agent} since {run.since:%H:%M:%S}, found at {now:%Y-%m-%d %H:%M:%S} UTC"
    evidence = f"{run.crash_evidence}; {seen}" if run.crash_evidence else seen
    if crashes <= MOST_CRASHES:
        return {"crashes": crashes, "crash_evidence": evidence}
    text = (
        f"{crashes} agents died while they prepared or submitted the run: {evidence}. "
        "Look at their logs and at the memory of their machines, then launch it again."
    )
    return {"crashes": crashes, "crash_evidence": text, "end_reason": Reason.QUARANTINED}
