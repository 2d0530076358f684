"""The text of an API key: `ly_ID_SECRET`, with a check against slips of the hand.

The prefix lets scanners of repositories find keys that were put there. The id is no secret; it names the key in lists
and in the audit trail.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from typing import NamedTuple

_ALPHABET = string.digits + string.ascii_letters
_ID_LENGTH, _SECRET_LENGTH, _CHECK_LENGTH = 8, 32, 6  # the secret: 190 random bits
_TEXT = re.compile(r"ly_([0-9A-Za-z]{8})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})")


class Secret(NamedTuple):
    """A key that is shown."""

    id: str
    secret: str

    @property
    def digest(self) -> str:
        """What is stored of the secret."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def is_that(self, digest: str) -> bool:
        """Whether it is the secret of that digest; takes the same time wherever they differ."""
        return hmac.compare_digest(self.digest, digest)

    def __str__(self) -> str:
        return f"ly_{self.id}_{self.secret}{_check(self)}"


def new_secret() -> Secret:
    """A key that nobody has."""
    return Secret(_random(_ID_LENGTH), _random(_SECRET_LENGTH))


def read(text: str) -> Secret | None:
    """The key that a text is; None when it is none, or was not copied whole."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    secret = Secret(found[1], found[2])
    return secret if found[3] == _check(secret) else None


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _check(secret: Secret) -> str:
    number = zlib.crc32(f"{secret.id}{secret.secret}".encode())
    letters = []
    for _ in range(_CHECK_LENGTH):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)
