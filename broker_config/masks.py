"""Values that are not shown to people: those of variables whose names say that they hold a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

_SECRET = r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTH)"
_NAME = re.compile(rf"(?:[A-Za-z0-9]+_)*{_SECRET}(?:_[A-Za-z0-9]+)*", re.IGNORECASE)
_VARIABLE = re.compile(rf"(?:[A-Z0-9]+_)*{_SECRET}(?:_[A-Z0-9]+)*")
"""Of an object's keys only those in upper case are variables: `encryption_spec_key_name` is none."""


_PASSWORD_IN_USER = re.compile(r"(?<=://)([^/?#:@]*):[^/?#@]*@")
_PASSWORD_IN_QUERY = re.compile(r"(?<=[?&])((?:ssl)?password|passfile)=[^&#]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """A URL as it is shown: the password, where it has one, is masked."""
    return _PASSWORD_IN_QUERY.sub(rf"\1={MASK}", _PASSWORD_IN_USER.sub(rf"\1:{MASK}@", url))


def masked(value: Any) -> Any:
    """The same without secrets. Variables stand in requests as `{NAME: value}`, `{name, value}` and `NAME=value`."""
    if isinstance(value, str):
        name, separator, _ = value.partition("=")
        return f"{name}={MASK}" if separator and _NAME.fullmatch(name) else value
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if isinstance(value.get("name"), str) and isinstance(value.get("value"), str) and _NAME.fullmatch(value["name"]):
        return {**value, "value": MASK}
    return {
        key: MASK if isinstance(item, str) and _VARIABLE.fullmatch(str(key)) else masked(item)
        for key, item in value.items()
    }
