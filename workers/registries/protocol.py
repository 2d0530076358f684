"""What a registry answers about one repository of images."""

from __future__ import annotations

import re
from typing import Any, Protocol

from broker_config.oci.logins import Login

_TAG_LENGTH = 32
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]")


class Registry(Protocol):
    """One repository of a registry.

    1. Made once an agent with its config, and with the environment of the cloud that it is in (`CLOUDS`), or None. The
       config is a `RegistryConfig`; for a member of another package it is an `OtherRegistryConfig`, with its options as
       they stand in the file. Making it asks nobody. All else may be called from several threads at once.
    2. `repository` names it as docker does; an image is `repository:tag`, or better `repository@digest`.
    3. `digest` is the digest of the image with that tag, or None when the registry shows none. A registry that shows a
       repository only to those that it knows shows none, and says why when something is pushed.
    4. `login` is what a push or a pull needs, and is good for an hour at least; None where no login is known, which
       may do. It is asked for anew each time.
    5. `prepare` makes the repository if it lacks and the config says that it is to be created. It may be called at any
       time, also by several agents at once, and is called before each push.
    6. `check` says in a few words that images can be pushed, and `check_pull` that they can be pulled. They push and
       pull none, and create nothing.
    7. `remove` deletes the image of that digest, with its tags. It returns why a registry keeps it; nothing when it is
       gone, or was before.
    8. Each raises `ConfigError`, with the cure, for what this agent's config or credentials must change, and
       `TemporaryError` when nobody answers, or the registry fails.
    """

    def __init__(self, config: Any, environment: Any) -> None: ...

    @property
    def repository(self) -> str: ...

    def digest(self, tag: str) -> str | None: ...

    def login(self) -> Login | None: ...

    def prepare(self) -> None: ...

    def check(self) -> str: ...

    def check_pull(self) -> str: ...

    def remove(self, digest: str) -> str: ...


def tag_of(key: str) -> str:
    """The tag of a build key's image: of a hash, its first 128 bits."""
    return _NOT_IN_TAGS.sub("-", key.removeprefix("sha256:"))[:_TAG_LENGTH]
