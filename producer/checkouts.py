"""A git checkout on this machine as a source: the commit that it is at, and a patch of what is not committed."""

from __future__ import annotations

import gzip
import io
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from broker_config.errors import InvalidRequest
from broker_config.frozen import parse
from broker_config.jobs import CodeSource, GitSource
from producer.packing import Archive
from producer.sources import git

_DIFF = (
    # What the user's config says of diffs is for people to read, and not for `git apply`.
    *("diff", "--binary", "--full-index", "--unified=3", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--no-renames", "--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules=dirty"),
)
_CHANGES = ("diff", "--raw", "--no-renames", "--no-color", "--ignore-submodules=dirty")
_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a job names, and the patch that has to be in the store; None when nothing is changed."""

    source: GitSource
    patch: Archive | None


def read(folder: Path, max_bytes: int) -> Checkout:
    """The checkout in a folder, from the remote that has its commit.

    Raises:
        InvalidRequest: when it is no checkout, its commit is not at a remote, or its changes cannot be brought.
    """
    top = _git(folder, "rev-parse", "--show-toplevel").strip()
    if Path(top).resolve() != folder.resolve():
        raise InvalidRequest(f"{str(folder)!r} is in the checkout {top!r}; name that, and the folder as build context")
    commit = _git(folder, "rev-parse", "--verify", "HEAD").strip()
    repository = git(_git(folder, "remote", "get-url", _remote(folder, commit)).strip()).repository
    patch = _patch(folder, max_bytes)
    source = {"repository": repository, "ref": commit, "patch": patch.source.digest if patch else None}
    return Checkout(parse(GitSource, source, "source"), patch)


def untracked(folder: Path) -> list[str]:
    """Files that git neither knows nor ignores: they stay behind."""
    return [name for name in _git(folder, "ls-files", "--others", "--exclude-standard", "-z").split("\0") if name]


def _remote(folder: Path, commit: str) -> str:
    """The remote that has the commit, as far as is known here."""
    branches = _git(folder, "for-each-ref", "--contains", commit, "--format=%(refname:lstrip=2)", "refs/remotes")
    remotes = _git(folder, "remote").splitlines()
    found = [name for name in remotes if any(branch.startswith(f"{name}/") for branch in branches.splitlines())]
    if not found:
        raise InvalidRequest(
            f"no remote of {str(folder)!r} has its commit {commit[:12]}, as far as is known here; push it, git fetch "
            "if it is there, or launch the folder itself with --code"
        )
    return "origin" if "origin" in found else found[0]


def _patch(folder: Path, max_bytes: int) -> Archive | None:
    changes = [line.split(maxsplit=5) for line in _git(folder, *_CHANGES, "HEAD").splitlines()]
    if moved := [words[-1] for words in changes if _SUBMODULE in (words[0].removeprefix(":"), words[1])]:
        raise InvalidRequest(f"the submodule {moved[0]!r} is at another commit than HEAD has; commit and push that")
    if not changes:
        return None
    # Without a time in it: the same changes have the same digest.
    data = gzip.compress(_git_bytes(folder, *_DIFF, "HEAD"), mtime=0)
    if len(data) > max_bytes:
        raise InvalidRequest(
            f"the uncommitted changes in {str(folder)!r} are {len(data):,} bytes when packed, and {max_bytes:,} are "
            "allowed; commit and push the large files"
        )
    return Archive(io.BytesIO(data), CodeSource(digest=f"sha256:{sha256(data).hexdigest()}", size_bytes=len(data)))


def _git(folder: Path, *arguments: str) -> str:
    return _git_bytes(folder, *arguments).decode(errors="surrogateescape")


def _git_bytes(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    except OSError as error:
        raise InvalidRequest(f"git cannot be run in {str(folder)!r}: {error.strerror}") from error
    if done.returncode:
        raise InvalidRequest(
            f"git cannot read the checkout {str(folder)!r}: {done.stderr.decode(errors='replace').strip()}"
        )
    return done.stdout
