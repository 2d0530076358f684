"""The rights of agents are those that the pages name, and no other ones."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import yaml

from tests.docs.pages import ROOT
from tests.k8s.chart import Object, of_kind, one, rendered

Rights = set[tuple[str, str, str]]

VALUES: dict[str, Any] = {
    "agents": {
        "gpu": {
            "launchConfig": {
                "queues": ["gpu"],
                "builder": {"type": "kaniko", "destination": "registry.example.com/jobs", "namespace": "builds"},
            },
            "namespaces": ["team-a"],
            "rbac": {"kueue": True},
        }
    }
}


def rights(role: Object) -> Rights:
    """Each as a group of the API, a resource and a verb."""
    return {right for rule in role["rules"] for right in product(rule["apiGroups"], rule["resources"], rule["verbs"])}


def documented() -> Rights:
    """Those of the table in the page on Kubernetes queues."""
    page = (ROOT / "docs" / "how-to" / "kubernetes-queue.md").read_text()
    table = page.partition("## What the agent may do")[2].partition("\n## ")[0]
    found: Rights = set()
    for row in re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.MULTILINE):
        resource, _, group = re.sub(r",.*", "", row[0]).partition(" ")
        verbs = re.findall(r"`([a-z]+)`", row[1])
        found |= set(product([group.strip("(`)")], [resource.strip("`")], verbs))
    return found


def test_an_agent_may_do_in_the_namespaces_of_its_jobs_what_the_page_says() -> None:
    objects = rendered(VALUES)

    assert rights(one(objects, "Role", "yard-launchyard-gpu", "team-a")) == documented()


def test_an_agent_may_do_for_builds_what_the_page_says() -> None:
    # Given
    page = (ROOT / "docs" / "how-to" / "kaniko.md").read_text()
    block = next(block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "kind: Role\n" in block)
    role = next(iter(yaml.safe_load_all(block)))

    # Then
    objects = rendered(VALUES)
    assert rights(one(objects, "Role", "yard-launchyard-gpu-builds", "builds")) == rights(role)


def test_nobody_gets_a_right_in_the_whole_cluster_and_only_agents_get_one_at_all() -> None:
    objects = rendered({**VALUES, "flower": {"enabled": True}})

    assert not [each for each in objects if each["kind"].startswith("ClusterRole")]
    subjects = {subject["name"] for each in of_kind(objects, "RoleBinding") for subject in each["subjects"]}
    assert subjects == {"yard-launchyard-gpu"}
    for name, kind in (("flower", "Deployment"), ("valkey", "StatefulSet")):
        spec = one(objects, kind, f"yard-launchyard-{name}")["spec"]["template"]["spec"]
        assert spec["automountServiceAccountToken"] is False
