"""Twenty thousand configs that cannot work: each gives one error of one line, none a traceback.

They are made from a fixed seed, so a failure comes again. Each maker gives a config that is malformed for certain.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from broker_config.checks import refuse_errors
from broker_config.errors import InvalidRequest
from broker_config.queues import parse_queue
from broker_config.texts import read

SEED = 20_261_122
MALFORMED = 20_000
MUTATED = 4_000

CONFIGS: dict[str, dict[str, Any]] = {
    "kubernetes": {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"labels": {"team": "vision"}},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {
                            "name": "main",
                            "image": "${image_uri}",
                            "env": [{"name": "A", "value": "b"}],
                            "resources": {"limits": {"nvidia.com/gpu": 1, "memory": "16Gi"}},
                        }
                    ],
                }
            },
        },
    },
    "sagemaker": {
        "RoleArn": "trainer",
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    },
    "vertex": {
        "spec": {
            "worker_pool_specs": [
                {"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1, "container_spec": {}}
            ],
            "staging_bucket": "gs://bucket",
        },
        "run": {"service_account": "a@b.c", "restart_job_on_worker_restart": False},
    },
    "docker": {"gpus": "all", "memory": "16g", "env": ["A=b"], "volume": ["/data:/data:ro"]},
    "local-process": {"nice": 5, "working_dir": "src", "inherit_env": ["TOKEN"]},
    "stub": {"seconds": 1, "lines": ["a"], "exit_code": 0},
}

SPOILT = {
    "kubernetes": ({"specs": {}}, {"spec": []}, {"spec": {"template": 1}}, {"kind": 3}, {"metadata": {"lables": {}}}),
    "sagemaker": ({"RoleArn": 1}, {"Tags": {}}, {"ResourceConfg": {}}, {"StoppingCondition": "soon"}),
    "vertex": ({"spec": []}, {"spec": {"worker_pool_spec": []}}, {"run": {"timeout": "1h"}}, {"runs": {}}),
    "docker": ({"memroy": "1g"}, {"memory": "lots"}, {"name": "x"}, {"env": {"A": "b"}}, {"gpus": None}, {"cpus": -1}),
    "local-process": ({"nice": "very"}, {"nicee": 1}, {"working_dir": "/etc"}, {"env": []}, {"stop_signal": "KILL"}),
    "stub": ({"seconds": -1}, {"second": 1}, {"lines": "a"}, {"exit_code": {}}),
}

LINES = (
    "a: b: c",
    "a: [1, 2",
    'a: "open',
    "a: 'open",
    "a: *nowhere",
    "a: &x [*x]",
    "a: &x {b: {c: *x}}",
    "a: &x {<<: *x}",
    "a: {{x}}",
    "a: @b",
    "a: `b`",
    "a: %b\n%c",
    "a:\n\tb: 1",
    "- a\nb: 1",
    "a: 1\n b: 2",
    "a: 2024-01-31",
    "a: 2024-01-31T10:00:00Z",
    "a: .nan",
    "a: -.inf",
    "a: 1e999",
    "a: !!binary aGk=",
    "a: !!set {b}",
    "a: !!omap [b: 1]",
    "a: !!timestamp 2024-01-31",
    "a: !!python/object/apply:os.system [ls]",
    "a: !!python/name:os.system",
    "a: !Ref b",
    "a: !!int b",
    "1: a",
    "on: a",
    "null: a",
    "1.5: a",
    "? [a]\n: b",
    "? {a: b}\n: c",
    "<<: 1",
    "<<: [1]",
    "a: 1\n---\nb: 1",
    "a: 1\n...\nb: 1",
    "%YAML 3.0\n---\na: 1",
    '"\\ud800": 1',
    'a: "\\q"',
)

Maker = Callable[[random.Random, str], str]


def json_cut_short(chance: random.Random, resource: str) -> str:
    text = json.dumps(CONFIGS[resource], indent=chance.choice([None, 2, "\t"]))
    return text[: chance.randrange(1, len(text))]


def a_bad_line_somewhere(chance: random.Random, resource: str) -> str:
    line = chance.choice(LINES)
    name = "k" + str(chance.randrange(1000))
    return chance.choice([line, f"{name}: 1\n{line}", f"# {name}\n{line}\n", f"{line}\n# {name}"])


def a_key_twice(chance: random.Random, resource: str) -> str:
    name = chance.choice([*CONFIGS[resource], "k", "ключ", "键", "\U0001f511"])
    return chance.choice(["{0}: 1\n{0}: 2\n", '{{"{0}": 1, "{0}": 2}}', "a:\n  {0}: 1\n  b: 2\n  {0}: 1\n"]).format(
        name
    )


def an_odd_character(chance: random.Random, resource: str) -> str:
    text = json.dumps(CONFIGS[resource])
    at = chance.randrange(1, len(text))
    return text[:at] + chance.choice("\x00\x01\x07\x1b\x7f\x9f\ud800\udfff\ufeff\ufffe\uffff") + text[at:]


def noise(chance: random.Random, resource: str) -> str:
    points = (chance.choice([*range(32, 127), chance.randrange(0x80, 0x11_0000)]) for _ in range(chance.randrange(60)))
    return "[" + "".join(map(chr, points))


def too_deep(chance: random.Random, resource: str) -> str:
    times = chance.randrange(70, 2000)
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}"), ("{a: ", "}"), ("- ", ""), ("? ", "")])
    return opening * times + "1" + closing * chance.choice([0, times])


def too_large(chance: random.Random, resource: str) -> str:
    if chance.random() < 0.05:
        return "a: " + "x" * chance.randrange(1_048_576, 1_200_000)
    width, steps = chance.randrange(8, 30), chance.randrange(6, 12)
    first = f"a0: &a0 [{', '.join(['x'] * width)}]\n"
    return first + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]\n" for n in range(1, steps))


def deep_by_aliases(chance: random.Random, resource: str) -> str:
    return "a0: &a0 []\n" + "".join(f"a{n}: &a{n} {{b: *a{n - 1}}}\n" for n in range(1, chance.randrange(70, 200)))


def no_object(chance: random.Random, resource: str) -> str:
    return chance.choice(
        ["text", "[1, 2]", "- a", "1", "true", '"a"', "'b'", "|\n a", ">-\n b", f"[{chance.random()}]"]
    )


def what_its_resource_refuses(chance: random.Random, resource: str) -> str:
    spoilt = chance.choice(SPOILT[resource])
    config = {**CONFIGS[resource], **spoilt}
    wrapped = chance.choice([config, {resource: config}, {"resource_args": {resource: config}}])
    return json.dumps(wrapped, indent=chance.choice([None, 2]))


def placeholders_of_nobody(chance: random.Random, resource: str) -> str:
    text = chance.choice(["{{cpu}}", "a{{gpu-count}}b", "${nothing}", "${Run_Id}", "{{ x }}${run_id}"])
    place = {"key": {text: 1}, "value": {"label": text}, "list": {"label": [text]}, "deep": {"a": {"b": {"c": text}}}}
    return json.dumps({**CONFIGS[resource], **chance.choice([*place.values()])})


def a_wrapper_of_another(chance: random.Random, resource: str) -> str:
    if resource == "stub":
        return '{"resource_args": {}, "queue": 1}'
    other = chance.choice([name for name in CONFIGS if name not in {resource, "stub"}])
    return json.dumps(chance.choice([{other: {}}, {"resource_args": {other: CONFIGS[other]}}, {"resource_args": "{"}]))


MAKERS: tuple[Maker, ...] = (
    json_cut_short,
    a_bad_line_somewhere,
    a_key_twice,
    an_odd_character,
    noise,
    too_deep,
    too_large,
    deep_by_aliases,
    no_object,
    what_its_resource_refuses,
    placeholders_of_nobody,
    a_wrapper_of_another,
)

SLOW = {too_large: 0.02, deep_by_aliases: 0.3, too_deep: 0.5}
"""Makers of large texts, which need not come as often as the others."""


def complaint(text: str, resource: str) -> str | None:
    """The error that a queue with this config gets; None when it can be written."""
    try:
        config = read(text, "queue.yaml").object
        refuse_errors(parse_queue({"name": "gpu", "resource": resource, "config": config}))
    except InvalidRequest as error:
        return str(error)
    return None


def is_one_clear_error(words: str | None) -> bool:
    return words is not None and words.startswith(("queue.yaml:", "queue 'gpu':")) and len(words.splitlines()) == 1


@pytest.mark.timeout(170)
def test_every_malformed_config_gives_one_error_of_one_line() -> None:
    # Given makers of malformed configs, the slow ones less often
    chance = random.Random(SEED)
    weights = [SLOW.get(maker, 1) for maker in MAKERS]

    # When twenty thousand of them are read and checked
    unclear = []
    for maker in chance.choices(MAKERS, weights, k=MALFORMED):
        resource = chance.choice([*CONFIGS])
        text = maker(chance, resource)
        words = complaint(text, resource)
        if not is_one_clear_error(words):
            unclear.append((maker.__name__, resource, text[:200], words))

    # Then each was told in one line what is wrong with it
    assert not unclear, unclear[:5]


def test_a_config_with_a_few_characters_changed_works_or_gives_one_error() -> None:
    # Given configs that work
    chance = random.Random(SEED)
    assert [complaint(json.dumps(config), resource) for resource, config in CONFIGS.items()] == [None] * len(CONFIGS)

    # When characters are removed, doubled and exchanged in them, then each works or gives one error
    for _ in range(MUTATED):
        resource = chance.choice([*CONFIGS])
        text = json.dumps(CONFIGS[resource], indent=2)
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(text))
            text = (
                text[:at]
                + chance.choice(["", text[at] * 2, chance.choice(' \t\n{}[]":,-&*!#?|>%@`x9')])
                + text[at + 1 :]
            )
        words = complaint(text, resource)
        assert words is None or is_one_clear_error(words), text
