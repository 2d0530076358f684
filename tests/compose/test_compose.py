"""The installation of `compose/` on a real engine, used from outside through its published ports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from broker_config.errors import BrokerUnavailable
from broker_config.queues import Queue
from broker_config.states import State
from producer import Client, ImageSource
from tests.agents import eventually
from tests.compose.installation import Installation, docker, require_compose
from tests.docker_engine import BASE_IMAGE

pytestmark = pytest.mark.timeout(900)

RUN_SECONDS = 120
PASSWORDS = ("broker", "flower", "broker-agent", "broker-flower", "broker-producer", "broker-server")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """All services, up and healthy."""
    socket = require_compose()
    installation = Installation(tmp_path_factory.mktemp("compose"), socket)
    try:
        installation.build()
        installation.up()
        with Client(installation.settings) as client:
            client.queues.create(Queue(name="docker-queue", resource="docker"))
            client.queues.create(Queue(name="process-queue", resource="local-process", prioritization=True))
        yield installation
    finally:
        installation.remove()


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with Client(installation.settings) as client:
        yield client


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Code without requirements."""
    (tmp_path / "train.py").write_text("import os\nprint('trained by user', os.getuid())\n")
    return tmp_path


def test_code_from_outside_runs_beside_the_agent_and_flower_shows_it(
    installation: Installation, client: Client, code: Path
) -> None:
    # When
    run = client.launch(queue="process-queue", source=code, entry_point=["python", "train.py"], priority="high")
    run.wait(RUN_SECONDS)

    # Then
    assert (run.state, run.exit_code) == (State.SUCCEEDED, 0), run.run.text
    assert "trained by user 1000" in list(run.logs())
    assert installation.flower.wait_for(run.id, "SUCCESS")["kwargs"].startswith("queue=process-queue priority=high")


def test_an_image_is_built_and_run_on_the_engine_of_the_host(
    installation: Installation, client: Client, code: Path
) -> None:
    # Given
    (code / "Dockerfile").write_text(f"FROM {BASE_IMAGE}\nCOPY train.py .\nUSER 4711\n")

    # When
    run = client.launch(queue="docker-queue", source=code, entry_point=["python", "train.py"]).wait(RUN_SECONDS)
    if run.run.image:
        docker("image", "rm", "--force", run.run.image)

    # Then
    assert run.succeeded, run.run.text
    assert "trained by user 4711" in list(run.logs())


def test_a_killed_agent_loses_nothing(installation: Installation, client: Client, code: Path) -> None:
    # Given as many runs as the agent may hold, each in a container of its own, and one that waits
    command = ["python", "-c", "import time; print('begun', flush=True); time.sleep(15); print('done')"]
    runs = [
        client.launch(queue="docker-queue", source=ImageSource(image=BASE_IMAGE), entry_point=command) for _ in range(3)
    ]
    eventually(lambda: [run.state for run in runs].count(State.RUNNING) == 2, "two runs are running", RUN_SECONDS)

    # When
    installation.compose("kill", "agent")
    late = client.launch(queue="process-queue", source=code, entry_point=["python", "train.py"])
    installation.up()

    # Then
    assert late.wait(RUN_SECONDS).succeeded, late.run.text
    for run in runs:
        assert run.wait(RUN_SECONDS).succeeded, run.run.text
        assert list(run.logs()) == ["begun", "done"]
        assert [event.new for event in run.events()].count(State.SUBMITTING) == 1
    assert installation.flower.wait_for(runs[0].id, "SUCCESS")["worker"] == "agent@compose"


def test_down_leaves_the_data(installation: Installation, client: Client, code: Path) -> None:
    # Given
    run = client.launch(queue="process-queue", source=code, entry_point=["python", "train.py"]).wait(RUN_SECONDS)

    # When
    installation.compose("down")
    installation.up()

    # Then
    with Client(installation.settings) as again:
        assert {record.name for record in again.queues.list()} == {"docker-queue", "process-queue"}
        assert again.run(run.id).succeeded
        assert "trained by user 1000" in list(again.run(run.id).logs())
        repeated = again.launch(queue="process-queue", source=code, entry_point=["python", "train.py"])
        assert repeated.wait(RUN_SECONDS).succeeded


def test_the_server_has_a_page_to_which_a_link_leads(installation: Installation) -> None:
    # Given a link for somebody, as the README says
    made = installation.compose(
        "exec", "--no-TTY", "--env", "LAUNCHYARD_AUTHOR=alice", "server", "launchyard", "signin", "--json"
    )
    text = json.loads(made)["url"].partition("=")[2]

    # When it is used
    with httpx2.Client(base_url=installation.server_url, follow_redirects=True, timeout=30) as browser:
        answer = browser.post("/signin", data={"link": text}, headers={"Sec-Fetch-Site": "same-origin"})

    # Then there are the queues
    assert answer.status_code == 200
    assert "process-queue" in answer.text


def test_services_are_not_root_not_public_and_show_no_password(installation: Installation) -> None:
    published = {"broker": {"6379/tcp"}, "agent": set(), "server": {"8400/tcp"}, "flower": {"5555/tcp"}}
    for service, ports in published.items():
        # When
        found = installation.inspect(service)

        # Then
        assert found["State"]["Health"]["Status"] == "healthy"
        assert found["Config"]["User"] not in {"", "0", "root"}
        assert found["HostConfig"]["CapDrop"] == ["ALL"]
        bindings = {port: hosts for port, hosts in found["NetworkSettings"]["Ports"].items() if hosts}
        assert set(bindings) == ports
        assert {host["HostIp"] for hosts in bindings.values() for host in hosts} <= {"127.0.0.1"}
        processes = docker("exec", found["Id"], "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        said = str(found) + processes + docker("logs", found["Id"])
        assert not any(installation.password(name) in said for name in PASSWORDS)


def test_nobody_gets_in_without_a_password(installation: Installation) -> None:
    # Given
    settings = installation.settings
    assert settings.broker_url is not None
    scheme, _, place = settings.broker_url.partition("://")

    # When
    flower = installation.flower.ask("/api/tasks", login="")

    # Then
    assert flower[0] == 401
    with pytest.raises(BrokerUnavailable, match="refused the user or password"):
        Client(settings, broker_url=f"{scheme}://{place.partition('@')[2]}").queues.list()
