"""The chart's BuildKit daemon: who may speak to it, what it may do, and what agents are told of it."""

from __future__ import annotations

import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.k8s.chart import NAMESPACE, Object, agent_of, config_of, names, of_kind, one, refusal, rendered
from workers.config.buildkit import BuildkitBuilderConfig

DESTINATION = "registry.example.com/jobs"
VALUES: dict[str, Any] = {
    "buildkit": {"enabled": True, "config": "debug = true\n"},
    "agents": {
        "gpu": {"launchConfig": {"queues": ["gpu"], "builder": {"type": "buildkit", "destination": DESTINATION}}},
        "cpu": {"launchConfig": {"queues": ["cpu"]}},
    },
}
OWN_SECRETS = {"daemonSecret": "certificate-of-buildkit", "agentSecret": "certificate-of-agents"}
DAEMON = "yard-launchyard-buildkit"
HOST = f"{DAEMON}.{NAMESPACE}.svc"


def pod_of(objects: Any) -> Object:
    """What the daemon's workload says of its pod."""
    return dict(one(objects, "StatefulSet", DAEMON)["spec"]["template"]["spec"])


def test_a_set_that_builds_with_buildkit_is_told_of_the_chart_s_and_has_the_files_that_it_names(tmp_path: Path) -> None:
    # Given
    objects = rendered(VALUES)

    # When
    builder = config_of(objects, "gpu", tmp_path).builder
    (mount,) = [one for one in agent_of(objects, "gpu")["volumeMounts"] if one["name"] == "buildkit"]

    # Then
    assert isinstance(builder, BuildkitBuilderConfig)
    assert builder.address == f"tcp://{HOST}:1234"
    assert builder.tls is not None
    assert {str(file.parent) for file in builder.tls.files.values()} == {mount["mountPath"]}
    secret = one(objects, "Secret", f"{DAEMON}-agent")
    assert {file.name for file in builder.tls.files.values()} == secret["data"].keys()
    assert config_of(objects, "cpu", tmp_path).builder is None


def test_a_set_with_a_daemon_of_its_own_keeps_it(tmp_path: Path) -> None:
    # Given
    builder = {"type": "buildkit", "address": "tcp://builds.example.com:1234", "destination": DESTINATION}

    # When
    objects = rendered({**VALUES, "agents": {"gpu": {"launchConfig": {"queues": ["gpu"], "builder": builder}}}})

    # Then
    found = config_of(objects, "gpu", tmp_path).builder
    assert found == BuildkitBuilderConfig(address="tcp://builds.example.com:1234", destination=DESTINATION)


@pytest.mark.parametrize(("side", "purpose"), [("daemon", ("sslserver", HOST)), ("agent", ("sslclient", ""))])
def test_both_sides_have_certificates_of_one_authority(side: str, purpose: tuple[str, str], tmp_path: Path) -> None:
    # Given
    objects = rendered(VALUES)
    own, other = (one(objects, "Secret", f"{DAEMON}-{name}")["data"] for name in (side, "agent"))
    (tmp_path / "tls.crt").write_bytes(b64decode(own["tls.crt"]))
    (tmp_path / "ca.crt").write_bytes(b64decode(other["ca.crt"]))

    # When
    use, host = purpose
    options = ["-CAfile", "ca.crt", "-purpose", use, *(["-verify_hostname", host] if host else [])]
    command = ["openssl", "verify", *options, "tls.crt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)

    # Then
    assert done.returncode == 0, done.stderr
    assert own["ca.crt"] == other["ca.crt"]


def test_certificates_of_the_owner_are_taken_and_none_are_made() -> None:
    # When
    objects = rendered({**VALUES, "buildkit": {"enabled": True, **OWN_SECRETS}})

    # Then
    assert {names(each)[1] for each in of_kind(objects, "Secret")} == {"yard-launchyard-broker"}
    assert {"secret": {"name": OWN_SECRETS["daemonSecret"]}} in [
        source for volume in pod_of(objects)["volumes"] for source in volume.get("projected", {}).get("sources", [])
    ]
    agent = one(objects, "Deployment", "yard-launchyard-gpu")["spec"]["template"]["spec"]
    assert OWN_SECRETS["agentSecret"] in [volume.get("secret", {}).get("secretName") for volume in agent["volumes"]]


def test_certificates_of_one_side_alone_are_refused() -> None:
    said = refusal({"buildkit": {"enabled": True, "agentSecret": "certificate-of-agents"}})

    assert "buildkit.daemonSecret and buildkit.agentSecret go together" in said


def test_the_daemon_is_rootless_and_has_what_a_user_namespace_takes_and_no_more() -> None:
    # When
    pod = pod_of(rendered(VALUES))
    (container,) = pod["containers"]

    # Then
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["automountServiceAccountToken"] is False
    assert not any("hostPath" in volume for volume in pod["volumes"])
    assert container["securityContext"] == {
        "seccompProfile": {"type": "Unconfined"},
        "appArmorProfile": {"type": "Unconfined"},
        "capabilities": {"drop": ["ALL"], "add": ["SETUID", "SETGID"]},
    }


def test_only_agents_reach_the_daemon_and_they_may() -> None:
    # Given
    objects = rendered(VALUES)

    # When
    (rule,) = one(objects, "NetworkPolicy", DAEMON)["spec"]["ingress"]
    agents = one(objects, "NetworkPolicy", "yard-launchyard-agents")["spec"]

    # Then
    assert rule["from"] == [{"podSelector": agents["podSelector"]}]
    (way,) = [each for each in agents["egress"] if {"protocol": "TCP", "port": 1234} in each["ports"]]
    labels = one(objects, "StatefulSet", DAEMON)["spec"]["template"]["metadata"]["labels"]
    assert way["to"] == [{"podSelector": {"matchLabels": labels}}]


def test_a_change_of_its_config_is_a_new_daemon() -> None:
    def template(config: str) -> Any:
        objects = rendered({"buildkit": {"enabled": True, "config": config}})
        return one(objects, "StatefulSet", DAEMON)["spec"]["template"]

    assert template("debug = true\n") != template("debug = false\n")
    # A certificate that is made anew with each rendering is none.
    assert template("debug = true\n") == template("debug = true\n")
