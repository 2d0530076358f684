"""No build: in which image code runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.builders import order_of
from workers.builders.noop import NoopBuilder
from workers.builders.protocol import Artifact, ArtifactKind
from workers.config.builder import NoopBuilderConfig
from workers.images.python_version import AGENT_PYTHON


@pytest.mark.parametrize(
    ("of_queue", "of_agent", "version", "image"),
    [
        ("queue:1", "agent:1", "3.12", "queue:1"),
        (None, "agent:1", "3.12", "agent:1"),
        (None, None, "3.12", "python:3.12-slim"),
        (None, None, None, f"python:{AGENT_PYTHON}-slim"),
    ],
)
def test_the_queue_chooses_the_base_image_before_the_agent_and_the_agent_before_the_jobs_python(
    of_queue: str | None, of_agent: str | None, version: str | None, image: str, home: Path
) -> None:
    # Given
    order = order_of(home, "one")
    order = replace(order, base_image=of_queue, job=order.job.model_copy(update={"python_version": version}))
    builder = NoopBuilder(home, NoopBuilderConfig(base_image=of_agent))
    # When / Then
    assert builder.find(order, builder.key(order)) == Artifact(ArtifactKind.IMAGE, image, is_base=True)
