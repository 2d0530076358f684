"""What Artifact Registry has that other registries have not: repositories that no push creates."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from tests import clouds
from tests.broker_config.oci.scripted import Say, scripted
from tests.contract.registries import config_of
from workers.config.images import RegistryKind
from workers.environments.gcp import Gcp
from workers.registries.gcr import ArtifactRegistry

GONE = b'{"errors":[{"code":"NAME_UNKNOWN","message":"Repository \\"team\\" not found"}]}'


def test_a_repository_that_is_not_there_is_told_before_a_build(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    with clouds.tokens() as tokens, scripted(Say(404, body=GONE)) as server:
        for name, value in clouds.google(tokens, home).items():
            monkeypatch.setenv(name, value)
        registry = ArtifactRegistry(config_of(RegistryKind.GCR, f"{server.address}/project/team/jobs"), Gcp(None))
        # When
        found = registry.digest("any")
        with pytest.raises(ConfigError) as failed:
            registry.prepare()
    # Then
    assert found is None
    assert 'Repository "team" not found; create the repository' in str(failed.value)
