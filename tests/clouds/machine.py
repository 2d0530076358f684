"""What a job finds on this machine, where it runs as a process in the place of a container."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# The tests' own Python comes first: another one on the path may lack what they import, or there may be none.
VARIABLES: Mapping[str, str] = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(Path.cwd()),
}
