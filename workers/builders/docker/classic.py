"""Building with the engine's classic builder, for machines without buildx: no cache mounts, no secrets."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Iterator
from typing import IO, Any

from docker import auth
from docker.errors import create_api_error_from_http_exception
from docker.types.daemon import CancellableStream
from docker.utils.build import tar
from docker.utils.json_stream import json_stream, stream_as_text
from requests import HTTPError, Response

from workers.builders.docker.engine import Engine, answering
from workers.images.buildx.plan import Plan
from workers.images.steps import LAST_LINES, BuildStep, Ended, Failure

_DOCKERFILE = ".launchyard.Dockerfile"
_CONNECT_SECONDS = 10

_STEP = re.compile(r"Step (\d+/\d+) : (.*)")
_CACHED = "---> Using cache"


class ClassicBuild:
    """One build by the engine."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        """Send the context; the engine begins when it has all of it."""
        # docker's own client gives no hold on the response, and nothing but closing its connection ends a build.
        with answering(), _context(plan) as context:
            response = engine.api.post(
                f"{engine.api.base_url}/v{engine.api.api_version}/build",
                params=_parameters(plan),
                data=context,
                headers={"Content-Type": "application/tar", **_credentials()},
                stream=True,
                timeout=(_CONNECT_SECONDS, None),
            )
            _check(response)
        events: Any = json_stream(stream_as_text(response.raw.stream(decode_content=True)))
        self._stream: CancellableStream[dict[str, Any]] = CancellableStream(events, response)
        self._account = _Account()
        self._is_finished = False

    def lines(self) -> Iterator[str]:
        for event in self._stream:
            if "error" in event:
                self._account.error = str(event["error"])
            elif "aux" in event:
                self._is_finished = True
            said = str(event.get("stream") or event.get("error") or "")
            for line in filter(str.strip, said.splitlines()):
                self._account.read(line)
                yield line
        self._account.close()

    def end(self) -> None:
        self._stream.close()

    def ended(self) -> Ended:
        account = self._account
        words = account.error
        if words is None and not self._is_finished:
            words = "the docker engine ended the build's output before the build (unexpected EOF)"
        failure = Failure(words, list(account.last), account.step) if words else None
        return Ended(tuple(account.steps), failure)


class _Account:
    """What the lines tell of the steps; their times are those at which the lines came."""

    def __init__(self) -> None:
        self.steps: list[BuildStep] = []
        self.error: str | None = None
        self.step = ""  # under way
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self._begin = 0.0
        self._is_cached = False

    def read(self, line: str) -> None:
        """One line of the build."""
        if match := _STEP.fullmatch(line):
            self.close()
            self.step, self._begin, self._is_cached = f"[{match[1]}] {match[2]}", time.monotonic(), False
            self.last.clear()
            return
        self._is_cached |= line.strip() == _CACHED
        self.last.append(line)

    def close(self) -> None:
        """End the step that is under way, unless it has failed."""
        if self.step and self.error is None:
            self.steps.append(BuildStep(self.step, round(time.monotonic() - self._begin, 3), self._is_cached))
            self.step = ""


def _context(plan: Plan) -> IO[bytes]:
    # docker's client always adds an ignore file, which code that had none should not get to see.
    is_there = (plan.recipe.folder / ".dockerignore").is_file()
    patterns = [*plan.recipe.ignored, *(() if is_there else (".dockerignore",))]
    made: Any = tar(plan.recipe.folder, exclude=patterns, dockerfile=(_DOCKERFILE, plan.recipe.dockerfile))
    context: IO[bytes] = made
    return context


def _parameters(plan: Plan) -> dict[str, str]:
    parameters = {
        "t": plan.reference,
        "dockerfile": _DOCKERFILE,
        "rm": "1",
        "forcerm": "1",
        "labels": json.dumps(dict(plan.recipe.labels)),
        "buildargs": json.dumps(dict(plan.recipe.build_args)),
    }
    return {**parameters, "platform": plan.platform} if plan.platform else parameters


def _credentials() -> dict[str, str]:
    """The agent's docker logins: a build may begin at a private image."""
    found = auth.load_config().get_all_credentials()  # type: ignore[no-untyped-call]  # not in the stubs
    return {"X-Registry-Config": auth.encode_header(found).decode()} if found else {}


def _check(response: Response) -> None:
    try:
        response.raise_for_status()
    except HTTPError as error:
        create_api_error_from_http_exception(error)
