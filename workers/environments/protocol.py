"""What an environment gives to those that speak to its cloud."""

from __future__ import annotations

from typing import Any, Protocol


class Environment(Protocol):
    """The credentials of one cloud, as the cloud's own library finds them.

    1. Made once an agent with its block of the agent's config, or with None where the config names another cloud or
       none. Making it asks nobody.
    2. `identity` says in a few words whose credentials they are, and asks the cloud whether they hold. Raises
       `ConfigError` with the cure when there are none or they do not hold, and `TemporaryError` when nobody answers.
    3. What else a member offers is what its cloud has: clients, or tokens. It raises the same errors, and a registry
       that needs it says so with a protocol of its own.
    """

    def __init__(self, config: Any) -> None: ...

    def identity(self) -> str: ...
