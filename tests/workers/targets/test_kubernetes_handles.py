from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.targets.kubernetes.handles import Handle

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
NAME = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
API_VERSION = st.one_of(NAME, st.tuples(NAME, NAME).map(lambda parts: f"{parts[0]}.example.com/{parts[1]}"))


@given(TEXT, TEXT, NAME, API_VERSION, NAME, NAME)
def test_a_handle_is_read_back_as_it_was_written(
    config_file: str, context: str, namespace: str, api_version: str, kind: str, name: str
) -> None:
    # Given
    handle = Handle("launchyard-abc-1", config_file, context, namespace, api_version, kind, name)
    # Then
    assert Handle.parse(str(handle)) == handle


@pytest.mark.parametrize(
    ("manifest", "cluster", "text"),
    [
        (
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "launchyard-abc-1"}},
            {},
            "launchyard-abc-1@//Job.v1.batch/launchyard-abc-1",
        ),
        (
            {
                "apiVersion": "kubeflow.org/v1",
                "kind": "PyTorchJob",
                "metadata": {"name": "vision-launchyard-abc-1", "namespace": "team-a"},
            },
            {"context": "prod"},
            "launchyard-abc-1@#prod/team-a/PyTorchJob.v1.kubeflow.org/vision-launchyard-abc-1",
        ),
    ],
)
def test_a_handle_reads_well(manifest: dict[str, object], cluster: dict[str, str], text: str) -> None:
    assert str(Handle.of("launchyard-abc-1", cluster, manifest)) == text


def test_a_runs_name_alone_is_that_of_a_job_in_the_agents_own_namespace() -> None:
    # When
    handle = Handle.parse("launchyard-abc-1")
    # Then
    assert (handle.namespace, handle.api_version, handle.kind, handle.name) == ("", "batch/v1", "Job", handle.run)
