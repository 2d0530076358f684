"""What the target of a run would be sent.

`python -m workers.plan` is the program behind `launchyard plan`: one JSON document in, an `Inquiry`, and one out, a
`Preview`. Nothing is built or submitted; the code is fetched, as without it nobody knows what would be built.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from broker_config.checks import check_run
from broker_config.errors import InvalidRequest, LaunchyardError
from broker_config.findings import Severity
from broker_config.jobs import GitSource, ImageSource
from broker_config.masks import masked
from broker_config.plans import Change, Inquiry, Note, Preview
from broker_config.pointers import leaves, to_pointer
from broker_config.runs import RunSpec
from broker_config.settings import Settings, load_settings
from broker_config.store import Store
from workers import families
from workers.builders.protocol import ArtifactKind
from workers.config import load_config
from workers.failures import RunFailed
from workers.members import Members, follow_nothing
from workers.planned import Render, planned_workload
from workers.prepare import build_order
from workers.provenance import origins
from workers.rehearsal import rehearse
from workers.targets import kubernetes, sagemaker, vertex
from workers.targets.protocol import Request, Target

RENDERS: Mapping[str, Render] = {
    "kubernetes": kubernetes.render,
    "sagemaker": sagemaker.render,
    "vertex": vertex.render,
}
"""By resource, what makes its requests without the platform's SDK, which a machine that only plans may lack."""

DOUBTS: Mapping[str, Callable[[Request], Iterator[str]]] = {"sagemaker": sagemaker.doubts, "vertex": vertex.doubts}
"""By resource, what a request of its leaves a job without."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def preview(inquiry: Inquiry, settings: Settings) -> Preview:
    """All that can be said of a launch before it is made."""
    spec = inquiry.spec
    notes = [Note(severity=one.severity, pointer=one.pointer, text=one.text) for one in check_run(spec)]
    try:
        rendered = _Rendered.of(spec, settings.home)
    except LaunchyardError as error:
        return Preview(notes=(*notes, Note(severity=Severity.ERROR, text=str(error))))
    doubts = [*_reservations(spec), *_lacks(rendered.request, spec), *_rehearsal(spec, settings.home)]
    notes += [Note(severity=Severity.WARNING, text=text) for text in doubts]
    return Preview(
        digest=rendered.request.digest,
        request=masked(rendered.request.body),
        origins=origins(spec, planned_workload(spec, rendered.kind), rendered.render),
        environment=masked(planned_workload(spec, rendered.kind).env),
        build=_build(spec, rendered.kind, settings),
        notes=tuple(notes),
        changes=_changes(rendered, spec, inquiry.earlier, settings) if inquiry.earlier else None,
    )


def _reservations(spec: RunSpec) -> Iterator[str]:
    """What a plan cannot promise."""
    source = spec.job.source
    if spec.queue.resource not in families.names("targets"):
        yield f"no agent of this version submits to resource {spec.queue.resource!r}"
    if isinstance(source, GitSource) and not _COMMIT.fullmatch(source.ref or ""):
        what = f"ref {source.ref!r}" if source.ref else "the default branch"
        yield f"{what} of {source.repository} may move until an agent fetches it; to be sure, name a commit"


def _lacks(request: Request, spec: RunSpec) -> Iterator[str]:
    if (find := DOUBTS.get(spec.queue.resource)) is not None:
        yield from find(request)


def _rehearsal(spec: RunSpec, home: Path) -> Iterator[str]:
    """No errors: there are placeholders in the request, and its agent may have other rights."""
    heard = rehearse([spec], home)
    for note in heard.notes:
        yield f"it would be refused from here: {note.text}" if note.severity is Severity.ERROR else note.text
    if heard.unasked:
        yield f"the target was not asked what it thinks of this: {heard.unasked}"


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A request, and how it was made."""

    request: Request
    render: Render
    kind: ArtifactKind

    @classmethod
    def of(cls, spec: RunSpec, home: Path) -> _Rendered:
        resource = spec.queue.resource
        render, kind = RENDERS.get(resource), ArtifactKind.IMAGE
        if render is None:
            target: Target = families.load("targets", resource)(home)
            render, kind = target.render, target.artifact
        return cls(render(planned_workload(spec, kind)), render, kind)


def _build(spec: RunSpec, kind: ArtifactKind, settings: Settings) -> str:
    """The sentence on what is built, as an agent on this machine would do it."""
    if kind is ArtifactKind.IMAGE and isinstance(spec.job.source, ImageSource):
        return f"nothing is built: the image is {spec.job.source.image}"
    if spec.job.base_image:
        return f"nothing is built: the image is {spec.job.base_image}, and the code is brought into it"
    store = Store(settings)
    try:
        members = Members(settings.home, store.code, load_config(None, settings.home).config, follow_nothing)
        with TemporaryDirectory(prefix="launchyard-plan-") as folder:
            fetched = members.source(spec.job.source.type).fetch(spec.job.source, Path(folder), spec.job.build_context)
            order = build_order(spec, fetched)
            builder = members.builder_for(kind)
            key = builder.key(order)
            found = builder.find(order, key)
    except (LaunchyardError, OSError) as error:
        return f"it cannot be said here what is built: {error}"
    finally:
        store.close()
    if found and found.is_base:
        return f"nothing is built: the image is {found.reference}; the code, and what it needs, is brought into it"
    what = f"{found.reference} is used again" if found else f"the {kind} is to be built"
    at = f" for commit {fetched.pinned.ref}" if isinstance(fetched.pinned, GitSource) else ""
    return f"{what}{at}, key {key}"


def _changes(rendered: _Rendered, spec: RunSpec, earlier: RunSpec, settings: Settings) -> tuple[Change, ...]:
    """What is different in the request of an earlier run, but for who it is."""
    renamed = earlier.model_copy(update={"id": spec.id, "name": spec.name})
    try:
        before = _Rendered.of(renamed, settings.home).request
    except RunFailed as error:
        raise InvalidRequest(f"run {earlier.id} cannot be compared with: {error}") from error
    old, new = _leaves(before.body), _leaves(rendered.request.body)
    shown_old, shown_new = _leaves(masked(before.body)), _leaves(masked(rendered.request.body))
    return tuple(
        Change(pointer=pointer, old=shown_old.get(pointer), new=shown_new.get(pointer))
        for pointer in dict.fromkeys((*old, *new))
        if old.get(pointer) != new.get(pointer)
    )


def _leaves(body: Mapping[str, Any]) -> dict[str, Any]:
    return {to_pointer(path): leaf for path, leaf in leaves(body)}


def main() -> int:
    """Answer the inquiry on stdin. Returns the exit code."""
    # What members say of themselves is for an agent's log.
    logging.getLogger("workers").addHandler(logging.NullHandler())
    inquiry = Inquiry.model_validate_json(sys.stdin.buffer.read())
    try:
        answer = preview(inquiry, load_settings())
    except LaunchyardError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(answer.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
