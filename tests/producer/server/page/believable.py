"""An installation as two teams have it on a working day: what the pictures of the page show."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from broker_config import __version__
from broker_config.accounts.people import Role
from broker_config.connection import connect
from broker_config.images import Image
from broker_config.jobs import GitSource, ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Launch, Run, RunId, RunSpec, new_run_id, now
from broker_config.settings import Settings
from broker_config.states import FailureClass, Reason, State
from broker_config.store import Store, changes, claims
from broker_config.store.agents import AgentInfo, Mode, Wish
from broker_config.store.changes import Change
from broker_config.store.keys import Keys

SESSION = "session"
LARGEST = 1_000_000

REPOSITORY = "https://git.example.com/vision/detector.git"

GPU_CONFIG = {
    "metadata": {"namespace": "vision"},
    "spec": {
        "template": {
            "spec": {
                "nodeSelector": {"accelerator": "h100"},
                "containers": [{"resources": {"limits": {"nvidia.com/gpu": "{{gpus}}"}}}],
            }
        }
    },
}
GPUS = {"type": "integer", "minimum": 1, "maximum": 8, "default": 1, "description": "GPUs of one node"}

SPOT_CONFIG = {
    "RoleArn": "arn:aws:iam::123456789012:role/Trainer",
    "ResourceConfig": {"InstanceType": "{{instance}}", "InstanceCount": 1, "VolumeSizeInGB": 200},
    "OutputDataConfig": {"S3OutputPath": "s3://nlp-results/runs"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
}

QUEUES: Sequence[dict[str, Any]] = (
    {
        "name": "vision/gpu",
        "resource": "kubernetes",
        "description": "H100 nodes of rack 4, shared by the vision team.",
        "config": GPU_CONFIG,
        "template_variables": {"gpus": GPUS},
        "prioritization": True,
        "max_running": 4,
        "external_links": {"GPU dashboard": "https://grafana.example.com/d/rack4"},
    },
    {
        "name": "nlp/spot",
        "resource": "sagemaker",
        "config": SPOT_CONFIG,
        "template_variables": {"instance": {"type": "string", "enum": ["ml.g5.2xlarge", "ml.p4d.24xlarge"]}},
    },
    {"name": "nlp/nightly", "resource": "docker", "config": {"shm_size": "8g"}, "max_running_per_author": 2},
    {"name": "eval", "resource": "local-process", "config": {"nice": 10}},
)

AGENTS = (
    # name, queues, slots, hours since its start, what an operator wishes
    ("rack4-a@k8s-ops", ("vision/gpu",), 8, 61, Wish()),
    ("spot@cloud-ops", ("nlp/spot",), 40, 212, Wish()),
    ("desk@lab-7", ("eval",), 2, 9, Wish(mode=Mode.DRAINING, reason="new driver tonight", by="alice")),
)


class Step(NamedTuple):
    """One change of a run, and how many seconds after the one before it."""

    after: float
    state: State
    reason: Reason
    text: str
    fields: dict[str, Any] = {}  # noqa: RUF012 - of a named tuple, and nobody changes it


TAKEN = Step(4, State.CLAIMED, Reason.CLAIMED, "")
BUILT = Step(2, State.BUILDING, Reason.BUILDING, "Building 3f9c0d72a1be44c8a07d61e2.")
SUBMITTED = Step(48, State.SUBMITTING, Reason.SUBMITTING, "Making the Job launchyard-detector.")
PULLS = Step(1, State.STARTING, Reason.STARTING, "The pod pulls its image.")
RUNS = Step(22, State.RUNNING, Reason.RUNNING, "The pod is running.")
STARTED = (TAKEN, BUILT, SUBMITTED, PULLS, RUNS)


def ended(minutes: float, code: int = 0, reason: Reason = Reason.EXITED) -> Step:
    """The end of a job by its exit code."""
    state = State.FAILED if code else State.SUCCEEDED
    failure = FailureClass.USER if code else None
    text = "The container ran out of memory." if reason is Reason.OUT_OF_MEMORY else f"It ended with exit code {code}."
    return Step(60 * minutes, state, reason, text, {"exit_code": code, "failure": failure})


CANCELLED = Step(
    300, State.CANCELLED, Reason.CANCELLED_BY_USER, "Cancelled by mia.", {"failure": FailureClass.CANCELLED}
)


class Tale(NamedTuple):
    """A run: where it was launched, as what, by whom, how many minutes ago, and what became of it."""

    queue: str
    name: str
    author: str
    minutes: float
    steps: Sequence[Step] = ()
    agent: str = "rack4-a@k8s-ops"
    priority: Priority = Priority.MEDIUM
    values: dict[str, Any] = {}  # noqa: RUF012 - see above


GPU, SPOT = "vision/gpu", "nlp/spot"
TWO, EIGHT = {"gpus": 2}, {"gpus": 8}
SMALL, LARGE = {"instance": "ml.g5.2xlarge"}, {"instance": "ml.p4d.24xlarge"}
CLOUD, DESK = "spot@cloud-ops", "desk@lab-7"

TALES = (
    Tale(GPU, "detector-baseline", "bob", 1310, (*STARTED, ended(412)), values=TWO),
    Tale(SPOT, "tokenizer-32k", "mia", 1180, (*STARTED, ended(38)), CLOUD, values=SMALL),
    Tale(GPU, "detector-wide", "bob", 880, (*STARTED, ended(96, 137, Reason.OUT_OF_MEMORY)), values=TWO),
    Tale(GPU, "detector-wide-bf16", "bob", 742, (*STARTED, ended(388)), values=TWO),
    Tale("eval", "coco-2026-11", "alice", 515, (TAKEN, RUNS, ended(21)), DESK),
    Tale(SPOT, "pretrain-1b-try", "mia", 402, (*STARTED, CANCELLED), CLOUD, values=LARGE),
    Tale(GPU, "augment-mosaic", "chen", 331, STARTED, values=TWO),
    Tale(SPOT, "pretrain-1b", "mia", 305, STARTED, CLOUD, values=LARGE),
    Tale(GPU, "augment-mixup", "chen", 190, STARTED, values=TWO),
    Tale(GPU, "lr-sweep-1", "bob", 121, (*STARTED, ended(4, 1)), values={"gpus": 1}),
    Tale(GPU, "lr-sweep-2", "bob", 112, STARTED, values={"gpus": 1}),
    Tale("nlp/nightly", "corpus-dedup", "mia", 95),
    Tale("eval", "latency-table", "alice", 44, (TAKEN, RUNS), DESK),
    Tale(GPU, "lr-sweep-3", "bob", 31, priority=Priority.LOW, values={"gpus": 1}),
    Tale(GPU, "segment-v2", "chen", 18, values=EIGHT),
    Tale(SPOT, "reward-model", "mia", 9, (TAKEN, SUBMITTED, PULLS), CLOUD, values=SMALL),
    Tale(GPU, "release-candidate", "alice", 3, priority=Priority.HIGH, values=EIGHT),
    Tale(GPU, "detector-distilled", "bob", 1, (TAKEN, BUILT), values=TWO),
)

SHOWN = "lr-sweep-2"
"""The run whose log is filled."""


@dataclass
class Past:
    """Writes what has happened, each step at its time. Only the clock of the store's steps is another one."""

    store: Store
    settings: Settings
    clock: datetime = field(default_factory=now)
    runs: dict[str, RunId] = field(default_factory=dict)

    def write(self) -> None:
        """Everything, beside an admin who is there."""
        self._write_accounts()
        for queue in QUEUES:
            self.store.queues.create(Queue.model_validate(queue))
        self._edit()
        with pytest.MonkeyPatch.context() as patch:
            for module in (changes, claims):
                patch.setattr(module, "now", lambda: self.clock)
            for tale in TALES:
                self._tell(tale)
        self._print(self.runs[SHOWN])
        self._write_agents()
        self._write_images()
        self.store.queues.set_paused("eval", True, "the file server moves until 18:00")

    def _write_accounts(self) -> None:
        accounts = self.store.accounts
        for team, members in {"vision": ("bob", "chen"), "nlp": ("mia",)}.items():
            accounts.add_team(team)
            for name in members:
                accounts.add_user(name)
                accounts.set_member(team, name, Role.LAUNCHER)

    def _edit(self) -> None:
        queues = self.store.queues.for_author("alice")
        queue = queues.get(GPU).queue
        queues.edit(queue.model_copy(update={"max_running": 6}), note="rack 5 joins for the release")
        queues.edit(queue.model_copy(update={"max_running": 4}), note="rack 5 is away again")

    def _tell(self, tale: Tale) -> None:
        self.clock = now() - timedelta(minutes=tale.minutes)
        record = self.store.queues.get(tale.queue)
        job = _job(tale)
        spec = RunSpec(
            id=new_run_id(),
            name=tale.name,
            queue=record.queue,
            queue_revision=record.revision,
            job=job,
            template_values=tale.values,
            priority=tale.priority,
            project="detector" if tale.queue == GPU else "",
            author=tale.author,
            created_at=self.clock,
        )
        (run_id,) = self.store.runs.enqueue(record, [(spec, Launch(queue=record.name, job=job))], LARGEST)
        self.runs[tale.name] = run_id
        if tale.steps:
            self._go_through(tale, spec)
        else:
            self._age(record.name, run_id, tale.minutes)

    def _age(self, queue: str, run_id: RunId, minutes: float) -> None:
        """Have a run wait for so long: its place is a time of the broker's own clock, in microseconds."""
        with closing(connect(self.settings)) as broker:
            broker.zincrby(Keys(self.settings.key_prefix).queue_waiting(queue), -minutes * 60_000_000, run_id)

    def _go_through(self, tale: Tale, spec: RunSpec) -> None:
        agents, fence = self.store.agents, self.store.agents.new_fence()
        agents.take(tale.agent, SESSION, 86400)
        first, *others = tale.steps
        self.clock += timedelta(seconds=first.after)
        _, run = self.store.runs.claim(spec, tale.agent, fence, SESSION)
        assert run is not None, tale.name
        for step in others:
            self.clock += timedelta(seconds=step.after)
            run = self._change(run, step, tale.agent, fence)

    def _change(self, run: Run, step: Step, agent: str, fence: int) -> Run:
        fields = dict(step.fields)
        if step.state is State.RUNNING:
            fields |= {"started_at": self.clock}
        if step.state is State.SUBMITTING:
            fields |= {"image": f"registry.example.com/jobs@sha256:{'3f9c0d72a1be44c8' * 4}", "image_origin": "built"}
        return self.store.runs.change(run, Change(step.state, step.reason, step.text, agent, fields, fence=fence))

    def _print(self, run_id: RunId) -> None:
        lines = ["\x1b[1mdetector\x1b[0m: 8,412,303 parameters, 1 GPU, seed 7", "data: 118,287 images in 12 shards"]
        for epoch in range(1, 41):
            loss, score = 2.4 / epoch**0.6, 0.41 * (1 - 0.93**epoch)
            lines.append(f"epoch {epoch:>2}  loss \x1b[36m{loss:.4f}\x1b[0m  mAP \x1b[32m{score:.3f}\x1b[0m  151 s")
            if epoch in {12, 29}:
                lines.append("\x1b[33mwarning\x1b[0m: one worker was late by 3.1 s")
        self.store.logs.append(run_id, "job", lines)

    def _write_agents(self) -> None:
        for name, queues, slots, hours, wish in AGENTS:
            self.store.agents.take(name, SESSION, 86400)
            live = sum(
                1 for tale in TALES if tale.steps and tale.agent == name and not tale.steps[-1].state.is_terminal
            )
            self._announce(name, queues, slots, hours, live=live, wish=wish)
        self._announce("old@rack2", (GPU,), 8, 1400, stopped=True)

    def _announce(self, name: str, queues: tuple[str, ...], slots: int, hours: int, **more: Any) -> None:
        host = name.partition("@")[2]
        started = now() - timedelta(hours=hours)
        times = {"started_at": started, "seen_at": started + timedelta(hours=200) if more.get("stopped") else now()}
        said = {"live": 0, "host": host, "site": host, "pid": 4242, "version": __version__, **times, **more}
        self.store.agents.announce(AgentInfo(name=name, queues=queues, max_jobs=slots, **said))

    def _write_images(self) -> None:
        for number, (name, minutes, seconds) in enumerate(
            [("detector-baseline", 1309, 412.7), ("tokenizer-32k", 1179, 96.2), ("lr-sweep-2", 111, 47.9)]
        ):
            key = f"{number}f9c0d72a1be44c8" * 4
            at = now() - timedelta(minutes=minutes)
            place = "registry.example.com/jobs"
            image = Image(
                key=key,
                place=place,
                reference=f"{place}@sha256:{key}",
                size_bytes=4_812_000_000 - number * 913_000_000,
                source=GitSource(repository=REPOSITORY, ref="main"),
                run=self.runs[name],
                agent="rack4-a@k8s-ops",
                built_at=at,
                seconds=seconds,
                last_used=now() - timedelta(minutes=minutes / 12),
            )
            self.store.images.record(image)


def _job(tale: Tale) -> Job:
    if tale.queue == GPU:
        words = ("python", "train.py", "--model", tale.name)
        return Job(source=GitSource(repository=REPOSITORY, ref="main"), entry_point=words)
    return Job(source=ImageSource(image=f"registry.example.com/nlp/{tale.name}:2026-11"))
