"""Secret Manager, as far as it is needed: small things with a name that is given once, labels and a value.

Format: "Secret Manager API", REST, version 1. A secret without a version has no value, and costs nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from workers.targets.vertex.account import Account, Refused

_PAGE = 1000


class SecretManager:
    """The secrets of one project. They are kept in the location of the jobs, and nowhere else."""

    def __init__(self, account: Account, project: str) -> None:
        self._account = account
        self._secrets = f"v1/projects/{project}/secrets"

    def create(self, name: str, **more: Any) -> bool:
        """Make a secret with other fields of `Secret`; False when there is one of that name."""
        replicas = [{"location": self._account.location}]
        body = {"replication": {"userManaged": {"replicas": replicas}}, **more}
        permission = "secretmanager.secrets.create"
        try:
            self._account.rest(permission, "POST", self._secrets, json=body, params={"secretId": name})
        except Refused as error:
            if error.status != "ALREADY_EXISTS":
                raise
            return False
        return True

    def fill(self, name: str, value: str) -> None:
        """Give a secret its value."""
        body = {"payload": {"data": base64.b64encode(value.encode()).decode()}}
        self._account.rest("secretmanager.versions.add", "POST", f"{self._secrets}/{name}:addVersion", json=body)

    def has(self, name: str) -> bool:
        """Whether there is a secret of that name."""
        try:
            self._account.rest("secretmanager.secrets.get", "GET", f"{self._secrets}/{name}")
        except Refused as error:
            if error.is_not_found:
                return False
            raise
        return True

    def remove(self, name: str) -> None:
        """Remove a secret, if it is there."""
        try:
            self._account.rest("secretmanager.secrets.delete", "DELETE", f"{self._secrets}/{name}")
        except Refused as error:
            if not error.is_not_found:
                raise

    def listed(self, filter_: str) -> Iterator[Mapping[str, Any]]:
        """The secrets that a filter finds."""
        params: dict[str, str | int] = {"filter": filter_, "pageSize": _PAGE}
        while True:
            page = self._account.rest("secretmanager.secrets.list", "GET", self._secrets, params=params)
            yield from page.get("secrets", [])
            if not page.get("nextPageToken"):
                return
            params["pageToken"] = page["nextPageToken"]
