"""Folders that live as long as one build."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from workers.images.scratch import Scratch

HOLDS_A_FOLDER = """
import sys, time
from pathlib import Path
from workers.images.scratch import Scratch
with Scratch(Path(sys.argv[1])).folder() as folder:
    (folder / "config.json").write_text("a login")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_a_folder_is_private_and_goes_with_its_build(home: Path) -> None:
    # Given
    scratch = Scratch(home)
    # When
    with scratch.folder() as folder:
        (folder / "file").touch()
        mode = folder.stat().st_mode
    # Then
    assert mode & 0o077 == 0
    assert not folder.exists()


def test_another_agents_folder_stays_until_that_agent_is_killed(home: Path) -> None:
    # Given
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_A_FOLDER, str(home)], stdout=subprocess.PIPE, text=True
    ) as agent:
        assert agent.stdout is not None
        folder = Path(agent.stdout.readline().strip())
        # When
        Scratch(home)
        is_there_meanwhile = (folder / "config.json").exists()
        agent.send_signal(signal.SIGKILL)
    Scratch(home)
    # Then
    assert is_there_meanwhile
    assert not folder.exists()
