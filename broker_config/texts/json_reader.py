"""JSON (RFC 8259), with the place of each value."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, NoReturn

from broker_config.frozen import is_unicode
from broker_config.pointers import Path, to_pointer
from broker_config.texts.document import MAX_DEPTH, MAX_VALUES, UNQUOTED_VARIABLE, Mark, Refused, Unreadable

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER: json.JSONDecoder = json.JSONDecoder()


def read(text: str) -> tuple[Any, dict[str, Mark]]:
    """The value of a text, and the marks of all values in it by JSON Pointer.

    Raises:
        Unreadable: when the text is not JSON, has a key twice, or is too deep or too large.
    """
    reader = _Reader(text)
    value, end = reader.value(0, ())
    if end < len(text):
        reader.fail(end, "the JSON text has ended here, and more follows")
    return value, reader.marks


class _Reader:
    """One text; each method takes the index at which it begins, and gives the one after what it read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._index, self._line, self._column = 0, 1, 1
        self.marks: dict[str, Mark] = {}

    def fail(self, at: int, text: str) -> NoReturn:
        raise Unreadable(Mark.of(self._text, at), text)

    def refuse(self, at: int, text: str) -> NoReturn:
        raise Refused(Mark.of(self._text, at), text)

    def value(self, at: int, path: Path) -> tuple[Any, int]:
        """A value, with the space around it."""
        at = self._skip(at)
        if len(path) > MAX_DEPTH:
            self.refuse(at, f"this is nested deeper than {MAX_DEPTH} levels")
        if len(self.marks) >= MAX_VALUES:
            self.refuse(at, f"there are more than {MAX_VALUES:,} values")
        # A member of an object has its key's place already.
        self.marks.setdefault(to_pointer(path), self._mark(at))
        value: Any
        if self._text.startswith("{", at):
            value, at = self._object(at, path)
        elif self._text.startswith("[", at):
            value, at = self._list(at, path)
        else:
            value, at = self._scalar(at)
        return value, self._skip(at)

    def _object(self, at: int, path: Path) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        at = self._skip(at + 1)
        while self._text[at : at + 1] != "}":
            if self._text[at : at + 1] != '"':
                is_bare = self._text[at : at + 1] == "{"
                self.fail(at, UNQUOTED_VARIABLE if is_bare else "a key in double quotes is expected here")
            key, after = self._scalar(at)
            if key in found:
                self.refuse(at, f"the key {key!r} is here for the second time; remove one of the two")
            after = self._skip(after)
            if self._text[after : after + 1] != ":":
                self.fail(after, f"':' is expected here, after the key {key!r}")
            self.marks[to_pointer((*path, key))] = self._mark(at)
            found[key], at = self.value(after + 1, (*path, key))
            at = self._next(at, "}")
        return found, at + 1

    def _list(self, at: int, path: Path) -> tuple[list[Any], int]:
        found: list[Any] = []
        at = self._skip(at + 1)
        while self._text[at : at + 1] != "]":
            item, at = self.value(at, (*path, str(len(found))))
            found.append(item)
            at = self._next(at, "]")
        return found, at + 1

    def _next(self, at: int, closing: str) -> int:
        """The index of the next item, or of the closing bracket."""
        following = self._text[at : at + 1]
        if following == closing:
            return at
        if following != ",":
            # In YAML a bare word may go on after a number: `5Gi`, and even `5 Gi`, which is a forgotten comma here.
            stop = self.refuse if self._text[at - 1].isspace() else self.fail
            stop(at, f"',' or '{closing}' is expected here")
        after = self._skip(at + 1)
        if self._text[after : after + 1] == closing:
            self.fail(at, "a comma with nothing after it; remove it")
        return after

    def _scalar(self, at: int) -> tuple[Any, int]:
        try:
            value, end = _DECODER.raw_decode(self._text, at)
        except json.JSONDecodeError as error:
            self.fail(error.pos, f"this is not JSON: {error.msg[0].lower()}{error.msg[1:]}")
        except ValueError:
            self.refuse(at, "this number has too many digits")
        if isinstance(value, float) and not isfinite(value):
            self.refuse(at, f"JSON has no number {self._text[at:end]}; write a finite one, or text in quotes")
        if isinstance(value, str) and not is_unicode(value):
            self.refuse(at, "the text has half of a surrogate pair, which is no character")
        return value, end

    def _skip(self, at: int) -> int:
        return _SPACE.match(self._text, at).end()  # type: ignore[union-attr]  # it matches nothing, too

    def _mark(self, at: int) -> Mark:
        """The mark of an index that is not before the last one: counting goes on from there."""
        passed = self._text[self._index : at]
        if lines := passed.count("\n"):
            self._line += lines
            self._column = len(passed) - passed.rindex("\n")
        else:
            self._column += len(passed)
        self._index = at
        return Mark(self._line, self._column)
