"""What a caller may give as a job's source, and which source it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from broker_config.errors import InvalidRequest
from broker_config.frozen import parse
from broker_config.jobs import CodeSource, GitSource, ImageSource

_GIT_SCHEMES = frozenset({"https", "http", "ssh", "git", "file"})
# Patterns are texts: they are compiled when a source is first read, and not with every import.
_URL = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)(?P<path>/.*)?"
_SCP_LIKE = r"[\w.-]+@[\w.-]+:(?!//)[^@]+"

# The grammar of the OCI distribution spec's reference: registry, path, tag, digest.
_IMAGE = (
    r"(?:(?P<host>localhost|[\w-]+(?:\.[\w-]+)+|[\w-]+(?=:\d+/))(?::\d+)?/)?"
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class LocalCode:
    """A folder on this machine, packed when the job is launched."""

    path: Path | str = "."

    @property
    def folder(self) -> Path:
        return Path(self.path).expanduser()


@dataclass(frozen=True, slots=True)
class LocalGit:
    """The commit that is checked out in a folder on this machine, with what is changed and not committed.

    The agent fetches the commit from its remote, so it has to be pushed. Files that git does not know stay behind.
    """

    path: Path | str = "."

    @property
    def folder(self) -> Path:
        return Path(self.path).expanduser()


Given = ImageSource | GitSource | CodeSource | LocalCode | LocalGit | Path | str
"""A source, or a text or path that means one."""

Meant = ImageSource | GitSource | CodeSource | LocalCode | LocalGit


def meant(source: Given) -> Meant:
    """The source that is meant: an existing folder, a git URL (with `@ref`), or a full image reference.

    A text that could mean two things is refused, because packing a folder of the same name as an image, or pulling an
    image because of a mistyped folder, would both be found out late.

    Raises:
        InvalidRequest: when it is none of them, or could be two.
    """
    if isinstance(source, Path):
        return LocalCode(source)
    if not isinstance(source, str):
        return source
    if "://" in source or re.match(_SCP_LIKE, source):
        return git(source)
    if source in {".", "..", "~"} or source.startswith(("./", "../", "/", "~/")):
        return LocalCode(source)
    image = re.fullmatch(_IMAGE, source)
    is_full_image = image is not None and any(image.group("host", "tag", "digest"))
    is_folder = source != "" and LocalCode(source).folder.is_dir()
    if is_folder and is_full_image:
        raise InvalidRequest(f"source {source!r} is a folder and could be an image; write './{source}' or ImageSource")
    if is_folder:
        return LocalCode(source)
    if is_full_image:
        return ImageSource(image=source)
    raise InvalidRequest(
        f"source {source!r} is no folder here, no git URL, and no full image reference; write './folder', "
        f"'https://host/repository.git@ref', or an image with its tag, as in 'python:3.11-slim'"
    )


def git(text: str) -> GitSource:
    """The repository of a git URL; what follows an `@` in its path is the branch, tag or commit.

    Raises:
        InvalidRequest: when it is no git URL, or holds a password.
    """
    match = re.fullmatch(_URL, text)
    if match and match["scheme"].lower() not in _GIT_SCHEMES:
        raise InvalidRequest(f"{match['scheme']}:// is no git URL; known: {', '.join(sorted(_GIT_SCHEMES))}")
    if match:
        path, _, ref = (match["path"] or "").partition("@")
        repository = f"{match['scheme']}://{match['authority']}{path}"
        return parse(GitSource, {"repository": repository, "ref": ref or None}, "source")
    if not re.match(_SCP_LIKE, text):
        raise InvalidRequest(f"{text!r} is no git URL; write https://host/path, ssh://host/path or user@host:path")
    host, _, rest = text.partition(":")
    path, _, ref = rest.partition("@")
    return parse(GitSource, {"repository": f"{host}:{path}", "ref": ref or None}, "source")


def uri(text: str, ref: str | None = None) -> GitSource | LocalCode:
    """A git URL or a folder, as `--uri` takes it; `ref` is a branch, tag or commit of the repository.

    Raises:
        InvalidRequest: when it is a page of a web site, when a folder has a ref, or when there are two refs.
    """
    if not ("://" in text or re.match(_SCP_LIKE, text)):
        if ref:
            raise InvalidRequest(f"{text!r} is a folder, and is packed as it is; leave {ref!r} out, or name a git URL")
        return LocalCode(text)
    if re.match(r"https?://(?:[\w.-]+\.)?wandb\.ai/", text):
        raise InvalidRequest(f"{text!r} is on W&B's server; name the git repository, folder or image that it came from")
    if page := re.match(r"(https?://[^/]+/[^/]+/[^/]+)/(?:-/)?(?:tree|blob)/([^/]+)", text):
        raise InvalidRequest(f"{text!r} is a page about a repository; write {page[1]}@{page[2]}")
    found = git(text)
    if ref and found.ref not in (None, ref):
        raise InvalidRequest(f"{text!r} names a ref, and {ref!r} is another one; choose one")
    return parse(GitSource, {**found.model_dump(), "ref": ref or found.ref}, "source")


def hint(source: Meant) -> str:
    """A word for people that says what the source is: the folder's, repository's or image's name. May be empty."""
    if isinstance(source, LocalCode | LocalGit):
        return source.folder.resolve().name
    if isinstance(source, GitSource):
        return re.split(r"[/:]", source.repository.rstrip("/"))[-1].removesuffix(".git")
    if isinstance(source, ImageSource):
        return source.image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return ""
