"""Kaniko builds on the cluster of the tests, which push to its registry."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Any

from broker_config.jobs import CodeSource, Job
from tests.cluster import registry
from workers.builders.kaniko import KanikoBuilder
from workers.builders.protocol import BuildOrder
from workers.building.pushing import PushingBuilder
from workers.config.kaniko import KanikoBuilderConfig
from workers.config.registry import RegistryConfig
from workers.registries.oci import OciRegistry
from workers.sources.protocol import Fetched

SOURCE = CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)


def kaniko_config(namespace: str, *arguments: str, **keys: Any) -> KanikoBuilderConfig:
    """A config for builds there; base images come from the lab's registry too."""
    address = registry()
    mirror = [f"--registry-mirror={address}", "--skip-default-registry-fallback=true"]
    container = {"args": [*mirror, f"--insecure-registry={address}", *arguments]}
    spec = {"template": {"spec": {"containers": [container]}}}
    options = {"namespace": namespace, "kaniko_image": f"{address}/kaniko/executor:lab", **keys}
    return KanikoBuilderConfig(kaniko_config={"spec": spec}, **options)


def kaniko(home: Path, config: KanikoBuilderConfig, repository: str = "") -> PushingBuilder:
    """A builder as an agent has it, with a repository of its own."""
    uri = f"{registry()}/{repository or f'jobs/{uuid.uuid4().hex[:8]}'}"
    return PushingBuilder(KanikoBuilder(home, config), OciRegistry(RegistryConfig(uri=uri, plain_http=True), None))


def order_of(folder: Path, digest: str = "") -> BuildOrder:
    """An order for that code."""
    job = Job(source=SOURCE, entry_point=("python", "main.py"))
    return BuildOrder(job, Fetched(digest or uuid.uuid4().hex, folder=folder))


def main() -> None:
    """Build a folder's code in a namespace into a repository, as an agent that a test will kill."""
    folder, namespace, repository = sys.argv[1:]
    builder, order = kaniko(Path(folder), kaniko_config(namespace), repository), order_of(Path(folder), "killed")
    builder.build(order, builder.key(order), lambda line: print(line, flush=True), lambda: False)


if __name__ == "__main__":
    main()
