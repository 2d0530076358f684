"""Logs as JSON: one object a line, whatever a record has in it, for those who collect logs by machine.

A record of ours begins with the name of what happened and with its fields: `run-ended run=%s state=%s: %s`. They are
read from the text before its values are filled in, so no value can pass for a field.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from broker_config.errors import LaunchyardError

_OURS = re.compile(r"(broker_config|producer|workers)(\.|$)")
_ACTION = re.compile(r"[a-z]+(?:-[a-z]+)+(?=:|\s|$)")
_VALUE = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]")
_FIELD = re.compile(r"([a-z_]+)=(\S+?)(?=[:;,]?(?:\s|$))")

_about: ContextVar[Mapping[str, str | int]] = ContextVar("_about")


@contextmanager
def about(**fields: str | int) -> Iterator[None]:
    """What is logged in this context, in this thread, is about these things; where nothing is written as JSON, too."""
    token = _about.set({**_about.get({}), **fields})
    try:
        yield
    finally:
        _about.reset(token)


class JsonLines(JsonFormatter):
    """Writes a record as one line: when, how bad, who, what happened, and each field that it is about."""

    def __init__(self, always: Mapping[str, str]) -> None:
        super().__init__()
        self._always = always

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Fill the object of a record. Fields of its own text win over those that it is about by its context."""
        action, fields = _read(record)
        own = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "action": action,
            "message": record.getMessage(),
            "exception": message_dict.get("exc_info"),
        }
        log_data.update({name: value for name, value in own.items() if value})
        about_it = {**_about.get({}), **fields}
        log_data.update({name: value for name, value in about_it.items() if name not in own})
        log_data.update(self._always)
        if error := _error_of(record):
            log_data.setdefault("code", error)


def write_json(logger: logging.Logger, **always: str) -> None:
    """Have everything that the logger's handlers write be JSON, with these fields in each line."""
    for handler in logger.handlers:
        handler.setFormatter(JsonLines(always))


def _read(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """The action and the fields of a record of ours."""
    template = str(record.msg)
    found = _ACTION.match(template) if _OURS.match(record.name) else None
    if found is None:
        return str(getattr(record, "action", "")), {}
    head, _, _ = template.partition(": ")
    values = record.args if isinstance(record.args, tuple) else ()
    return found[0], {
        one[1]: _filled(one[2], values[len(_VALUE.findall(head[: one.start()])) :]) for one in _FIELD.finditer(head)
    }


def _filled(text: str, values: tuple[Any, ...]) -> Any:
    """The value of a field: a number as it is, everything else as the text says it."""
    needed = len(_VALUE.findall(text))
    is_number = needed == 1 and _VALUE.fullmatch(text) and type(values[0]) in {int, float}
    return values[0] if is_number else text % values[:needed]


def _error_of(record: logging.LogRecord) -> str:
    """The stable code of the error that a record tells of, where it has one."""
    values = record.args if isinstance(record.args, tuple) else ()
    raised = record.exc_info[1] if record.exc_info else None
    return next((one.code for one in (*values, raised) if isinstance(one, LaunchyardError)), "")
