"""Which faults there are, and which cells of their tables are struck: in CI those that tell most for their time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from enum import StrEnum

from tests.faults.steps import TARGETS, Step, steps_of

EVERY_CELL = os.environ.get("LAUNCHYARD_TEST_EVERY_CELL") == "1"


class Fault(StrEnum):
    """As the headings of the page have them."""

    AGENT_RESTARTED = "agent killed, started again"
    AGENT_REPLACED = "agent killed, another one takes over"
    AGENT_STOPPED = "agent stopped, another one takes over"
    BROKER_RESTARTED = "broker restarted"
    BROKER_KILLED = "broker killed, started again"
    BROKER_LOST = "replies lost, connections cut"
    BROKER_FROZEN = "broker frozen"
    CLUSTER_KILLED = "API server killed, started again"
    CLUSTER_LOST = "API server's replies lost, connections cut"
    CLUSTER_FROZEN = "API server frozen"


KILLS = (Fault.AGENT_RESTARTED, Fault.AGENT_REPLACED)
OF_THE_BROKER = (Fault.BROKER_RESTARTED, Fault.BROKER_KILLED, Fault.BROKER_LOST, Fault.BROKER_FROZEN)
OF_THE_CLUSTER = (Fault.CLUSTER_KILLED, Fault.CLUSTER_LOST, Fault.CLUSTER_FROZEN)

_TELLING = {Step.INTENT, Step.SUBMITTED, Step.RUNS, Step.END_SEEN, Step.TOLD}
"""Before the object is made, when it is made and nobody knows, while it is watched, its log read, and it is removed."""

CLOUDS: Mapping[str, Mapping[Fault, Set[Step]]] = {
    "sagemaker": {
        Fault.AGENT_RESTARTED: {*steps_of("sagemaker")[::2]},
        Fault.BROKER_KILLED: {Step.INTENT, Step.END_SEEN},
        Fault.BROKER_LOST: {Step.SUBMITTED},
    },
    "vertex": {
        Fault.AGENT_REPLACED: {*steps_of("vertex")[1::2]},
        Fault.AGENT_STOPPED: {Step.INTENT, Step.RUNS},
        Fault.BROKER_RESTARTED: {Step.RUNS},
        Fault.BROKER_FROZEN: {Step.LOG_READ},
    },
}
"""What CI strikes of those whose code is much the same: between them, each step by a kill, and each fault somewhere."""


def cells(faults: Sequence[Fault], targets: Sequence[str] = tuple(TARGETS)) -> list[tuple[str, Fault, Step]]:
    """Those to strike, in an order in which a yard serves many: all those of a target beside each other."""
    every = [(target, fault, step) for target in targets for fault in faults for step in steps_of(target)]
    return [cell for cell in every if EVERY_CELL or _is_for_ci(*cell)]


def _is_for_ci(target: str, fault: Fault, step: Step) -> bool:
    if target in CLOUDS:
        return step in CLOUDS[target].get(fault, set())
    if fault in OF_THE_CLUSTER:
        return fault is Fault.CLUSTER_LOST and step in _TELLING
    # What the agent keeps on the broker is the same for all targets.
    return fault not in OF_THE_BROKER or target == "stub" or fault is Fault.BROKER_KILLED
