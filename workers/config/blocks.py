"""From plain data to the config, block by block, so that one error names everything that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from broker_config.errors import ConfigError, InvalidRequest, did_you_mean
from broker_config.frozen import Place, parse
from broker_config.pointers import to_pointer
from broker_config.texts import Document
from workers import families
from workers.config.agent import AgentConfig
from workers.config.builder import BUILDERS, OtherBuilderConfig, VenvConfig
from workers.config.cloud import ENVIRONMENTS
from workers.config.git import GitConfig
from workers.config.images import RegistryKind
from workers.config.registry import OtherRegistryConfig, RegistryConfig

_BY_TYPE: Mapping[str, Mapping[str, type[BaseModel]]] = {"environment": ENVIRONMENTS, "builder": BUILDERS}
_PLAIN: Mapping[str, type[BaseModel]] = {"registry": RegistryConfig, "venv": VenvConfig, "git": GitConfig}


def parse_config(data: Mapping[str, Any], document: Document | None) -> AgentConfig:
    """The config from plain data, which is that of a file, if there was one, and of the environment and the flags.

    Raises:
        ConfigError: when a key is unknown, missing or wrong; every such key is named, with its place in the file.
    """
    blocks = _Blocks(document)
    parsed = {name: blocks.parse(name, data[name]) for name in (*_BY_TYPE, *_PLAIN) if name in data}
    config = blocks.validated(AgentConfig, {**data, **parsed}, ())
    if blocks.problems or config is None:
        raise ConfigError(f"agent config: {'; '.join(blocks.problems)}")
    agent_config: AgentConfig = config
    return agent_config


class _Blocks:
    def __init__(self, document: Document | None) -> None:
        self.problems: list[str] = []
        self._document = document

    def parse(self, name: str, data: Any) -> Any:
        """The block's model, or None when it has problems."""
        if not isinstance(data, dict):
            return self._problem((name,), f"{name} must be a mapping of keys, not {data!r}")
        if name in _BY_TYPE:
            return self._parse_by_type(name, data, _BY_TYPE[name])
        if name == "registry" and data.get("type") in families.names("registries") - set(RegistryKind):
            return self.validated(OtherRegistryConfig, _with_options(data, "type", "uri"), (name,))
        return self.validated(_PLAIN[name], data, (name,))

    def _parse_by_type(self, name: str, data: dict[str, Any], models: Mapping[str, type[BaseModel]]) -> Any:
        kind = str(data.get("type", ""))
        if kind in models:
            return self.validated(models[kind], data, (name,))
        if not kind:
            return self._problem((name,), f"{name}.type is missing{did_you_mean('', models)}")
        if name == "builder" and kind in families.names("builders") - {"venv"}:
            return self.validated(OtherBuilderConfig, _with_options(data, "type", "ahead"), (name,))
        return self._problem((name, "type"), f"{name}.type: {kind!r} is unknown{did_you_mean(kind, models)}")

    def validated(self, model: type[BaseModel], data: Mapping[str, Any], block: Place) -> Any:
        try:
            return parse(model, data, ".".join(map(str, block)), lambda path: self._place((*block, *path)))
        except InvalidRequest as error:
            self.problems.append(str(error))
            return None

    def _problem(self, path: Place, text: str) -> None:
        self.problems.append(text + self._place(path))

    def _place(self, path: Place) -> str:
        """Where the file has that key, or the nearest block around it; nothing for what came from elsewhere."""
        pointer = to_pointer(tuple(map(str, path)))
        if self._document is None or to_pointer((str(path[0]),) if path else ()) not in self._document.marks:
            return ""
        return f" ({self._document.place(pointer)})"


def _with_options(data: Mapping[str, Any], *own: str) -> dict[str, Any]:
    """A block of another package's member: all but our own keys are its options."""
    given = {key: data[key] for key in own if key in data}
    return {**given, "options": {key: value for key, value in data.items() if key not in own}}
