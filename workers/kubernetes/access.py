"""The way to one cluster: its address and the agent's credentials for it.

The client brings what is hard: kubeconfig files, exec plug-ins, tokens that change, proxies and certificates.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

import yaml
from kubernetes import client
from kubernetes import config as kubeconfig

from broker_config.errors import ConfigError, did_you_mean

CONNECTIONS = 32
"""Kept open at most; more are made when needed and closed after use."""

RELOAD_SECONDS = 5.0
"""Credentials that the server does not take are read anew no sooner than this: an exec plug-in is a program."""

_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Access:
    """A client that is made at first use, because an agent that starts before its cluster has to live."""

    def __init__(self, config_file: str | None, context: str | None) -> None:
        self.name = "#".join(filter(None, (config_file, context)))
        self._config_file = config_file
        self._context = context
        self._lock = threading.Lock()
        self._api: client.ApiClient | None = None
        self._loaded = float("-inf")

    def __str__(self) -> str:
        return self.name or "the Kubernetes cluster"

    @property
    def namespace(self) -> str:
        """That of the context, or of the agent's own pod.

        Raises:
            ConfigError: when there is no such cluster.
        """
        with suppress(kubeconfig.ConfigException):
            contexts, active = kubeconfig.list_kube_config_contexts(self._config_file)  # type: ignore[no-untyped-call]
            chosen = next((one for one in contexts if one["name"] == self._context), active)
            return str(chosen["context"].get("namespace") or "default")
        with suppress(OSError):
            return _SERVICE_ACCOUNT_NAMESPACE.read_text().strip()
        return "default"

    def api(self) -> client.ApiClient:
        """The client.

        Raises:
            ConfigError: when there is no such cluster.
        """
        with self._lock:
            if self._api is None:
                configuration = client.Configuration()
                self._load(configuration)
                configuration.connection_pool_maxsize = CONNECTIONS
                configuration.retries = False
                self._api = client.ApiClient(configuration)
                self._loaded = time.monotonic()
            return self._api

    def renew(self, api: client.ApiClient) -> None:
        """Have credentials that are not taken read anew: the client itself reads only those that say when they end."""
        with self._lock:
            if self._api is api and time.monotonic() - self._loaded > RELOAD_SECONDS:
                self._api = None

    def _load(self, configuration: client.Configuration) -> None:
        try:
            kubeconfig.load_kube_config(  # type: ignore[no-untyped-call]
                self._config_file, self._context, configuration, persist_config=False
            )
        except yaml.YAMLError as error:
            raise ConfigError(f"the kubeconfig of {self} is no YAML: {' '.join(str(error).split())}") from error
        except kubeconfig.ConfigException as error:
            if self.name:
                raise ConfigError(self._unknown_context() or f"kubeconfig {self.name}: {error}") from error
            try:
                kubeconfig.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
            except kubeconfig.ConfigException:
                raise ConfigError(
                    f"there is no Kubernetes cluster: {error}; let KUBECONFIG name a file, or run the agent in a pod"
                ) from error

    def _unknown_context(self) -> str:
        """What is wrong with the context that is wanted; empty where something else is."""
        known: list[str] = []
        with suppress(kubeconfig.ConfigException):
            contexts, _ = kubeconfig.list_kube_config_contexts(self._config_file)  # type: ignore[no-untyped-call]
            known = [one["name"] for one in contexts]
        if not (self._context and known) or self._context in known:
            return ""
        where = self._config_file or "the kubeconfig of this machine"
        return f"{where} has no context {self._context!r}{did_you_mean(self._context, known)}"
