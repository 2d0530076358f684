"""How an object is named to everybody outside of this target: the run's name, and where the object is.

Whoever takes a run up knows nothing but its record, so all that finds the object stands in its name, as in
`launchyard-RUN-1@CLUSTER/NAMESPACE/KIND.VERSION.GROUP/OBJECT`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote


@dataclass(frozen=True, slots=True)
class Handle:
    """Where one object is. An empty cluster or namespace is that which the agent finds by itself."""

    run: str  # its name, with the attempt
    config_file: str
    context: str
    namespace: str
    api_version: str
    kind: str
    name: str  # the object's

    @classmethod
    def of(cls, run: str, cluster: Mapping[str, str], manifest: Mapping[str, Any]) -> Handle:
        """That of an object to be created in a cluster."""
        metadata = manifest["metadata"]
        return cls(
            run,
            cluster.get("configFile", ""),
            cluster.get("context", ""),
            str(metadata.get("namespace") or ""),
            str(manifest["apiVersion"]),
            str(manifest["kind"]),
            str(metadata["name"]),
        )

    @classmethod
    def parse(cls, text: str) -> Handle:
        """Read back what `str` wrote; a run's name alone is that of a Job."""
        run, _, place = text.partition("@")
        if place.count("/") != 3:
            return cls(run, "", "", "", "batch/v1", "Job", run)
        cluster, namespace, of_kind, name = place.split("/")
        config_file, _, context = cluster.partition("#")
        kind, version, group = [*map(unquote, of_kind.split(".", 2)), ""][:3]
        api_version = f"{group}/{version}" if group else version
        return cls(run, unquote(config_file), unquote(context), unquote(namespace), api_version, kind, unquote(name))

    def __str__(self) -> str:
        cluster = "#".join(quote(part, safe="") for part in (self.config_file, self.context))
        group, _, version = self.api_version.rpartition("/")
        kind = ".".join(quote(part, safe=".") for part in (self.kind, version, group) if part)
        place = (cluster.strip("#") and cluster, quote(self.namespace, safe=""), kind, quote(self.name, safe=""))
        return f"{self.run}@{'/'.join(place)}"
