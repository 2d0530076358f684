"""BuildKit's account of a build, as `docker buildx build --progress=rawjson` writes it.

Source of the format: `SolveStatus` of BuildKit's client (vertexes, statuses, logs, warnings). buildx writes each as one
line, or, before 0.20 or so, over many lines; what else it has to say stands between them as plain text.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from workers.images.steps import LAST_LINES, BuildStep, Failure

_INTERNAL = ("[internal]", "[auth]")
"""Steps that no Dockerfile asks for: people see them only when they fail."""

_CANCELED = ("context canceled", "Canceled")
"""What BuildKit says of the steps that it ends because another one has failed."""

_MARK = re.compile(r"\[[^\]]*\]")


@dataclass(slots=True)
class _Vertex:
    name: str
    started: datetime | None = None
    completed: datetime | None = None
    is_cached: bool = False
    is_shown: bool = False
    is_told: bool = False
    error: str = ""
    rest: bytes = b""  # output without the end of its line
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    @property
    def is_internal(self) -> bool:
        return self.name.startswith(_INTERNAL)

    @property
    def mark(self) -> str:
        """What stands before each line of its output, since steps run beside each other."""
        found = _MARK.match(self.name)
        return found[0] if found else f"[{self.name}]"

    @property
    def seconds(self) -> float:
        return (self.completed - self.started).total_seconds() if self.started and self.completed else 0.0


class Progress:
    """Reads the account line by line, and gives the lines for people."""

    def __init__(self) -> None:
        self._vertexes: dict[str, _Vertex] = {}
        self._object = ""  # begun and not ended
        self._said: deque[str] = deque(maxlen=LAST_LINES)  # between the objects

    def read(self, line: str) -> Iterator[str]:
        """What people are to see of one line of output."""
        line = line.rstrip("\r\n")
        if not self._object and not line.startswith("{"):
            yield from self._plain(line)
            return
        self._object += line + "\n"
        # The objects of the format end at the beginning of a line, or on the line on which they begin.
        if not line.endswith("}") or (line.startswith(" ") and line != "}"):
            return
        text, self._object = self._object, ""
        try:
            status = json.loads(text)
        except ValueError:
            for one in text.splitlines():
                yield from self._plain(one)
        else:
            yield from self._status(status)

    @property
    def steps(self) -> tuple[BuildStep, ...]:
        """Those that the Dockerfile asked for, and those that made and pushed the image, as they began."""
        ended = [
            (vertex.started, BuildStep(vertex.name, round(vertex.seconds, 3), vertex.is_cached))
            for vertex in self._vertexes.values()
            if vertex.started and vertex.completed and not (vertex.is_internal or vertex.error)
        ]
        return tuple(step for _, step in sorted(ended, key=itemgetter(0)))

    def failure(self) -> Failure | None:
        """The step that ended the build, or else what buildx said."""
        for vertex in self._vertexes.values():
            if vertex.error and not vertex.error.endswith(_CANCELED):
                return Failure(vertex.error, list(vertex.last) or list(self._said), vertex.name)
        errors = [line.removeprefix("ERROR:").strip() for line in self._said if line.startswith("ERROR:")]
        return Failure(errors[-1], list(self._said)) if errors else None

    @property
    def said(self) -> Sequence[str]:
        """The last lines that were no part of the account."""
        return list(self._said)

    def _plain(self, line: str) -> Iterator[str]:
        if line.strip():
            self._said.append(line)
            yield line

    def _status(self, status: dict[str, Any]) -> Iterator[str]:
        for told in status.get("vertexes") or ():
            yield from self._vertex(told)
        for told in status.get("logs") or ():
            if vertex := self._vertexes.get(told["vertex"]):
                yield from self._output(vertex, base64.b64decode(told.get("data") or ""))
        for told in status.get("warnings") or ():
            yield f"warning: {base64.b64decode(told.get('short') or '').decode(errors='replace')}"

    def _vertex(self, told: dict[str, Any]) -> Iterator[str]:
        name = told.get("name") or ""
        vertex = self._vertexes.setdefault(told["digest"], _Vertex(name))
        vertex.is_cached |= bool(told.get("cached"))
        vertex.error = told.get("error") or vertex.error
        # A step may begin more than once: when two others want it, and when its cache was asked first.
        if begin := _time(told.get("started")):
            vertex.started = min(vertex.started or begin, begin)
        if end := _time(told.get("completed")):
            vertex.completed = max(vertex.completed or end, end)
        if vertex.started and not vertex.is_internal:
            yield from self._show(vertex)
        if vertex.completed:
            yield from self._flush(vertex)
            yield from self._end(vertex)

    def _end(self, vertex: _Vertex) -> Iterator[str]:
        if vertex.is_told or (vertex.is_internal and not vertex.error):
            return
        vertex.is_told = True
        if vertex.error:
            yield f"{vertex.mark} failed: {vertex.error}"
        elif vertex.is_cached:
            yield f"{vertex.mark} cached"
        else:
            yield f"{vertex.mark} done in {vertex.seconds:.1f} s"

    def _show(self, vertex: _Vertex) -> Iterator[str]:
        if not vertex.is_shown:
            vertex.is_shown = True
            yield vertex.name

    def _output(self, vertex: _Vertex, data: bytes) -> Iterator[str]:
        *lines, vertex.rest = (vertex.rest + data).split(b"\n")
        for line in lines:
            yield from self._line(vertex, line)

    def _flush(self, vertex: _Vertex) -> Iterator[str]:
        rest, vertex.rest = vertex.rest, b""
        yield from self._line(vertex, rest)

    def _line(self, vertex: _Vertex, line: bytes) -> Iterator[str]:
        # A progress bar writes over itself: only what stays is of use.
        text = line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]
        if text.strip():
            vertex.last.append(text)
            yield from self._show(vertex)
            yield f"{vertex.mark} {text}"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
