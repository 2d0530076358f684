"""From a prepared run to an object at the target, under the run's own name.

The name and the request's digest are in the record before the object exists, so whoever takes the run up after a crash
knows what to look for, and submitting again is harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from broker_config import queue_builder
from broker_config.errors import ConfigError, InvalidRequest, TemporaryError
from broker_config.oci.logins import Login
from broker_config.runs import Run, now
from broker_config.states import FailureClass, Reason, State
from workers.failures import RunCancelled, RunFailed
from workers.job_environment import job_environment
from workers.macros import Macros
from workers.prepare import Prepared
from workers.record import Recorder
from workers.targets.protocol import Request, Target, Workload, no_login
from workers.wandb import Wandb

logger = logging.getLogger(__name__)

CONFIRMED = timedelta(seconds=1)
"""How long the record's word that the run is this session's is relied on; no lease is as short."""


def workload(prepared: Prepared, wandb: Wandb, macros: Macros) -> Workload:
    """What the target renders its request from.

    Raises:
        RunFailed: class CONFIG, when the config has a macro that has no value here.
    """
    run = prepared.run
    try:
        config = run.spec.config_with(macros.of_job(run, prepared.artifact))
    except InvalidRequest as error:
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, str(error)) from error
    return Workload(
        name=run.object_name,
        run_id=run.id,
        attempt=run.attempt,
        queue=run.spec.queue.name,
        artifact=prepared.artifact,
        folder=prepared.folder,
        installs=prepared.artifact.is_base,
        entry_point=run.spec.job.entry_point,
        args=run.spec.job.args,
        env=job_environment(run, wandb),
        secrets=wandb.secrets,
        labels=run.spec.labels,
        config=queue_builder.without(config),
    )


class Submitter:
    """The stage between prepare and watch."""

    def __init__(
        self,
        recorder: Recorder,
        wait: Callable[[float], bool],
        wandb: Wandb,
        macros: Macros,
        login: Callable[[str], Login | None] = no_login,
    ) -> None:
        """`wait` sleeps that many seconds, and says whether the agent is stopping; `login` is for an image's pull."""
        self._recorder = recorder
        self._wait = wait
        self._wandb = wandb
        self._macros = macros
        self._login = login

    def submit(self, prepared: Prepared, target: Target, cancelled: Callable[[], bool]) -> Run:
        """Make the object, or find the one that was made before a crash. Returns the run, whose record names it.

        Raises:
            RunFailed: when the target refuses it.
            RunCancelled: when the wish to cancel came first.
            TemporaryError: when the agent stops while the target does not answer, or too few replicas have the intent.
            StaleWrite: when the run is another session's by now.
        """
        request = target.render(workload(prepared, self._wandb, self._macros))
        run = self._intend(prepared, request)
        request = replace(request, passport=self._recorder.passport(run), login=self._login)
        while True:
            if now() - (run.submitted_at or run.since) > CONFIRMED:
                # This process was frozen, the target did not answer, or the run was another session's.
                run = self._recorder.confirm(run)
            try:
                if not cancelled():
                    _submit(request, target)
                elif request.name not in target.observe([request.name]):
                    # An agent that was frozen before its own `submit` may still come with it.
                    target.release(request.name)
                    raise RunCancelled("cancelled before it was submitted")
            except TemporaryError as error:
                # The object may exist or not, so the run can neither fail nor be cancelled before the target answers.
                logger.warning("submit-retry run=%s: %s", run.id, error)
                run = self._recorder.note(run, Reason.TARGET_UNAVAILABLE, str(error))
                if self._wait(error.delay_seconds):
                    raise
            else:
                return run

    def _intend(self, prepared: Prepared, request: Request) -> Run:
        """Write what will be submitted."""
        run = self._recorder.reach(
            prepared.run,
            State.SUBMITTING,
            Reason.SUBMITTING,
            f"Submitting {request.name}.",
            image=prepared.artifact.reference,
            image_signature=self._recorder.seals.of_image(prepared.run, prepared.artifact.reference),
            image_origin=prepared.origin,
            build_seconds=prepared.build_seconds,
            submission=request.name,
            submitted_at=now(),
            request_digest=request.digest,
        )
        # A failover that lost it would let another agent submit the job again, where names are those of a machine.
        self._recorder.wait_for_replicas(run)
        return run


def _submit(request: Request, target: Target) -> None:
    try:
        target.submit(request)
    except ConfigError as error:
        # This machine has no way to it, so there is nothing to release either.
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, str(error)) from error
    except RunFailed as error:
        if error.reason is not Reason.NAME_TAKEN:
            # The run ends here, and an agent that was frozen before its own `submit` may come when it is not refused
            # any more. Where one has got it to run meanwhile, this raises `TemporaryError`, and the run goes on.
            # A target that refuses this too, such as a namespace that is gone, has said why before.
            with suppress(RunFailed):
                target.release(request.name)
        raise
