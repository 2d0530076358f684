"""When a run that failed is tried again: budgets by failure class, declared by the queue and narrowed by the job.

An agent decides, when it records the end of an attempt, and nothing below it retries a job: one owner of retries.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from broker_config.errors import InvalidRequest
from broker_config.frozen import Frozen

MOST_RETRIES = 100
LONGEST_BACKOFF_SECONDS = 3600.0

ExitCode = int


class RetryPolicy(Frozen):
    """How often a queue's runs are tried again, by the class of the failure."""

    user: int = Field(default=0, ge=0, le=MOST_RETRIES)  # the job's own exit code
    config: int = Field(default=0, ge=0, le=MOST_RETRIES)
    build: int = Field(default=0, ge=0, le=MOST_RETRIES)
    infra: int = Field(default=2, ge=0, le=MOST_RETRIES)  # the platform lost the job
    preempted: int = Field(default=5, ge=0, le=MOST_RETRIES)  # 0: a preempted run ends
    timeout: int = Field(default=0, ge=0, le=MOST_RETRIES)
    # Before the first retry of a class; doubled with each further one, up to LONGEST_BACKOFF_SECONDS.
    backoff_seconds: float = Field(default=10.0, ge=0, le=LONGEST_BACKOFF_SECONDS)
    retry_on: tuple[ExitCode, ...] = ()  # of class user: only these exit codes; any when empty
    fail_on: tuple[ExitCode, ...] = ()  # of class user: never these

    @model_validator(mode="after")
    def _exit_codes_have_an_effect(self) -> RetryPolicy:
        if self.retry_on and not self.user:
            raise ValueError("retry_on has no effect while the budget 'user' is 0; raise it, or leave retry_on out")
        if both := sorted({*self.retry_on} & {*self.fail_on}):
            raise ValueError(f"exit codes {both} are in retry_on and in fail_on; choose one")
        return self

    def delay(self, failure: str, exit_code: int | None, used: int) -> float | None:
        """Seconds until the next attempt after a failure of that class; None when there is none.

        `used` counts the retries that this run has had for the same class.
        """
        if used >= getattr(self, failure, 0):
            return None
        if failure == "user" and (exit_code in self.fail_on or (self.retry_on and exit_code not in self.retry_on)):
            return None
        return min(self.backoff_seconds * 2.0**used, LONGEST_BACKOFF_SECONDS)


class JobRetries(Frozen):
    """What a job asks of its queue's policy: fewer retries, never more."""

    user: int | None = Field(default=None, ge=0)
    config: int | None = Field(default=None, ge=0)
    build: int | None = Field(default=None, ge=0)
    infra: int | None = Field(default=None, ge=0)
    preempted: int | None = Field(default=None, ge=0)
    timeout: int | None = Field(default=None, ge=0)
    fail_on: tuple[ExitCode, ...] = ()

    @property
    def budgets(self) -> dict[str, int]:
        """The budgets that the job gives."""
        return self.model_dump(exclude={"fail_on"}, exclude_none=True)

    def check(self, policy: RetryPolicy, queue: str) -> None:
        """Refuse what is wider than the queue's policy.

        Raises:
            InvalidRequest: when a budget is larger than the queue's; every such one is named.
        """
        wider = [
            f"{budget} retries of class {name!r}, and the queue allows {getattr(policy, name)}"
            for name, budget in self.budgets.items()
            if budget > getattr(policy, name)
        ]
        if wider:
            raise InvalidRequest(
                f"queue {queue!r}: the job asks for {'; '.join(wider)}. A job may only lower them; leave them out, or "
                f"have the queue raised with: launchyard queue edit {queue} --retries JSON"
            )

    def narrow(self, policy: RetryPolicy) -> RetryPolicy:
        """The policy that holds for the job."""
        fewer = {name: min(budget, getattr(policy, name)) for name, budget in self.budgets.items()}
        fail_on = tuple(dict.fromkeys((*policy.fail_on, *self.fail_on)))
        # A code that the queue retries is failed here, which is narrower: so no validation of the two lists.
        return policy.model_copy(update={**fewer, "fail_on": fail_on})
