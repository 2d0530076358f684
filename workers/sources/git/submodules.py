"""Where submodules are had from, and which of them a checkout needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from workers.sources.git.failures import masked, unavailable
from workers.sources.git.repository import Link


@dataclass(frozen=True, slots=True)
class Submodule:
    """Another repository's commit in a folder of this one's."""

    path: str
    url: str
    commit: str
    part: str | None  # what is needed of it; None is all


def needed(links: Sequence[Link], urls: Mapping[str, str], parent: str, part: str | None) -> Iterator[Submodule]:
    """The submodules that belong to a part of a repository, or to all of it.

    Raises:
        RunFailed: when the repository does not say where one is had from.
    """
    for link in links:
        path, wanted = PurePosixPath(link.path), PurePosixPath(part or ".")
        inside = str(wanted.relative_to(path)) if part and wanted.is_relative_to(path) else None
        if part and inside is None and not path.is_relative_to(wanted):
            continue
        if link.path not in urls:
            raise unavailable(
                f"repository {masked(parent)} has a submodule at {link.path!r} and no URL for it in .gitmodules; "
                "add it there, or remove the submodule"
            )
        yield Submodule(link.path, resolved(urls[link.path], parent), link.commit, None if inside == "." else inside)


def resolved(url: str, parent: str) -> str:
    """A submodule's URL; one that begins with `./` or `../` is relative to that of its parent (gitmodules(5)).

    Raises:
        RunFailed: when it leads out of the parent's host.
    """
    if not url.startswith(("./", "../")):
        return url
    base, rest = parent.rstrip("/"), url
    while (step := re.match(r"\.\.?/+", rest)) is not None:
        rest = rest[step.end() :]
        if step[0].startswith(".."):
            base = _up(base, url)
    return f"{base}/{rest}" if not base.endswith(":") else base + rest


def _up(base: str, url: str) -> str:
    host = re.match(r"[a-z][a-z0-9+.-]*://[^/]*|[^/:]+:", base, re.IGNORECASE)
    if host is None or len(base) <= host.end():
        raise unavailable(f"the submodule URL {masked(url)} leads out of its repository's host; correct .gitmodules")
    return base[: max(base.rfind("/"), host.end())]
