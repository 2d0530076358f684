"""What a queue can say about its local processes, and the request that it gives."""

from __future__ import annotations

import signal
from pathlib import PurePosixPath
from typing import Any

from broker_config.errors import InvalidRequest
from broker_config.frozen import parse
from broker_config.resources.local_process import LocalProcessConfig
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import ArtifactKind
from workers.failures import RunFailed
from workers.targets.protocol import Request, Workload

INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE"),
    *("LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"),
    *("ROCR_VISIBLE_DEVICES",),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""Variables of the agent that every job sees: where things are on this machine, and none that holds a credential."""


def render(workload: Workload) -> Request:
    """The request for a workload.

    Raises:
        RunFailed: class CONFIG, when the queue config is wrong or the job cannot be a process on this machine.
    """
    config = _parse(workload.config)
    if workload.artifact.kind is not ArtifactKind.ENVIRONMENT or workload.folder is None:
        raise _cannot_work(
            f"the job brings an image, {workload.artifact.reference!r}, and a local-process queue runs code; launch "
            "it on a queue with resource docker, or launch from code or git"
        )
    if not workload.entry_point:
        raise _cannot_work(
            "the job has no entry point, so there is nothing to run on a local-process queue; launch it with one, "
            'such as entry_point=["python", "train.py"]'
        )
    environment = workload.artifact.reference
    return Request(
        workload.name,
        {
            "command": workload.command,
            "folder": str(PurePosixPath(workload.folder, config.working_dir)),
            "environment": environment,
            # Output is read while the job runs, so Python must not keep it back.
            "env": {"PYTHONUNBUFFERED": "1", **workload.environment(config.env), "VIRTUAL_ENV": environment},
            "inherit_env": list(dict.fromkeys((*INHERITED, *workload.secrets, *config.inherit_env))),
            "stop_signal": signal.Signals[config.stop_signal].name,
            "nice": config.nice,
        },
    )


def _parse(config: Any) -> LocalProcessConfig:
    try:
        return parse(LocalProcessConfig, dict(config), "queue config of resource local-process")
    except InvalidRequest as error:
        raise _cannot_work(str(error)) from error


def _cannot_work(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text)
