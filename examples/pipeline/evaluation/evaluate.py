"""The job that an evaluation runs: reads a checkpoint, and prints what it found as one line of JSON.

The checkpoint's path has to mean the same where the training and where this job runs: a shared folder, or with a few
lines more the URL of an object.
"""

from __future__ import annotations

import json
import os
from pathlib import Path


def main() -> None:
    config = json.loads(os.environ["LAUNCHYARD_CONFIG"])
    weights = json.loads(Path(config["checkpoint"]).read_text(encoding="utf-8"))
    # y = 3 x + 1 on points that the training never saw.
    error = max(abs(weights["slope"] * x + weights["offset"] - (3 * x + 1)) for x in (-2.0, 0.5, 4.0))
    print(json.dumps({"epoch": config["epoch"], "largest_error": error}))


if __name__ == "__main__":
    main()
