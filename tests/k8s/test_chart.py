"""What the chart makes of values, and which it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker_config.queues import full_name
from broker_config.settings import Settings
from tests.k8s.chart import (
    CHART,
    NAMESPACE,
    agent_of,
    config_of,
    environment,
    helm,
    of_kind,
    one,
    pod_specs,
    refusal,
    rendered,
)

TWO_SETS: dict[str, Any] = {
    "agents": {
        "gpu": {"launchConfig": {"queues": ["gpu-queue"], "max_jobs": 50}, "namespaces": ["team-a", "team-b"]},
        "cpu": {"launchConfig": "queues: [cpu-queue]\nbuilder: {type: noop}\n", "replicas": 3},
    }
}
EVERYTHING: dict[str, Any] = {
    "agents": {
        "gpu": {
            "launchConfig": {
                "entity": "team-a",
                "queues": ["gpu", "team-b/shared", "default/plain"],
                "builder": {"type": "kaniko", "destination": "registry.example.com/jobs", "namespace": "builds"},
            },
            "namespaces": ["team-a"],
            "rbac": {"kueue": True, "kinds": [{"apiGroup": "ray.io", "resource": "rayjobs"}]},
            "keda": {"enabled": True},
            "minAvailable": 1,
            "apiKey": "a-key",
        }
    },
    "flower": {"enabled": True},
    "server": {"enabled": True, "ingress": {"host": "launchyard.example.com"}},
    "gitCreds": "https://user:token@git.example.com\n",
    "sshAuthSecrets": [{"name": "deploy-key", "host": "github.com"}],
    "customCABundle": {"configMap": {"name": "authorities", "key": "all.pem"}},
    "kanikoPvcName": "contexts",
    "kanikoDockerConfigSecret": "logins",
    "additionalEnvVars": [{"name": "REGION", "value": "eu"}],
    "additionalSecretEnvVars": [{"name": "GIT_TOKEN", "value": "token-of-git"}],
    "settings": {"retention_seconds": 1209600, "code_store": "s3://bucket/code"},
}
OUTSIDE_BROKER: dict[str, Any] = {
    "launchConfig": {"queues": ["gpu"]},
    "valkey": {"enabled": False},
    "broker": {"existingSecret": "redis", "ca": {"secret": "redis-ca"}},
}


def test_the_chart_has_nothing_that_lint_finds() -> None:
    # `--strict` makes warnings errors.
    done = helm("lint", str(CHART), "--strict", "--quiet", values=EVERYTHING)

    assert done.returncode == 0, done.stdout + done.stderr


def test_without_values_there_is_a_broker_and_no_agent() -> None:
    objects = rendered({})

    assert {each["kind"] for each in objects} == {"Service", "StatefulSet", "Secret", "NetworkPolicy"}


def test_each_set_of_agents_has_its_own_config_size_and_rights(tmp_path: Path) -> None:
    # When
    objects = rendered(TWO_SETS)

    # Then
    assert one(objects, "Deployment", "yard-launchyard-cpu")["spec"]["replicas"] == 3
    assert one(objects, "Deployment", "yard-launchyard-gpu")["spec"]["replicas"] == 2
    assert config_of(objects, "gpu", tmp_path).max_jobs == 50
    assert config_of(objects, "cpu", tmp_path).queues == ("cpu-queue",)
    places = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in of_kind(objects, "Role")}
    assert places == {
        ("team-a", "yard-launchyard-gpu"),
        ("team-b", "yard-launchyard-gpu"),
        (NAMESPACE, "yard-launchyard-cpu"),
    }


@pytest.mark.parametrize("values", [TWO_SETS, EVERYTHING, OUTSIDE_BROKER], ids=["two-sets", "everything", "outside"])
def test_no_container_can_do_more_than_the_level_restricted_allows(values: dict[str, Any]) -> None:
    for spec in pod_specs(rendered(values)):
        security = spec["securityContext"]
        assert security["runAsNonRoot"]
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert not any("hostPath" in volume for volume in spec["volumes"])
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"requests", "limits"} <= container["resources"].keys()


def test_a_set_whose_name_yaml_would_take_for_a_number_keeps_it() -> None:
    # When
    template = one(rendered({"agents": {"8": {"launchConfig": "queues: [a]"}}}), "Deployment", "yard-launchyard-8")

    # Then
    assert template["spec"]["selector"]["matchLabels"]["launchyard.dev/agents"] == "8"
    assert template["spec"]["template"]["spec"]["containers"][0]["args"][-1] == "8"


def test_an_agent_is_there_before_another_one_goes() -> None:
    # Given
    objects = rendered(TWO_SETS)

    # When
    spec = one(objects, "Deployment", "yard-launchyard-gpu")["spec"]

    # Then
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert one(objects, "PodDisruptionBudget", "yard-launchyard-gpu")["spec"]["maxUnavailable"] == 1


def test_queues_that_name_no_namespace_belong_into_the_first_of_their_set() -> None:
    # When
    template = one(rendered(TWO_SETS), "Deployment", "yard-launchyard-gpu")["spec"]["template"]

    # Then
    (account,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == "account"]
    (told,) = [source["downwardAPI"] for source in account["projected"]["sources"] if "downwardAPI" in source]
    assert told["items"][0]["fieldRef"]["fieldPath"] == "metadata.annotations['launchyard.dev/namespace']"
    assert template["metadata"]["annotations"]["launchyard.dev/namespace"] == "team-a"


def test_a_change_of_the_launch_config_is_a_new_agent() -> None:
    # Given
    def template(queue: str) -> Any:
        objects = rendered({"launchConfig": {"queues": [queue]}})
        return one(objects, "Deployment", "yard-launchyard-agent")["spec"]["template"]

    # Then
    assert template("one") != template("two")
    # A password that is made up anew with each rendering is none.
    assert template("one") == template("one")


def test_no_secret_stands_anywhere_but_in_a_secret() -> None:
    # Given
    objects = rendered(EVERYTHING)

    # When
    secrets = [value for each in of_kind(objects, "Secret") for value in each["stringData"].values()]
    others = json.dumps([each for each in objects if each["kind"] != "Secret"])

    # Then
    assert {"a-key", "token-of-git", "https://user:token@git.example.com\n"} <= set(secrets)
    assert not [value for value in secrets if len(value) > 5 and value in others]


def test_settings_are_those_of_launchyard_and_arrive_as_they_are_written() -> None:
    # Given
    schema = json.loads((CHART / "values.schema.json").read_text())
    told = environment(agent_of(rendered(EVERYTHING), "gpu"))

    # Then
    elsewhere = {"home", "broker_url", "broker_ca", "sentinel_password", "signing_keys", "server_url", "api_key"}
    of_server = {"flower_url", "requests_per_minute"} | {name for name in Settings.model_fields if "oidc" in name}
    assert schema["properties"]["settings"]["properties"].keys() == Settings.model_fields.keys() - elsewhere - of_server
    assert told["LAUNCHYARD_RETENTION_SECONDS"]["value"] == "1209600"


def test_a_broker_of_ones_own_comes_from_its_secret_with_its_authority() -> None:
    # When
    objects = rendered(OUTSIDE_BROKER)

    # Then
    told = environment(agent_of(objects, "agent"))
    assert told["LAUNCHYARD_BROKER_URL"]["valueFrom"] == {"secretKeyRef": {"name": "redis", "key": "url"}}
    assert told["LAUNCHYARD_BROKER_CA"]["value"] == "/etc/launchyard/broker/ca.crt"
    assert not of_kind(objects, "StatefulSet")
    assert not of_kind(objects, "Secret")


def test_each_part_has_a_user_of_its_own_on_the_broker() -> None:
    # Given
    objects = rendered(EVERYTHING)
    secret = one(objects, "Secret", "yard-launchyard-broker")["stringData"]
    parts = {"agent": agent_of(objects, "gpu"), "flower": container_of(objects, "flower")}

    # Then
    for user, container in {**parts, "server": container_of(objects, "server")}.items():
        told = environment(container)["LAUNCHYARD_BROKER_URL"]["valueFrom"]
        assert told == {"secretKeyRef": {"name": "yard-launchyard-broker", "key": f"{user}-url"}}
        assert secret[f"{user}-url"].startswith(f"redis://{user}:{secret[f'{user}-password']}@")


def container_of(objects: Sequence[dict[str, Any]], part: str) -> dict[str, Any]:
    """The one container of a part of the installation."""
    (container,) = one(objects, "Deployment", f"yard-launchyard-{part}")["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def test_the_server_is_reached_by_its_host_with_tls() -> None:
    # When
    objects = rendered(EVERYTHING)

    # Then
    spec = one(objects, "Ingress", "yard-launchyard-server")["spec"]
    assert spec["tls"] == [{"hosts": ["launchyard.example.com"], "secretName": "yard-launchyard-server"}]
    (path,) = spec["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "yard-launchyard-server", "port": {"name": "http"}}
    assert one(objects, "Service", "yard-launchyard-server")["spec"]["ports"][0]["targetPort"] == "http"

    # And nobody takes its word on addresses unless proxies are named
    assert environment(container_of(objects, "server"))["FORWARDED_ALLOW_IPS"]["value"] == "127.0.0.1"

    # And without a host there is none
    objects = rendered({**EVERYTHING, "server": {"enabled": True}})
    assert not of_kind(objects, "Ingress")


def test_keys_for_signatures_come_from_their_secret_to_agents_and_server_alone() -> None:
    # When
    objects = rendered({**EVERYTHING, "signingKeys": {"existingSecret": "keys"}})

    # Then
    told = environment(agent_of(objects, "gpu"))["LAUNCHYARD_SIGNING_KEYS"]
    assert told["valueFrom"] == {"secretKeyRef": {"name": "keys", "key": "signing-keys"}}
    assert environment(container_of(objects, "server"))["LAUNCHYARD_SIGNING_KEYS"] == told
    assert json.dumps(objects).count("LAUNCHYARD_SIGNING_KEYS") == 2


def test_agents_are_scaled_by_the_runs_that_wait_in_each_of_their_queues() -> None:
    # Given
    objects = rendered(EVERYTHING)
    config = EVERYTHING["agents"]["gpu"]["launchConfig"]

    # When
    scaled = one(objects, "ScaledObject", "yard-launchyard-gpu")["spec"]

    # Then
    queues = [full_name(name, config["entity"]) for name in config["queues"]]
    assert [trigger["metadata"]["listName"] for trigger in scaled["triggers"]] == [
        f"launchyard:queue:{name}:waiting" for name in queues
    ]
    assert scaled["minReplicaCount"] >= 1
    assert "replicas" not in one(objects, "Deployment", "yard-launchyard-gpu")["spec"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"agents": {"gpu": {"replica": 2}}}, ["/agents/gpu", "'replica'"]),
        ({"launchconfig": "queues: [a]"}, ["'launchconfig'"]),
        ({"agents": {"gpu": {}}}, ["agents.gpu has no launchConfig"]),
        ({"launchConfig": "queues: [gpu"}, ["is no YAML"]),
        ({"launchConfig": "max_jobs: 2"}, ["names no queue"]),
        ({"launchConfig": "queues: [a]", "agents": {"b": {}}}, ["agents.NAME.launchConfig"]),
        ({"broker": {"url": "redis://h:6379/0"}}, ["two brokers", "valkey.enabled=false"]),
        ({"valkey": {"enabled": False}}, ["no broker", "broker.existingSecret"]),
        ({"agent": {"keda": {"minReplicas": 0}}}, ["minReplicas"]),
        ({"settings": {"key_prefix": "yard:"}}, ["settings.key_prefix", "valkey.existingSecret"]),
        ({"valkey": {"users": ["pipeline on >password ~*"]}}, ["/valkey/users/0"]),
        ({**OUTSIDE_BROKER, "agent": {"keda": {"enabled": True}}}, ["keda.address", "keda.existingSecret"]),
    ],
)
def test_what_cannot_work_is_refused_with_the_cure(values: dict[str, Any], words: list[str]) -> None:
    said = refusal(values)

    assert [word for word in words if word not in said] == [], said


def test_every_value_is_in_the_file_of_values_and_in_its_schema() -> None:
    # Given
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    of_a_set = schema["$defs"]["set"]["properties"].keys()

    # Then
    assert values.keys() == schema["properties"].keys() - {"global"}
    assert values["agent"].keys() == of_a_set - {"imagePullPolicy"}
    assert schema["properties"]["agent"]["properties"].keys() == of_a_set | {"image"}
    assert schema["properties"]["agents"]["additionalProperties"]["properties"].keys() == of_a_set | {"launchConfig"}


def test_the_chart_is_of_this_version_of_launchyard() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    said = re.search(r'__version__ = "(.*)"', (CHART.parents[1] / "broker_config" / "__init__.py").read_text())

    assert said is not None
    assert chart["appVersion"] == said[1]
