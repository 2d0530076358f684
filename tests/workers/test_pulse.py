"""What a supervisor sees of an agent in its home folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.agents import eventually
from workers.heartbeat import Heartbeat
from workers.pulse import Pulse


def nothing() -> None:
    """A duty."""


def test_a_heartbeat_that_gets_on_is_seen_and_one_that_has_stopped_is_not(tmp_path: Path) -> None:
    # Given
    pulse = Pulse(tmp_path, "agent@host")
    heartbeat = Heartbeat(pulse.beat)
    heartbeat.every(0.01, nothing)
    file = tmp_path / "pulses" / "agent@host"
    assert not file.exists()

    # When
    heartbeat.start()

    # Then
    eventually(file.exists, "the file is there")
    before = file.stat().st_mtime_ns
    eventually(lambda: file.stat().st_mtime_ns > before, "its time goes on")
    heartbeat.stop()
    pulse.stop()
    assert not file.exists()


def test_what_a_killed_agent_left_does_not_stand_for_the_next_one(tmp_path: Path) -> None:
    # Given
    Pulse(tmp_path, "agent@host").beat()

    # When
    Pulse(tmp_path, "agent@host")

    # Then
    assert not (tmp_path / "pulses" / "agent@host").exists()


def test_a_folder_that_cannot_be_written_ends_no_heartbeat(tmp_path: Path) -> None:
    # Given
    home = tmp_path / "home"
    pulse = Pulse(home, "agent@host")
    pulse.beat()
    shutil.rmtree(home)
    home.write_text("no folder")

    # Then
    pulse.beat()
