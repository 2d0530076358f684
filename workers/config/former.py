"""Keys of W&B Launch's agent config that are old, undocumented or without use here, in today's words.

W&B's own documentation shows configs that its agent refuses, or takes and ignores in part. Here each of them is
taken with a sentence that says what it means now, or refused by the models with the cure. Nothing is dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker_config.findings import Finding, warning
from broker_config.pointers import to_pointer
from workers.config.builder import BUILDERS
from workers.config.registry import PARTS

WITHOUT_EFFECT = {
    "base_url": "names W&B's server, and there is none here; the broker is named by LAUNCHYARD_BROKER_URL",
    "max_schedulers": "counts sweep schedulers, and this version has none",
    "project": "has no effect: a run's project comes with its job",
    "runner": "has no effect: a queue says on which resource its jobs run",
}

_ECR_WITHOUT_DKR = re.compile(r"(?:https://)?(\d{12})\.ecr\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?)/(.+)")
_ECR_ARN = re.compile(r"arn:(aws[a-z-]*):ecr:([a-z0-9-]+):(\d{12}):repository/(.+)")


@dataclass(slots=True)
class Former:
    """One config on its way into today's words."""

    config: dict[str, Any]
    notes: list[Finding] = field(default_factory=list)

    def note(self, path: str, text: str) -> None:
        self.notes.append(warning(to_pointer(tuple(path.split("."))), f"{path} {text}"))

    def block(self, name: str) -> dict[str, Any] | None:
        """The block of that name, if it is one."""
        found = self.config.get(name)
        return found if isinstance(found, dict) else None


def modernized(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """The config in today's words, and what was changed in it. Keys without a value count as not given."""
    former = Former(_given(config))
    _top_level(former)
    _local_types(former)
    _registry_by_parts(former)
    _builder(former)
    _addresses(former)
    return former.config, former.notes


def _given(config: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: _with_value(value) if isinstance(value, dict) else value for key, value in config.items()}
    return {key: value for key, value in _with_value(given).items() if value != {}}


def _with_value(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if value is not None}


def _top_level(former: Former) -> None:
    config = former.config
    for key in [key for key in config if key in WITHOUT_EFFECT]:
        del config[key]
        former.note(key, WITHOUT_EFFECT[key])
    if isinstance(queue := config.get("queue"), str) and isinstance(config.get("queues", []), list):
        del config["queue"]
        config["queues"] = list(dict.fromkeys([*config.get("queues", []), queue]))
        former.note("queue", f"is taken as one of queues, which is now [{', '.join(map(str, config['queues']))}]")
    if "build" in config and "builder" not in config:
        config["builder"] = config.pop("build")
        former.note("build", "is the old name of builder, and is taken as that")


def _local_types(former: Former) -> None:
    for name in ("environment", "registry"):
        block = former.block(name)
        if block and block.get("type") == "local":
            del former.config[name]
            former.note(f"{name}.type", f"local is the same as no {name} at all, so the block is left out")


def _registry_by_parts(former: Former) -> None:
    block = former.block("registry")
    if not block or "uri" in block:
        return
    environment = former.block("environment") or {}
    parts = {key: block.get(key) or environment.get(key) for key in PARTS}
    uri = {
        "ecr": _joined("{account_id}.dkr.ecr.{region}.amazonaws.com/{repo}", parts),
        "gcr": _joined("{region}-docker.pkg.dev/{project}/{repository}/{image}", parts),
    }.get(str(block.get("type")))
    if uri:
        former.config["registry"] = {"type": block["type"], "uri": uri}
        former.note("registry", f"by parts is taken as uri: {uri}")


def _joined(pattern: str, parts: Mapping[str, Any]) -> str | None:
    names = {**parts, "repo": parts["repo_name"] or parts["repository"], "image": parts["image-name"]}
    wanted = re.findall(r"{(\w+)}", pattern)
    return pattern.format(**names) if all(names[name] for name in wanted) else None


def _builder(former: Former) -> None:
    block = former.block("builder")
    if not block:
        return
    if "uri" in block and "destination" not in block:
        block["destination"] = block.pop("uri")
        former.note(
            "builder.uri", "is taken as builder.destination; W&B's documentation has it, and its agent ignores it"
        )
    kind = str(block.get("type", ""))
    if kind not in BUILDERS:
        return
    # W&B has one list of keys for all builders, and its examples switch between types without removing any.
    foreign = set().union(*(_keys(other) for other in BUILDERS)) - _keys(kind)
    for key in sorted(foreign & block.keys()):
        del block[key]
        former.note(f"builder.{key}", f"has no effect with builder {kind}")


def _keys(builder: str) -> set[str]:
    fields = BUILDERS[builder].model_fields
    return {*fields, *(field.alias for field in fields.values() if field.alias)}


def _addresses(former: Former) -> None:
    for name, key in (("registry", "uri"), ("builder", "destination")):
        block = former.block(name)
        if not block or not isinstance(address := block.get(key), str):
            continue
        if found := _ECR_WITHOUT_DKR.fullmatch(address):
            account, region, domain, repository = found.groups()
            why = "has no .dkr, and no registry is there"
        elif found := _ECR_ARN.fullmatch(address):
            partition, region, account, repository = found.groups()
            domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
            why = "is an ARN"
        else:
            continue
        block[key] = f"{account}.dkr.ecr.{region}.{domain}/{repository}"
        former.note(f"{name}.{key}", f"{why}; it is taken as {block[key]}")
