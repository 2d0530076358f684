"""What kaniko writes: its own lines as JSON, between them the output of the Dockerfile's commands as it comes."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator

from workers.images.steps import LAST_LINES, BuildStep, Failure

_INSTRUCTION = re.compile(
    r"(?:ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR) "
)
_CACHED = "Using caching version of cmd: "
_ERROR = "error "
"""How kaniko's last sentence begins, which is no JSON."""


class Output:
    """Reads a build's lines, and remembers its steps and what it failed with."""

    def __init__(self) -> None:
        self.read_until = ""  # the newest line's time
        self._done: list[BuildStep] = []
        self._cached: set[str] = set()
        self._step = ""
        self._since = 0.0
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._error = ""

    def follow(self, lines: Iterable[str]) -> Iterator[str]:
        """What an answer has behind the earlier ones, for people."""
        known = self.read_until
        for line in lines:
            at, text = _stamped(line)
            # Two threads of the node write stdout and stderr, so a time may be a little before the one in front of it.
            if at > known:
                self.read_until = max(self.read_until, at)
                yield self._read(text)

    def _read(self, line: str) -> str:
        text = _message(line)
        if text is None:
            if line.startswith(_ERROR):
                self._error = line
            else:
                self._last.append(line)
            return line
        if text.startswith(_CACHED):
            self._cached.add(text.removeprefix(_CACHED))
        elif _INSTRUCTION.match(text):
            self._begin(text)
        return text

    @property
    def steps(self) -> tuple[BuildStep, ...]:
        """The Dockerfile's instructions that have ended."""
        return tuple(self._done)

    def end(self) -> None:
        """The build has ended well, and so has its last step."""
        self._begin("")

    def failure(self, words: str) -> Failure:
        """What it failed with; `words` where its own output does not say."""
        return Failure(self._error or words, list(self._last), self._step)

    def _begin(self, step: str) -> None:
        now = time.monotonic()
        if self._step:
            self._done.append(BuildStep(self._step, now - self._since, self._step in self._cached))
        self._step, self._since = step, now
        self._last.clear()


def _message(line: str) -> str | None:
    """Kaniko's own words; None where the line is somebody else's."""
    if not line.startswith('{"'):
        return None
    try:
        said = json.loads(line)
        return str(said["msg"]) if {"level", "msg"} <= said.keys() else None
    except (ValueError, AttributeError):
        return None


def _stamped(line: str) -> tuple[str, str]:
    """A log's line apart from its time, in a form in which times can be compared as text."""
    stamp, _, text = line.partition(" ")
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    return f"{seconds}.{fraction:0<9}", text
