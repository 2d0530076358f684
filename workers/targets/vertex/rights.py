"""What an agent has to be allowed at Google Cloud, and what of that its credentials do not allow.

Sources: "Vertex AI access control with IAM", "Secret Manager roles and permissions", "Access control with IAM" of Cloud
Logging and of Pub/Sub, and `testIamPermissions` of Resource Manager, IAM and Pub/Sub, which tells and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workers.targets.protocol import Request
from workers.targets.vertex.account import Account
from workers.targets.vertex.events import CONSUME, Events
from workers.targets.vertex.places import Place

JOBS = tuple(f"aiplatform.customJobs.{verb}" for verb in ("create", "get", "list", "cancel", "delete"))
LOGS = ("logging.logEntries.list",)
MARKS = tuple(f"secretmanager.secrets.{verb}" for verb in ("create", "get", "list", "delete"))
VALUES = ("secretmanager.versions.add",)
ACT_AS = "iam.serviceAccounts.actAs"

_ACCOUNT_USER = "roles/iam.serviceAccountUser"
_SUBSCRIBER = "roles/pubsub.subscriber"
_TOKEN_CREATOR = "roles/iam.serviceAccountTokenCreator"


def policy(place: Place, request: Request, events: Sequence[Events]) -> dict[str, Any]:
    """The smallest role that lets an agent run jobs of a request's config, and what is to be granted on what."""
    role = {
        "title": "Launchyard agent",
        "stage": "GA",
        "includedPermissions": [*_needed(request)],
    }
    grants = [{"on": f"projects/{place.project}", "role": "the role above"}]
    if account := _account(request):
        grants.append({"on": f"serviceAccounts/{account}", "role": _ACCOUNT_USER})
    if place.handle.account:
        grants.append({"on": f"serviceAccounts/{place.handle.account}", "role": _TOKEN_CREATOR})
    grants += [{"on": one.name, "role": _SUBSCRIBER} for one in events]
    return {"role": role, "grants": grants}


def missing(place: Place, request: Request, events: Sequence[Events]) -> list[str]:
    """What the credentials from here do not allow.

    Raises:
        RunFailed, TemporaryError, ConfigError: when Google Cloud does not say.
    """
    project = f"v1/projects/{place.project}"
    found = [*_missing(place.account, "cloudresourcemanager.projects.testIamPermissions", project, [*_needed(request)])]
    if account := _account(request):
        path = f"v1/projects/-/serviceAccounts/{account}"
        lacks = _missing(place.account, "iam.serviceAccounts.testIamPermissions", path, [ACT_AS])
        found += [f"{permission} on {account}" for permission in lacks]
    for one in events:
        lacks = _missing(one.account, "pubsub.subscriptions.testIamPermissions", f"v1/{one.name}", [CONSUME])
        found += [f"{permission} on {one.name}" for permission in lacks]
    return found


def _needed(request: Request) -> Iterator[str]:
    yield from (*JOBS, *LOGS, *MARKS)
    if request.body["secrets"]:
        yield from VALUES


def _account(request: Request) -> str:
    """As which the job runs, where the queue says so."""
    return str(request.body["custom_job"]["job_spec"].get("service_account", ""))


def _missing(account: Account, permission: str, path: str, needed: Sequence[str]) -> Iterator[str]:
    said: Mapping[str, Any] = account.rest(
        permission, "POST", f"{path}:testIamPermissions", json={"permissions": needed}
    )
    given = set(said.get("permissions", []))
    yield from (one for one in needed if one not in given)
