"""Agent configs of W&B's documentation, old and new: taken, taken with a sentence, or refused with the cure.

The files are written from the examples of W&B's pages "Advanced agent setup", "Set up Launch", "Start an agent" and the
tutorials for Docker, Kubernetes, SageMaker and Vertex AI, as they stood in different years, with the placeholders
filled in. W&B's own agent of 2026 refuses or ignores what the names of the cases say.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import ConfigError
from workers.config import load_config
from workers.config.former import WITHOUT_EFFECT, modernized

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/jobs"
KANIKO_ON_S3 = "builder:\n  type: kaniko\n  build-context-store: s3://bucket/contexts\n"
AWS = "environment:\n  type: aws\n  region: us-east-1\n"


@dataclass(frozen=True)
class Case:
    """A file, what it gives, and what is said about it."""

    text: str
    gives: dict[str, Any]  # by path
    says: tuple[str, ...] = ()


TAKEN = {
    "the least that an agent needs": Case("entity: team\nmax_jobs: -1\nqueues:\n  - default\n", {"entity": "team"}),
    "max_jobs as text": Case("max_jobs: '4'\n", {"max_jobs": 4}),
    "builder docker": Case("builder:\n  type: docker\n", {"builder.type": "docker"}),
    "builder noop": Case("builder:\n  type: noop\n", {"builder.type": "noop"}),
    "kaniko on EKS": Case(
        f"queues: [gpu]\nmax_jobs: 5\n{AWS}registry:\n  type: ecr\n  uri: {ECR}\n{KANIKO_ON_S3}",
        {"registry.uri": ECR, "destination.uri": ECR, "builder.build_job_name": "launchyard-build"},
    ),
    "kaniko on GKE": Case(
        "environment:\n  type: gcp\n  region: us-central1\n  project: ml\n"
        "builder:\n  type: kaniko\n  build-context-store: gs://bucket/contexts\n"
        "  destination: us-central1-docker.pkg.dev/ml/launch/jobs\n",
        {"environment.project": "ml", "destination.uri": "us-central1-docker.pkg.dev/ml/launch/jobs"},
    ),
    "kaniko on AKS, where Azure has no region": Case(
        "environment:\n  type: azure\n"
        "builder:\n  type: kaniko\n  destination: https://registry.azurecr.io/jobs\n"
        "  build-context-store: https://account.blob.core.windows.net/container\n",
        {"environment.region": None, "destination.uri": "registry.azurecr.io/jobs"},
    ),
    "kaniko with a secret and a config of its own": Case(
        f"{KANIKO_ON_S3}  destination: {ECR}\n  secret-name: aws\n  secret-key: credentials\n"
        "  build-job-name: wandb-launch-container-build\n"
        "  kaniko-image: registry.example.com/kaniko:v1\n"
        "  kaniko-config:\n    spec:\n      template:\n        spec:\n          containers:\n"
        '            - args: ["--cache=false"]\n              env: [{name: A, value: b}]\n',
        {"builder.secret_key": "credentials", "builder.build_job_name": "wandb-launch-container-build"},
    ),
    "keys without a value": Case(
        "environment:\nregistry:\n  type:\n  uri:\nbuilder:\n  type: noop\n  build-context-store:\n",
        {"environment": None, "registry": None, "builder.type": "noop"},
    ),
    "a registry without a type": Case(f"registry:\n  uri: https://{ECR}\n", {"registry.type": "ecr"}),
}

TOLD = {
    "base_url": Case(
        "base_url: https://api.wandb.ai\n",
        {},
        ("1:1: base_url names W&B's server, and there is none here; the broker is named by LAUNCHYARD_BROKER_URL",),
    ),
    "project": Case("project: p\n", {}, ("1:1: project has no effect: a run's project comes with its job",)),
    "runner": Case(
        "runner:\n  type: kubernetes\n",
        {},
        ("1:1: runner has no effect: a queue says on which resource its jobs run",),
    ),
    "max_schedulers": Case(
        "max_schedulers: 8\n",
        {},
        ("1:1: max_schedulers counts sweep schedulers, and this version has none",),
    ),
    "queue": Case(
        "queues: [a]\nqueue: b\n",
        {"queues": ("a", "b")},
        ("2:1: queue is taken as one of queues, which is now [a, b]",),
    ),
    "build": Case(
        "build:\n  type: noop\n",
        {"builder.type": "noop"},
        ("1:1: build is the old name of builder, and is taken as that",),
    ),
    "environment and registry of type local": Case(
        "environment:\n  type: local\nregistry:\n  type: local\n",
        {"environment": None, "registry": None},
        (
            "2:3: environment.type local is the same as no environment at all, so the block is left out",
            "4:3: registry.type local is the same as no registry at all, so the block is left out",
        ),
    ),
    "builder.uri, which W&B ignores": Case(
        f"builder:\n  type: docker\n  uri: {ECR}\n",
        {"destination.uri": ECR},
        ("3:3: builder.uri is taken as builder.destination; W&B's documentation has it, and its agent ignores it",),
    ),
    "ECR by ARN": Case(
        "registry:\n  type: ecr\n  uri: arn:aws:ecr:us-east-1:123456789012:repository/team/jobs\n",
        {"registry.uri": ECR},
        (f"3:3: registry.uri is an ARN; it is taken as {ECR}",),
    ),
    "ECR without .dkr": Case(
        "builder:\n  type: docker\n  destination: https://123456789012.ecr.us-east-1.amazonaws.com/team/jobs\n",
        {"destination.uri": ECR},
        (f"3:3: builder.destination has no .dkr, and no registry is there; it is taken as {ECR}",),
    ),
    "ECR by parts, repo_name": Case(
        "registry:\n  type: ecr\n  account_id: '123456789012'\n  region: us-east-1\n  repo_name: team/jobs\n",
        {"registry.uri": ECR},
        (f"1:1: registry by parts is taken as uri: {ECR}",),
    ),
    "ECR by parts, repository, and the region of the environment": Case(
        f"{AWS}registry:\n  type: ecr\n  account_id: 123456789012\n  repository: team/jobs\n",
        {"registry.uri": ECR},
        (f"4:1: registry by parts is taken as uri: {ECR}",),
    ),
    "Artifact Registry by parts": Case(
        "environment:\n  type: gcp\n  region: us-central1\n  project: ml\n"
        "registry:\n  type: gcr\n  repository: launch\n  image-name: jobs\n",
        {"registry.uri": "us-central1-docker.pkg.dev/ml/launch/jobs"},
        ("5:1: registry by parts is taken as uri: us-central1-docker.pkg.dev/ml/launch/jobs",),
    ),
    "keys of kaniko under another builder": Case(
        "builder:\n  type: docker\n  build-context-store: s3://bucket\n  kaniko-config: {spec: {}}\n",
        {"builder.type": "docker"},
        (
            "3:3: builder.build-context-store has no effect with builder docker",
            "4:3: builder.kaniko-config has no effect with builder docker",
        ),
    ),
}

REFUSED = {
    "AWS without a region": ("environment:\n  type: aws\n", "environment: field 'region' is missing"),
    "an ECR repository without its account": (
        f"{AWS}registry:\n  type: ecr\n  repository: jobs\n",
        "registry: its parts do not say which repository it is; write uri: "
        "ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY",
    ),
    "Artifact Registry by parts, without a project": (
        "environment:\n  type: gcp\n  region: us-central1\n"
        "registry:\n  type: gcr\n  repository: launch\n  image-name: jobs\n",
        "registry: its parts do not say which repository it is; write uri: "
        "REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE",
    ),
    "a tag": (
        f"builder:\n  type: docker\n  destination: {ECR}:latest\n",
        f"builder: destination: '{ECR}:latest' has a tag, :latest, which every image gets for itself; write {ECR}",
    ),
    "Artifact Registry without an image": (
        "builder:\n  type: docker\n  destination: us-central1-docker.pkg.dev/ml/launch\n",
        "is not a repository of images; write it as REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE",
    ),
    "an address of another cloud": (
        "registry:\n  type: ecr\n  uri: registry.azurecr.io/jobs\n",
        "registry: uri: 'registry.azurecr.io/jobs' is not an address of type ecr, "
        "ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY; write type acr, or leave the type out",
    ),
    "kaniko with half a volume": (
        f"builder:\n  type: kaniko\n  destination: {ECR}\n  context-volume: claim\n",
        "builder: context-volume and context-volume-path go together",
    ),
    "kaniko with a store of no cloud": (
        f"builder:\n  type: kaniko\n  build-context-store: /tmp\n  destination: {ECR}\n",
        "builder: build-context-store: '/tmp' is not a store of build contexts; write s3://BUCKET/PATH, "
        "gs://BUCKET/PATH or https://ACCOUNT.blob.core.windows.net/CONTAINER",
    ),
    "kaniko without a registry": (
        KANIKO_ON_S3,
        "builder: kaniko pushes what it builds; write a destination, registry/path/name",
    ),
    "kaniko with half a secret": (
        f"{KANIKO_ON_S3}  destination: {ECR}\n  secret-name: aws\n",
        "builder: secret-name needs secret-key beside it: the Secret, and the key of the file in it",
    ),
    "kaniko with a store in another cloud": (
        f"environment:\n  type: gcp\n  region: us-central1\n{KANIKO_ON_S3}  destination: {ECR}\n",
        "'s3://bucket/contexts' needs an environment of type aws, and this one is of type gcp",
    ),
    "kaniko with arguments that cannot be merged": (
        f"{KANIKO_ON_S3}  destination: {ECR}\n"
        "  kaniko-config: {spec: {template: {spec: {containers: [{args: ['--cache', 'false']}]}}}}\n",
        "builder: kaniko-config: kaniko's argument '--cache' must be written as --name=value",
    ),
    "kaniko with a second container": (
        f"{KANIKO_ON_S3}  destination: {ECR}\n"
        "  kaniko-config: {spec: {template: {spec: {containers: [{}, {}]}}}}\n",
        "spec.template.spec.containers must be a list with one container, kaniko's own",
    ),
    "an unknown key": ("enviroment:\n  type: aws\n", "unknown field 'enviroment'; did you mean 'environment'?"),
    "a tab, as in some of W&B's own examples": (
        "builder:\n\ttype: docker\n",
        "2:1: a tab is here, and YAML is indented with spaces only",
    ),
}


def load(home: Path, text: str) -> Any:
    (home / "launch-config.yaml").write_text(text)
    return load_config(None, home, {})


def value_at(config: Any, path: str) -> Any:
    for part in path.split("."):
        config = getattr(config, part)
    return config


@pytest.mark.parametrize("case", [*TAKEN.values(), *TOLD.values()], ids=[*TAKEN, *TOLD])
def test_a_documented_config_is_taken_and_what_changed_is_said(home: Path, case: Case) -> None:
    # When
    loaded = load(home, case.text)

    # Then
    assert {path: value_at(loaded.config, path) for path in case.gives} == case.gives
    assert tuple(note.removeprefix(f"{loaded.path}:") for note in loaded.notes) == case.says


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_a_documented_config_that_cannot_work_is_refused_with_the_cure(home: Path, text: str, why: str) -> None:
    # When
    with pytest.raises(ConfigError) as refused:
        load(home, text)

    # Then
    assert why in str(refused.value)


def test_what_is_in_todays_words_is_not_touched() -> None:
    # Given
    config = {"entity": "team", "queues": ["a"], "builder": {"type": "docker", "destination.uri": ECR}}

    # When / Then
    assert modernized(config) == (config, [])


def test_every_key_without_effect_is_told_about() -> None:
    assert set(WITHOUT_EFFECT) <= {case.text.split(":")[0] for case in TOLD.values()}
