"""What a place does for those who keep bytes in it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol


class Readable(Protocol):
    """A file that is read on from where it stands."""

    def read(self, size: int = -1, /) -> bytes: ...


class Place(Protocol):
    """Bytes by name. Who uses a place gives every upload a name of its own, so nothing is ever written over.

    1. A location is the place's `url`, a slash, and a name without slashes; the same for producers and agents.
    2. `put` streams the file from where it stands, and returns when all of it is durable under the name. After an error
       or a crash there may be a part of it, or all; the same name may be put again.
    3. `open` streams what is there from a byte on. Whether the bytes are the right ones is for the reader to check.
    4. `exists` is cheap: it is asked before each upload.
    5. `delete` of a name that is not there is no error.
    6. Errors are `TemporaryError` when another try may help, `NotFound` from `open`, and `ConfigError` for what
       somebody has to put right: no credentials, no permission, no such bucket. Their texts hold no credentials.
    """

    url: str

    def put(self, name: str, file: Readable) -> None: ...

    def open(self, name: str, offset: int = 0) -> AbstractContextManager[BinaryIO]: ...

    def exists(self, name: str) -> bool: ...

    def delete(self, name: str) -> None: ...


class ListedPlace(Place, Protocol):
    """A place that says what is there, as those of `launchyard.places` do."""

    def names(self) -> list[str]:
        """What has been put there and not deleted; of a place that nobody has put anything into, nothing."""
