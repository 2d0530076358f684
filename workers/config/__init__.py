"""The agent's configuration, read once and handed on as frozen models.

    load        flags, the environment, the file and the defaults, in that order
    former      keys of W&B Launch that are old, undocumented or without use here, in today's words
    blocks      from plain data to the models, with one error for everything that is wrong
    agent       the model of the whole; `builder`, `cloud` and `registry` hold its blocks
    images      how repositories of images are named

Builders, registries and environments take their block from here and read no config of their own. Nothing here speaks
to a platform: that is what `launchyard agent check` is for.
"""

from __future__ import annotations

from workers.config.agent import AgentConfig
from workers.config.load import Loaded, load_config

__all__ = ["AgentConfig", "Loaded", "load_config"]
