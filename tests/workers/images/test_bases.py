"""Which images a Dockerfile begins with, and that their digests are asked for once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from workers.images.bases import Base, Bases, pinned

DIGEST = "sha256:" + "a" * 64


class Shelf:
    """A registry that has every image, and counts what it is asked for."""

    def __init__(self, *unknown: str) -> None:
        self.asked: list[str] = []
        self._unknown = unknown

    def base(self, image: str) -> Base | None:
        self.asked.append(image)
        return None if image in self._unknown else Base(DIGEST)


def _pinned(text: str, build_args: Mapping[str, str] | None = None) -> tuple[str, list[str]]:
    shelf = Shelf()
    result, digests = pinned(text, build_args or {}, Bases(shelf.base))
    assert set(shelf.asked) <= digests.keys()
    return result, list(digests)


@pytest.mark.parametrize(
    ("text", "build_args", "images"),
    [
        ("FROM python:3.12", {}, ["python:3.12"]),
        ("from --platform=$BUILDPLATFORM python:3.12 as one\nFROM One", {}, ["python:3.12"]),
        ("FROM scratch\nCOPY . .", {}, []),
        ("ARG V=3.12\nARG BASE=python:$V\nFROM ${BASE}", {}, ["python:3.12"]),
        ("ARG V=3.12\nFROM python:${V}", {"V": "3.13"}, ["python:3.13"]),
        ("ARG V\nFROM python:${V:-3.11}", {}, ["python:3.11"]),
        ("ARG V\nFROM python:${V:-3.11}", {"V": "3.13"}, ["python:3.13"]),
        ("ARG GPU=1\nFROM base${GPU:+-cuda}", {}, ["base-cuda"]),
        ("FROM a\nCOPY --from=b:1 /x /y", {}, ["a", "b:1"]),
        ("FROM a\nRUN --mount=type=bind,from=c,target=/c --mount=from=d ls", {}, ["a", "c", "d"]),
        ("FROM a AS one\nFROM b\nCOPY --from=one /x /y\nCOPY --from=0 /x /y", {}, ["a", "b"]),
        ("FROM a\nRUN <<EOF\nFROM no/image\nEOF\nRUN echo --from=no", {}, ["a"]),
        ("# FROM no\nFROM \\\n  # a remark\n  a \\\n  AS one\nFROM one", {}, ["a"]),
        ("# escape=`\nFROM `\n a\nRUN dir C:\\\nFROM b", {}, ["a", "b"]),
    ],
)
def test_the_images_of_a_dockerfile_are_found(text: str, build_args: Mapping[str, str], images: list[str]) -> None:
    assert _pinned(text, build_args)[1] == images


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("FROM python:3.12\nRUN echo python:3.12\n", f"FROM python:3.12@{DIGEST}\nRUN echo python:3.12\n"),
        ("ARG B=a:1\nFROM ${B} AS x\n", f"ARG B=a:1\nFROM a:1@{DIGEST} AS x\n"),
        ("FROM \\\n  a\n", f"FROM \\\n  a@{DIGEST}\n"),
        ("FROM scratch\nCOPY --from=b:1 /b /b\n", f"FROM scratch\nCOPY --from=b:1@{DIGEST} /b /b\n"),
        (f"FROM a@{DIGEST}\n", f"FROM a@{DIGEST}\n"),
        ("FROM a\r\nRUN b\r\n", f"FROM a@{DIGEST}\r\nRUN b\r\n"),
    ],
)
def test_images_are_named_by_their_digests(text: str, result: str) -> None:
    assert _pinned(text)[0] == result


def test_an_image_that_nobody_knows_or_no_registry_has_stays_as_it_is_named() -> None:
    # Given
    known = {"made-here": Base(DIGEST, in_registry=False)}
    # When
    text, digests = pinned("FROM made-here\nFROM unknown\n", {}, Bases(known.get))
    # Then
    assert text == "FROM made-here\nFROM unknown\n"
    assert digests == {"made-here": DIGEST, "unknown": "unknown"}


def test_an_image_is_asked_for_once_in_a_while_whether_it_is_known_or_not() -> None:
    # Given
    shelf = Shelf("b")
    lasting, fleeting = Bases(shelf.base), Bases(shelf.base, seconds=0)
    # When
    found = [lasting.base(image) for image in "abab"]
    # Then
    assert found == [Base(DIGEST), None] * 2
    assert shelf.asked == ["a", "b"]
    # When
    for _ in range(2):
        fleeting.base("a")
    # Then
    assert shelf.asked == ["a", "b", "a", "a"]
