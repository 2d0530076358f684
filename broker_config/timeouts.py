"""How long a run may take: declared by the queue, narrowed by the job, and counted from the record's timestamps."""

from __future__ import annotations

from pydantic import Field

from broker_config.errors import InvalidRequest
from broker_config.frozen import Frozen


class Timeouts(Frozen):
    """Limits in seconds; None is no limit. Each counts anew with every attempt."""

    queued: float | None = Field(default=None, gt=0)  # since an agent might have taken it: a held run's clock stands
    build: float | None = Field(default=None, gt=0)
    start: float | None = Field(default=None, gt=0)  # from the submission until the job runs
    run: float | None = Field(default=None, gt=0)

    def check(self, limits: Timeouts, queue: str) -> None:
        """Refuse what is longer than the queue's limits.

        Raises:
            InvalidRequest: when a limit is longer than the queue's; every such one is named.
        """
        longer = [
            f"{name} may take {limit:g} s, and the queue allows {allowed:g} s"
            for name, limit in self.model_dump(exclude_none=True).items()
            if (allowed := getattr(limits, name)) is not None and limit > allowed
        ]
        if longer:
            raise InvalidRequest(
                f"queue {queue!r}: the job asks that {'; '.join(longer)}. A job may only shorten them; leave them out, "
                f"or have the queue changed with: launchyard queue edit {queue} --timeouts JSON"
            )

    def narrow(self, limits: Timeouts) -> Timeouts:
        """The limits that hold for the job: of each pair the shorter one."""
        return limits.model_copy(
            update={
                name: limit if (allowed := getattr(limits, name)) is None else min(limit, allowed)
                for name, limit in self.model_dump(exclude_none=True).items()
            }
        )
