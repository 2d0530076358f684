"""The template variables of a queue as a Python class: its fields and their types are made from the schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, make_dataclass
from functools import cached_property
from keyword import iskeyword
from typing import Any, ClassVar, Literal

from broker_config.placeholders import Value
from broker_config.queues import Queue, QueueRecord
from broker_config.templates import TemplateVariable, check_values

_TYPES: Mapping[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}


class Variables(Mapping[str, Value]):
    """Values for the template variables of one queue, checked when they are put together.

    A mapping by the variables' names, and an object with an attribute for each; `launch` takes it as
    `template_variables`.
    """

    _queue: ClassVar[Queue]
    _names: ClassVar[Mapping[str, str]]  # of the variables, by attribute

    def __post_init__(self) -> None:
        checked = check_values(self._queue.template_variables, dict(self), f"queue {self._queue.full_name!r}")
        for attribute, name in self._names.items():
            object.__setattr__(self, attribute, checked[name])

    def __getitem__(self, name: str) -> Value:
        for attribute, own in self._names.items():
            if own == name:
                value: Value = getattr(self, attribute)
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.values())

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class QueueHandle:
    """One queue, as it was when it was read."""

    record: QueueRecord

    def __repr__(self) -> str:
        declared = self.record.queue.template_variables
        listed = "".join(f"; {name}: {variable.summary}" for name, variable in declared.items())
        return f"<QueueHandle {self.record.name} on {self.record.queue.resource}{listed}>"

    @property
    def queue(self) -> Queue:
        return self.record.queue

    @cached_property
    def variables(self) -> type[Variables]:
        """A class whose arguments and attributes are the queue's template variables."""
        return variables_of(self.queue)


def variables_of(queue: Queue) -> type[Variables]:
    """The class for a queue's template variables. A name that Python or a mapping needs gets `_` at its end."""
    taken = {*dir(Variables), *Variables.__annotations__}
    names: dict[str, str] = {}
    for name in queue.template_variables:
        attribute = name.replace("-", "_")
        while iskeyword(attribute) or attribute in taken | names.keys():
            attribute += "_"
        names[attribute] = name
    fields = [_field(attribute, queue.template_variables[name]) for attribute, name in names.items()]
    listed = "\n".join(f"    {name}: {_about(variable)}" for name, variable in queue.template_variables.items())
    return make_dataclass(
        "Variables",
        fields,
        bases=(Variables,),
        namespace={
            "_queue": queue,
            "_names": names,
            "__doc__": f"Template variables of queue {queue.full_name!r}.\n\n{listed}",
            "__module__": __name__,
        },
        frozen=True,
        kw_only=True,
    )


def _field(attribute: str, variable: TemplateVariable) -> tuple[str, Any, Any]:
    values = variable.enum
    type_ = Literal[values] if values else _TYPES[variable.type]
    return attribute, type_, field() if variable.default is None else field(default=variable.default)


def _about(variable: TemplateVariable) -> str:
    words = ": ".join(filter(None, (variable.title, variable.description)))
    return f"{variable.summary}; {words}" if words else variable.summary
