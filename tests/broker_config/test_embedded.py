"""The embedded broker: one server for all, whose data outlives it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from broker_config.connection import broker_url, connect
from broker_config.embedded import EmbeddedBroker
from broker_config.errors import BrokerUnavailable
from broker_config.settings import Settings
from tests.agents import eventually

STARTERS = 8
START = """
import sys
from pathlib import Path
from broker_config.embedded import EmbeddedBroker
broker = EmbeddedBroker(Path(sys.argv[1]))
print(broker.ensure_running(), broker.pid)
"""


@pytest.fixture
def embedded(home: Path) -> Iterator[EmbeddedBroker]:
    """The broker of a home folder of its own, not started."""
    broker = EmbeddedBroker(home)
    yield broker
    if broker.folder.exists():
        broker.stop()


@pytest.fixture
def long_home(tmp_path: Path) -> Iterator[Path]:
    """A home folder whose path is too long for a socket in it."""
    home = tmp_path / ("long-" * 20) / ("longer-" * 15)
    home.mkdir(parents=True)
    yield home
    shutil.rmtree(EmbeddedBroker(home).socket.parent, ignore_errors=True)


def client_of(broker: EmbeddedBroker) -> redis.Redis:
    return connect(Settings(home=broker.folder.parent, broker_url=broker.url))


def servers_in(folder: Path) -> list[psutil.Process]:
    """Processes of servers that work in that folder."""
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if "valkey" in process.name() and process.cwd() == str(folder.resolve()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill(broker: EmbeddedBroker) -> int:
    """End the server as a crash does. Returns what its process id was."""
    pid = broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: broker.pid is None, "the server is gone")
    return pid


def test_the_first_command_starts_it_and_the_others_find_it(embedded: EmbeddedBroker) -> None:
    # When
    started = [embedded.ensure_running(), EmbeddedBroker(embedded.folder.parent).ensure_running()]

    # Then
    assert started == [True, False]
    assert len(servers_in(embedded.folder)) == 1


def test_of_many_commands_at_once_one_starts_it(embedded: EmbeddedBroker) -> None:
    # Given
    command = [sys.executable, "-c", START, str(embedded.folder.parent)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    # When
    starters = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(STARTERS)]
    answers = [starter.communicate(timeout=60)[0].split() for starter in starters]

    # Then all know the same one, which outlives them
    assert sorted(started for started, _ in answers) == ["False"] * (STARTERS - 1) + ["True"]
    assert {pid for _, pid in answers} == {str(embedded.pid)}
    assert len(servers_in(embedded.folder)) == 1
    assert client_of(embedded).ping()


def test_without_a_configured_broker_the_settings_lead_to_it(embedded: EmbeddedBroker) -> None:
    # When
    url = broker_url(Settings(home=embedded.folder.parent))

    # Then
    assert url == embedded.url
    assert embedded.pid is not None


def test_what_was_written_survives_a_kill_and_a_restart(embedded: EmbeddedBroker) -> None:
    # Given
    embedded.ensure_running()
    client_of(embedded).set("key", "value")

    # When
    old = kill(embedded)
    restarted = embedded.ensure_running()

    # Then
    assert restarted
    assert embedded.pid != old
    assert client_of(embedded).get("key") == "value"


def test_what_was_written_survives_a_stop_and_a_restart(embedded: EmbeddedBroker) -> None:
    # Given
    embedded.ensure_running()
    client_of(embedded).set("key", "value")

    # When
    stopped = embedded.stop()
    gone = servers_in(embedded.folder)
    embedded.ensure_running()

    # Then
    assert (stopped, gone) == (True, [])
    assert client_of(embedded).get("key") == "value"


def test_to_stop_what_does_not_run_is_no_fault(embedded: EmbeddedBroker) -> None:
    assert embedded.stop() is False
    assert embedded.pid is None


def test_only_its_user_may_open_its_socket_and_see_its_data(embedded: EmbeddedBroker) -> None:
    # Given
    embedded.ensure_running()

    # Then
    assert stat.S_IMODE(embedded.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(embedded.folder.stat().st_mode) == 0o700


def test_it_listens_on_no_port(embedded: EmbeddedBroker) -> None:
    # Given
    embedded.ensure_running()

    # Then
    assert client_of(embedded).config_get("port") == {"port": "0"}
    assert not psutil.Process(embedded.pid).net_connections("inet")


def test_in_a_folder_with_a_long_path_it_works_and_stops_as_anywhere(
    long_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two commands, one of them with a temporary folder of its own
    broker = EmbeddedBroker(long_home)
    broker.ensure_running()
    monkeypatch.setenv("TMPDIR", str(long_home))

    # When
    found = EmbeddedBroker(long_home).ensure_running() is False
    private = stat.S_IMODE(broker.socket.parent.stat().st_mode) == 0o700
    running = servers_in(broker.folder)
    stopped = broker.stop()

    # Then
    assert (found, private, stopped) == (True, True, True)
    assert len(running) == 1
    assert servers_in(broker.folder) == []


def test_a_socket_folder_of_another_user_is_not_trusted(long_home: Path) -> None:
    # Given
    if os.getuid() != 0:
        pytest.skip("only root can make a folder of another user")
    broker = EmbeddedBroker(long_home)
    broker.socket.parent.mkdir(mode=0o777)
    os.chown(broker.socket.parent, 12345, 12345)

    # Then
    with pytest.raises(BrokerUnavailable, match="belongs to another user"):
        broker.ensure_running()


def test_the_process_id_of_another_program_in_its_file_is_not_believed(embedded: EmbeddedBroker) -> None:
    # Given what a reboot may leave
    embedded.folder.mkdir(parents=True)
    (embedded.folder / "valkey.pid").write_text(str(os.getpid()))

    # When
    known, stopped, started = embedded.pid, embedded.stop(), embedded.ensure_running()

    # Then
    assert (known, stopped, started) == (None, False, True)
    assert embedded.pid != os.getpid()


@pytest.mark.parametrize("content", ["", "not a number", "999999999"])
def test_a_stale_process_id_is_no_obstacle(embedded: EmbeddedBroker, content: str) -> None:
    # Given
    embedded.folder.mkdir(parents=True)
    (embedded.folder / "valkey.pid").write_text(content)

    # Then
    assert embedded.pid is None
    assert embedded.ensure_running()


def test_a_socket_that_a_crash_left_is_no_obstacle(embedded: EmbeddedBroker) -> None:
    # Given
    embedded.ensure_running()
    kill(embedded)
    left = embedded.socket.exists()

    # Then
    assert left
    assert embedded.ensure_running()


def test_one_that_does_not_answer_gets_no_second_one_beside_it(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given one that stands still, as one does that reads much data
    monkeypatch.setattr("broker_config.embedded.START_TIMEOUT_SECONDS", 1.0)
    embedded.ensure_running()
    assert embedded.pid is not None
    process = psutil.Process(embedded.pid)
    process.suspend()

    # When
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        embedded.ensure_running()
    servers = servers_in(embedded.folder)
    process.resume()

    # Then
    assert servers == [process]
    assert embedded.ensure_running() is False


def test_one_that_cannot_start_says_so_with_the_last_line_of_its_log(embedded: EmbeddedBroker) -> None:
    # Given data that no server can read
    data = embedded.folder / "appendonlydir"
    data.mkdir(parents=True)
    (data / "appendonly.aof.manifest").write_text("nonsense\n")

    # Then
    log = embedded.folder / "valkey.log"
    with pytest.raises(BrokerUnavailable, match="the embedded broker ended with code 1; its log") as caught:
        embedded.ensure_running()
    assert str(log) in str(caught.value)
    assert log.read_text().splitlines()[-1] in str(caught.value)
