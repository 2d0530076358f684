"""Train a classifier of handwritten digits, epoch by epoch, and write down how good it is on digits it never saw.

The data are the 1,797 scans of 8 x 8 pixels that scikit-learn ships, so nothing is downloaded. A fifth of them is kept
for the test, and only the last line and `metrics.json` tell its result.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def arguments() -> argparse.Namespace:
    """The command line over the run config (`launchyard launch --run-config epochs=40`), over the defaults."""
    config = json.loads(os.environ.get("LAUNCHYARD_CONFIG") or "{}")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=config.get("epochs", 20))
    parser.add_argument("--learning-rate", type=float, default=config.get("learning_rate", 0.01))
    parser.add_argument("--seed", type=int, default=config.get("seed", 0))
    return parser.parse_args()


def main() -> None:
    options = arguments()
    pixels, digits = load_digits(return_X_y=True)
    rest, test, rest_digits, test_digits = train_test_split(
        pixels / 16.0, digits, test_size=0.2, stratify=digits, random_state=options.seed
    )
    train, valid, train_digits, valid_digits = train_test_split(
        rest, rest_digits, test_size=0.1, stratify=rest_digits, random_state=options.seed
    )
    print(f"training on {len(train)} digits, validating on {len(valid)}, testing on {len(test)}", flush=True)

    model = MLPClassifier((64,), learning_rate_init=options.learning_rate, random_state=options.seed)
    classes = np.unique(digits)
    started = time.monotonic()
    for epoch in range(1, options.epochs + 1):
        model.partial_fit(train, train_digits, classes=classes)
        print(
            f"epoch {epoch:2}/{options.epochs}  loss {model.loss_:.4f}  "
            f"validation accuracy {model.score(valid, valid_digits):.4f}",
            flush=True,
        )

    accuracy = float(model.score(test, test_digits))
    metrics = {"accuracy": accuracy, "epochs": options.epochs, "seconds": round(time.monotonic() - started, 2)}
    Path("metrics.json").write_text(json.dumps(metrics) + "\n", encoding="utf-8")
    print(f"accuracy: {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
