"""Images of code on this machine's Docker engine: after an edit, after a new requirement, and with nothing changed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from broker_config.jobs import Job
from producer.packing import pack
from producer.progress import Silent
from workers.builders.docker import DockerBuilder
from workers.builders.protocol import BuildOrder
from workers.config.builder import DockerBuilderConfig
from workers.images.python_version import AGENT_PYTHON
from workers.sources.protocol import Fetched

ROUNDS = 7
INSTALL_ROUNDS = 3
MODULES = 200
REQUIREMENTS = "numpy==2.3.4\npandas==2.3.3\n"
ONE_MORE = "six==1.17.0\n"
MOST_CODE_BYTES = 100_000_000

PEERS_SHAPE = f"""\
FROM python:{AGENT_PYTHON}-slim AS build
RUN python -m venv /env
ENV PATH=/env/bin:$PATH
COPY requirements.txt ./
RUN --mount=type=cache,target=/root/.cache pip install uv && uv pip install -r requirements.txt
FROM python:{AGENT_PYTHON}-slim
COPY --from=build /env /env
ENV PATH=/env/bin:$PATH
WORKDIR /home/job
RUN chown -R 1000 /home/job
RUN mkdir -p /home/job/.cache && chown -R 1000 /home/job/.cache
COPY --chown=1000 . .
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["python", "main.py"]
"""
"""The shape of what W&B Launch writes: an environment is made in one stage, and copied into another."""


@dataclass(frozen=True, slots=True)
class Lab:
    """The same code, as ours and beside a Dockerfile of the other shape."""

    builder: DockerBuilder
    ours: Path
    peers: Path

    def edit(self) -> None:
        """Change one module, in both."""
        for folder in (self.ours, self.peers):
            (folder / "main.py").write_text(f"print({uuid.uuid4().hex!r})\n")

    def require(self, text: str) -> None:
        """Write the requirements, in both; unlike any that a cache knows."""
        for folder in (self.ours, self.peers):
            (folder / "requirements.txt").write_text(f"# {uuid.uuid4().hex}\n{text}")

    def order(self) -> BuildOrder:
        """What an agent is asked for, the code's hash included."""
        source = pack(self.ours, MOST_CODE_BYTES, Silent()).source
        return BuildOrder(Job(source=source), Fetched(source.digest, folder=self.ours))

    def build_ours(self) -> None:
        order = self.order()
        self.builder.build(order, self.builder.key(order), lambda _: None, lambda: False)

    def find_ours(self) -> None:
        order = self.order()
        if self.builder.find(order, self.builder.key(order)) is None:
            raise LookupError("the image that was built is not found")

    def build_peers(self) -> None:
        command = ["docker", "buildx", "build", "--load", "--provenance=false", "--tag", "launchyard-bench", "."]
        subprocess.run(command, cwd=self.peers, check=True, capture_output=True)


@contextmanager
def lab() -> Iterator[Lab]:
    """Code with some modules and dependencies of usual size, built in both ways.

    Raises:
        ConfigError: when no Docker engine answers.
    """
    home = Path(tempfile.mkdtemp(prefix="ly-"))
    try:
        made = Lab(DockerBuilder(home, DockerBuilderConfig()), home / "ours", home / "peers")
        for folder in (made.ours, made.peers):
            folder.mkdir()
            for number in range(MODULES):
                (folder / f"module_{number}.py").write_text(f"VALUE = {number}\n" * 100)
        (made.peers / "Dockerfile").write_text(PEERS_SHAPE)
        made.require(REQUIREMENTS)
        made.edit()
        made.build_ours()
        made.build_peers()
        yield made
    finally:
        shutil.rmtree(home)


def after_an_edit(lab: Lab) -> tuple[float, float]:
    """Seconds of a rebuild after one module was edited: ours, the peer's."""
    return _both(lab.build_ours, lab.build_peers, lab.edit, ROUNDS)


def after_a_requirement(lab: Lab) -> tuple[float, float]:
    """Seconds of a rebuild after a small package was added."""
    return _both(lab.build_ours, lab.build_peers, lambda: lab.require(REQUIREMENTS + ONE_MORE), INSTALL_ROUNDS)


def unchanged(lab: Lab) -> tuple[float, float]:
    """Seconds until an agent knows that the image is there, and of `docker build` with all in its cache."""
    lab.build_ours()
    lab.build_peers()
    return _both(lab.find_ours, lab.build_peers, lambda: None, ROUNDS)


def _both(
    ours: Callable[[], None], peers: Callable[[], None], change: Callable[[], None], rounds: int
) -> tuple[float, float]:
    """The medians, measured in turns, so that a busy machine is busy for both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        change()
        for kept, measured in zip(seconds, (ours, peers), strict=True):
            began = time.monotonic()
            measured()
            kept.append(time.monotonic() - began)
    return median(seconds[0]), median(seconds[1])
