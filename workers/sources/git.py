"""Code from a git repository, by the git program: one commit, without its history."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from broker_config import jobs
from broker_config.errors import TemporaryError
from broker_config.runs import FailureClass, Reason
from broker_config.store.code import CodeStore
from workers.failures import RunFailed
from workers.sources.protocol import Fetched

TIMEOUT_SECONDS = 600.0
"""For one step, such as the fetch of a large repository."""

_ENVIRONMENT = {
    # Neither a path of this machine nor a command (ext::) may be named as a repository, in submodules neither.
    "GIT_ALLOW_PROTOCOL": "http:https:ssh",
    "GIT_TERMINAL_PROMPT": "0",
    # The words below are looked for in what git says.
    "LC_ALL": "C",
}

_OPTIONS = (
    *("-c", "core.sshCommand=ssh -oBatchMode=yes"),
    *("-c", "core.askPass=true"),  # answers with nothing, where a desktop would open a window
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "advice.detachedHead=false"),
    *("-c", "init.defaultBranch=main"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    *("-c", "http.lowSpeedLimit=1000"),
    *("-c", "http.lowSpeedTime=60"),
)

_USER_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/@\s'\"]+@", re.IGNORECASE)

_NOT_IN_A_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{")
"""What git-check-ref-format(1) refuses; a colon would even make git write to other refs."""

_PART_OF_A_COMMIT = re.compile(r"[0-9a-f]{7,39}")

_TEMPORARY = re.compile(
    r"could not resolve host|connection (?:refused|reset|timed out|closed)|failed to connect|operation timed out"
    r"|operation too slow|early eof|rpc failed|unexpected disconnect|remote end hung up|gnutls_handshake"
    r"|error: (?:429|5\d\d)|no space left on device|temporary failure",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"authentication failed|could not read (?:username|password)|permission denied|error: 40[13]|host key verification",
    re.IGNORECASE,
)
_NO_REF = re.compile(r"couldn't find remote ref|not our ref|unadvertised object|unable to find .* under", re.IGNORECASE)
_NO_PROTOCOL = re.compile(r"transport '(.*)' not allowed")
_NO_SHALLOW = re.compile(r"dumb http transport does not support shallow", re.IGNORECASE)


class GitSource:
    """Fetches a branch, a tag or a whole commit id, with its submodules."""

    def __init__(self, code: CodeStore) -> None:
        pass

    def fetch(self, source: jobs.GitSource, folder: Path) -> Fetched:
        if source.ref and _NOT_IN_A_REF.search(source.ref):
            raise _unavailable(f"{source.ref!r} cannot be a git ref; name a branch, a tag or a commit id")
        git = _Git(source, folder)
        git.run("init", "--quiet", "--template=", ".")
        git.fetch()
        git.run("checkout", "--quiet", "--detach", "FETCH_HEAD")
        if (folder / ".gitmodules").exists():
            # Relative URLs of submodules are relative to this remote.
            git.run("config", "remote.origin.url", source.repository)
            git.run("submodule", "--quiet", "update", "--init", "--recursive", "--depth", "1")
        commit = git.run("rev-parse", "HEAD")
        _remove_history(folder)
        return Fetched(f"git:{commit}", folder=folder, pinned=source.model_copy(update={"ref": commit}))


class _Git:
    """git commands in one folder, for one repository."""

    def __init__(self, source: jobs.GitSource, folder: Path) -> None:
        self._source = source
        self._folder = folder

    def fetch(self) -> None:
        what = ("--", self._source.repository, self._source.ref or "HEAD")
        code, said = self._call("fetch", "--quiet", "--no-tags", "--depth", "1", *what)
        if code and _NO_SHALLOW.search(said):
            code, said = self._call("fetch", "--quiet", "--no-tags", *what)
        if code:
            raise self._failed(said)

    def run(self, *arguments: str) -> str:
        """What a command writes; raises what its failure means."""
        code, said = self._call(*arguments)
        if code:
            raise self._failed(said)
        return said.strip()

    def _call(self, *arguments: str) -> tuple[int, str]:
        command = ["git", *_OPTIONS, *arguments]
        try:
            return _run(command, self._folder)
        except FileNotFoundError as error:
            raise _unavailable("this agent's machine has no git; install it there") from error
        except subprocess.TimeoutExpired as error:
            raise TemporaryError(
                f"git {arguments[0]} of {masked(self._source.repository)} took more than {TIMEOUT_SECONDS:.0f} s"
            ) from error

    def _failed(self, said: str) -> RunFailed | TemporaryError:
        """Whether another try may help, and what to do."""
        repository, ref = masked(self._source.repository), self._source.ref
        words = masked(said.strip())
        if (protocol := _NO_PROTOCOL.search(said)) is not None:
            return _unavailable(
                f"repository {repository}: {protocol[1]!r} is not allowed here; name it by https://, ssh:// or "
                f"user@host:path. git said: {words}"
            )
        if _NO_REF.search(said):
            part = ref is not None and _PART_OF_A_COMMIT.fullmatch(ref) is not None
            cure = "write all characters of the commit id" if part else "name a branch, a tag or a whole commit id"
            return _unavailable(f"repository {repository} has no ref {ref or 'HEAD'!r}; {cure}. git said: {words}")
        if _REFUSED.search(said):
            return _unavailable(
                f"repository {repository} refuses this agent; give the agent's user a credential helper or an SSH "
                f"key that may read it. git said: {words}"
            )
        if _TEMPORARY.search(said):
            return TemporaryError(f"repository {repository} cannot be fetched now: {words}", delay_seconds=15.0)
        return _unavailable(f"repository {repository} cannot be fetched: {words}")


def masked(text: str) -> str:
    """The text without the user and password of any URL in it."""
    return _USER_IN_URL.sub(r"\1***@", text)


def _run(command: Sequence[str], folder: Path) -> tuple[int, str]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        # The agent's own variables go on to git: credential helpers, proxies and SSH agents live in them.
        env={**os.environ, **_ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Without a terminal nothing can ask a question, and the group can be ended as one.
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        said, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, said


def _remove_history(folder: Path) -> None:
    """Remove what belongs to git itself: a submodule has a file of that name, which would point to nothing."""
    shutil.rmtree(folder / ".git")
    for pointer in folder.rglob(".git"):
        if pointer.is_file():
            pointer.unlink()


def _unavailable(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.SOURCE_UNAVAILABLE, text)
