"""Kinds of objects, and where the API server has them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of objects in a cluster, and the paths of its objects."""

    api_version: str
    kind: str
    plural: str
    is_namespaced: bool = True

    def path(self, namespace: str | None, name: str = "", part: str = "") -> str:
        """Of one object, of a part of it such as `status`, or of all in a namespace (None: in all namespaces)."""
        inside = f"/namespaces/{namespace}" if namespace is not None and self.is_namespaced else ""
        below = "".join(f"/{one}" for one in (name, part) if one)
        return f"{root_of(self.api_version)}{inside}/{self.plural}{below}"


NODES = Resource("v1", "Node", "nodes", is_namespaced=False)
PODS = Resource("v1", "Pod", "pods")
SECRETS = Resource("v1", "Secret", "secrets")
CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
EVENTS = Resource("v1", "Event", "events")


def root_of(api_version: str) -> str:
    """Where the kinds of a group and version are."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
