"""The names by which everybody outside of the SageMaker target knows its jobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.sweep import OBJECT_NAME
from workers.targets.sagemaker.handles import Handle
from workers.targets.sagemaker.operations import BY_KIND, PROCESSING, TRAINING

RUN = "launchyard-r7k2m9x4q8ab-1"


@given(profile=st.text(), role=st.text(), region=st.text(), kind=st.sampled_from(sorted(BY_KIND)), name=st.text())
def test_what_a_handle_says_is_read_back(profile: str, role: str, region: str, kind: str, name: str) -> None:
    handle = Handle(RUN, profile, role, region, kind, name)

    assert Handle.parse(str(handle)) == handle
    assert OBJECT_NAME.fullmatch(str(handle))


def test_a_runs_name_alone_is_that_of_a_training_job_at_the_agents_own_place() -> None:
    assert Handle.parse(RUN) == Handle.of(RUN, {}, TRAINING, RUN)


@pytest.mark.parametrize(
    ("session", "text"),
    [
        ({}, f"{RUN}@/processing-job/{RUN}"),
        ({"region": "eu-west-1"}, f"{RUN}@eu-west-1/processing-job/{RUN}"),
        ({"profile": "research"}, f"{RUN}@research//processing-job/{RUN}"),
        (
            {"assume_role_arn": "arn:aws:iam::1:role/a"},
            f"{RUN}@#arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa//processing-job/{RUN}",
        ),
    ],
)
def test_a_handle_is_read_by_people(session: dict[str, str], text: str) -> None:
    assert str(Handle.of(RUN, session, PROCESSING, RUN)) == text


def test_another_job_at_the_same_place_is_named_after_its_run() -> None:
    # Given
    handle = Handle.of(RUN, {"region": "eu-west-1"}, TRAINING, RUN)

    # Then a prefix of the queue's is no part of the run's name
    beside = handle.beside("vision-launchyard-abc-2")
    assert beside is not None
    assert (beside.run, beside.name, beside.region) == ("launchyard-abc-2", "vision-launchyard-abc-2", "eu-west-1")
    assert handle.beside("somebody-elses") is None
