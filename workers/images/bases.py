"""The images that a Dockerfile begins with, and by what digest each is known.

Source of the syntax: "Dockerfile reference" of Docker's documentation (FROM, ARG, COPY --from, RUN --mount,
here-documents).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

LOOK_SECONDS = 60.0
"""How long a base image is taken to be what it was: for so long, builds of the same base ask its registry once."""

_MOST = 256

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::(?P<sign>[-+])(?P<word>[^}]*))?\}|(?P<plain>\w+))")
_ARGUMENT = re.compile(r"""(\w+)=("[^"]*"|'[^']*'|\S*)""")
_FROM = re.compile(r"(?:--\S+\s+)*(?P<image>\S+)(?:\s+as\s+(?P<stage>\S+))?", re.IGNORECASE)
_COPIED_FROM = re.compile(r"(?<=from=)[^,\s]+")
_HERE_DOCUMENT = re.compile(r"<<-?(['\"]?)(\w+)\1")


@dataclass(frozen=True, slots=True)
class Base:
    """What is known of an image."""

    digest: str
    in_registry: bool = True  # so that it can be pulled by this digest


class Bases:
    """Looks images up, and remembers for a minute what it saw. Safe to use from several threads."""

    def __init__(self, look: Callable[[str], Base | None], seconds: float = LOOK_SECONDS) -> None:
        """`look` gets an image as a Dockerfile names it; None: nobody here can tell. It raises nothing."""
        self._look = look
        self._seconds = seconds
        self._seen: dict[str, tuple[float, Base | None]] = {}
        self._lock = threading.Lock()

    def base(self, image: str) -> Base | None:
        """The image as it is now, or was less than a minute ago."""
        begin = time.monotonic()
        with self._lock:
            at, found = self._seen.get(image, (-self._seconds, None))
        if begin - at < self._seconds:
            return found
        # Two threads may look for the same image at the same time, which is cheaper than that all wait for a slow one.
        found = self._look(image)
        with self._lock:
            if len(self._seen) >= _MOST:
                self._seen.clear()
            self._seen[image] = (begin, found)
        return found


def pinned(text: str, build_args: Mapping[str, str], bases: Bases) -> tuple[str, Mapping[str, str]]:
    """A Dockerfile whose images are named by their digests, and the digest of each image.

    An image that a registry has not, or that nobody knows, stays as it is named; without a digest it stands for itself.
    """
    lines = text.splitlines(keepends=True)
    digests: dict[str, str] = {}
    for image in _images(text, build_args):
        base = None if "@" in image.name else bases.base(image.name)
        digests[image.name] = base.digest if base else image.name
        if base and base.in_registry:
            _replace(lines, image, f"{image.name}@{base.digest}")
    return "".join(lines), digests


@dataclass(frozen=True, slots=True)
class _Instruction:
    name: str  # in upper case
    text: str  # what follows the name, on one line
    lines: range


@dataclass(frozen=True, slots=True)
class _Image:
    name: str
    written: str  # with variables
    lines: range


def _images(text: str, build_args: Mapping[str, str]) -> Iterator[_Image]:
    """All images but `scratch` and the Dockerfile's own stages."""
    known: dict[str, str] = {}
    stages: set[str] = {"scratch"}
    has_begun = False
    for one in _instructions(text):
        if one.name == "ARG" and not has_begun:
            for name, value in _ARGUMENT.findall(one.text):
                known[name] = build_args.get(name, _filled(value.strip("\"'"), known))
            known |= {name: build_args[name] for name in one.text.split() if name in build_args}
        elif one.name == "FROM" and (match := _FROM.match(one.text)):
            has_begun = True
            image = _filled(match["image"], known)
            if image.lower() not in stages:
                yield _Image(image, match["image"], one.lines)
            stages.add((match["stage"] or "scratch").lower())
        elif one.name in {"COPY", "RUN", "ADD"}:
            flags = " ".join(takewhile(lambda word: word.startswith("--"), one.text.split()))
            for image in _COPIED_FROM.findall(flags):
                if image.lower() not in stages and not image.isdigit():
                    yield _Image(image, image, one.lines)


def _instructions(text: str) -> Iterator[_Instruction]:
    escape = "`" if re.match(r"\s*#\s*escape\s*=\s*`", text, re.IGNORECASE) else "\\"
    joined, begin = "", 0
    ends: list[str] = []  # of the here-documents that are open
    for number, line in enumerate(text.splitlines()):
        if ends:
            if line.strip() == ends[0]:
                ends.pop(0)
            continue
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        begin = begin if joined else number
        if stripped.endswith(escape):
            joined += stripped.removesuffix(escape) + " "
            continue
        name, _, rest = (joined + stripped).partition(" ")
        yield _Instruction(name.upper(), rest.strip(), range(begin, number + 1))
        if name.upper() in {"RUN", "COPY", "ADD"}:
            ends = [word for _, word in _HERE_DOCUMENT.findall(rest)]
        joined = ""


def _filled(text: str, known: Mapping[str, str]) -> str:
    """With the values of its variables; one that is not known stays as it is written."""

    def value(match: re.Match[str]) -> str:
        found = known.get(match["braced"] or match["plain"], "")
        if match["sign"] == "+":
            return match["word"] if found else ""
        return found or (match["word"] if match["sign"] else match[0])

    return _VARIABLE.sub(value, text)


def _replace(lines: list[str], image: _Image, name: str) -> None:
    place = re.compile(rf"(?<=[\s=]){re.escape(image.written)}(?=[,\s]|$)")
    for number in image.lines:
        lines[number], count = place.subn(lambda _: name, lines[number], count=1)
        if count:
            return
