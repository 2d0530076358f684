"""What a scalar of YAML 1.1 means (its type repository, yaml.org/type), as far as JSON can hold it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from broker_config.texts.document import Mark, Refused

_CORE = "tag:yaml.org,2002:"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    form: truth
    for truth, words in ((True, ("true", "yes", "on")), (False, ("false", "no", "off")))
    for word in words
    for form in (word, word.capitalize(), word.upper())
}
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_OCTAL = re.compile(r"[-+]?0o?[0-7_]+")
_OTHER_BASE = re.compile(r"[-+]?0(b[01_]+|x[0-9a-fA-F_]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*\.[0-9_]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([Tt]|\s+\d|$).*", re.DOTALL)

_KINDS: Mapping[str, Any] = {
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
}


def resolve(text: str, tag: str | None, *, is_plain: bool, mark: Mark) -> Any:
    """The value of a scalar. `is_plain`: it has neither quotes nor a tag.

    Raises:
        Refused: when it is something that JSON has no word for.
    """
    if is_plain:
        return _plain(text, mark)
    kind = (tag or f"{_CORE}str").removeprefix(_CORE)
    if kind in {"str", "!"}:
        return text
    if kind not in _KINDS:
        raise _unknown_tag(kind, mark)
    value: Any = _plain(text, mark)
    if not isinstance(value, _KINDS[kind]):
        raise Refused(mark, f"{text[:40]!r} is not what its tag says: !!{kind}")
    return float(value) if kind == "float" else value


def check_collection(tag: str | None, mark: Mark) -> None:
    """Take a list or an object.

    Raises:
        Refused: when its tag makes something else of it.
    """
    if tag not in {None, "!", f"{_CORE}map", f"{_CORE}seq"}:
        raise _unknown_tag(str(tag).removeprefix(_CORE), mark)


def _unknown_tag(kind: str, mark: Mark) -> Refused:
    cures = {
        "binary": "write the text of it (base64) in quotes",
        "set": "write a list",
        "omap": "write an object, or a list of objects",
        "pairs": "write a list of objects",
        "timestamp": "write it in quotes",
    }
    shown = kind if kind.startswith("!") else f"!!{kind}"
    cure = cures.get(kind, "write plain text, numbers, true, false, null, lists and objects")
    return Refused(mark, f"the tag {shown[:60]!r} makes something that JSON cannot hold; {cure}")


def _plain(text: str, mark: Mark) -> Any:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    # Nothing else that is not text begins otherwise.
    if text[0] not in "+-.0123456789":
        return text
    if _NOT_FINITE.fullmatch(text):
        return float(text.lower().replace(".", "", 1))
    if _DATE.fullmatch(text):
        raise Refused(mark, f"{text[:40]} is a date in YAML, and JSON has none; write it in quotes")
    return _number(text, mark)


def _number(text: str, mark: Mark) -> Any:
    digits = text.replace("_", "")
    try:
        if _DECIMAL.fullmatch(text):
            return int(digits)
        if _OCTAL.fullmatch(text):
            return int(digits.replace("o", ""), 8)
        if _OTHER_BASE.fullmatch(text):
            return int(digits, 0)
        return float(digits) if _FLOAT.fullmatch(text) else text
    except ValueError:
        raise Refused(mark, "this number cannot be read; write fewer digits, or text in quotes") from None
