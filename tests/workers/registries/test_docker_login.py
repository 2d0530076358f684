"""The credentials of `docker login`."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from workers.registries.docker_login import login_for
from workers.registries.protocol import Login


def test_a_login_is_found_in_dockers_config_or_with_its_helper(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    helper = home / "docker-credential-fake"
    helper.write_text('#!/bin/sh\necho \'{"Username": "agent", "Secret": "from-helper"}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:/usr/bin:/bin")
    auth = base64.b64encode(b"agent:in-file").decode()
    config = {"auths": {"plain.example.com": {"auth": auth}}, "credHelpers": {"helped.example.com": "fake"}}
    (home / "config.json").write_text(json.dumps(config))

    # When / Then
    assert login_for("plain.example.com") == Login("agent", "in-file")
    assert login_for("helped.example.com") == Login("agent", "from-helper")
    assert login_for("other.example.com") is None
    assert "in-file" not in repr(login_for("plain.example.com"))
