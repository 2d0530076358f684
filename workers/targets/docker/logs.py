"""Reading a container's log from the engine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing

from docker.errors import NotFound

from workers.targets.docker import output
from workers.targets.docker.engine import ANSWER_SECONDS, Engine, check
from workers.targets.docker.output import Piece, Position
from workers.targets.protocol import LogChunk

TAIL_PIECES = 300
_READ_BYTES = 64 * 1024


class Logs:
    """The logs of one engine's containers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, name: str, position: str, has_ended: Callable[[], bool]) -> LogChunk:
        """The next chunk from a position on; an empty one for a container that is gone."""
        start = Position.parse(position)
        with self._engine.answering():
            try:
                pieces = self._newest(name, start)
                if pieces is not None:
                    return output.read(pieces, start, has_ended)
                with closing(self._pieces(name, {"since": start.since})) as stream:
                    return output.read(stream, start, has_ended)
            except NotFound:
                return LogChunk((), position)

    def _newest(self, name: str, start: Position) -> Sequence[Piece] | None:
        """The newest pieces, if they reach back to the position.

        The engine finds these from the log's end. It finds what came after a time by reading the log from its
        beginning: 1.6 s against 4 ms for a job that has printed a million lines (docker 26.1, json-file).
        """
        with closing(self._pieces(name, {"tail": str(TAIL_PIECES)})) as stream:
            pieces = list(stream)
        oldest = min((one.at_ns for one in pieces), default=0)
        reaches = len(pieces) < TAIL_PIECES or oldest < start.since_ns - output.MARGIN_NS
        return pieces if reaches else None

    def _pieces(self, name: str, which: Mapping[str, str]) -> Generator[Piece, None, None]:
        # docker's own client takes no time with nanoseconds, drops the stream's number, and reads without a time limit.
        response = self._engine.api.get(
            self._engine.url(f"/containers/{name}/logs"),
            params={"stdout": "1", "stderr": "1", "timestamps": "1", **which},
            stream=True,
            timeout=ANSWER_SECONDS,
        )
        with closing(response):
            check(response)
            for stream, payload in output.frames(response.raw.stream(_READ_BYTES)):
                yield output.piece(stream, payload)
