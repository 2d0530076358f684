"""What is to be known of a job by whoever takes its run up later: as its tags, which SageMaker keeps with it.

A name that was released before there was a job is a parameter of Systems Manager instead, until it is forgotten.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from workers.targets.sagemaker.account import Account, Refused
from workers.targets.sagemaker.handles import Handle
from workers.targets.sagemaker.jobs import paged
from workers.targets.sagemaker.operations import TAG_CHARACTERS, TAGS

MANAGED = "launchyard/managed"
"""On all our jobs: "true", and after a release RELEASED."""

RELEASED = "released"
CANCELLED = "launchyard/cancelled"
"""On a job whose end Launchyard has asked for."""

REQUEST = "launchyard/request"
"""The digest of the request that a job was made for."""

_PASSPORT = "launchyard/passport"
"""Before the number of each part of the run's record: compressed, and cut to what one tag holds."""

PARAMETERS = "/launchyard/released"


def stamped(tags: list[dict[str, str]], digest: str, passport: str) -> list[dict[str, str]]:
    """A request's tags with what only a job has: the digest, and the run's record where there is room for it."""
    stamps = [*tags, {"Key": REQUEST, "Value": digest}]
    packed = base64.b64encode(zlib.compress(passport.encode(), 9)).decode() if passport else ""
    parts = [packed[start : start + TAG_CHARACTERS] for start in range(0, len(packed), TAG_CHARACTERS)]
    if len(stamps) + len(parts) > TAGS:
        # The run cannot be recovered then; it runs all the same.
        return stamps
    return [*stamps, *({"Key": f"{_PASSPORT}-{place:02}", "Value": part} for place, part in enumerate(parts))]


def passport_of(tags: Mapping[str, str]) -> str:
    """The run's record that `stamped` put into tags; "" where there is none."""
    packed = "".join(value for key, value in sorted(tags.items()) if key.startswith(_PASSPORT))
    return zlib.decompress(base64.b64decode(packed)).decode() if packed else ""


def is_released(tags: Mapping[str, str]) -> bool:
    """Whether a job of ours was released. One without the tag is none of ours."""
    return tags.get(MANAGED) != "true"


class Unborn:
    """Names that were released before there was a job, in one account and region."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def put(self, handle: Handle) -> None:
        """Keep a name taken; one that is there stays."""
        parameter: dict[str, Any] = {"Name": _path(handle), "Value": str(handle), "Type": "String"}
        try:
            self._account.call("ssm", "PutParameter", **parameter)
        except Refused as error:
            if error.aws_code != "ParameterAlreadyExists":
                raise

    def has(self, handle: Handle) -> bool:
        """Whether that name is kept."""
        try:
            self._account.call("ssm", "GetParameter", Name=_path(handle))
        except Refused as error:
            if error.is_not_found:
                return False
            raise
        return True

    def remove(self, handle: Handle) -> None:
        """Give a name free."""
        try:
            self._account.call("ssm", "DeleteParameter", Name=_path(handle))
        except Refused as error:
            if not error.is_not_found:
                raise

    def handles(self, older_than_seconds: float) -> Iterator[str]:
        """The names that were released longer ago."""
        until = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        for page in paged(self._account, "ssm", "GetParametersByPath", Path=PARAMETERS):
            for one in page["Parameters"]:
                if one["LastModifiedDate"] <= until:
                    yield str(one["Value"])


def _path(handle: Handle) -> str:
    return f"{PARAMETERS}/{handle.run}"
