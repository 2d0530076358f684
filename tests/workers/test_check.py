"""`agent check`: one line for everything that an agent needs, and the cure in those that failed."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path

import pytest

from broker_config.looks import Look, Status
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.store import Store
from tests import clouds
from tests.cluster import cluster, namespace
from tests.moto_server import aws
from tests.oci_registry import registry
from workers.check import check, main


@pytest.fixture(autouse=True)
def surroundings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without an engine, without a login, and without W&B."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{home}/no-engine.sock")
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("WANDB_ENTITY", raising=False)


def checked(settings: Settings, text: str) -> list[Look]:
    (settings.home / "launch-config.yaml").write_text(text)
    return list(check(settings, None))


def by_subject(lines: list[Look]) -> dict[str, Status]:
    return {line.subject: line.status for line in lines}


def test_everything_that_an_agent_needs_has_its_line(settings: Settings, store: Store) -> None:
    # Given
    store.queues.create(Queue(name="gpu", entity="vision", resource="stub"))

    # When
    lines = checked(settings, "entity: vision\nqueues: [gpu]\nbuilder: {type: stub}\nmax_schedulers: 2\n")

    # Then
    assert [(line.status, line.subject) for line in lines] == [
        (Status.OK, "config"),
        (Status.WARNING, "config"),
        (Status.OK, "broker"),
        (Status.OK, "queue vision/gpu"),
        (Status.OK, "builder stub"),
        (Status.OK, "target stub"),
    ]
    assert lines[1].text.endswith("4:1: max_schedulers counts sweep schedulers, and this version has none")


@pytest.mark.parametrize(
    ("keys", "text", "status", "said"),
    [
        (f"k1:{'A' * 43}=,k2:{'B' * 43}=", "", Status.OK, "runs have to be signed with k1 or k2"),
        (
            f"k1:{'A' * 43}=",
            "require_signature: false",
            Status.WARNING,
            "require_signature is false, so runs need none",
        ),
        (None, "require_signature: true", Status.FAILED, "the agent has no key to tell signatures by"),
    ],
)
def test_whether_runs_have_to_be_signed_has_a_line(
    settings: Settings, keys: str | None, text: str, status: Status, said: str
) -> None:
    # When
    lines = checked(settings.model_copy(update={"signing_keys": keys}), f"queues: [gpu]\n{text}")

    # Then
    (line,) = (line for line in lines if line.subject == "signatures")
    assert line.status is status
    assert said in line.text


def test_a_config_that_cannot_work_is_the_only_line(settings: Settings) -> None:
    # When
    (line,) = checked(settings, "max_job: 3\n")

    # Then
    assert (line.status, line.subject) == (Status.FAILED, "config")
    assert "did you mean 'max_jobs'?" in line.text


def test_queues_that_cannot_be_served_are_named_each_with_its_cure(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    # Its client reads KUBECONFIG once, when it is imported.
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(settings.home / "absent"))
    store.queues.create(Queue(name="gpu", entity="language", resource="stub"))
    store.queues.create(Queue(name="cluster", entity="vision", resource="kubernetes"))

    # When
    lines = checked(settings, "entity: vision\nqueues: [gpu, language/gpu, clusterr, cluster]\nbuilder: {type: stub}\n")

    # Then
    failed = {line.subject: line.text for line in lines if line.status is Status.FAILED}
    assert set(failed) == {
        "queue vision/gpu",
        "queue language/gpu",
        "queue vision/clusterr",
        "jobs on queue vision/cluster",
        "target kubernetes",
    }
    assert "there is 'language/gpu', of another entity" in failed["queue vision/gpu"]
    assert "set the agent's entity to 'language'" in failed["queue language/gpu"]
    assert "did you mean 'vision/cluster'?" in failed["queue vision/clusterr"]
    for subject in ("jobs on queue vision/cluster", "target kubernetes"):
        assert "there is no Kubernetes cluster" in failed[subject]


def test_each_queue_has_its_own_cluster_asked_by_an_agent_that_has_none(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    cluster()
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(settings.home / "absent"))
    way = os.environ["KUBECONFIG"]
    silent = settings.home / "silent"
    silent.write_text(re.sub(r'https://[^",}\s]+', "https://127.0.0.1:1", Path(way).read_text()))
    with namespace() as space:
        own = {"near": {"configFile": way, "namespace": space}, "far": {"configFile": str(silent), "namespace": space}}
        for name, config in own.items():
            store.queues.create(Queue(name=name, resource="kubernetes", config=config))

        # When
        near = by_subject(checked(settings, "queues: [near]\nbuilder: {type: stub}\n"))
        both = checked(settings, "queues: [near, far]\nbuilder: {type: stub}\n")

    # Then
    assert (near["jobs on queue near"], near["target kubernetes"]) == (Status.OK, Status.OK)
    assert by_subject(both)["jobs on queue near"] is Status.OK
    failed = {line.subject: line.text for line in both if line.status is Status.FAILED}
    assert list(failed) == ["jobs on queue far"]
    assert f"{silent} does not answer" in failed["jobs on queue far"]


def test_a_builder_that_is_not_there_fails_and_one_that_was_not_named_is_passed_over(
    settings: Settings, store: Store
) -> None:
    # Given
    store.queues.create(Queue(name="gpu", resource="stub"))

    # When
    named = by_subject(checked(settings, "queues: [gpu]\nbuilder: {type: docker}\n"))
    chosen = checked(settings, "queues: [gpu]\n")

    # Then
    assert named["builder docker"] is Status.FAILED
    assert [(line.status, line.subject) for line in chosen if line.subject.startswith("builder")] == [
        (Status.WARNING, "builder docker"),
        (Status.WARNING, "builder buildkit"),
        (Status.OK, "builder noop"),
    ]


def test_a_broker_that_does_not_answer_is_told_and_the_rest_is_still_looked_at(home: Path) -> None:
    # Given
    settings = Settings(home=home, broker_url="redis://127.0.0.1:1/0")

    # When
    lines = by_subject(checked(settings, "queues: [gpu]\nbuilder: {type: stub}\n"))

    # Then
    assert (lines["broker"], lines["builder stub"]) == (Status.FAILED, Status.OK)


def test_a_registry_is_asked_whether_the_agent_may_push(settings: Settings) -> None:
    # Given a registry that takes images, except below refused/
    with registry() as server:
        config = "queues: [gpu]\nbuilder: {type: noop}\nregistry: {uri: ADDRESS/PATH}\n"

        # When
        taken = checked(settings, config.replace("ADDRESS/PATH", f"{server.address}/team/jobs"))
        refused = checked(settings, config.replace("ADDRESS/PATH", f"{server.address}/refused/jobs"))
    gone = checked(settings, config.replace("ADDRESS/PATH", f"{server.address}/team/jobs"))

    # Then
    for what in ("push", "pull"):
        assert by_subject(taken)[f"registry {server.address}/team/jobs, {what}"] is Status.OK
    for line in (*refused[-2:], *gone[-2:]):
        assert line.status is Status.FAILED
    for line, words in zip(refused[-2:], ("takes no image", "shows no image"), strict=True):
        assert words in line.text
        assert f"denied; let the agent's user run: docker login {server.address}" in line.text
    assert "does not answer" in gone[-1].text


def test_a_registry_with_tokens_gets_the_login_of_the_agents_user(settings: Settings, home: Path) -> None:
    # Given a registry that gives a token to one user
    with registry(login="agent:secret") as server:
        config = f"queues: [gpu]\nbuilder: {{type: noop}}\nregistry: {{uri: {server.address}/team/jobs}}\n"

        # When nobody, somebody else and that user are logged in
        last = [checked(settings, config)[-1]]
        for login in ("agent:wrong", "agent:secret"):
            auth = base64.b64encode(login.encode()).decode()
            (home / "config.json").write_text(json.dumps({"auths": {server.address: {"auth": auth}}}))
            last.append(checked(settings, config)[-1])

    # Then
    assert [line.status for line in last] == [Status.FAILED, Status.FAILED, Status.OK]
    assert f"it gives no token: unauthorized; let the agent's user run: docker login {server.address}" in last[1].text
    assert not server.uploads, "the upload was cancelled"


def test_the_program_prints_a_line_each_or_json_and_its_exit_code_tells(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    store.queues.create(Queue(name="gpu", resource="stub"))
    monkeypatch.setenv("LAUNCHYARD_HOME", str(settings.home))
    monkeypatch.setenv("LAUNCHYARD_BROKER_URL", str(settings.broker_url))

    # When
    good = main(["--queue=gpu"])
    printed = capsys.readouterr().out
    bad = main(["--queue=nothing", "--json"])
    document = json.loads(capsys.readouterr().out)

    # Then
    assert (good, bad) == (0, 6)
    assert "ok       queue gpu: of entity default, on resource stub\n" in printed
    assert document["ok"] is False
    assert {"status": "ok", "subject": "broker", "text": "answers"} in document["checks"]


def test_an_environment_says_whose_credentials_it_has(
    settings: Settings, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given each cloud's library with credentials from a fake
    configs = {
        "aws": "{type: aws, region: eu-west-1}",
        "gcp": "{type: gcp, region: europe-west1}",
        "azure": "{type: azure}",
    }
    with aws() as variables, clouds.tokens() as tokens:
        for name, value in {**variables, **clouds.google(tokens, home), **clouds.azure(tokens)}.items():
            monkeypatch.setenv(name, value)

        # When
        held = {kind: checked(settings, f"queues: [gpu]\nenvironment: {text}\n") for kind, text in configs.items()}
        tokens.is_refusing = True
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        lost = {kind: checked(settings, f"queues: [gpu]\nenvironment: {text}\n") for kind, text in configs.items()}

    # Then
    said = {kind: next(line for line in lines if line.subject == f"environment {kind}") for kind, lines in held.items()}
    assert [line.status for line in said.values()] == [Status.OK] * 3
    assert "arn:aws:sts::123456789012" in said["aws"].text
    assert said["gcp"].text == "agent@project.example"
    assert {by_subject(lines)[f"environment {kind}"] for kind, lines in lost.items()} == {Status.FAILED}


def test_a_history_is_tried_where_there_is_one(settings: Settings, store: Store) -> None:
    # Given
    store.queues.create(Queue(name="gpu", resource="stub"))
    good = settings.model_copy(update={"history": f"sqlite://{settings.home}/history.db"})
    bad = settings.model_copy(update={"history": f"sqlite://{settings.home}/nowhere/history.db"})

    # Then
    assert by_subject(checked(good, "queues: [gpu]"))["history"] is Status.OK
    assert by_subject(checked(bad, "queues: [gpu]"))["history"] is Status.FAILED
