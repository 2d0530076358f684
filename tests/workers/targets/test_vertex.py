"""Jobs are made once at Vertex AI, whatever it answers, as whom and where the queue says."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1.types import JobState

from broker_config.errors import ConfigError, TemporaryError
from broker_config.states import Reason
from tests.clouds.faults import Fault
from tests.clouds.google_cloud import AGENT, PROJECT
from tests.clouds.vertex import LOCATION, shared_cloud
from tests.workers.targets.vertex_lab import CONFIG, VertexLab, config_with
from workers.failures import RunFailed
from workers.targets.contract.waiting import eventually
from workers.targets.protocol import Phase, Unanswered, Unlisted
from workers.targets.vertex.handles import Handle
from workers.targets.vertex.marks import Mark
from workers.targets.vertex.target import VertexTarget


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> VertexLab:
    cloud = shared_cloud()
    cloud.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    return VertexLab(home, cloud)


def jobs_of(lab: VertexLab, name: str) -> list[JobState]:
    """The states of all jobs of a run, the newest first."""
    run_id = Handle.parse(name).run.split("-")[1]
    return [job.said.state for job in lab.server.place().listed(f'labels.launchyard-run-id="{run_id}"')]


# --- made once --------------------------------------------------------------------------------------------------------


def test_a_job_whose_answer_was_lost_is_found_and_not_made_again(lab: VertexLab) -> None:
    # Given an answer that is lost after the job was made
    lab.server.faults.add(Fault("CreateCustomJob", is_done=True))
    request = lab.request()
    with pytest.raises(TemporaryError):
        lab.target.submit(request)

    # When it is tried again
    lab.target.submit(request)

    # Then
    assert len(jobs_of(lab, request.name)) == 1
    assert lab.server.faults.calls["CreateCustomJob"] == 1
    seen = lab.observe(request.name)
    assert seen is not None
    assert seen.phase is Phase.STARTING


def test_of_two_jobs_of_agents_that_met_the_oldest_stays_for_both(lab: VertexLab) -> None:
    # Given an agent whose list came before another's job, and which makes one too
    request = lab.request()
    lab.target.submit(request)
    [first] = lab.server.place().jobs.values()
    lab.server.place().hidden_seconds = 0.5
    late = lab.another_agent()

    # When
    late.submit(request)
    lab.server.place().hidden_seconds = 0.0
    assert len(jobs_of(lab, request.name)) == 2
    late.observe([request.name])

    # Then it has cancelled its own as soon as it sees the other
    assert jobs_of(lab, request.name) == [JobState.JOB_STATE_CANCELLING, JobState.JOB_STATE_QUEUED]
    assert first.said.state is JobState.JOB_STATE_QUEUED
    for agent in (late, lab.target, lab.another_agent()):
        assert agent.observe([request.name])[request.name].phase is Phase.STARTING


def test_whoever_finds_two_jobs_of_a_run_cancels_the_younger(lab: VertexLab) -> None:
    # Given two jobs whose agents are gone
    request = lab.request()
    lab.target.submit(request)
    lab.server.place().hidden_seconds = 0.5
    lab.another_agent().submit(request)
    lab.server.place().hidden_seconds = 0.0

    # When
    lab.another_agent().submit(request)

    # Then
    assert jobs_of(lab, request.name) == [JobState.JOB_STATE_CANCELLING, JobState.JOB_STATE_QUEUED]


def test_another_job_with_a_runs_labels_is_left_alone(lab: VertexLab) -> None:
    # Given
    name, job = lab.submit()

    # Then
    other = replace(lab.request(config_with(display_name="other")), name=name)
    with pytest.raises(RunFailed, match="another request") as failed:
        lab.another_agent().submit(other)
    assert failed.value.reason is Reason.NAME_TAKEN
    assert not job.has_ended


def test_a_job_that_is_made_while_its_run_is_released_is_ended(lab: VertexLab) -> None:
    # Given an agent that is frozen after it saw no mark
    request = lab.request()
    lab.server.faults.add(Fault("CreateCustomJob", breaks=False, seconds=0.5))
    handle = Handle.parse(request.name)

    # When the run is released meanwhile
    release = threading.Timer(0.2, lab.another_agent().release, [request.name])
    release.start()
    lab.target.submit(request)
    release.join()

    # Then
    assert jobs_of(lab, request.name) == [JobState.JOB_STATE_CANCELLING]
    assert f"{handle.run}-{Mark.RELEASED}" in lab.services.secrets

    # And it is removed with its mark
    lab.job(request.name).move(JobState.JOB_STATE_CANCELLED)
    lab.target.forget(request.name)
    assert jobs_of(lab, request.name) == []
    assert lab.services.secrets == {}


# --- what Vertex AI answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "ABORTED"])
def test_a_submit_that_fails_for_now_is_worth_another_try(lab: VertexLab, code: str) -> None:
    lab.server.faults.add(Fault("CreateCustomJob", code=code))

    with pytest.raises(TemporaryError, match="made by a test"):
        lab.target.submit(lab.request())


def test_a_throttled_submit_waits_as_long_as_vertex_says(lab: VertexLab) -> None:
    # Given
    lab.server.faults.add(Fault("CreateCustomJob", code="RESOURCE_EXHAUSTED", headers={"retry-after": "17"}))

    # Then
    with pytest.raises(TemporaryError) as raised:
        lab.target.submit(lab.request())
    assert 17 <= raised.value.delay_seconds <= 26


def test_a_run_waits_while_its_projects_quota_of_machines_is_taken(lab: VertexLab) -> None:
    # Given
    words = "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_cpus"
    lab.server.faults.add(Fault("CreateCustomJob", code="RESOURCE_EXHAUSTED", message=words))

    # Then
    with pytest.raises(TemporaryError, match=r"custom_model_training_cpus.*; the run waits") as raised:
        lab.target.submit(lab.request())
    assert raised.value.delay_seconds == 60


def test_a_refusal_keeps_googles_words(lab: VertexLab) -> None:
    lab.server.faults.add(Fault("CreateCustomJob", code="INVALID_ARGUMENT", message="Machine type x is not supported."))

    with pytest.raises(RunFailed, match=r"Vertex AI refuses aiplatform.customJobs.create: Machine type x") as failed:
        lab.target.submit(lab.request())
    assert failed.value.reason is Reason.TARGET_REFUSED


@pytest.mark.parametrize(
    ("method", "permission"), [("CreateCustomJob", "create"), ("ListCustomJobs", "list"), ("CancelCustomJob", "cancel")]
)
def test_a_missing_permission_is_named(lab: VertexLab, method: str, permission: str) -> None:
    # Given
    name, _ = lab.submit()
    lab.server.denied.add(method)

    # Then
    words = f"aiplatform.customJobs.{permission}.*; give the agent that permission"
    request = lab.request()
    with pytest.raises(RunFailed, match=words):
        lab.target.cancel(name, 30.0) if permission == "cancel" else lab.target.submit(request)


def test_an_api_that_is_not_enabled_is_told_with_googles_own_cure(lab: VertexLab) -> None:
    words = (
        "Vertex AI API has not been used in project 1 before or it is disabled. Enable it by visiting https://c.example"
    )
    lab.server.faults.add(Fault("CreateCustomJob", code="PERMISSION_DENIED", message=words))

    with pytest.raises(RunFailed, match=r"Enable it by visiting https://c.example$"):
        lab.target.submit(lab.request())


def test_a_token_that_google_does_not_take_ends_no_run(lab: VertexLab) -> None:
    # Given
    name, _ = lab.submit()
    lab.server.refuses_tokens = True

    # When
    with pytest.raises(TemporaryError, match=r"is not reached with the agent's credentials.*gcloud auth"):
        lab.target.submit(lab.request())

    # Then it goes on as soon as they are taken
    lab.server.refuses_tokens = False
    assert eventually(lambda: lab.observe(name))


def test_an_agent_without_credentials_says_how_to_get_some(lab: VertexLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(lab.home / "nothing.json"))

    with pytest.raises(ConfigError, match=r"no credentials here.*gcloud auth application-default login"):
        lab.target.submit(lab.request())


# --- where, and as whom -----------------------------------------------------------------------------------------------


def test_a_queue_chooses_project_and_location(lab: VertexLab) -> None:
    # When
    request = lab.request(config_with(project="vision", location="us-central1"))
    lab.target.submit(request)

    # Then
    assert len(lab.server.place("vision", "us-central1").jobs) == 1
    assert lab.target.inventory() == [request.name]
    assert request.name.endswith("@vision/us-central1")


def test_without_a_word_a_job_goes_where_the_agents_environment_and_its_credentials_are(lab: VertexLab) -> None:
    lab.target.submit(lab.request())

    assert len(lab.server.place(PROJECT, LOCATION).jobs) == 1


def test_an_agent_that_is_told_no_location_says_so(lab: VertexLab) -> None:
    with pytest.raises(ConfigError, match=r"names no location.*under spec"):
        VertexTarget(lab.home).submit(lab.request())


def test_a_queue_may_have_the_agent_impersonate_a_service_account(lab: VertexLab) -> None:
    # Given
    launcher = "launcher@vision.iam.gserviceaccount.com"

    # When
    lab.target.submit(lab.request(config_with(impersonate_service_account=launcher)))

    # Then Vertex AI has heard nobody else
    assert {lab.services.whose(token) for token in lab.server.tokens} == {launcher}


def test_an_account_that_the_agent_may_not_impersonate_is_told_with_the_permission(lab: VertexLab) -> None:
    # Given
    lab.services.denied.add("iam.serviceAccounts.getAccessToken")
    request = lab.request(config_with(impersonate_service_account="launcher@vision.example"))

    # Then, whichever service is asked first
    words = "needs iam.serviceAccounts.getAccessToken on launcher@"
    with pytest.raises(TemporaryError, match=words):
        lab.target.submit(request)
    with pytest.raises(Unanswered, match=words):
        lab.another_agent().observe([request.name])


def test_names_of_experiments_become_full_with_project_and_location(lab: VertexLab) -> None:
    # When
    _, job = lab.submit({**CONFIG, "run": {"experiment": "vision", "experiment_run": "nightly"}})

    # Then
    contexts = f"projects/{PROJECT}/locations/{LOCATION}/metadataStores/default/contexts"
    assert job.said.job_spec.experiment == f"{contexts}/vision"
    assert job.said.job_spec.experiment_run == f"{contexts}/vision-nightly"


def test_a_new_agent_finds_the_jobs_of_its_queues_before_it_has_sent_any(lab: VertexLab, tmp_path: Path) -> None:
    # Given a job that another machine has sent
    config = config_with(project="vision", location="us-central1")
    request = lab.request(config)
    lab.target.submit(request)
    another = VertexTarget(tmp_path)

    # When it learns where its queues send theirs
    another.learn(config_with(location="{{location}}"))
    another.learn(config)

    # Then
    assert another.search() == ()
    assert another.inventory() == [request.name]


def test_a_location_that_is_away_holds_up_no_other(lab: VertexLab) -> None:
    # Given jobs at two places, of which one is away
    here = lab.request(config_with(location="europe-west4"))
    there = lab.request(config_with(location="us-central1"))
    for request in (here, there):
        lab.target.submit(request)
    lab.server.broken.add("us-central1")

    # When another agent asks
    with pytest.raises(Unanswered) as raised:
        lab.another_agent().observe([here.name, there.name])
    with pytest.raises(Unlisted) as unlisted:
        lab.another_agent().inventory()

    # Then
    assert list(raised.value.seen) == [here.name]
    assert list(raised.value.silent) == [there.name]
    assert unlisted.value.names == [here.name]
    assert AGENT in {lab.services.whose(token) for token in lab.server.tokens}


# --- ends -------------------------------------------------------------------------------------------------------------


def test_a_job_that_somebody_cancelled_at_vertex_says_so_to_every_agent(lab: VertexLab) -> None:
    # Given
    name, job = lab.submit()
    job.move(JobState.JOB_STATE_RUNNING)

    # When
    job.move(JobState.JOB_STATE_CANCELLED)

    # Then
    seen = lab.observe(name, lab.another_agent())
    assert seen is not None
    assert "Launchyard did not" in seen.text


def test_who_wanted_a_cancel_is_known_to_an_agent_that_takes_the_run_up(lab: VertexLab) -> None:
    # Given
    name, job = lab.submit()
    lab.target.cancel(name, 30.0)
    assert job.said.state is JobState.JOB_STATE_CANCELLING

    # When
    job.move(JobState.JOB_STATE_CANCELLED)

    # Then
    seen = lab.observe(name, lab.another_agent())
    assert seen is not None
    assert "Launchyard did not" not in seen.text


def test_a_release_leaves_nothing_but_the_mark_that_keeps_the_name_taken(lab: VertexLab) -> None:
    # Given a cancelled run
    name, job = lab.submit()
    lab.target.cancel(name, 30.0)
    job.move(JobState.JOB_STATE_CANCELLED)

    # When
    lab.target.release(name)

    # Then
    assert [*lab.services.secrets] == [f"{Handle.parse(name).run}-{Mark.RELEASED}"]
    assert jobs_of(lab, name) == []
    assert lab.target.released(0.0) == [name]
