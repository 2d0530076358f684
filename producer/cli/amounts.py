"""Times and sizes as people write them on a command line: `30d`, `2026-11-23`, `50GB`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import click

from broker_config.runs import now

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) *([A-Za-z]+)")


class Age(click.ParamType[timedelta]):
    """A time span with its unit; a bare number would be anybody's guess."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = _AMOUNT.fullmatch(value)
        if not found or found[2] not in _SECONDS:
            self.fail(f"{value!r} is no time span; write 30d, 12h or 90m", param, ctx)
        return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])


class Moment(click.ParamType[datetime]):
    """A date or time as ISO 8601 writes it, here where it has no zone; or how long ago it is."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if _AMOUNT.fullmatch(value):
            return now() - Age().convert(value, param, ctx)
        try:
            return datetime.fromisoformat(value).astimezone()
        except ValueError:
            self.fail(f"{value!r} is no time; write 7d for a week ago, 2026-11-23 or 2026-11-23T15:30", param, ctx)


class Size(click.ParamType[int]):
    """A number of bytes with its unit."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _AMOUNT.fullmatch(value)
        if not found or found[2].lower() not in _BYTES:
            self.fail(f"{value!r} is no size; write 50GB or 500MB", param, ctx)
        return int(float(found[1]) * _BYTES[found[2].lower()])
