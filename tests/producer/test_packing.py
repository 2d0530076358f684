from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from broker_config.errors import InvalidRequest
from producer.packing import Archive, pack
from producer.progress import Silent

MIB = 2**20


def members(archive: Archive) -> dict[str, tarfile.TarInfo]:
    archive.file.seek(0)
    with tarfile.open(fileobj=archive.file, mode="r:gz") as file:
        return {info.name: info for info in file}


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", "/")).parent.mkdir(parents=True, exist_ok=True)
        (folder / name.replace("__", "/")).write_text(text)
    return folder


def test_the_same_files_give_the_same_bytes_whenever_and_wherever_they_were_written(tmp_path: Path) -> None:
    # Given two copies, written in another order, at other times and with other modes of the group
    first = write(tmp_path / "a", train="1", lib__b="2")
    second = write(tmp_path / "b", lib__b="2", train="1")
    os.utime(second / "train", (1, 1))
    (second / "train").chmod(0o660)

    # When both are packed
    archives = pack(first, MIB, Silent()), pack(second, MIB, Silent())

    # Then the bytes are the same, and so is the digest
    assert archives[0].source == archives[1].source
    assert archives[0].source == archives[1].source


def test_owner_time_and_mode_do_not_travel_but_the_executable_bit_does(tmp_path: Path) -> None:
    # Given a script and a plain file
    folder = write(tmp_path / "code", run="#!/bin/sh", data="x")
    (folder / "run").chmod(0o700)

    # When they are packed
    found = members(pack(folder, MIB, Silent()))

    # Then only what matters is left
    assert (found["run"].mode, found["data"].mode) == (0o755, 0o644)
    assert {(info.uid, info.gid, info.uname, info.mtime) for info in found.values()} == {(0, 0, "", 0)}


def test_what_git_would_ignore_is_left_out(tmp_path: Path) -> None:
    # Given an ignore file in git's syntax
    folder = write(tmp_path / "code", train="", model__weights="", keep__x="", lib__a_pyc="", notes="")
    (folder / ".gitignore").write_text("/model/\n*_pyc\nnotes\n!keep\n")

    # When the folder is packed
    found = members(pack(folder, MIB, Silent()))

    # Then the ignored files and folders are not in it
    assert set(found) == {".gitignore", "keep", "keep/x", "lib", "train"}


def test_our_own_ignore_file_replaces_that_of_git(tmp_path: Path) -> None:
    # Given a file that git ignores and the job needs
    folder = write(tmp_path / "code", train="", weights="", secret="")
    (folder / ".gitignore").write_text("weights\n")
    (folder / ".launchyardignore").write_text("secret\n.*ignore\n")

    # When the folder is packed, then `.launchyardignore` alone counts
    assert set(members(pack(folder, MIB, Silent()))) == {"train", "weights"}


def test_caches_repositories_and_environments_are_never_packed(tmp_path: Path) -> None:
    # Given a folder as people have it
    folder = write(tmp_path / "code", train="", lib__a="", lib____pycache____b="")
    write(folder / ".git", HEAD="")
    write(folder / ".venv", x="")
    write(folder / "lib" / "__pycache__", a="")
    write(folder / "env" / "bin", python="")
    (folder / "env" / "pyvenv.cfg").write_text("")

    # When it is packed, then only the code is in it
    assert set(members(pack(folder, MIB, Silent()))) >= {"lib", "lib/a", "train"}
    assert not any(
        part in name for name in members(pack(folder, MIB, Silent())) for part in (".git", ".venv", "env", "__py")
    )


def test_a_link_inside_the_folder_stays_a_link_and_leads_there_in_every_copy(tmp_path: Path) -> None:
    # Given a relative and an absolute link to a file of the folder
    folder = write(tmp_path / "code", real="x", lib__a="")
    (folder / "lib" / "relative").symlink_to("../real")
    (folder / "lib" / "absolute").symlink_to(folder / "real")

    # When it is packed
    found = members(pack(folder, MIB, Silent()))

    # Then both lead to the file of the copy
    assert found["lib/relative"].issym()
    assert {found["lib/relative"].linkname, found["lib/absolute"].linkname} == {"../real"}


@pytest.mark.parametrize("target", ["../outside", "/etc/hostname", "hop"])
def test_a_link_that_leads_out_of_the_folder_is_refused_by_name(tmp_path: Path, target: str) -> None:
    # Given a link to something outside, written so or reached over another link
    folder = write(tmp_path / "code", train="")
    (tmp_path / "outside").write_text("")
    (folder / "hop").symlink_to("../outside")
    (folder / "bad").symlink_to(target)

    # When the folder is packed, then the link is named with the cure
    with pytest.raises(InvalidRequest, match=r"the link 'bad' leads out of the folder.*\.launchyardignore"):
        pack(folder, MIB, Silent())


def test_too_much_code_is_refused_with_its_largest_files(tmp_path: Path) -> None:
    # Given more bytes than are allowed, that do not compress
    folder = write(tmp_path / "code", train="x")
    (folder / "weights.bin").write_bytes(os.urandom(200_000))

    # When it is packed, then the error names what is large
    with pytest.raises(
        InvalidRequest, match=r"more than 0\.1 MiB when packed; its largest files are weights\.bin \(0\.2"
    ):
        pack(folder, 100_000, Silent())


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    # Given no folder, and one without a file
    (tmp_path / "empty" / "inner").mkdir(parents=True)

    # When they are packed, then each error says what is wrong
    with pytest.raises(InvalidRequest, match=r"there is no folder '.*nowhere'"):
        pack(tmp_path / "nowhere", MIB, Silent())
    with pytest.raises(InvalidRequest, match="has no file to pack"):
        pack(tmp_path / "empty", MIB, Silent())


def test_a_socket_in_the_folder_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a socket beside the code
    folder = write(tmp_path / "code", train="")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")

        # When the folder is packed, then the socket is not in it
        assert set(members(pack(folder, MIB, Silent()))) == {"train"}


def test_the_digest_names_the_bytes(tmp_path: Path) -> None:
    # Given a packed folder
    first = pack(write(tmp_path / "code", train="1"), MIB, Silent())

    # When one byte of the code changes
    second = pack(write(tmp_path / "code", train="2"), MIB, Silent())

    # Then the digest is another one
    assert first.source.digest != second.source.digest
    assert first.source.size_bytes == first.file.seek(0, io.SEEK_END)
