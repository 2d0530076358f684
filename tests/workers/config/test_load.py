"""Where the agent's configuration comes from: what wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from workers.clouds import registry_of
from workers.config import AgentConfig, load_config
from workers.config.builder import VenvConfig
from workers.config.git import GitConfig
from workers.config.kaniko import KanikoBuilderConfig
from workers.config.registry import OtherRegistryConfig
from workers.registries.stub import StubRegistry


@pytest.fixture(autouse=True)
def user_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of the user, where W&B Launch keeps its file."""
    monkeypatch.setenv("HOME", str(home))
    return home


def test_the_defaults_are_these() -> None:
    # When / Then: a change of a default is a change for everybody, so it is made in two places
    assert dict(AgentConfig()) == {
        "entity": None,
        "queues": (),
        "max_jobs": 1,
        "secure_mode": False,
        "require_signature": None,
        "signature_max_age": 30 * 24 * 3600.0,
        "start_timeout": None,
        "stopped_run_timeout": 60.0,
        "lease_seconds": 30.0,
        "verbosity": 0,
        "macro_environment": (),
        "environment": None,
        "job_events": (),
        "registry": None,
        "builder": None,
        "git": GitConfig(credentials=(), credentials_file=None, cache_gib=20.0),
        "venv": VenvConfig(installer=None, install_args=(), download_python=False),
    }


def test_flags_win_over_the_environment_and_that_over_the_file(home: Path) -> None:
    # Given
    (home / "launch-config.yaml").write_text("queues: [file]\nmax_jobs: 1\nstopped_run_timeout: 5\n")
    environ = {"LAUNCHYARD_QUEUES": "one, two", "LAUNCHYARD_MAX_JOBS": "2"}

    # When
    from_file = load_config(None, home, {}).config
    from_environment = load_config(None, home, environ).config
    from_flags = load_config(None, home, environ, queues=["flag"], max_jobs=3).config

    # Then
    assert (from_file.queues, from_file.max_jobs) == (("file",), 1)
    assert (from_environment.queues, from_environment.max_jobs) == (("one", "two"), 2)
    assert (from_flags.queues, from_flags.max_jobs, from_flags.stopped_run_timeout) == (("flag",), 3, 5.0)


def test_variables_of_wandb_are_taken_and_told_and_ours_win_over_them(home: Path) -> None:
    # Given
    environ = {"WANDB_ENTITY": "team", "WANDB_LAUNCH_MAX_JOBS": "7", "WANDB_LAUNCH_START_TIMEOUT": "1800"}

    # When
    theirs = load_config(None, home, environ)
    ours = load_config(
        None, home, {**environ, "LAUNCHYARD_ENTITY": "us", "LAUNCHYARD_MAX_JOBS": "2", "LAUNCHYARD_START_TIMEOUT": "60"}
    )
    flag = load_config(None, home, environ, entity="")

    # Then
    assert (theirs.config.entity, theirs.config.max_jobs, theirs.config.start_timeout) == ("team", 7, 1800.0)
    assert theirs.notes == (
        "entity is team, as WANDB_ENTITY in the environment says",
        "max_jobs is 7, as WANDB_LAUNCH_MAX_JOBS in the environment says",
        "start_timeout is 1800, as WANDB_LAUNCH_START_TIMEOUT in the environment says",
    )
    assert (ours.config.entity, ours.config.max_jobs, ours.config.start_timeout) == ("us", 2, 60.0)
    assert ours.notes == ()
    assert flag.config.entity is None


def test_a_named_file_wins_over_the_one_in_the_home_folder(home: Path) -> None:
    # Given
    (home / "launch-config.yaml").write_text("queues: [home]")
    (home / "other.yaml").write_text("queues: [other]")

    # When
    named = load_config(home / "other.yaml", home, {})
    from_environment = load_config(None, home, {"LAUNCHYARD_LAUNCH_CONFIG": str(home / "other.yaml")})

    # Then
    assert named.config.queues == from_environment.config.queues == ("other",)


def test_the_file_of_wandb_is_taken_where_there_is_none_of_ours_and_that_is_said(home: Path) -> None:
    # Given
    theirs = home / ".config" / "wandb" / "launch-config.yaml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("queues: [theirs]")

    # When
    alone = load_config(None, home, {})
    (home / "launch-config.yaml").write_text("queues: [ours]")
    both = load_config(None, home, {})

    # Then
    assert (alone.config.queues, alone.path) == (("theirs",), theirs)
    assert alone.notes == (f"the config is W&B Launch's own, {theirs}, since there is no {home}/launch-config.yaml",)
    assert (both.config.queues, both.notes) == (("ours",), ())


@pytest.mark.parametrize("content", [None, "", "# nothing\n", "builder:\n  type:\nregistry:\n"])
def test_no_file_and_a_file_that_says_nothing_give_the_defaults(home: Path, content: str | None) -> None:
    # Given
    if content is not None:
        (home / "launch-config.yaml").write_text(content)

    # When / Then
    assert load_config(None, home, {}).config == AgentConfig()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("max_jobs: 2\nmax_job: 3", "unknown field 'max_job'; did you mean 'max_jobs'? ({file}:2:1)"),
        ("max_jobs: -2", "max_jobs: Input should be greater than or equal to -1 ({file}:1:1)"),
        ("queues: [a b]", "'a b' cannot be a name"),
        ("verbosity: 3", "verbosity: Input should be 0, 1 or 2 ({file}:1:1)"),
        ("- a", "{file}:1:1: this must be an object"),
        ("queues: [", "{file}:2:1: this is not YAML"),
        (
            "max_jobs: 1\nqueues:\n\t- gpu-queue\n",
            "{file}:3:1: a tab is here, and YAML is indented with spaces only",
        ),
        ("builder: docker", "builder must be a mapping of keys, not 'docker' ({file}:1:1)"),
        ("builder:\n  type: dokcer", "builder.type: 'dokcer' is unknown; did you mean 'docker'? ({file}:2:3)"),
        ("builder:\n  type: venv", "builder.type: 'venv' is unknown; known: buildkit, docker, kaniko, noop"),
        ("environment:\n  type: aws", "environment: field 'region' is missing ({file}:1:1)"),
        ("environment:\n  region: us-east-1", "environment.type is missing; known: aws, azure, gcp ({file}:1:1)"),
        (
            "environment:\n  type: aws\n  regoin: us-east-1",
            "unknown field 'regoin'; did you mean 'region'? ({file}:3:3)",
        ),
        ("venv:\n  instaler: uv", "venv: unknown field 'instaler'; did you mean 'installer'? ({file}:2:3)"),
        ("registry:\n  type: quay\n  uri: quay.io/a/b", "registry: type: Input should be 'ecr', 'acr', 'gcr' or 'oci'"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path_the_place_and_the_cure(home: Path, content: str, message: str) -> None:
    # Given
    (home / "launch-config.yaml").write_text(content)

    # When
    with pytest.raises(ConfigError) as refused:
        load_config(None, home, {})

    # Then
    file = str(home / "launch-config.yaml")
    assert message.replace("{file}", file) in str(refused.value)
    assert file in str(refused.value)


def test_one_error_names_everything_that_is_wrong(home: Path) -> None:
    # Given
    (home / "launch-config.yaml").write_text("max_job: 1\nenvironment: {type: awz}\nbuilder: {type: docker, tag: x}\n")

    # When
    with pytest.raises(ConfigError) as refused:
        load_config(None, home, {})

    # Then
    assert all(word in str(refused.value) for word in ("max_job", "awz", "'tag'"))


def test_a_named_file_that_is_missing_is_an_error(home: Path) -> None:
    # When / Then
    with pytest.raises(ConfigError, match=r"agent config: cannot read .*nothing.yaml"):
        load_config(home / "nothing.yaml", home, {})


@pytest.mark.parametrize("name", ["region", "RE GION", "1X", "${REGION}"])
def test_a_macro_of_the_environment_has_a_name_in_upper_case(home: Path, name: str) -> None:
    # Given
    (home / "launch-config.yaml").write_text(f"macro_environment: [REGION, '{name}']")

    # When / Then
    with pytest.raises(ConfigError, match=r"macro_environment\.1"):
        load_config(None, home, {})


def test_a_wrong_value_in_the_environment_is_refused_without_a_place_in_a_file(home: Path) -> None:
    # When
    with pytest.raises(ConfigError) as refused:
        load_config(None, home, {"LAUNCHYARD_MAX_JOBS": "many"})

    # Then
    assert str(refused.value).startswith("agent config: max_jobs: Input should be a valid integer")


def test_a_registry_of_another_package_is_given_its_own_options(home: Path) -> None:
    # Given
    path = home / "launch-config.yaml"
    path.write_text("registry:\n  type: stub\n  uri: registry.example.com/team/jobs\n  shelf: 3\n")
    # When
    config = load_config(path, home).config
    # Then
    assert config.destination == OtherRegistryConfig(
        type="stub", uri="registry.example.com/team/jobs", options={"shelf": 3}
    )
    assert isinstance(registry_of(config, config.destination), StubRegistry)


def test_a_registry_that_nobody_has_is_refused_with_those_there_are(home: Path) -> None:
    # Given
    path = home / "launch-config.yaml"
    path.write_text("registry:\n  type: harbour\n  uri: registry.example.com/team/jobs\n")
    # When / Then
    with pytest.raises(ConfigError, match=r"registry: type: .* or 'oci'"):
        load_config(path, home)


def test_variables_of_wandb_s_kaniko_fill_its_block_where_the_file_says_nothing(home: Path) -> None:
    # Given
    file = home / "launch-config.yaml"
    file.write_text("builder:\n  type: kaniko\n  destination: a.example/b\n  service-account: ours\n")
    variables = {
        "WANDB_LAUNCH_KANIKO_PVC_NAME": "claim",
        "WANDB_LAUNCH_KANIKO_PVC_MOUNT_PATH": "/contexts",
        "WANDB_LAUNCH_SERVICE_ACCOUNT_NAME": "theirs",
    }
    # When
    loaded = load_config(None, home, variables)
    # Then
    assert isinstance(loaded.config.builder, KanikoBuilderConfig)
    assert loaded.config.builder.context_volume == "claim"
    assert loaded.config.builder.context_volume_path == Path("/contexts")
    assert loaded.config.builder.service_account == "ours"
    assert "builder.context_volume is claim, as WANDB_LAUNCH_KANIKO_PVC_NAME in the environment says" in loaded.notes
