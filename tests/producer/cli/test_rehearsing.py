"""What a user sees of a cluster that is asked before a queue is written."""

from __future__ import annotations

import json

import pytest

from broker_config.queues import Queue
from broker_config.store import Store
from tests.cluster import cluster, namespace
from tests.producer.cli.conftest import Call


def config(**fields: object) -> str:
    return json.dumps({"spec": {"template": {"spec": {"containers": [{}], **fields}}}})


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a way to any cluster."""
    monkeypatch.setenv("KUBECONFIG", "/nowhere")


def test_without_a_cluster_a_queue_is_written_and_one_line_says_that_nobody_was_asked(
    launchyard: Call, alone: None
) -> None:
    # When
    answer = launchyard("queue", "create", "gpu", "-r", "kubernetes")
    # Then
    assert answer.code == 0
    assert "warning: kubernetes was not asked what it says to such jobs: there is no Kubernetes cluster" in answer.err
    assert "ask with: launchyard queue edit gpu --rehearse" in answer.err
    # When it is not to be asked, or by an edit that changes nothing of the jobs
    quiet = launchyard("queue", "create", "other", "-r", "kubernetes", "--no-rehearse", "--json")
    edited = launchyard("queue", "edit", "gpu", "--description", "for vision", "--json")
    # Then nothing is said of it
    assert (quiet.json["warnings"], edited.json["warnings"]) == ([], [])


def test_who_wants_an_answer_and_gets_none_gets_no_queue(launchyard: Call, alone: None, store: Store) -> None:
    # When
    answer = launchyard("queue", "create", "gpu", "-r", "kubernetes", "--rehearse")
    other = launchyard("queue", "create", "lab", "-r", "stub", "--rehearse")
    # Then
    assert (answer.code, other.code) == (3, 3)
    assert "--rehearse: kubernetes could not be asked: there is no Kubernetes cluster" in answer.err
    assert "--rehearse: nobody can be asked about jobs on 'stub'" in other.err
    assert not list(store.queues.list())


def test_what_a_cluster_refuses_is_a_warning_or_keeps_the_queue_back(launchyard: Call, store: Store) -> None:
    cluster()
    with namespace() as space:
        # Given a service account that is not there, which shows only when pods are made
        wrong = config(serviceAccountName="robot", nodeSelector={"pool": "{{pool}}"})
        options = ("-r", "kubernetes", "--template-variables", '{"pool": {"type": "string"}}')
        there = json.dumps({"namespace": space, **json.loads(wrong)})
        # When
        warned = launchyard("queue", "create", "a", *options, "--config-json", there)
        refused = launchyard("queue", "create", "b", *options, "--config-json", there, "--rehearse")
        # Then
        assert (warned.code, refused.code) == (0, 3)
        assert "warning: jobs would be refused from here: of its pods: " in warned.err
        assert f"error looking up service account {space}/robot" in warned.err
        assert "had stand-ins: the image launchyard.invalid/rehearsal:1, {{pool}}='text'" in warned.err
        assert [record.name for record in store.queues.list()] == ["a"]


def test_a_queue_that_is_there_is_asked_about_again_without_a_change(launchyard: Call, store: Store) -> None:
    cluster()
    # Given
    store.queues.create(Queue(name="gpu", resource="kubernetes"))
    # When
    answer = launchyard("queue", "edit", "gpu", "--rehearse")
    # Then
    assert answer.code == 0, answer.err
    assert "kubernetes has nothing against such jobs." in answer.err
    assert store.queues.get("gpu").revision == 1
