"""What CI strikes of the two clouds is enough, though it is little."""

from __future__ import annotations

from tests.faults.cells import CLOUDS, KILLS, OF_THE_BROKER, Fault
from tests.faults.steps import steps_of


def test_an_agent_is_killed_at_each_step_on_one_of_the_clouds() -> None:
    # Then
    killed = [step for faults in CLOUDS.values() for fault in KILLS for step in faults.get(fault, ())]
    assert {*killed} == {*steps_of("sagemaker")} == {*steps_of("vertex")}


def test_each_fault_strikes_one_of_the_clouds() -> None:
    # Then
    assert {fault for faults in CLOUDS.values() for fault in faults} == {*KILLS, Fault.AGENT_STOPPED, *OF_THE_BROKER}
