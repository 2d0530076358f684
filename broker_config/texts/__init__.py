"""Texts in JSON or YAML that people write: read as plain data, with the place of everything in it.

What is read is what JSON can hold, so that it can travel. Everything else that YAML can say is refused with its line
and column: two meanings for one key, objects of a program, and texts that are small to write and huge to read.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from broker_config.errors import InvalidRequest
from broker_config.texts import json_reader, yaml_reader
from broker_config.texts.document import MAX_CHARACTERS, Document, Mark, Refused, Unreadable

__all__ = ["Document", "read", "read_file", "read_object"]

_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.2 (chapter 5.1) has in no document, and the byte order mark, which may only stand at the beginning."""

_JSON = re.compile(r"\s*[{[]\s*([\"{[\]}\d]|$)")
"""How a text begins whose author means JSON."""


def read_file(path: str, what: str) -> Document:
    """The document in a file; `-` is stdin.

    `what` says whose file it is when it cannot be opened, such as "--config".

    Raises:
        InvalidRequest: when it cannot be opened, or cannot be read.
    """
    try:
        # One character more than is taken, so that a file of any size costs no more than that.
        if path == "-":
            return read(sys.stdin.read(MAX_CHARACTERS + 1), "stdin")
        with Path(path).open(encoding="utf-8-sig") as file:
            text = file.read(MAX_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{what}: {path!r} is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest(f"{what}: cannot read {path!r}: {reason}") from error
    return read(text, path)


def read(text: str, name: str) -> Document:
    """A text in JSON or YAML.

    `name` is the file's, or the option's that held it; findings about the document begin with it.

    Raises:
        InvalidRequest: when it is neither, or says what JSON cannot hold; with its line and column.
    """
    try:
        return Document(name, *_data(text.removeprefix("\ufeff")))
    except Unreadable as problem:
        raise InvalidRequest(f"{name}:{problem.mark}: {problem}") from None


def read_object(text: str, name: str) -> dict[str, Any]:
    """The object in a text; an empty text is an empty object.

    Raises:
        InvalidRequest: as for `read`, and when it holds something else than an object.
    """
    return read(text, name).object


def _data(text: str) -> tuple[Any, dict[str, Mark]]:
    _check_characters(text)
    if not text.lstrip().startswith(("{", "[", '"')):
        return yaml_reader.read(text)
    try:
        return json_reader.read(text)
    except Refused:
        raise
    except Unreadable as problem:
        # What begins like JSON may still be YAML, which has a laxer notation with the same brackets.
        try:
            return yaml_reader.read(text)
        except Unreadable as other:
            raise (problem if _JSON.match(text) else other) from None


def _check_characters(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(
            Mark(1, 1), f"the text has more than {MAX_CHARACTERS:,} characters, and no queue can hold that; shorten it"
        )
    if odd := _UNPRINTABLE.search(text):
        place = Mark.of(text, odd.start())
        raise Unreadable(place, f"the character {odd[0]!a} cannot stand in a document; remove it, or write its escape")
