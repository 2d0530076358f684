"""One stream a target tells of all its runs; the platform's present state decides, never the stream's memory.

The target says that something may have changed, and this module asks what is. So a change that is told twice, late or
not at all (a gap is followed by a look at everything) leads to the same record.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from broker_config.errors import LaunchyardError, NotFound, StaleWrite, TemporaryError
from broker_config.runs import Run, RunId, now
from broker_config.states import FailureClass, Reason, State
from workers.collect import Collector
from workers.record import Recorder
from workers.subject import about_run
from workers.targets.protocol import Observation, Phase, Target, Unanswered

logger = logging.getLogger(__name__)

RESYNC_SECONDS = 30.0
RECONNECT_SECONDS = 2.0

SILENCE_SECONDS = 5.0
"""A target that gives no answer for that long is told of in the records of its runs; a shorter silence is no news."""

FIRST_REPEAT_SECONDS = 60.0
LONGEST_REPEAT_SECONDS = 900.0
"""How long a run has to have waited until changed numbers are told again, and how long that may take in the end: each
time is an event of the run, and thousands may wait for days."""

GONE = Observation(
    Phase.FAILED,
    Reason.OBJECT_GONE,
    "The target does not know the job any more: somebody else removed it.",
    failure=FailureClass.INFRA,
)


@dataclass(frozen=True, slots=True)
class Packed:
    """A run between two looks, as small as it can be kept: most do nothing for days, and there are thousands."""

    id: RunId
    since: datetime
    text: str
    packed: bytes  # the whole run
    phase: Phase  # that was seen last, and why
    reason: Reason

    @classmethod
    def of(cls, run: Run, seen: Observation) -> Packed:
        packed = zlib.compress(run.model_dump_json().encode())
        return cls(run.id, run.since, run.text, packed, seen.phase, seen.reason)

    @property
    def run(self) -> Run:
        return Run.model_validate_json(zlib.decompress(self.packed))


class Watcher:
    """Follows all runs of one target."""

    def __init__(self, target: Target, recorder: Recorder, collector: Collector, let_go: Callable[[Run], None]) -> None:
        self._target = target
        self._recorder = recorder
        self._collector = collector
        self._let_go = let_go
        self._runs: dict[str, Run | Packed] = {}  # by the object's name
        self._changes: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._silent: dict[str, float] = {}  # by the object's name, since when there is no answer
        self._ask_again = 0.0
        self._repeated: dict[str, float] = {}  # by the object's name, how long the run had waited then
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._listen, name="watch-listen", daemon=True),
            threading.Thread(target=self._look, name="watch-look", daemon=True),
        ]

    def start(self) -> None:
        """Begin to follow."""
        for thread in self._threads:
            thread.start()

    def attach(self, run: Run) -> None:
        """Follow this submitted run until its end."""
        # The collector first: from the next line on, a change may tell of the end.
        self._collector.attach(run)
        self._runs[run.submission] = run
        self._changes.put(run.submission)

    def stop(self) -> None:
        """Follow no more; the jobs go on."""
        self._stop.set()
        self._changes.put(None)
        self._threads[1].join(timeout=10)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                self._target.watch(self._changes.put, self._stop)
            except LaunchyardError as error:
                logger.warning("watch-lost target=%s: %s", type(self._target).__name__, error)
            except Exception:
                logger.exception("watch-fault target=%s", type(self._target).__name__)
            self._stop.wait(RECONNECT_SECONDS)

    def _look(self) -> None:
        while not self._stop.is_set():
            names = self._next_names()
            try:
                self._observe(names)
            except LaunchyardError as error:
                logger.warning("observe-retry runs=%d: %s", len(names), error)
                self._again(names)
            except Exception:
                logger.exception("observe-fault runs=%d", len(names))
                self._again(names)

    def _next_names(self) -> list[str]:
        wait = RECONNECT_SECONDS if self._silent else RESYNC_SECONDS
        changed: set[str | None] = set()
        try:
            changed.add(self._changes.get(timeout=wait))
        except queue.Empty:
            changed |= self._silent.keys() or {None}
        while not self._changes.empty():
            changed.add(self._changes.get())
        for name in changed:
            if name is not None and (run := self._runs.get(name)) is not None:
                self._collector.wake(run.id)
        if time.monotonic() >= self._ask_again:
            changed |= self._silent.keys()
        return list(self._runs) if None in changed else [name for name in changed if name in self._runs]

    def _again(self, names: Iterable[str]) -> None:
        self._stop.wait(RECONNECT_SECONDS)
        for name in names:
            self._changes.put(name)

    def _observe(self, names: list[str]) -> None:
        if not names:
            return
        observations, silent = self._ask(names)
        for name in names:
            if (why := silent.get(name)) is not None:
                if self._is_silent_for_long(name):
                    self._write(name, partial(self._doubt, why=why))
                continue
            self._silent.pop(name, None)
            seen = observations.get(name, GONE)
            if self._is_news(name, seen):
                self._write(name, partial(self._record, seen=seen))

    def _write(self, name: str, write: Callable[[Run], None]) -> None:
        """Have something written of the run, if it is still this session's."""
        held = self._runs[name]
        run = held.run if isinstance(held, Packed) else held
        with about_run(run):
            try:
                write(run)
            except StaleWrite:
                # Another session holds the run now and follows it.
                logger.warning("run-lost run=%s", run.id)
                self._runs.pop(name)
                self._silent.pop(name, None)
                self._repeated.pop(name, None)
                self._collector.drop(run)
                self._let_go(run)
            except NotFound:
                logger.warning("run-unknown run=%s: the broker has lost its record; the job is followed on", run.id)

    def _is_silent_for_long(self, name: str) -> bool:
        since = self._silent.setdefault(name, time.monotonic())
        return time.monotonic() - since >= SILENCE_SECONDS

    def _is_news(self, name: str, seen: Observation) -> bool:
        """Whether there may be something to write: not when the same was seen, and so written, before."""
        held = self._runs[name]
        if not isinstance(held, Packed) or (held.phase, held.reason) != (seen.phase, seen.reason):
            return True
        return self._may_repeat(name, held, seen)

    def _ask(self, names: list[str]) -> tuple[Mapping[str, Observation], Mapping[str, str]]:
        """What the target says of each object; and of which it says nothing, and why."""
        try:
            return self._target.observe(names), {}
        except Unanswered as error:
            seen, silent = error.seen, error.silent
        except TemporaryError as error:
            seen, silent = {}, dict.fromkeys(names, str(error))
        logger.warning("observe-retry runs=%d: %s", len(silent), next(iter(silent.values())))
        self._ask_again = time.monotonic() + RECONNECT_SECONDS
        return seen, silent

    def _doubt(self, run: Run, why: str) -> None:
        """Say in the record that nothing was heard of the job for a while. It is where it was, as far as is known."""
        if not _is_doubted(run):
            text = f"What is told of the job may be old: {why}."
            self._runs[run.submission] = self._recorder.see(run, Reason.TARGET_UNAVAILABLE, text)

    def _record(self, run: Run, seen: Observation) -> None:
        name = run.submission
        if seen.phase.is_end:
            self._runs.pop(name)
            self._repeated.pop(name, None)
            self._collector.finish(run, seen)
            return
        if seen.phase is Phase.RUNNING:
            run = self._recorder.reach(run, State.RUNNING, seen.reason, seen.text, started_at=now())
            is_news = _is_doubted(run) or run.reason is Reason.NOT_ADMITTED
        else:
            run = self._recorder.reach(run, State.STARTING, seen.reason, seen.text)
            # What holds it up may have changed; and one that ran may be taken back into the platform's own queue.
            is_news = run.state is State.STARTING or seen.reason is Reason.NOT_ADMITTED
        if is_news:
            if anew := self._may_repeat(name, run, seen):
                self._repeated[name] = _waited(run)
            run = self._recorder.see(run, seen.reason, seen.text, anew=anew)
        self._runs[name] = Packed.of(run, seen)

    def _may_repeat(self, name: str, held: Run | Packed, seen: Observation) -> bool:
        """Whether other numbers may be told for the same reason: after twice as long as the last time."""
        if seen.reason is not Reason.UNSCHEDULABLE or held.text == seen.text:
            return False
        last = self._repeated.get(name, FIRST_REPEAT_SECONDS / 2)
        return _waited(held) - last >= min(last, LONGEST_REPEAT_SECONDS)


def _waited(held: Run | Packed) -> float:
    """Seconds since the run came into its state."""
    return (now() - held.since).total_seconds()


def _is_doubted(run: Run) -> bool:
    return run.reason is Reason.TARGET_UNAVAILABLE
