"""What is counted at the end of the soak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from broker_config.runs import Run
from broker_config.states import State
from tests.faults.history import ends
from tests.soak.faults import Faults
from tests.soak.load import Intent, Load
from tests.soak.yard import SoakYard
from workers.targets.stub import StubTarget


@dataclass
class Verdict:
    """Counts of what must not be, each with the runs' ids."""

    lost: list[str] = field(default_factory=list)  # accepted, and there is no record
    doubled: list[str] = field(default_factory=list)  # a job that began twice, or an end that came twice
    stuck: list[str] = field(default_factory=list)  # not ended
    wrong: list[str] = field(default_factory=list)  # another end than the job's own
    hung: list[str] = field(default_factory=list)  # agents that did not stop when they were asked to
    notes: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.stuck or self.wrong or self.hung)

    def row(self, seed: int, count: int, seconds: float) -> str:
        """For the docs: seed, runs, the counts, and the time that it took."""
        counts = " | ".join(str(len(ids)) for ids in (self.lost, self.doubled, self.stuck, self.wrong))
        return f"| {seed} | {count:,} | {counts} | {seconds:.0f} s |"

    def text(self) -> str:
        """For people."""
        counted = {
            "lost": self.lost,
            "doubled": self.doubled,
            "stuck": self.stuck,
            "wrong": self.wrong,
            "hung": self.hung,
        }
        found = [f"  {name}: {run_id}" for name, ids in counted.items() for run_id in ids[:10]]
        numbers = ", ".join(f"{name} {len(ids)}" for name, ids in counted.items())
        return "\n".join([*self.notes, *found, numbers])


def judge(yard: SoakYard, load: Load, faults: Faults) -> Verdict:
    """Look at every run that was accepted."""
    verdict = Verdict(hung=faults.hung)
    runs = {run.id: run for run in yard.store.runs.get_many(list(load.launched))}
    begun = Counter(StubTarget(yard.home).submissions())
    known = {run.id for run in yard.store.runs.newest()}
    verdict.lost = [run_id for run_id in load.launched if run_id not in runs]
    # A launch that was sent again under its key must not have made a second run.
    verdict.doubled = [f"{run_id}: launched twice" for run_id in known - set(load.launched)]
    for run_id, run in runs.items():
        if not run.state.is_terminal:
            verdict.stuck.append(f"{run_id}: {run.state} {run.reason} {run.agent} {run.text}")
            continue
        verdict.doubled += _twice(run, yard, begun)
        verdict.wrong += _wrong(run, load.launched[run_id])
    states = Counter(str(run.state) for run in runs.values())
    verdict.notes += [
        "faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(faults.struck.items())),
        "ends: " + ", ".join(f"{state} {count}" for state, count in sorted(states.items())),
        f"agents that ended unasked: {yard.unasked_ends}",
    ]
    return verdict


def _twice(run: Run, yard: SoakYard, begun: Counter[str]) -> Iterator[str]:
    objects = sum(count for name, count in begun.items() if name.split("-")[1] == run.id)
    if objects > 1:
        yield f"{run.id}: {objects} objects"
    ended = ends([event for _, event in yard.store.runs.events(run.id)])
    if ended > 1:
        yield f"{run.id}: {ended} ends"
    lines = [line for batch in yard.store.logs.read(run.id) if batch.stream == "job" for line in batch.lines]
    if len(lines) > 2:
        yield f"{run.id}: {len(lines)} lines of 2"


def _wrong(run: Run, intent: Intent) -> Iterator[str]:
    own = State.FAILED if intent.exit_code else State.SUCCEEDED
    allowed = {own, State.CANCELLED} if intent.is_cancelled else {own}
    if run.state not in allowed or (run.state is own and run.exit_code != intent.exit_code):
        yield f"{run.id}: {run.state} {run.reason} {run.exit_code} {run.text}, wanted {intent}"
