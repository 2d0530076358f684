"""What a failure of git means: whether another try may help, and what to do."""

from __future__ import annotations

import re

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed

_USER_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/@\s'\"]+@", re.IGNORECASE)
_PART_OF_A_COMMIT = re.compile(r"[0-9a-f]{7,39}")

_TEMPORARY = re.compile(
    r"could not resolve host|connection (?:refused|reset|timed out|closed)|failed to connect|operation timed out"
    r"|operation too slow|early eof|rpc failed|unexpected disconnect|remote end hung up|gnutls_handshake"
    r"|error: (?:429|5\d\d)|no space left on device|temporary failure",
    re.IGNORECASE,
)
_HOST_KEY = re.compile(r"host key verification", re.IGNORECASE)
_REFUSED = re.compile(
    r"authentication (?:failed|required)|could not read (?:username|password)|permission denied|error: 40[13]",
    re.IGNORECASE,
)
_NO_REF = re.compile(r"couldn't find remote ref|not our ref|unadvertised object|unable to find .* under", re.IGNORECASE)
_NO_PROTOCOL = re.compile(r"transport '(.*)' not allowed")
_NO_REPOSITORY = re.compile(r"repository .* not found|does not appear to be a git repository", re.IGNORECASE)
_LFS = re.compile(r"git-lfs|smudge filter lfs|error downloading object", re.IGNORECASE)


class Unexplained(Exception):
    """git failed and nobody knows why; what it keeps may be damaged."""


def failure(repository: str, ref: str | None, said: str) -> RunFailed | TemporaryError | Unexplained:
    """What git's words mean for the run whose source that is."""
    where, words = f"repository {masked(repository)}", masked(said.strip())
    if (protocol := _NO_PROTOCOL.search(said)) is not None:
        return unavailable(
            f"{where}: {protocol[1]!r} is not allowed here; name it by https://, ssh:// or user@host:path. "
            f"git said: {words}"
        )
    if _NO_REF.search(said):
        return unavailable(f"{where} has no ref {ref or 'HEAD'!r}; {_ref_cure(ref)}. git said: {words}")
    if _HOST_KEY.search(said):
        return unavailable(
            f"{where}: the key of its host is not known here; name a known_hosts_file for it under git.credentials in "
            f"the agent's config, or add it to the known hosts of the agent's user. git said: {words}"
        )
    if _REFUSED.search(said):
        return unavailable(
            f"{where} refuses this agent; name credentials for its host under git.credentials in the agent's config, "
            f"or give the agent's user a credential helper or an SSH key that may read it. git said: {words}"
        )
    if _TEMPORARY.search(said):
        return TemporaryError(f"{where} cannot be fetched now: {words}", delay_seconds=15.0)
    text = f"{where} cannot be fetched: {words}"
    return unavailable(text) if _NO_REPOSITORY.search(said) or _LFS.search(said) else Unexplained(text)


def _ref_cure(ref: str | None) -> str:
    is_part = ref is not None and _PART_OF_A_COMMIT.fullmatch(ref) is not None
    return "write all characters of the commit id" if is_part else "name a branch, a tag or a whole commit id"


def masked(text: str) -> str:
    """The text without the user and password of any URL in it."""
    return _USER_IN_URL.sub(r"\1***@", text)


def unavailable(text: str) -> RunFailed:
    """The failure of a run whose source cannot be had, however often it is tried."""
    return RunFailed(FailureClass.CONFIG, Reason.SOURCE_UNAVAILABLE, text)
