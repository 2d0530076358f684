"""The agent's configuration: what wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from workers.config import AgentConfig, load_config


def test_the_defaults_are_these() -> None:
    # When / Then: a change of a default is a change for everybody, so it is made in two places
    assert AgentConfig().model_dump() == {
        "queues": (),
        "max_jobs": 1,
        "stopped_run_timeout": 60.0,
        "lease_seconds": 30.0,
        "macro_environment": (),
        "builder": {},
        "venv": {},
    }


def test_flags_win_over_the_environment_and_that_over_the_file(home: Path) -> None:
    # Given
    (home / "launch-config.yaml").write_text("queues: [file]\nmax_jobs: 1\nstopped_run_timeout: 5\n")
    environ = {"LAUNCHYARD_QUEUES": "one, two", "LAUNCHYARD_MAX_JOBS": "2"}

    # When
    from_file = load_config(None, home, {})
    from_environment = load_config(None, home, environ)
    from_flags = load_config(None, home, environ, queues=["flag"], max_jobs=3)

    # Then
    assert (from_file.queues, from_file.max_jobs) == (("file",), 1)
    assert (from_environment.queues, from_environment.max_jobs) == (("one", "two"), 2)
    assert (from_flags.queues, from_flags.max_jobs, from_flags.stopped_run_timeout) == (("flag",), 3, 5.0)


def test_a_named_file_wins_over_the_one_in_the_home_folder(home: Path) -> None:
    # Given
    (home / "launch-config.yaml").write_text("queues: [home]")
    (home / "other.yaml").write_text("queues: [other]")

    # When
    named = load_config(home / "other.yaml", home, {})
    from_environment = load_config(None, home, {"LAUNCHYARD_LAUNCH_CONFIG": str(home / "other.yaml")})

    # Then
    assert named.queues == from_environment.queues == ("other",)


def test_no_file_at_all_is_fine(home: Path) -> None:
    # When / Then
    assert load_config(None, home, {}) == AgentConfig()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("max_job: 3", "unknown field 'max_job'; did you mean 'max_jobs'?"),
        ("max_jobs: -2", "max_jobs: Input should be greater than or equal to -1"),
        ("queues: [a b]", "'a b' cannot be a name"),
        ("- a", "must be a mapping of keys, not a list"),
        ("queues: [", "is not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path_and_the_cure(home: Path, content: str, message: str) -> None:
    # Given
    (home / "launch-config.yaml").write_text(content)

    # When
    with pytest.raises(ConfigError) as refused:
        load_config(None, home, {})

    # Then
    assert message in str(refused.value)
    assert str(home / "launch-config.yaml") in str(refused.value)


def test_a_named_file_that_is_missing_is_an_error(home: Path) -> None:
    # When / Then
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(home / "nothing.yaml", home, {})


@pytest.mark.parametrize("name", ["region", "RE GION", "1X", "${REGION}"])
def test_a_macro_of_the_environment_has_a_name_in_upper_case(home: Path, name: str) -> None:
    # Given
    (home / "launch-config.yaml").write_text(f"macro_environment: [REGION, '{name}']")

    # When / Then
    with pytest.raises(ConfigError, match=r"macro_environment\.1"):
        load_config(None, home, {})
