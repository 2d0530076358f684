"""The run's own secret in Secrets Manager: what only its agent has, from the submission to the release."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from workers.targets.sagemaker.account import Account, Refused
from workers.targets.sagemaker.secrets import name_of


def keep(account: Account, run: str, names: Sequence[str]) -> None:
    """Make the run's own secret, with variables of this agent; one that another agent has made stays."""
    values = {name: os.environ[name] for name in names if name in os.environ}
    try:
        account.call("secretsmanager", "CreateSecret", Name=name_of(run), SecretString=json.dumps(values))
    except Refused as error:
        if error.aws_code != "ResourceExistsException":
            raise


def drop(account: Account, run: str) -> None:
    """Remove the run's own secret, if there is one."""
    try:
        account.call("secretsmanager", "DeleteSecret", SecretId=name_of(run), ForceDeleteWithoutRecovery=True)
    except Refused as error:
        if not error.is_not_found:
            raise
