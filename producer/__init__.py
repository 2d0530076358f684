"""Launch jobs: `launch(queue=..., source=...)` gives a handle on the run, and a `Client` does the same for many."""

from broker_config.errors import RunUnsuccessful
from broker_config.jobs import CodeSource, GitSource, ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Event, Launch, Run
from broker_config.states import FailureClass, State
from broker_config.templates import TemplateVariable
from producer.client import Client, launch
from producer.handle import LogLine, RunHandle
from producer.sources import LocalCode, LocalGit

__all__ = [
    "Client",
    "CodeSource",
    "Event",
    "FailureClass",
    "GitSource",
    "ImageSource",
    "Job",
    "Launch",
    "LocalCode",
    "LocalGit",
    "LogLine",
    "Priority",
    "Queue",
    "Run",
    "RunHandle",
    "RunUnsuccessful",
    "State",
    "TemplateVariable",
    "launch",
]
