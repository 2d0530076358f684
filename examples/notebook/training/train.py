"""Fits y = 3 x + 1 by gradient descent, and prints one line of JSON an epoch."""

from __future__ import annotations

import json
import os

POINTS = [(x / 10, 3 * x / 10 + 1) for x in range(-10, 11)]


def main() -> None:
    config = json.loads(os.environ["LAUNCHYARD_CONFIG"])
    rate = config["learning_rate"]
    if rate <= 0:
        raise SystemExit(f"learning_rate is {rate}; it has to be above 0")
    slope = offset = 0.0
    for epoch in range(config["epochs"]):
        errors = [(slope * x + offset - y, x) for x, y in POINTS]
        slope -= rate * sum(error * x for error, x in errors) / len(POINTS)
        offset -= rate * sum(error for error, _ in errors) / len(POINTS)
        loss = sum((slope * x + offset - y) ** 2 for x, y in POINTS) / len(POINTS)
        print(json.dumps({"epoch": epoch, "loss": round(loss, 6)}), flush=True)


if __name__ == "__main__":
    main()
