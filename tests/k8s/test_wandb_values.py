"""Values of the chart of W&B Launch: what they say reaches the agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.chart import NAMESPACE, agent_of, config_of, environment, of_kind, one, refusal, rendered

# Every key of that chart (launch-agent 0.13.12), each in the form in which its own file has it.
VALUES = f"""
agent:
  labels: {{team: vision}}
  podAnnotations: {{}}
  apiKey: a-key
  useExternalWandbSecret: false
  imagePullPolicy: Always
  resources:
    limits:
      cpu: 1000m
      memory: 1Gi
  nodeSelector: {{}}
  startTimeout: 1800
  minAvailable: 1
  tolerations: []
  affinity: {{}}
namespace: {NAMESPACE}
baseUrl: https://wandb.example.com
additionalTargetNamespaces:
  - default
  - wandb
launchConfig: |
  queues:  # List of queues to poll for jobs.
  - default
  max_jobs: 10  # Max number of jobs to run concurrently.
  max_schedulers: 1
  builder:
    type: kaniko
    destination: registry.example.com/jobs
  verbosity: 0
volcano: true
additionalEnvVars:
  - name: REGION
    value: eu
additionalSecretEnvVars:
  - name: GIT_TOKEN
    value: token-of-git
gitCreds: |
  https://user:token@git.example.com
sshAuthSecrets:
  - name: deploy-key
    host: github.com
serviceAccount:
  annotations:
    iam.gke.io/gcp-service-account: builds@project.iam.gserviceaccount.com
    azure.workload.identity/client-id:
azureStorageAccessKey: ""
customCABundle:
  configMap:
    name: authorities
    key: all.pem
kanikoPvcName: contexts
kanikoDockerConfigSecret: logins
"""


@pytest.fixture(scope="module")
def objects() -> Any:
    return rendered(yaml.safe_load(VALUES))


def test_the_launch_config_is_read_with_what_other_values_say_of_git(objects: Any, tmp_path: Path) -> None:
    # When
    config = config_of(objects, "agent", tmp_path)

    # Then
    assert (config.queues, config.max_jobs) == (("default",), 10)
    (credential,) = config.git.credentials
    assert credential.host == "github.com"
    mounted = [mount["mountPath"] for mount in agent_of(objects, "agent")["volumeMounts"]]
    for file in (config.git.credentials_file, credential.ssh_key_file, credential.known_hosts_file):
        assert str(file.parent) in mounted


def test_what_that_chart_says_by_variables_is_said_by_them_here(objects: Any) -> None:
    # When
    container = agent_of(objects, "agent")
    told = environment(container)

    # Then
    plain = {name: variable["value"] for name, variable in told.items() if "value" in variable}
    assert plain["WANDB_BASE_URL"] == "https://wandb.example.com"
    assert plain["LAUNCHYARD_START_TIMEOUT"] == "1800"
    assert plain["REGION"] == "eu"
    assert plain["WANDB_LAUNCH_KANIKO_PVC_NAME"] == "contexts"
    assert plain["WANDB_LAUNCH_KANIKO_AUTH_SECRET"] == "logins"
    assert plain["WANDB_LAUNCH_SERVICE_ACCOUNT_NAME"] == "yard-launchyard-agent"
    paths = [plain["WANDB_LAUNCH_KANIKO_PVC_MOUNT_PATH"], str(Path(plain["SSL_CERT_FILE"]).parent)]
    assert set(paths) <= {mount["mountPath"] for mount in container["volumeMounts"]}


def test_what_is_secret_comes_from_a_secret_of_the_agents_namespace_alone(objects: Any) -> None:
    # Given
    told = environment(agent_of(objects, "agent"))
    own = one(objects, "Secret", "yard-launchyard-agents")["stringData"]

    # Then
    for name, value in (("GIT_TOKEN", "token-of-git"), ("WANDB_API_KEY", "a-key")):
        reference = told[name]["valueFrom"]["secretKeyRef"]
        assert reference["name"] == "yard-launchyard-agents"
        assert own[reference["key"]] == value
    assert {each["metadata"]["namespace"] for each in of_kind(objects, "Secret")} == {NAMESPACE}


def test_jobs_and_volcanos_jobs_run_in_the_namespaces_that_are_named(objects: Any) -> None:
    roles = [each for each in of_kind(objects, "Role") if each["metadata"]["name"] == "yard-launchyard-agent"]

    assert {each["metadata"]["namespace"] for each in roles} == {NAMESPACE, "default", "wandb"}
    assert all(["batch.volcano.sh"] in [rule["apiGroups"] for rule in each["rules"]] for each in roles)


def test_a_key_in_a_secret_that_is_there_is_taken_from_it() -> None:
    # Given
    values = {"launchConfig": "queues: [a]", "agent": {"useExternalWandbSecret": True, "apiKey": ""}}

    # Then
    told = environment(agent_of(rendered(values), "agent"))
    assert told["WANDB_API_KEY"]["valueFrom"]["secretKeyRef"] == {"name": "wandb-api-key-yard", "key": "password"}


@pytest.mark.parametrize(
    ("values", "cure"),
    [
        ({"namespace": "wandb"}, "--namespace wandb"),
        ({"agent": {"image": "wandb/launch-agent:1"}}, "image.repository"),
        ({"azureStorageAccessKey": "key"}, "builder.secret-name"),
        ({"launchConfig": "queues: [a]", "agent": {"minAvailable": 2}}, "no node could be drained"),
    ],
)
def test_what_means_nothing_here_is_refused_with_the_cure(values: dict[str, Any], cure: str) -> None:
    assert cure in refusal(values)
