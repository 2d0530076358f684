"""The rights of agents are those that the documentation and the code name, and no other ones."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

from tests.docs.pages import ROOT
from tests.k8s.chart import Object, of_kind, one, rendered
from workers.builders.kaniko.access import NEEDED

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


def documented(heading: str) -> Rights:
    """Those of the first table below that line of the page on Kubernetes queues."""
    page = (ROOT / "docs" / "how-to" / "kubernetes-queue.md").read_text()
    table = re.search(r"\n\|.*?\n\n", page.partition(heading)[2], re.DOTALL)
    assert table is not None
    found: Rights = set()
    for resource, verbs, when in re.findall(r"^\| `(\S+)` \| (`.*?) \| (.*) \|$", table[0], re.MULTILINE):
        group = re.search(r"\(`(.*?)`\)", when)
        found |= set(product([group[1] if group else ""], [resource], re.findall(r"`([a-z]+)`", verbs)))
    return found


def test_an_agent_may_do_in_the_namespaces_of_its_jobs_what_the_page_says() -> None:
    objects = rendered(VALUES)

    assert rights(one(objects, "Role", "yard-launchyard-gpu", "team-a")) == documented(
        "In each namespace that its queues name"
    )


def test_an_agent_may_do_for_builds_what_they_take() -> None:
    objects = rendered(VALUES)

    needed = {(group, resource, verb) for (group, resource), verbs in NEEDED.items() for verb in verbs}
    assert rights(one(objects, "Role", "yard-launchyard-gpu-builds", "builds")) == needed


def test_an_agent_counts_the_gpus_of_a_cluster_only_where_that_is_asked_for() -> None:
    # Given
    values = {"launchConfig": {"queues": ["gpu"]}, "agent": {"rbac": {"gpus": True}}}

    # When
    (role,) = of_kind(rendered(values), "ClusterRole")

    # Then
    assert rights(role) == documented("In the whole cluster")
    (binding,) = of_kind(rendered(values), "ClusterRoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_by_default_nobody_gets_a_right_in_the_whole_cluster_and_only_agents_get_one_at_all() -> None:
    objects = rendered({**VALUES, "flower": {"enabled": True}})

    assert not [each for each in objects if each["kind"].startswith("ClusterRole")]
    subjects = {subject["name"] for each in of_kind(objects, "RoleBinding") for subject in each["subjects"]}
    assert subjects == {"yard-launchyard-gpu"}
    for name, kind in (("flower", "Deployment"), ("valkey", "StatefulSet")):
        spec = one(objects, kind, f"yard-launchyard-{name}")["spec"]["template"]["spec"]
        assert spec["automountServiceAccountToken"] is False
