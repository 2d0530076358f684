"""The login of one push, beside the agent's own docker config."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.oci.logins import Login
from workers.images.buildx.login import login_environment


@pytest.fixture
def own(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The agent's own docker config folder."""
    folder = home / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def made(home: Path, reference: str) -> Path:
    scratch = home / "scratch"
    scratch.mkdir()
    return Path(login_environment(scratch, reference, Login("agent", "secret"))["DOCKER_CONFIG"])


def test_the_login_stands_beside_those_that_docker_has(home: Path, own: Path) -> None:
    # Given
    config = {"auths": {"other:5000": {"auth": "eDp5"}}, "credHelpers": {"gcr.io": "gcloud"}, "credsStore": "pass"}
    (own / "config.json").write_text(json.dumps(config))
    (own / "contexts").mkdir()
    # When
    folder = made(home, "registry.example.com:5000/team/train:one")
    # Then
    written = json.loads((folder / "config.json").read_text())
    assert written["auths"]["other:5000"] == {"auth": "eDp5"}
    assert base64.b64decode(written["auths"]["registry.example.com:5000"]["auth"]) == b"agent:secret"
    # The store for all would otherwise be asked in place of the file.
    assert written["credHelpers"] == {"gcr.io": "gcloud", "registry.example.com:5000": ""}
    assert written["credsStore"] == "pass"
    assert (folder / "contexts").resolve() == (own / "contexts").resolve()
    assert json.loads((own / "config.json").read_text()) == config


def test_nobody_else_may_read_it(home: Path, own: Path) -> None:
    folder = made(home, "registry.example.com/team/train:one")
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "config.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("reference", ["team/train:one", "docker.io/team/train:one", "train"])
def test_docker_hub_has_a_name_of_its_own(home: Path, own: Path, reference: str) -> None:
    written = json.loads((made(home, reference) / "config.json").read_text())
    assert list(written["auths"]) == ["https://index.docker.io/v1/"]


def test_without_a_login_docker_reads_its_own_config(home: Path) -> None:
    assert login_environment(home, "registry.example.com/team/train:one", None) == {}
    assert not list(home.iterdir())


def test_a_config_that_cannot_be_read_is_named(home: Path, own: Path) -> None:
    (own / "config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"config\.json cannot be read"):
        made(home, "registry.example.com/team/train:one")
