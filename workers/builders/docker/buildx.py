"""Building with BuildKit, by `docker buildx build` as a process of our own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from broker_config.errors import TemporaryError
from workers.builders.docker.plan import Plan

_VERSION_SECONDS = 10
_TERM_SECONDS = 0.7
_EXIT_SECONDS = 10


def is_there() -> bool:
    """Whether the docker CLI with buildx can be run."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        found = subprocess.run(
            [docker, "buildx", "version"], capture_output=True, timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0


class BuildxBuild:
    """One run of buildx."""

    def __init__(self, plan: Plan) -> None:
        """Start it."""
        self._scratch = tempfile.TemporaryDirectory(prefix="launchyard-build-")
        path = _written(plan, Path(self._scratch.name))
        try:
            self._process = subprocess.Popen(
                _command(plan, path),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # The CLI starts buildx as a process of its own, and both have to end together.
                start_new_session=True,
            )
        except OSError as error:
            self._scratch.cleanup()
            raise TemporaryError(f"docker buildx cannot be started: {error}") from error

    def lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            yield from output

    def end(self) -> None:
        # At the first signal buildx tells the engine to end the build. At the second it is gone, and the engine ends
        # builds whose client is gone.
        for number, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, _EXIT_SECONDS)):
            self._signal(number)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            break
        self._signal(signal.SIGKILL)
        self._scratch.cleanup()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def failure(self, last: Sequence[str]) -> str | None:
        try:
            code = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            return "docker buildx closed its output and did not end"
        self._scratch.cleanup()
        if code == 0:
            return None
        if code < 0:
            return f"docker buildx was killed by {signal.Signals(-code).name}"
        said = [line for line in last if line.startswith("ERROR:")]
        return said[-1].removeprefix("ERROR:").strip() if said else f"docker buildx ended with exit code {code}"


def _written(plan: Plan, scratch: Path) -> Path:
    """The Dockerfile, outside of the code that it copies."""
    path = scratch / "Dockerfile"
    path.write_text(plan.recipe.dockerfile)
    # BuildKit takes an ignore file with the Dockerfile's name before the one of the context.
    path.with_name("Dockerfile.dockerignore").write_text("\n".join(plan.recipe.ignored) + "\n")
    return path


def _command(plan: Plan, dockerfile: Path) -> list[str]:
    command = ["docker", "buildx", "build", "--progress=plain", "--load", "--provenance=false"]
    command += ["--tag", plan.reference, "--file", str(dockerfile)]
    if plan.platform:
        command += ["--platform", plan.platform]
    for name, value in plan.recipe.labels.items():
        command += ["--label", f"{name}={value}"]
    for name, value in plan.recipe.build_args.items():
        command += ["--build-arg", f"{name}={value}"]
    for name, secret in plan.recipe.secrets.items():
        command += ["--secret", f"id={name},env={secret.env}" if secret.env else f"id={name},src={secret.file}"]
    return [*command, str(plan.recipe.folder)]
