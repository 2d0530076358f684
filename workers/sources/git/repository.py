"""A cached repository: some commits of one remote, without their histories. Whoever uses it holds its lock."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from workers.sources.git import lfs
from workers.sources.git.failures import failure
from workers.sources.git.program import Done, Program

COMMIT = re.compile(r"[0-9a-f]{40}")

_FETCHED = "refs/launchyard/fetched"
_NO_SHALLOW = re.compile(r"dumb http transport does not support shallow", re.IGNORECASE)
_SPECIAL = re.compile(r"[\\*?\[]")
_GITLINK = re.compile(r"160000 (?P<commit>[0-9a-f]{40}) 0\t(?P<path>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Link:
    """A place in a commit where another repository's commit belongs."""

    path: str
    commit: str


class Repository:
    """One remote's commits, in a bare repository."""

    def __init__(self, folder: Path, url: str, program: Program) -> None:
        self._folder = folder
        self._url = url
        self._program = program

    def begin(self) -> bool:
        """Make the repository; False when it was there."""
        if self._folder.exists():
            return False
        self._folder.mkdir(parents=True)
        self._run("init", "--quiet", "--bare", "--template=", ".")
        return True

    def discard(self) -> None:
        """Remove it with all that was fetched."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def fetch(self, ref: str | None, *, lean: bool) -> str:
        """Have the commit of a branch, tag or commit id, and return its id.

        A commit that is there is not fetched again, and one that is named by its id is not even asked for. With
        `lean`, a server that can leaves the files out until they are checked out.

        Raises:
            RunFailed, TemporaryError, Unexplained: as the failure of git means.
        """
        name, commit = (ref, ref) if ref and COMMIT.fullmatch(ref) else self._look_up(ref)
        if self._has(commit):
            return commit
        what = ("--quiet", "--no-tags", "--filter=blob:none" if lean else "--no-filter")
        refs = ("origin", f"+{name}:{_FETCHED}")
        done = self._call("fetch", "--depth=1", *what, *refs, ref=ref)
        if done.code and _NO_SHALLOW.search(done.said):
            done = self._call("fetch", *what, *refs, ref=ref)
        self._check(done, ref)
        # A branch may have moved since it was looked up.
        commit = self._run("rev-parse", "--verify", f"{_FETCHED}^{{commit}}").strip()
        self._run("update-ref", _kept(commit), commit)
        return commit

    def check_out(self, commit: str, folder: Path, part: str | None) -> None:
        """Write a commit's files to an empty folder: all, or those in a part and beside the way there.

        Raises:
            RunFailed, TemporaryError, Unexplained: as the failure of git means.
        """
        (self._folder / "index").unlink(missing_ok=True)
        sparse = self._sparse(part) if part else ()
        has_lfs = lfs.is_installed()
        if has_lfs:
            settings = self._call("config", f"--blob={commit}:.lfsconfig", "--list", "-z").out
            lfs.check_urls(self._url, settings.split("\0"))
        large = lfs.WITH if has_lfs else lfs.WITHOUT
        self._run(*sparse, *large, "read-tree", "-m", "-u", commit, folder=folder)
        if not has_lfs:
            files = self._run("ls-files", "-t", "-z", "--", lfs.FILES, folder=folder)
            lfs.check_pointers(self._url, files.split("\0"))

    def links(self, folder: Path) -> list[Link]:
        """The submodules of the commit that was checked out last."""
        entries = self._run("ls-files", "--stage", "-z", folder=folder).split("\0")
        return [Link(found["path"], found["commit"]) for one in entries if (found := _GITLINK.fullmatch(one))]

    def urls(self, folder: Path) -> dict[str, str]:
        """Where the commit that was checked out last has its submodules from, by path."""
        if not (folder / ".gitmodules").is_file():
            return {}
        listed = self._run("config", "--blob=:.gitmodules", "--list", "-z", folder=folder)
        settings = dict(one.partition("\n")[::2] for one in listed.split("\0") if one)
        paths = {name.removesuffix(".path"): path for name, path in settings.items() if name.endswith(".path")}
        return {path: settings[f"{name}.url"] for name, path in paths.items() if f"{name}.url" in settings}

    def _look_up(self, ref: str | None) -> tuple[str, str]:
        """The full name of a ref, and the commit that it stands for now."""
        wanted = ref or "HEAD"
        listed = self._run("ls-remote", "origin", wanted, f"{wanted}^{{}}", ref=ref)
        ids = {name: commit for commit, _, name in (line.partition("\t") for line in listed.splitlines())}
        # The order is git's own (gitrevisions(7)); ls-remote also lists names that only end so.
        for name in (wanted, f"refs/{wanted}", f"refs/tags/{wanted}", f"refs/heads/{wanted}"):
            if name in ids:
                return name, ids.get(f"{name}^{{}}", ids[name])
        raise failure(self._url, ref, f"couldn't find remote ref {wanted}")

    def _has(self, commit: str) -> bool:
        # Written after a whole fetch, so that one that was broken off does not count.
        return self._call("rev-parse", "--verify", "--quiet", _kept(commit)).code == 0

    def _sparse(self, part: str) -> tuple[str, ...]:
        """Restrict the checkout to a part, in the form of cones (git-sparse-checkout(1))."""
        patterns, way = ["/*", "!/*/"], ""
        for name in Path(part).parts:
            way += "/" + _SPECIAL.sub(r"\\\g<0>", name)
            patterns += [f"{way}/", f"!{way}/*/"]
        (self._folder / "info").mkdir(exist_ok=True)
        (self._folder / "info" / "sparse-checkout").write_text("\n".join(patterns[:-1]) + "\n")
        return ("-c", "core.sparseCheckout=true", "-c", "core.sparseCheckoutCone=true")

    def _run(self, *arguments: str, ref: str | None = None, folder: Path | None = None) -> str:
        done = self._call(*arguments, ref=ref, folder=folder)
        self._check(done, ref)
        return done.out

    def _call(self, *arguments: str, ref: str | None = None, folder: Path | None = None) -> Done:
        places = {"GIT_DIR": str(self._folder)}
        if folder:
            places |= {"GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": str(self._folder / "index")}
        # The remote has a name, as git keeps what it was promised (partial clones) by that.
        remote = ("-c", f"remote.origin.url={self._url}")
        return self._program.call(folder or self._folder, *remote, *arguments, variables=places)

    def _check(self, done: Done, ref: str | None) -> None:
        if done.code:
            raise failure(self._url, ref, done.said or done.out)


def _kept(commit: str) -> str:
    return f"refs/launchyard/commits/{commit}"
