"""The kubernetes target on a real cluster; what all targets promise is in the contract suite."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Semaphore
from typing import Any

import pytest

from broker_config.errors import TemporaryError
from broker_config.oci.logins import Login
from broker_config.states import FailureClass, Reason
from tests.cluster import JOBS, account, cluster, device, namespace, registry
from tests.workers.targets.kubernetes_lab import Lab
from workers.failures import RunFailed
from workers.kubernetes.resource import CONFIG_MAPS, PODS, SECRETS, Resource
from workers.targets.contract.waiting import eventually
from workers.targets.kubernetes.handles import Handle
from workers.targets.kubernetes.logs import CHUNK_CHARACTERS
from workers.targets.kubernetes.output import LINE_BYTES
from workers.targets.kubernetes.scope import Scope
from workers.targets.kubernetes.target import KubernetesTarget
from workers.targets.protocol import Phase

QUOTAS = Resource("v1", "ResourceQuota", "resourcequotas")


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    with namespace() as space:
        yield Lab(home, space)


@pytest.fixture
def watched(lab: Lab) -> Iterator[Lab]:
    """The same, with a watch."""
    stop, began = threading.Event(), threading.Event()
    thread = threading.Thread(target=lab.target.watch, args=(lambda _: began.set(), stop))
    thread.start()
    began.wait(10)
    yield lab
    stop.set()
    thread.join(10)


def pod_spec(**fields: Any) -> Mapping[str, Any]:
    return {"template": {"spec": fields}}


# --- what holds a job up, and how it ends -----------------------------------------------------------------------------


def test_a_job_that_no_node_can_take_says_so_in_the_schedulers_words(lab: Lab) -> None:
    # When
    limits = {"limits": {"nvidia.com/gpu": "3"}}
    name = lab.submit("true", spec=pod_spec(containers=[{"resources": limits}]))
    # Then
    assert "Insufficient nvidia.com/gpu" in lab.seen_with(name, Reason.UNSCHEDULABLE).text


def test_a_job_that_waits_for_gpus_says_how_many_are_free(lab: Lab) -> None:
    with device(4) as gpu:
        # Given others that have three of four
        limits = {"limits": {gpu: 3}}
        others = lab.submit("sleep", "100", spec=pod_spec(containers=[{"resources": limits}]))
        lab.seen_with(others, Reason.RUNNING)
        # When
        name = lab.submit("true", spec=pod_spec(containers=[{"resources": {"limits": {gpu: "2"}}}]))
        # Then the scheduler's words stand before the numbers
        text = lab.seen_with(name, Reason.UNSCHEDULABLE).text
        assert f"Insufficient {gpu}" in text
        assert f"It waits for 2 x {gpu}: 1 of 4 are free on the nodes that it may go to" in text
        # And when they are free, it runs
        lab.target.cancel(others, 0)
        assert lab.end_of(name).phase is Phase.SUCCEEDED


def test_an_agent_that_may_not_list_nodes_has_the_schedulers_words_alone(lab: Lab, tmp_path: Path) -> None:
    # Given
    lab.target = KubernetesTarget(tmp_path)
    rules = [{"apiGroups": ["", "batch"], "resources": ["*"], "verbs": ["*"]}]
    limits = {"limits": {"launchyard.example/none": 1}}
    # When
    login = account(lab.space, rules, tmp_path)
    name = lab.submit("true", configFile=login, spec=pod_spec(containers=[{"resources": limits}]))
    # Then
    text = lab.seen_with(name, Reason.UNSCHEDULABLE).text
    assert "Insufficient launchyard.example/none" in text
    assert "no node" not in text.lower().replace("no node takes the pod", "")


def test_pods_that_were_seen_before_their_object_are_not_forgotten(lab: Lab, home: Path) -> None:
    # Given
    limits = {"limits": {"launchyard.example/none": 1}}
    name = lab.submit("true", spec=pod_spec(containers=[{"resources": limits}]))
    lab.seen_with(name, Reason.UNSCHEDULABLE)
    # When a later agent with the same home has listed the objects and the pods there
    later, stop, listed = KubernetesTarget(home), threading.Event(), Semaphore(0)
    later.inventory()
    thread = threading.Thread(target=later.watch, args=(lambda _: listed.release(), stop))
    thread.start()
    for _ in range(2):
        assert listed.acquire(timeout=30)
    seen = later.observe([name])[name]
    stop.set()
    thread.join(10)
    # Then it knows why the object does not run
    assert seen.reason is Reason.UNSCHEDULABLE


def test_an_image_that_is_not_there_is_named(lab: Lab) -> None:
    # When
    request = lab.target.render(lab.workload(image="nobody/nothing:1"))
    lab.target.submit(request)
    # Then
    assert "nobody/nothing:1" in lab.seen_with(request.name, Reason.IMAGE_UNAVAILABLE).text


def test_a_full_quota_of_pods_is_told_as_the_reason_why_there_are_none(lab: Lab) -> None:
    # Given
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    cluster().call("POST", QUOTAS.path(lab.space), body=quota)
    # When
    name = lab.submit("true")
    # Then
    assert "exceeded quota: none" in lab.seen_with(name, Reason.UNSCHEDULABLE).text


def test_a_full_quota_of_jobs_makes_the_run_wait(lab: Lab) -> None:
    # Given
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    cluster().call("POST", QUOTAS.path(lab.space), body=quota)
    eventually(lambda: "hard" in cluster().get(QUOTAS.path(lab.space, "none")).get("status", {}))
    # Then
    with pytest.raises(TemporaryError, match="exceeded quota"):
        lab.submit("true")


def test_a_job_that_takes_too_much_memory_has_its_own_reason(lab: Lab) -> None:
    # When
    hungry = "import time\nheld = []\nwhile True: held.append(bytearray(10**7)); time.sleep(0.01)"
    limits = {"limits": {"memory": "64Mi"}}
    ended = lab.end_of(lab.submit("python", "-c", hungry, spec=pod_spec(containers=[{"resources": limits}])))
    # Then
    assert (ended.phase, ended.reason, ended.failure) == (Phase.FAILED, Reason.OUT_OF_MEMORY, FailureClass.USER)


def test_the_queues_own_deadline_is_told_as_one(lab: Lab) -> None:
    # When
    ended = lab.end_of(lab.submit("sleep", "100", spec={"activeDeadlineSeconds": 1}))
    # Then
    assert (ended.phase, ended.failure) == (Phase.FAILED, FailureClass.TIMEOUT)


@pytest.mark.parametrize("is_watched", [True, False])
def test_an_eviction_is_a_preemption_also_when_nobody_watched(
    lab: Lab, request: pytest.FixtureRequest, *, is_watched: bool
) -> None:
    # Given
    if is_watched:
        request.getfixturevalue("watched")
    name = lab.submit("sleep", "100", spec=pod_spec(terminationGracePeriodSeconds=1))
    lab.seen_with(name, Reason.RUNNING)
    # When
    (pod,) = cluster().get(PODS.path(lab.space))["items"]
    own = {"name": pod["metadata"]["name"], "namespace": lab.space}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": own}
    cluster().call("POST", PODS.path(lab.space, own["name"], "eviction"), body=body)
    # Then
    ended = lab.end_of(name)
    assert (ended.phase, ended.reason, ended.failure) == (Phase.FAILED, Reason.PREEMPTED, FailureClass.PREEMPTED)


def test_a_pod_that_somebody_deletes_ends_the_run_with_that_reason(watched: Lab) -> None:
    # Given
    name = watched.submit("sleep", "100", spec=pod_spec(terminationGracePeriodSeconds=1))
    watched.seen_with(name, Reason.RUNNING)
    # When
    (pod,) = cluster().get(PODS.path(watched.space))["items"]
    cluster().delete(PODS.path(watched.space, pod["metadata"]["name"]))
    # Then
    ended = watched.end_of(name)
    assert ended.failure is FailureClass.INFRA
    assert "deleted by somebody else" in ended.text


def test_an_object_that_somebody_deletes_is_gone(watched: Lab) -> None:
    # Given
    name = watched.submit("sleep", "100", spec=pod_spec(terminationGracePeriodSeconds=0))
    watched.seen_with(name, Reason.RUNNING)
    # When
    cluster().delete(JOBS.path(watched.space, Handle.parse(name).name))
    # Then
    eventually(lambda: watched.observe(name) is None)


# --- submit -----------------------------------------------------------------------------------------------------------


def test_a_field_that_the_cluster_does_not_know_is_refused_by_its_name(lab: Lab) -> None:
    with pytest.raises(RunFailed, match="nodeSelektor") as refused:
        lab.submit("true", spec=pod_spec(nodeSelektor={"a": "b"}))
    assert refused.value.failure is FailureClass.CONFIG


def test_a_kind_that_the_cluster_does_not_have_is_refused_with_what_it_has(lab: Lab) -> None:
    with pytest.raises(RunFailed, match=r"no kind Jop in batch/v1; batch/v1 has: CronJob, Job"):
        lab.submit("true", apiVersion="batch/v1", kind="Jop", spec=pod_spec(containers=[{}]))


def test_a_secret_goes_to_the_job_by_reference_and_leaves_with_its_object(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("API_KEY", "very-secret")
    secretive = replace(
        lab.workload("python", "-c", "import os; print(len(os.environ['API_KEY']))"), secrets=("API_KEY",)
    )
    request = lab.target.render(secretive)
    # When
    lab.target.submit(request)
    lab.target.submit(request)
    lab.end_of(request.name)
    # Then
    assert list(lab.target.read_logs(request.name, "").lines) == ["11"]
    assert "very-secret" not in json.dumps([lab.object(request.name), cluster().get(PODS.path(lab.space))])
    # When
    lab.target.release(request.name)
    # Then
    eventually(lambda: cluster().find(SECRETS.path(lab.space, Handle.parse(request.name).name)) is None)


def test_a_login_for_the_image_becomes_a_pull_secret_that_leaves_with_its_object(lab: Lab) -> None:
    # Given
    request = lab.target.render(lab.workload("echo", "hello"))
    login = Login("puller", "very-secret")
    # When an agent with a login has sent it, and another one without adopts it
    lab.target.submit(replace(request, login=lambda _: login))
    lab.target.submit(request)
    # Then
    assert lab.end_of(request.name).phase is Phase.SUCCEEDED
    secret = f"{Handle.parse(request.name).name}.pull"
    assert lab.object(request.name)["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": secret}]
    stored = cluster().get(SECRETS.path(lab.space, secret))
    assert json.loads(b64decode(stored["data"][".dockerconfigjson"]))["auths"].keys() == {registry()}
    # When
    lab.target.release(request.name)
    # Then
    eventually(lambda: cluster().find(SECRETS.path(lab.space, secret)) is None)


# --- logs -------------------------------------------------------------------------------------------------------------


def test_the_output_of_several_pods_says_whose_it_is(lab: Lab) -> None:
    # When
    name = lab.submit("echo", "hello", spec={"completions": 2, "parallelism": 2})
    lab.end_of(name)
    # Then
    lines = lab.target.read_logs(name, "").lines
    assert len(lines) == 2
    assert all(line.startswith(f"[{Handle.parse(name).name}-") and line.endswith(" launch0] hello") for line in lines)


def test_the_output_of_a_container_that_was_started_again_is_read_too(lab: Lab) -> None:
    # Given a command that fails the first time, and runs the second time
    script = "echo began; test -e /shared/again || { touch /shared/again; exit 1; }; sleep 100"
    container = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    pod = pod_spec(restartPolicy="OnFailure", containers=[container], volumes=[{"name": "shared", "emptyDir": {}}])
    # When
    name = lab.submit("sh", "-c", script, spec={**pod, "backoffLimit": 3})

    # Then
    def words() -> list[str]:
        return [line.rpartition(" ")[2] for line in lab.target.read_logs(name, "").lines]

    eventually(lambda: words() == ["began", "began"], 30)


def test_a_log_that_is_longer_than_one_answer_comes_whole(lab: Lab) -> None:
    # Given
    count = 60_000
    name = lab.submit("python", "-c", f"for i in range({count}): print(i, 'x' * 40)")
    lab.end_of(name)
    # When
    lines: list[str] = []
    chunk = lab.target.read_logs(name, "")
    lines += chunk.lines
    while chunk.more:
        chunk = lab.target.read_logs(name, chunk.position)
        lines += chunk.lines
    # Then
    assert [int(line.split()[0]) for line in lines] == list(range(count))


def test_a_job_that_ends_before_its_pods_are_told_of_has_its_log(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    name = lab.submit("echo", "said")
    lab.end_of(name)
    # When the watch of pods is late by one look
    known, late = Scope.pods_of, [()]
    monkeypatch.setattr(Scope, "pods_of", lambda scope, owner: late.pop() if late else known(scope, owner))
    # Then
    assert list(lab.target.read_logs(name, "").lines) == ["said"]


def test_pods_that_are_gone_are_told_where_their_log_would_be(lab: Lab) -> None:
    # Given
    name = lab.submit("echo", "hello")
    lab.end_of(name)
    # When
    (pod,) = cluster().get(PODS.path(lab.space))["items"]
    cluster().delete(PODS.path(lab.space, pod["metadata"]["name"]))
    eventually(lambda: not cluster().get(PODS.path(lab.space))["items"])
    # Then
    (line,) = lab.target.read_logs(name, "").lines
    assert "gone" in line


def test_what_a_job_prints_while_it_is_being_ended_is_not_lost(lab: Lab) -> None:
    # Given
    script = "trap 'sleep 1; echo last words; exit 0' TERM; echo first; while true; do sleep 0.1; done"
    name = lab.submit("sh", "-c", script)
    eventually(lambda: list(lab.target.read_logs(name, "").lines) == ["first"], 30)
    # When
    lab.target.cancel(name, 30)
    ended = lab.end_of(name)
    # Then
    assert ended.phase is Phase.CANCELLED
    assert list(lab.target.read_logs(name, "").lines) == ["first", "last words"]


def test_a_job_that_prints_more_than_a_node_keeps_says_which_part_is_lost(watched: Lab) -> None:
    # Given one that prints 50 MB at once, and waits until the node has put that away
    lines = 500_000
    script = (
        "import time; print('begin', flush=True); time.sleep(3)\n"
        f"for i in range({lines}): print(i, 'x' * 93)\n"
        "print('y' * 10**6, flush=True); time.sleep(12); print('end')"
    )
    name = watched.submit("python", "-c", script)
    chunk = eventually(lambda: (first := watched.target.read_logs(name, "")).lines and first, 30)
    assert list(chunk.lines) == ["begin"]
    # When
    watched.end_of(name)
    read: list[str] = []
    while chunk.lines and (not read or chunk.more):
        chunk = watched.target.read_logs(name, chunk.position)
        assert sum(map(len, chunk.lines)) < CHUNK_CHARACTERS + 2 * LINE_BYTES
        read += chunk.lines
    # Then what there is comes once and in order, and what there is not is told
    numbers = [int(line.split()[0]) for line in read if line[0].isdigit()]
    assert numbers == list(range(lines - len(numbers), lines))
    assert "container launch0" in read[0]
    assert "may be lost" in read[0]
    assert read[-1] == "end"


def test_what_a_pod_prints_that_somebody_else_deletes_is_not_lost(watched: Lab) -> None:
    # Given
    script = "trap 'sleep 1; echo last words; exit 0' TERM; echo first; while true; do sleep 0.1; done"
    name = watched.submit("sh", "-c", script)
    eventually(lambda: list(watched.target.read_logs(name, "").lines) == ["first"], 30)
    # When
    (pod,) = cluster().get(PODS.path(watched.space))["items"]
    cluster().delete(PODS.path(watched.space, pod["metadata"]["name"]))
    # Then
    position, lines = "", list[str]()

    def read() -> list[str]:
        nonlocal position
        chunk = watched.target.read_logs(name, position)
        position = chunk.position
        lines.extend(chunk.lines)
        return lines

    eventually(lambda: read() and (seen := watched.observe(name)) is not None and seen.phase.is_end)
    assert read() == ["first", "last words"]


def test_each_start_of_a_container_that_fails_again_and_again_is_read_once(watched: Lab) -> None:
    # Given helpers before and beside it, and a node that waits before the third start
    script = "echo run >> /shared/runs; wc -l < /shared/runs; test $(wc -l < /shared/runs) = 3"
    mounts = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    image = watched.workload().artifact.reference
    helper = {"name": "before", "image": image, "command": ["echo", "prepared"]}
    command = ["sh", "-c", "echo here; sleep 100"]
    beside = {"name": "beside", "image": image, "command": command, "restartPolicy": "Always"}
    pod = pod_spec(
        restartPolicy="OnFailure",
        terminationGracePeriodSeconds=0,
        initContainers=[helper, beside],
        containers=[mounts],
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    name = watched.submit("sh", "-c", script, spec={**pod, "backoffLimit": 5})
    position, words = "", list[str]()

    def read() -> list[str]:
        nonlocal position
        chunk = watched.target.read_logs(name, position)
        position = chunk.position
        words.extend(line.rpartition(" ")[2] for line in chunk.lines)
        return words

    # When
    eventually(lambda: "3" in read(), 60)
    watched.end_of(name)
    # Then
    assert sorted(read()) == ["1", "2", "3", "here", "prepared"]


# --- release ----------------------------------------------------------------------------------------------------------


def test_an_object_stays_as_long_as_the_queue_says_and_is_then_removed_by_its_controller(lab: Lab) -> None:
    # Given
    name = lab.submit("echo", "hello", spec={"ttlSecondsAfterFinished": 2})
    lab.end_of(name)
    # When
    lab.target.release(name)
    # Then
    assert name not in lab.target.inventory()
    eventually(lambda: cluster().find(JOBS.path(lab.space, Handle.parse(name).name)) is None)


def test_what_a_failed_run_leaves_stays_for_longer_than_what_the_others_leave(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("API_KEY", "very-secret")

    def ended(command: str) -> str:
        workload = lab.workload("sh", "-c", command, ttlSecondsAfterFailed=600)
        request = lab.target.render(replace(workload, secrets=("API_KEY",)))
        lab.target.submit(request)
        lab.end_of(request.name)
        return request.name

    good, bad = ended("exit 0"), ended("exit 3")
    # When both are released, and what is left is looked for as a sweep does
    for name in (good, bad):
        lab.target.release(name)
    left = lab.target.inventory()
    lab.target.release(bad)
    # Then
    assert not left
    eventually(lambda: cluster().find(JOBS.path(lab.space, Handle.parse(good).name)) is None)
    kept = lab.object(bad)
    assert kept["spec"]["ttlSecondsAfterFinished"] == 600
    (owner,) = cluster().get(SECRETS.path(lab.space, Handle.parse(bad).name))["metadata"]["ownerReferences"]
    assert owner["uid"] == kept["metadata"]["uid"]


def test_nothing_is_left_when_a_release_is_forgotten(lab: Lab) -> None:
    # Given
    name = lab.submit("sleep", "100", spec=pod_spec(terminationGracePeriodSeconds=0))
    lab.target.cancel(name, 0)
    eventually(lambda: (seen := lab.observe(name)) is not None and seen.phase is Phase.CANCELLED)
    # When
    lab.target.release(name)
    lab.target.forget(name)
    # Then
    eventually(lambda: not cluster().get(PODS.path(lab.space))["items"])
    left = [one["metadata"]["name"] for one in cluster().get(CONFIG_MAPS.path(lab.space))["items"]]
    assert left == ["kube-root-ca.crt"]


# --- other kinds ------------------------------------------------------------------------------------------------------


def test_a_pod_of_its_own_is_a_kind_like_any_other(lab: Lab) -> None:
    # When
    pod: dict[str, Any] = {"restartPolicy": "Never", "containers": [{}]}
    name = lab.submit("sh", "-c", "echo hi; exit 4", apiVersion="v1", kind="Pod", spec=pod)
    # Then
    ended = lab.end_of(name)
    assert (ended.phase, ended.exit_code) == (Phase.FAILED, 4)
    assert list(lab.target.read_logs(name, "").lines) == ["hi"]


def test_an_agent_that_starts_anew_knows_the_places_of_the_one_before(lab: Lab, home: Path) -> None:
    # Given
    name = lab.submit("sleep", "100", spec=pod_spec(terminationGracePeriodSeconds=0))
    # When
    another = KubernetesTarget(home)
    # Then
    assert name in another.inventory()
    assert name in another.observe([name])
