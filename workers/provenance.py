"""Who decides each value of a request: found by rendering again with one value of what it is made from changed.

A target's `render` is pure and says nothing of what it took from where. So each value is changed a little, and what
is then different in the request came from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from broker_config.overrides import Layer, Origin
from broker_config.placeholders import macros_in
from broker_config.pointers import Path, children, leaves, to_pointer
from broker_config.runs import RunSpec
from workers.builders.protocol import Artifact
from workers.failures import RunFailed
from workers.planned import Render
from workers.targets.protocol import Workload

MOST_LEAVES = 500
"""Values of a config beyond which nothing is traced: each of them costs some renders."""

_NUMBER = re.compile(r"\d+")
_GONE = object()


def origins(spec: RunSpec, workload: Workload, render: Render) -> dict[str, tuple[str, ...]]:
    """Who decides each leaf of the request of a workload, by JSON Pointer; nothing where the config is too large.

    `queue`, `template NAME` and `override` are parts of the config, with `macro NAME` where their text has one; `job`,
    `image` and `run` are the other parts of the launch; `default` is the target's own.
    """
    config = {path: leaf for path, leaf in leaves(workload.config) if path}
    if len(config) > MOST_LEAVES:
        return {}
    request = _leaves(render(workload).body)
    tracer = _Tracer(render, request, {pointer: [] for pointer in request})
    labels = _labels(spec)
    for path, leaf in config.items():
        variants = (replace(workload, config=_with(workload.config, path, other)) for other in _others(leaf))
        tracer.trace(labels.get(to_pointer(path), (str(Layer.QUEUE),)), leaf, variants)
    for label, leaf, variant in _rest(spec, workload):
        tracer.trace((label,), leaf, iter([variant]))
    return {pointer: tuple(dict.fromkeys(found)) or (str(Layer.DEFAULT),) for pointer, found in tracer.found.items()}


def _labels(spec: RunSpec) -> dict[str, tuple[str, ...]]:
    """The words for each leaf of the run's config."""
    merged = spec.merged
    return {
        (pointer := to_pointer(path)): (
            str(merged.origins.get(pointer, Origin(Layer.QUEUE))),
            *(f"macro {name}" for name in (macros_in(leaf) if isinstance(leaf, str) else ())),
        )
        for path, leaf in leaves(merged.config)
    }


@dataclass(frozen=True, slots=True)
class _Tracer:
    render: Render
    request: Mapping[str, Any]
    found: dict[str, list[str]]  # by pointer, so far

    def trace(self, labels: tuple[str, ...], leaf: Any, variants: Iterator[Workload]) -> None:
        """Note what any of the variants changes; one that cannot be rendered shows nothing."""
        for variant in variants:
            try:
                other = _leaves(self.render(variant).body)
            except RunFailed:
                continue
            changed = [pointer for pointer, value in self.request.items() if other.get(pointer, _GONE) != value]
            # A value that stands in the request is there because of itself; all else only follows from it.
            itself = [pointer for pointer in changed if self.request[pointer] == leaf]
            inside = [pointer for pointer in changed if str(leaf) in str(self.request[pointer])]
            for pointer in itself or inside or changed:
                self.found[pointer] += labels


def _leaves(body: Mapping[str, Any]) -> dict[str, Any]:
    return {to_pointer(path): leaf for path, leaf in leaves(body)}


def _others(leaf: Any) -> Iterator[Any]:
    """Values near this one, of the same kind where that can be, and at last none at all."""
    if isinstance(leaf, bool):
        yield not leaf
    elif isinstance(leaf, int | float):
        yield from (leaf + 1, leaf - 1)
    elif isinstance(leaf, str):
        yield leaf + "x"
        if number := _NUMBER.search(leaf):
            yield f"{leaf[: number.start()]}{int(number[0]) + 1}{leaf[number.end() :]}"
    yield None


def _with(config: Any, path: Path, value: Any) -> Any:
    """The config with another value in a place; None takes the place away."""
    name, *inner = path
    inside = dict(children(config))
    inside[name] = _with(inside[name], tuple(inner), value) if inner else value
    if inside[name] is None and not inner:
        del inside[name]
    return inside if isinstance(config, Mapping) else [*inside.values()]


def _rest(spec: RunSpec, workload: Workload) -> Iterator[tuple[str, str, Workload]]:
    """What a request has from elsewhere than the config: its label, its value, and the workload with another one."""
    yield "run", workload.name, replace(workload, name=f"{workload.name[:-1]}2")
    yield "run", workload.run_id, replace(workload, run_id=type(workload.run_id)(f"{workload.run_id}x"))
    yield "run", str(workload.attempt), replace(workload, attempt=workload.attempt + 1)
    yield "run", workload.queue, replace(workload, queue=f"{workload.queue}x")
    reference = workload.artifact.reference
    yield "image", reference, replace(workload, artifact=Artifact(workload.artifact.kind, f"{reference}x"))
    if workload.folder is not None:
        yield "image", str(workload.folder), replace(workload, folder=workload.folder.with_name("${other}"))
    for place, word in enumerate(workload.entry_point):
        words = (*workload.entry_point[:place], f"{word}x", *workload.entry_point[place + 1 :])
        yield "job", word, replace(workload, entry_point=words)
    for place, word in enumerate(workload.args):
        words = (*workload.args[:place], f"{word}x", *workload.args[place + 1 :])
        yield "job", word, replace(workload, args=words)
    for name, value in workload.env.items():
        label = "job" if name in spec.job.env else "run"
        yield label, value, replace(workload, env={**workload.env, name: f"{value}x"})
        others = {key: text for key, text in workload.env.items() if key != name}
        yield label, name, replace(workload, env={**others, f"{name}_": value})
    for name, value in workload.labels.items():
        yield "job", value, replace(workload, labels={**workload.labels, name: f"{value}x"})
