"""A BuildKit daemon, by its address, as docker's buildx knows it: an instance of its driver `remote`.

buildx and not buildctl speaks to it: it is in the distributions' packages, needs no engine for this, and takes the very
call that the docker builder makes.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker_config.errors import ConfigError
from workers.config.buildkit import BuildkitTls
from workers.images.buildx.login import with_own_environment

_ANSWER_SECONDS = 30
_PLATFORMS = re.compile(r"^Platforms:\s*([\w/]+)", re.MULTILINE)
_TROUBLE = re.compile(r"^(?:Error|Status):\s*(.+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Daemon:
    """Where it is, and what makes buildx find it."""

    address: str
    environment: Mapping[str, str]

    @property
    def platform(self) -> str:
        """The platform that it builds for by itself.

        Raises:
            ConfigError: when it does not answer.
        """
        said = _buildx(self.environment, "inspect").stdout
        found = _PLATFORMS.search(said)
        if found is None:
            trouble = _TROUBLE.search(said)
            words = f" ({trouble[1]})" if trouble else ""
            raise ConfigError(
                f"builder buildkit: no BuildKit daemon answers at {self.address}{words}; start one, or check the "
                "address and tls of the agent's config"
            )
        return found[1]


def introduce(address: str, tls: BuildkitTls | None, home: Path) -> Daemon:
    """Make a daemon known to buildx, in a folder that is the agents' own. Several may do so at once.

    Raises:
        ConfigError: when buildx does not take the address.
    """
    words = [f"{name}={path}" for name, path in (tls.files if tls else {}).items()]
    # Named after all that it is made of: agents that share a home folder and a daemon share the instance too.
    name = "launchyard-" + hashlib.sha256("\n".join([address, *words]).encode()).hexdigest()[:16]
    environment = {"BUILDX_CONFIG": str(home / "buildx"), "BUILDX_BUILDER": name}
    options = [f"--driver-opt={word}" for word in words]
    made = _buildx(environment, "create", "--name", name, "--driver", "remote", *options, address)
    if made.returncode and "existing instance" not in made.stderr:
        raise ConfigError(f"builder buildkit: buildx does not take {address}: {made.stderr.strip()}")
    return Daemon(address, environment)


def _buildx(environment: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["docker", "buildx", *words],
            capture_output=True,
            text=True,
            env=with_own_environment(environment),
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"builder buildkit: docker buildx {words[0]} does not end well: {error}") from error
