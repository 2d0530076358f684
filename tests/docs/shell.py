"""Runs the blocks of one page as a reader would: one after the other, in one folder, with an empty home folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.docs.pages import Block

BLOCK_SECONDS = 60.0
STOP_SECONDS = 30.0


class Shell:
    """A reader at a terminal. What a block leaves running in the background is ended with `close`."""

    def __init__(self) -> None:
        # A short path: the embedded broker's socket is in it.
        self._root = Path(tempfile.mkdtemp(prefix="lyd-", dir="/tmp"))
        self._folder = self._root / "project"
        self._folder.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAUNCHYARD_")}
        self._environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
            "LAUNCHYARD_HOME": str(self._root / "home"),
        }
        self._background: list[tuple[Block, subprocess.Popen[bytes]]] = []
        self._log = self._root / "background.log"

    def run(self, block: Block) -> None:
        """Run a block to its end, or leave it running if that is what it is for."""
        if block.in_background:
            # `exec`, so that the process is the command itself, and can be ended by its id.
            with self._log.open("ab") as log:
                process = self._spawn(["bash", "-c", f"exec {block.text}"], log.fileno())
            self._background.append((block, process))
            return
        answer = self._root / "answer.log"
        with answer.open("wb") as log:
            process = self._spawn(_command(block), log.fileno())
            try:
                code = process.wait(BLOCK_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(STOP_SECONDS)
                code = -signal.SIGKILL
        said = f"{answer.read_text()[-3000:]}\nin the background:\n{self._said()}"
        assert code == block.exit_code, f"the block at {block.place} ended with {code}:\n{block.text}\n{said}"
        ended = [other.place for other, process in self._background if process.poll() is not None]
        assert not ended, f"the block at {ended} is to go on in the background, and has ended:\n{said}"

    def close(self) -> None:
        """End what was left running, agents before the broker, and remove every trace."""
        for _, process in reversed(self._background):
            if process.poll() is None:
                process.terminate()
                process.wait(STOP_SECONDS)
        self._spawn(["launchyard", "broker", "stop"], subprocess.DEVNULL).wait(STOP_SECONDS)
        shutil.rmtree(self._root)

    def _spawn(self, command: list[str], output: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def _said(self) -> str:
        return self._log.read_text()[-3000:] if self._log.exists() else ""


def _command(block: Block) -> list[str]:
    return ["bash", "-euo", "pipefail", "-c", block.text] if block.language == "bash" else ["python", "-c", block.text]
