"""How a request is made and sent: promises 1, 2 and 10 of `workers/targets/protocol.py`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.contract.case import Behaviour
from workers.targets.contract.lab import LONG, Lab
from workers.targets.protocol import Phase


class Submitting:
    """`render` and `submit`."""

    def test_the_same_workload_gives_the_same_request(self, lab: Lab) -> None:
        # Given
        workload = lab.workload(Behaviour(lines=("hello",)))
        # When
        requests = [lab.target.render(workload), lab.another_agent().render(workload)]
        # Then
        assert requests[0] == requests[1]
        assert requests[0].digest == requests[1].digest

    def test_a_config_field_that_no_target_knows_is_named_as_the_queues_fault(self, lab: Lab) -> None:
        # Given
        workload = replace(lab.workload(Behaviour()), config={"gpu_s": 1})
        # When
        with pytest.raises(RunFailed) as failed:
            lab.target.render(workload)
        # Then
        assert failed.value.failure is FailureClass.CONFIG
        assert "gpu_s" in str(failed.value)

    def test_an_object_is_known_as_soon_as_submit_has_returned(self, lab: Lab) -> None:
        # When
        name = lab.submit(Behaviour(seconds=LONG))
        # Then
        for target in (lab.target, lab.another_agent()):
            assert target.observe([name])[name].phase in {Phase.STARTING, Phase.RUNNING}

    def test_many_agents_that_submit_at_once_start_one_job(self, lab: Lab) -> None:
        # Given
        request = lab.target.render(lab.workload(Behaviour(lines=("only once",), seconds=0.2)))
        agents = [lab.another_agent() for _ in range(6)]
        # When
        with ThreadPoolExecutor(len(agents)) as pool:
            for done in [pool.submit(agent.submit, request) for agent in agents]:
                done.result(30)
        # Then
        assert lab.end_of(request.name).phase is Phase.SUCCEEDED
        assert lab.lines(request.name) == ["only once"]

    def test_submitting_again_after_the_end_adopts_the_end(self, lab: Lab) -> None:
        # Given
        request = lab.target.render(lab.workload(Behaviour(lines=("only once",), exit_code=3)))
        lab.target.submit(request)
        ended = lab.end_of(request.name)
        # When
        lab.another_agent().submit(request)
        # Then
        assert lab.observe(request.name) == ended
        assert lab.lines(request.name) == ["only once"]

    def test_another_request_under_the_same_name_is_refused_and_changes_nothing(self, lab: Lab) -> None:
        # Given
        name = lab.submit(Behaviour(seconds=LONG))
        other = lab.target.render(lab.workload(Behaviour(lines=("other",)), name))
        # When
        with pytest.raises(RunFailed) as failed:
            lab.another_agent().submit(other)
        # Then
        assert failed.value.reason is Reason.NAME_TAKEN
        observed = lab.observe(name)
        assert observed is not None
        assert not observed.phase.is_end
