"""A training loop of a few lines that has each of its new best checkpoints evaluated by a run of its own.

    python train.py --queue evaluations --training nightly-2026-11-24

The loop goes on while an agent evaluates, and only its end waits for what was found.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from evaluations import Evaluations

from producer import Client

POINTS = [(x / 10, 3 * x / 10 + 1) for x in range(-10, 11)]


def epochs(count: int, rate: float = 0.3) -> list[tuple[float, float, float]]:
    """Slope, offset and loss after each epoch of fitting a line by gradient descent."""
    slope = offset = 0.0
    found = []
    for _ in range(count):
        errors = [(slope * x + offset - y, x) for x, y in POINTS]
        slope -= rate * sum(error * x for error, x in errors) / len(POINTS)
        offset -= rate * sum(error for error, _ in errors) / len(POINTS)
        found.append((slope, offset, sum((slope * x + offset - y) ** 2 for x, y in POINTS) / len(POINTS)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queue", required=True)
    parser.add_argument("--training", required=True, help="a name that this training keeps when it is tried again")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("checkpoints"))
    options = parser.parse_args()

    options.folder.mkdir(parents=True, exist_ok=True)
    with Client() as client:
        evaluations = Evaluations(client, options.queue, options.training)
        for epoch, (slope, offset, loss) in enumerate(epochs(options.epochs)):
            checkpoint = options.folder / f"epoch-{epoch}.json"
            checkpoint.write_text(json.dumps({"slope": slope, "offset": offset}), encoding="utf-8")
            evaluations.after_epoch(epoch, loss, checkpoint)
            print(f"epoch {epoch}  loss {loss:.4f}", flush=True)
        for epoch, found in evaluations.results(timeout=600).items():
            print(f"run {evaluations.runs[epoch].id} found for epoch {epoch}: {found['largest_error']:.4f}")


if __name__ == "__main__":
    main()
