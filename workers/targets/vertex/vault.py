"""The run's own secret in Secret Manager: what only its agent has, from the submission to the release."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from workers.targets.vertex.secret_manager import SecretManager
from workers.targets.vertex.secrets import name_of


def keep(secrets: SecretManager, run: str, names: Sequence[str]) -> None:
    """Make the run's own secret, with variables of this agent."""
    values = {name: os.environ[name] for name in names if name in os.environ}
    secrets.create(name_of(run))
    secrets.fill(name_of(run), json.dumps(values))


def drop(secrets: SecretManager, run: str) -> None:
    """Remove the run's own secret, if there is one."""
    secrets.remove(name_of(run))
