"""What every target promises, in the words of `workers/targets/protocol.py`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from tests.contract.targets import TARGETS, Behaviour, Lab
from tests.contract.waiting import eventually
from workers.failures import RunFailed
from workers.targets.protocol import Phase, Target

LONG = 120.0


@pytest.fixture(params=TARGETS)
def lab(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    case = TARGETS[request.param]
    for name, value in case.variables().items():
        monkeypatch.setenv(name, value)
    lab = Lab(case, home)
    yield lab
    lab.close()


@contextmanager
def watching(target: Target, changed: Callable[[str | None], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=target.watch, args=(changed, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10.0)
        assert not thread.is_alive(), "watch went on after it was told to stop"


# --- render -----------------------------------------------------------------------------------------------------------


def test_the_same_workload_gives_the_same_request(lab: Lab) -> None:
    # Given
    workload = lab.workload(Behaviour(lines=("hello",)))
    # When
    requests = [lab.target.render(workload), lab.another_agent().render(workload)]
    # Then
    assert requests[0] == requests[1]
    assert requests[0].digest == requests[1].digest


def test_a_config_field_that_no_target_knows_is_named_as_the_queues_fault(lab: Lab) -> None:
    # Given
    workload = replace(lab.workload(Behaviour()), config={"gpu_s": 1})
    # When
    with pytest.raises(RunFailed) as failed:
        lab.target.render(workload)
    # Then
    assert failed.value.failure is FailureClass.CONFIG
    assert "gpu_s" in str(failed.value)


# --- submit -----------------------------------------------------------------------------------------------------------


def test_an_object_is_known_as_soon_as_submit_has_returned(lab: Lab) -> None:
    # When
    name = lab.submit(Behaviour(seconds=LONG))
    # Then
    for target in (lab.target, lab.another_agent()):
        assert target.observe([name])[name].phase in {Phase.STARTING, Phase.RUNNING}


def test_many_agents_that_submit_at_once_start_one_job(lab: Lab) -> None:
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


def test_submitting_again_after_the_end_adopts_the_end(lab: Lab) -> None:
    # Given
    request = lab.target.render(lab.workload(Behaviour(lines=("only once",), exit_code=3)))
    lab.target.submit(request)
    ended = lab.end_of(request.name)
    # When
    lab.another_agent().submit(request)
    # Then
    assert lab.observe(request.name) == ended
    assert lab.lines(request.name) == ["only once"]


def test_another_request_under_the_same_name_is_refused_and_changes_nothing(lab: Lab) -> None:
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


# --- observe ----------------------------------------------------------------------------------------------------------


def test_a_job_that_ends_with_zero_has_succeeded(lab: Lab) -> None:
    # When
    ended = lab.end_of(lab.submit(Behaviour()))
    # Then
    assert (ended.phase, ended.exit_code, ended.failure) == (Phase.SUCCEEDED, 0, None)


def test_a_job_that_ends_with_another_code_has_failed_by_its_own_fault(lab: Lab) -> None:
    # When
    ended = lab.end_of(lab.submit(Behaviour(exit_code=7)))
    # Then
    assert (ended.phase, ended.exit_code, ended.failure) == (Phase.FAILED, 7, FailureClass.USER)
    assert "7" in ended.text


@pytest.mark.parametrize("code", [130, 137, 143])
def test_a_job_that_a_signal_from_outside_has_ended_has_not_failed_by_its_own_fault(lab: Lab, code: int) -> None:
    # When
    ended = lab.end_of(lab.submit(Behaviour(exit_code=code)))
    # Then
    assert (ended.phase, ended.reason, ended.exit_code) == (Phase.FAILED, Reason.EXITED, code)
    assert ended.failure is FailureClass.INFRA


def test_names_that_were_never_submitted_are_missing_in_the_answer(lab: Lab) -> None:
    # Given
    name = lab.submit(Behaviour(seconds=LONG))
    # When
    observed = lab.target.observe([name, lab.new_name()])
    # Then
    assert list(observed) == [name]


# --- watch ------------------------------------------------------------------------------------------------------------


def test_watching_begins_with_a_look_at_everything_and_then_tells_of_each_end(lab: Lab) -> None:
    # Given
    told: list[str | None] = []
    with watching(lab.target, told.append):
        eventually(lambda: told)
        # When
        names = [lab.submit(Behaviour(seconds=0.3)) for _ in range(3)]
        # Then
        eventually(lambda: all(name in told and lab.end_of(name) for name in names))
    assert told[0] is None


def test_watching_tells_of_the_end_of_an_object_that_another_agent_submitted(lab: Lab) -> None:
    # Given
    name = lab.submit(Behaviour(seconds=1.0))
    successor = lab.another_agent()
    ends: list[Phase] = []

    def changed(told: str | None) -> None:
        # As the agent does: a gap means to look at all that it holds.
        phase = successor.observe([name])[name].phase
        if told in {None, name} and phase.is_end:
            ends.append(phase)

    # When
    with watching(successor, changed):
        # Then
        eventually(lambda: ends)
    assert ends[0] is Phase.SUCCEEDED


# --- logs -------------------------------------------------------------------------------------------------------------


def test_lines_come_whole_and_in_order_also_to_a_second_reader(lab: Lab) -> None:
    # Given
    printed = tuple(f"line {number} with ümläuts" for number in range(200))
    # When
    name = lab.submit(Behaviour(lines=printed))
    lab.end_of(name)
    # Then
    assert lab.lines(name) == [*printed]
    assert lab.lines(name, lab.another_agent()) == [*printed]


def test_reading_goes_on_from_a_position_that_another_agent_has_reached(lab: Lab) -> None:
    # Given
    name = lab.submit(Behaviour(lines=("one", "two"), seconds=LONG))
    position = ""
    read: list[str] = []

    def both() -> bool:
        nonlocal position
        chunk = lab.target.read_logs(name, position)
        position = chunk.position
        read.extend(chunk.lines)
        return len(read) == 2

    eventually(both)
    # When
    again = lab.another_agent().read_logs(name, position)
    # Then
    assert read == ["one", "two"]
    assert list(again.lines) == []
    assert not again.more


def test_an_object_that_is_gone_has_no_lines(lab: Lab) -> None:
    assert list(lab.target.read_logs(lab.new_name(), "").lines) == []


# --- cancel -----------------------------------------------------------------------------------------------------------


def test_a_cancelled_job_ends_as_cancelled_however_often_it_is_asked(lab: Lab) -> None:
    # Given
    name = lab.submit(Behaviour(seconds=LONG))
    # When
    lab.target.cancel(name, 30.0)
    lab.another_agent().cancel(name, 30.0)
    # Then
    assert lab.end_of(name).phase is Phase.CANCELLED
    lab.target.cancel(name, 30.0)
    assert lab.end_of(name).phase is Phase.CANCELLED


def test_a_job_that_ignores_the_wish_is_ended_by_force_after_the_grace(lab: Lab) -> None:
    # Given
    name = lab.submit(Behaviour(lines=("deaf",), seconds=LONG, ignores_cancel=True))
    eventually(lambda: lab.lines(name))
    # When
    asked = time.monotonic()
    lab.target.cancel(name, 1.0)
    ended = lab.end_of(name)
    # Then
    assert ended.phase is Phase.CANCELLED
    assert "by force" in ended.text
    assert 0.9 <= time.monotonic() - asked < 15.0


def test_a_wish_that_comes_after_the_end_does_not_change_the_end(lab: Lab) -> None:
    # Given
    name = lab.submit(Behaviour(exit_code=4))
    ended = lab.end_of(name)
    # When
    lab.target.cancel(name, 1.0)
    # Then
    assert lab.observe(name) == ended


def test_cancelling_what_is_gone_succeeds(lab: Lab) -> None:
    name = lab.new_name()
    lab.target.cancel(name, 1.0)
    assert lab.observe(name) is None


# --- release ----------------------------------------------------------------------------------------------------------


def test_after_its_release_an_object_is_gone_for_all_and_may_be_released_again(lab: Lab) -> None:
    # Given
    name = lab.submit(Behaviour(lines=("something",)))
    lab.end_of(name)
    # When
    lab.target.release(name)
    lab.another_agent().release(name)
    # Then
    assert lab.observe(name) is None
    assert lab.another_agent().observe([name]) == {}
    assert lab.lines(name) == []


def test_the_inventory_names_objects_of_all_agents_until_their_release(lab: Lab) -> None:
    # Given
    name = lab.submit(Behaviour())
    # When
    before = lab.another_agent().inventory()
    lab.end_of(name)
    lab.target.release(name)
    # Then
    assert name in before
    assert name not in lab.target.inventory()


def test_the_passport_of_a_request_is_given_back_to_all_agents_and_is_no_part_of_the_digest(lab: Lab) -> None:
    # Given
    request = lab.target.render(lab.workload(Behaviour(seconds=LONG)))
    stamped = replace(request, passport='{"who": "run 1, \u00e4"}')
    # When another agent submits the same with another passport
    lab.target.submit(stamped)
    lab.another_agent().submit(replace(request, passport="later"))
    # Then
    assert stamped.digest == request.digest
    assert lab.another_agent().passport(request.name) == stamped.passport
    assert lab.target.passport(f"{request.name}0") == ""


def test_what_runs_is_not_released(lab: Lab) -> None:
    # Given
    name = lab.submit(Behaviour(seconds=LONG))
    # When
    with pytest.raises(TemporaryError, match="run"):
        lab.target.release(name)
    # Then
    observed = lab.observe(name)
    assert observed is not None
    assert not observed.phase.is_end


def test_a_submit_that_comes_after_the_release_makes_nothing(lab: Lab) -> None:
    # Given an object that another agent adopted and released while this one was frozen
    request = lab.target.render(lab.workload(Behaviour(lines=("only once",))))
    lab.another_agent().submit(request)
    lab.end_of(request.name)
    lab.another_agent().release(request.name)
    # When
    lab.target.submit(request)
    # Then
    assert lab.observe(request.name) is None
    assert request.name not in lab.target.inventory()


def test_a_name_that_was_released_before_its_submit_stays_taken(lab: Lab) -> None:
    # Given a run that was cancelled before another agent had submitted it
    request = lab.target.render(lab.workload(Behaviour(lines=("never",))))
    lab.another_agent().release(request.name)
    # When
    lab.target.submit(request)
    # Then
    assert lab.observe(request.name) is None
    assert lab.lines(request.name) == []


def test_a_name_is_free_again_when_its_release_is_forgotten(lab: Lab) -> None:
    # Given
    request = lab.target.render(lab.workload(Behaviour(lines=("again",))))
    if not lab.case.keeps_names:
        lab.target.submit(request)
        lab.end_of(request.name)
    lab.target.release(request.name)
    # When
    assert request.name in lab.another_agent().released(0.0)
    assert request.name not in lab.another_agent().released(3600.0)
    lab.target.forget(request.name)
    lab.target.submit(request)
    # Then
    assert lab.end_of(request.name).phase is Phase.SUCCEEDED
    assert lab.lines(request.name) == ["again"]


@pytest.mark.parametrize("lab", [name for name, case in TARGETS.items() if case.keeps_names], indirect=True)
def test_a_name_that_its_platform_keeps_is_never_free_again(lab: Lab) -> None:
    # Given
    request = lab.target.render(lab.workload(Behaviour(lines=("only once",))))
    lab.target.submit(request)
    lab.end_of(request.name)
    lab.target.release(request.name)
    # When
    lab.target.forget(request.name)
    lab.another_agent().submit(request)
    # Then
    assert request.name not in lab.another_agent().released(0.0)
    assert lab.another_agent().observe([request.name]) == {}
