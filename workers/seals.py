"""What agents add to a record and go by later, signed by them: the source that a run was pinned to, and its image.

Whoever may write to the broker could have another code run under a spec that is signed. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from broker_config.jobs import Source
from broker_config.runs import Run, now
from broker_config.signing import Keyring, NotGenuine, Signed
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed


@dataclass(frozen=True, slots=True)
class Seals:
    """Signs with the keys that the agent has; takes what is not signed only where nothing has to be."""

    keyring: Keyring | None = None
    are_required: bool = False

    def of_source(self, run: Run, source: Source) -> str:
        """The signature of what a run's source was resolved to."""
        return self._sign(_of_source(run, source))

    def of_image(self, run: Run, image: str) -> str:
        """The signature of what was built for this attempt."""
        return self._sign(_of_image(run, image))

    def is_signed(self, run: Run, oldest: datetime | None = None) -> bool:
        """Whether a run's spec, as this version writes it, is to the letter what was signed with one of the keys."""
        try:
            if self.keyring is None:
                return False
            self.keyring.verify(Signed.SPEC, run.spec.model_dump_json(), run.signature, oldest)
        except NotGenuine:
            return False
        return True

    def check(self, run: Run) -> None:
        """Look at what agents added to a run's record.

        Raises:
            RunFailed: class CONFIG, when somebody else did.
        """
        if self.keyring is None or not self.are_required:
            return
        try:
            # As long as the spec's signature is good, so are these, which are younger.
            if run.pinned_source:
                self.keyring.verify(Signed.RESOLVED, _of_source(run, run.pinned_source), run.source_signature)
            if run.image:
                self.keyring.verify(Signed.RESOLVED, _of_image(run, run.image), run.image_signature)
        except NotGenuine as error:
            text = f"The record says what an agent made of the run's source or image, and {error}."
            raise RunFailed(FailureClass.CONFIG, Reason.UNSIGNED, text) from error

    def _sign(self, text: str) -> str:
        return self.keyring.sign(Signed.RESOLVED, text, now()) if self.keyring else ""


def _of_source(run: Run, source: Source) -> str:
    # Without defaults, so that a version that adds a field reads what an older one signed.
    return json.dumps([run.id, source.type, source.model_dump(exclude_defaults=True)], sort_keys=True)


def _of_image(run: Run, image: str) -> str:
    return json.dumps([run.id, run.attempt, image])
