"""Code archives: what a well-meaning and what a hostile producer may have put into the store."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from broker_config import jobs
from broker_config.states import FailureClass, Reason
from broker_config.store import Store
from tests.code import put
from workers.config import AgentConfig
from workers.failures import RunFailed
from workers.sources.code import MAX_UNPACKED_BYTES, CodeSource

Add = Callable[[tarfile.TarFile], None]


def file(name: str, content: bytes = b"x", mode: int = 0o644) -> Add:
    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), mode
        archive.addfile(member, io.BytesIO(content))

    return add


def link(name: str, to: str) -> Add:
    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, to
        archive.addfile(member)

    return add


def device(name: str) -> Add:
    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.devmajor, member.devminor = tarfile.CHRTYPE, 1, 3
        archive.addfile(member)

    return add


def packed(*adds: Add) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for add in adds:
            add(archive)
    return buffer.getvalue()


@pytest.fixture
def folder(home: Path) -> Path:
    folder = home / "code"
    folder.mkdir()
    return folder


def failure(store: Store, archive: bytes, folder: Path) -> str:
    with pytest.raises(RunFailed) as failed:
        CodeSource(store.code, folder.parent, AgentConfig()).fetch(put(store.code, archive), folder)
    assert (failed.value.failure, failed.value.reason) == (FailureClass.CONFIG, Reason.SOURCE_UNAVAILABLE)
    return str(failed.value)


def test_files_come_with_their_folders_links_and_the_right_to_be_run(store: Store, folder: Path) -> None:
    # Given
    source = put(
        store.code,
        packed(file("train.py", b"print(1)"), file("bin/run.sh", b"#!/bin/sh\n", 0o755), link("latest", "train.py")),
    )
    # When
    fetched = CodeSource(store.code, folder.parent, AgentConfig()).fetch(source, folder)
    # Then
    assert (fetched.digest, fetched.folder) == (source.digest, folder)
    assert (folder / "latest").read_bytes() == b"print(1)"
    assert (folder / "bin" / "run.sh").stat().st_mode & 0o100
    assert not (folder / "train.py").stat().st_mode & 0o100


@pytest.mark.parametrize(
    ("hostile", "named"),
    [
        ((file("../escaped"),), "../escaped"),
        ((link("out", "/"), file("out/escaped")), "out"),
        ((link("up", "../.."),), "up"),
        ((device("null"),), "null"),
        ((file("/absolute.py"),), "/absolute.py"),
        ((link("sub", "."), file("sub/escaped")), "sub/escaped"),
        ((link("name", "other"), file("name")), "name"),
    ],
    ids=["parent", "absolute link", "link to the outside", "device", "absolute", "through a link", "over a link"],
)
def test_an_archive_that_reaches_out_of_its_folder_is_refused_by_name(
    store: Store, folder: Path, hostile: tuple[Add, ...], named: str
) -> None:
    # When
    text = failure(store, packed(*hostile), folder)
    # Then
    assert named in text
    assert not (folder.parent / "escaped").exists()


@pytest.mark.parametrize("damage", [b"not an archive", b"", "cut", "empty gzip"])
def test_bytes_that_are_no_archive_are_refused(store: Store, folder: Path, damage: bytes | str) -> None:
    whole = packed(file("train.py", b"print(1)" * 1000))
    archive = {"cut": whole[: len(whole) // 2], "empty gzip": gzip.compress(b"")}.get(str(damage), damage)
    assert isinstance(archive, bytes)
    assert "cannot be unpacked" in failure(store, archive, folder)


def test_an_archive_that_would_fill_the_disk_is_refused_before_it_is_unpacked(store: Store, folder: Path) -> None:
    # Given
    member = tarfile.TarInfo("zeros")
    member.size = MAX_UNPACKED_BYTES + 1
    bomb = gzip.compress(member.tobuf() + b"\0" * 1024)
    # When
    text = failure(store, bomb, folder)
    # Then
    assert ".launchyardignore" in text
    assert not (folder / "zeros").exists()


def test_an_archive_that_the_store_does_not_have_is_named_with_the_cure(store: Store, folder: Path) -> None:
    digest = "sha256:" + "0" * 64
    with pytest.raises(RunFailed, match=f"{digest}.*launch again from the code"):
        CodeSource(store.code, folder.parent, AgentConfig()).fetch(jobs.CodeSource(digest=digest, size_bytes=1), folder)
