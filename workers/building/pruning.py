"""Removes images that an operator wants to be gone, of those that this agent reaches and that no live run uses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from broker_config.errors import ConfigError, LaunchyardError
from broker_config.images import Image
from broker_config.runs import now
from broker_config.store import Store
from broker_config.store.orphans import Removal
from workers.builders.protocol import Builder

logger = logging.getLogger(__name__)

TOLD = timedelta(hours=1)
"""How long it is told what became of a wish."""


class Pruner:
    """Called by the agent's heartbeat."""

    def __init__(self, store: Store, agent: str, builders: Callable[[], Iterable[Builder]]) -> None:
        self._store = store
        self._agent = agent
        self._builders = builders

    def carry_out_removals(self) -> None:
        """Remove what is wanted to be gone; each wish has an outcome afterwards, or another agent to carry it out."""
        wishes = self._store.images.removals()
        if not wishes:
            return
        builders = {builder.place: builder for builder in self._builders()}
        live = self._live()
        for image in self._store.images.all():
            wish = wishes.get(image.id)
            if wish and not wish.outcome and image.place in builders:
                self._carry_out(image, wish, builders[image.place], live)
        for image_id, wish in wishes.items():
            if wish.outcome and now() - wish.at > TOLD:
                self._store.images.forget_removal(image_id)

    def _carry_out(self, image: Image, wish: Removal, builder: Builder, live: dict[str, str]) -> None:
        try:
            why = self._why_kept(image, wish, live) or builder.remove(image.key, image.reference)
        except ConfigError as error:
            why = str(error)
        except LaunchyardError as error:
            logger.warning("removal-retry name=%s: %s", image.reference, error)
            return
        outcome = f"kept: {why}" if why else "removed"
        logger.info("image-removed image=%s by=%s: %s", image.reference, wish.by, outcome)
        self._store.images.conclude_removal(image.id, wish, self._agent, outcome)
        if not why:
            self._store.images.forget([image.id])

    def _why_kept(self, image: Image, wish: Removal, live: dict[str, str]) -> str:
        if image.reference in live:
            return f"run {live[image.reference]} runs it"
        return "it was used again since" if image.last_used > wish.at else ""

    def _live(self) -> dict[str, str]:
        """What live runs of all agents run."""
        agents = [info.name for info, _ in self._store.agents.list()]
        return {run.image: run.id for name in agents for run in self._store.runs.held_by(name)}
