"""Signatures by named keys: who has one says of a text that it is meant, and who has the same one can tell.

HMAC-SHA256 (RFC 2104) over the exact text, detached from it. The key's name and the time are signed too, and so is
what kind of text it is, so that no signature stands for anything else. Pure: nothing here reads a clock or a store.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from broker_config.errors import LaunchyardError, did_you_mean

KEY_BYTES = 32
"""The least that a key may have: as many as the digest (RFC 2104, section 3)."""

# With the time and the digest, a signature is 63 characters at most: up to 64, Redis keeps a small hash compact.
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,8}")
_SIGNATURE = re.compile(rf"({_KEY_ID.pattern})\.([0-9]{{1,10}})\.[A-Za-z0-9_-]{{43}}")
_MAKE = "make one with: openssl rand -base64 32"


class Signed(StrEnum):
    """What a signature is for."""

    SPEC = "spec"  # of a run: what the author wants
    RESOLVED = "resolved"  # what an agent made of it


class NotGenuine(LaunchyardError):
    """A text that is not signed, or not as it has to be; the sentence says how, and what to do."""

    code = "not-genuine"


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by name. The first one signs, and all of them are taken for good."""

    keys: Mapping[str, bytes] = field(repr=False)

    def sign(self, kind: Signed, text: str, at: datetime) -> str:
        """The signature of a text: the key's name, the time in seconds since 1970 and the digest, with dots between."""
        key_id, key = next(iter(self.keys.items()))
        return _signature(kind, text, key_id, key, f"{at.timestamp():.0f}")

    def verify(self, kind: Signed, text: str, signature: str, oldest: datetime | None = None) -> None:
        """Whether a signature is of one of these keys, for this text, and not older than that.

        Raises:
            NotGenuine: when it is not.
        """
        if not signature:
            raise NotGenuine("it has no signature; whoever launches needs the key, see LAUNCHYARD_SIGNING_KEYS")
        parts = _SIGNATURE.fullmatch(signature)
        if not parts:
            raise NotGenuine("its signature is none: somebody altered it on the broker; launch it again")
        key_id, seconds = parts.groups()
        if key_id not in self.keys:
            raise NotGenuine(f"it is signed with a key that is not known here, {key_id!r}{did_you_mean('', self.keys)}")
        # Compared as it is written: there is one way to write a signature, and no byte of it can be another one.
        if not hmac.compare_digest(_signature(kind, text, key_id, self.keys[key_id], seconds), signature):
            raise NotGenuine("it is not what was signed: somebody altered it on the broker; launch it again")
        age = oldest.timestamp() - int(seconds) if oldest else 0
        if age > 0:
            raise NotGenuine(
                f"its signature is too old by {timedelta(seconds=round(age))}; launch it again, or raise "
                "signature_max_age of the agents"
            )


def _signature(kind: Signed, text: str, key_id: str, key: bytes, seconds: str) -> str:
    # Neither a key's name nor a number has a line break, so nothing of the text can pass for a part of them.
    digest = hmac.digest(key, f"launchyard {kind}\n{key_id}\n{seconds}\n{text}".encode(), "sha256")
    return f"{key_id}.{seconds}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def read_keys(text: str) -> Keyring:
    """The keys of `ID:BASE64,ID:BASE64`.

    Raises:
        ValueError: when it is not that; the sentence repeats no key.
    """
    keys: dict[str, bytes] = {}
    for number, item in enumerate(text.split(","), 1):
        key_id, colon, encoded = item.strip().partition(":")
        if not colon or not _KEY_ID.fullmatch(key_id):
            raise ValueError(
                f"key {number} has no name; write NAME:KEY, with 1 to 8 letters, digits, - or _ as its name"
            )
        if key_id in keys:
            raise ValueError(f"two keys have the name {key_id!r}; give the new one another name")
        keys[key_id] = _key(key_id, encoded)
    return Keyring(keys)


def _key(key_id: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, altchars="-_" if {"-", "_"} & set(encoded) else None, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"key {key_id!r} is not base64; {_MAKE}") from None
    if len(key) < KEY_BYTES:
        raise ValueError(f"key {key_id!r} has {len(key)} bytes, and a key needs {KEY_BYTES}; {_MAKE}")
    return key
