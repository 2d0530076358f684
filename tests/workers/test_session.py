"""One name, one process."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from broker_config.errors import ConfigError
from broker_config.store import Store
from workers.session import Session

LEASE_SECONDS = 30.0


def test_each_session_has_a_larger_fence(store: Store) -> None:
    # Given
    first, second = Session(store.agents, "a", LEASE_SECONDS), Session(store.agents, "b", LEASE_SECONDS)

    # When
    first.open()
    second.open()

    # Then
    assert 0 < first.fence < second.fence


def test_a_name_that_a_living_process_holds_is_refused_at_once(store: Store) -> None:
    # Given
    Session(store.agents, "a", LEASE_SECONDS).open()

    # When / Then
    with pytest.raises(ConfigError, match="agent name 'a' is in use by process"):
        Session(store.agents, "a", LEASE_SECONDS).open()


def test_the_name_of_a_dead_process_of_this_machine_is_free_at_once(store: Store) -> None:
    # Given a lease of a process that has ended
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(process.pid).create_time()
    process.communicate()
    machine = Session(store.agents, "a", LEASE_SECONDS).token.split()[0]
    dead = f"{machine} {process.pid} {started} 0"
    store.agents.take("a", dead, LEASE_SECONDS)

    # When
    session = Session(store.agents, "a", LEASE_SECONDS)
    session.open()

    # Then
    assert store.agents.holder("a") == session.token


def test_a_silent_name_of_another_machine_is_waited_for_and_then_refused(store: Store) -> None:
    # Given
    store.agents.take("a", "elsewhere/boot 1 1.0 0", LEASE_SECONDS)

    # When / Then
    with pytest.raises(ConfigError, match="in use by process 1 on elsewhere"):
        Session(store.agents, "a", 0.2).open()


def test_a_session_that_lost_its_name_is_told(store: Store) -> None:
    # Given
    first, second = Session(store.agents, "a", LEASE_SECONDS), Session(store.agents, "a", LEASE_SECONDS)
    first.open()

    # When
    store.agents.take("a", second.token, LEASE_SECONDS, replaces=first.token)

    # Then
    assert not first.renew()
    first.close()
    assert second.renew()
