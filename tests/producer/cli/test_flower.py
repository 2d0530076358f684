from __future__ import annotations

import base64
import json
import signal
import stat
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from producer.cli import flower
from tests.producer.cli.conftest import Processes
from tests.producer.cli.test_agents import wait_for_agent
from tests.services import require

SOON = 30.0


def fetch(url: str, login: str = "", method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(url, method=method)
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except urllib.error.URLError:
        return 0, ""


def wait_for(url: str, login: str) -> None:
    deadline = time.monotonic() + SOON
    while fetch(url, login)[0] != 200:
        if time.monotonic() > deadline:
            pytest.fail(f"{url} does not answer")
        time.sleep(0.2)


def test_the_password_is_made_once_and_only_its_owner_may_read_it(home: Path) -> None:
    # Given an empty home, when Flower is prepared twice
    prepared = [flower.prepare(home, None) for _ in range(2)]

    # Then the password is the same, long, and in a file of mode 0600
    assert prepared[0].password == prepared[1].password
    assert len(prepared[0].password) >= 32
    assert stat.S_IMODE(prepared[0].password_file.stat().st_mode) == 0o600


def test_flower_shows_runs_behind_a_login_that_no_command_line_shows_and_its_terminate_cancels(
    processes: Processes, home: Path
) -> None:
    # Given everything up, with Flower
    require(flower.is_installed(), "flower is not installed")
    processes.call("queue", "create", "q", "-r", "stub", "--config-json", "{seconds: 120}")
    port = flower.prepare(home, None).port
    up = processes.start("up", "--flower-port", str(port))
    wait_for_agent(processes)
    login = f"{flower.USER}:{(home / 'flower-password').read_text().strip()}"
    url = f"http://127.0.0.1:{port}"
    wait_for(f"{url}/api/tasks", login)

    # Then nobody gets in without the login, and no command line holds it
    assert fetch(f"{url}/api/tasks")[0] == 401
    words = [word for child in psutil.Process(up.pid).children(recursive=True) for word in child.cmdline()]
    assert not any(login.partition(":")[2] in word for word in words)

    # And when a run is terminated there, then it is cancelled
    run_id = processes.call("launch", "-q", "q", "--image", "a:b", "--env", "TOKEN=hidden").out.strip()
    deadline = time.monotonic() + SOON
    while json.loads(fetch(f"{url}/api/tasks", login)[1]).get(run_id, {}).get("state") != "STARTED":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert "hidden" not in fetch(f"{url}/api/tasks", login)[1]
    assert fetch(f"{url}/api/task/revoke/{run_id}?terminate=true", login, "POST")[0] == 200
    assert processes.call("logs", "-f", run_id, timeout=SOON).code == 130
    up.send_signal(signal.SIGTERM)
    up.communicate(timeout=90)
