"""Processes for the tests of the local-process target: real ones, in a home of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.contract.targets import LocalProcess
from workers.builders.protocol import Artifact, ArtifactKind
from workers.targets.contract.case import Behaviour, workload_of
from workers.targets.contract.lab import Lab
from workers.targets.local_process import supervisor
from workers.targets.protocol import Request

ROOT = Path(__file__).parents[3]


class ProcessLab(Lab):
    """A lab that runs any command."""

    def __init__(self, home: Path) -> None:
        super().__init__(LocalProcess(), home)
        self.code = home / "code"
        self.code.mkdir()

    def request(
        self,
        command: Sequence[str],
        config: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Request:
        environment = Artifact(ArtifactKind.ENVIRONMENT, sys.prefix)
        return self.target.render(
            workload_of(self.new_name(), environment, [*command], self.code, config=config, env=env)
        )

    def run(self, command: Sequence[str], config: Mapping[str, Any] | None = None, **env: str) -> str:
        """Submit a command; its name."""
        request = self.request(command, config, env)
        self.target.submit(request)
        return request.name

    def python(self, script: str, config: Mapping[str, Any] | None = None, **env: str) -> str:
        """Submit a Python script; its name."""
        return self.run(["python", "-c", script], config, **env)

    def output_of(self, name: str) -> list[str]:
        """All lines of one that ended well."""
        ended = self.end_of(name)
        assert ended.exit_code == 0, (ended, self.lines(name))
        return self.lines(name)

    def file(self, name: str, of: str) -> Any:
        """What the supervisor wrote into one of its files."""
        return supervisor.read_whole(str(self.home / "processes" / name), of)

    def supervisor_of(self, name: str) -> psutil.Process:
        return psutil.Process(self.file(name, supervisor.CLAIM)["pid"])


def agent_process(home: Path, script: str, request: Request | None = None) -> subprocess.Popen[str]:
    """A process that has `target` and `request`, runs the script, and can be killed."""
    told = json.dumps({"name": request.name, "body": dict(request.body)} if request else None)
    preamble = (
        "import json, os, signal, sys\n"
        "from pathlib import Path\n"
        "from workers.targets.local_process import LocalProcessTarget\n"
        "from workers.targets.protocol import Request\n"
        "target = LocalProcessTarget(Path(sys.argv[1]))\n"
        "told = json.loads(sys.argv[2])\n"
        "request = Request(**told) if told else None\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", preamble + script, str(home), told],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    """Let it run its script."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


__all__ = ["Behaviour", "ProcessLab", "agent_process", "go"]
