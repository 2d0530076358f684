"""The agent's config as a whole."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from broker_config.errors import ConfigError
from broker_config.frozen import Frozen
from broker_config.queues import FullName, Name, full_name
from workers.config.builder import BuilderConfig, DockerBuilderConfig, NoopBuilderConfig, VenvConfig
from workers.config.buildkit import BuildkitBuilderConfig
from workers.config.cloud import Environment
from workers.config.git import GitConfig
from workers.config.images import kind_of
from workers.config.kaniko import KanikoBuilderConfig, cloud_of
from workers.config.registry import AnyRegistryConfig, RegistryConfig

EnvironmentName = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]
_SQS = r"https?://[^/]+/\d{12}/[A-Za-z0-9_-]+"
_PUB_SUB = r"projects/[a-z][a-z0-9.:-]+/subscriptions/[A-Za-z][A-Za-z0-9._~+%-]+"
EventQueue = Annotated[str, Field(pattern=rf"^({_SQS}|{_PUB_SUB})$")]


class AgentConfig(Frozen):
    """What an agent may be told. Keys have W&B Launch's names and meanings."""

    entity: Name | None = None
    """The team or user whose queues this agent serves. Absent: any."""

    queues: tuple[FullName, ...] = ()
    """Queues to serve: `gpu` is the entity's own, `team-a/gpu` names whose it is.
    `celery worker -Q` and `launchyard agent -q` replace them."""

    max_jobs: int = Field(default=1, ge=-1)
    """Most runs that this agent holds at once, builds included. -1: no limit."""

    secure_mode: bool = False
    """Refuse jobs that change what a container runs: its command, its entry point, host namespaces, init containers."""

    require_signature: bool | None = None
    """Whether runs have to be signed with one of the keys of `LAUNCHYARD_SIGNING_KEYS`. Absent: if there are keys."""

    signature_max_age: float = Field(default=30 * 24 * 3600.0, gt=0)
    """Seconds after which a signature is worth nothing any more: so long may a run wait, retries included."""

    start_timeout: float | None = Field(default=None, gt=0)
    """Seconds from a run's submission until its job runs, for runs whose queue has no limit. Absent: no limit."""

    stopped_run_timeout: float = Field(default=60.0, ge=0)
    """Seconds between asking a cancelled job to end and ending it by force."""

    lease_seconds: float = Field(default=30.0, ge=3)
    """How long this agent may be silent until others take its runs over."""

    verbosity: Literal[0, 1, 2] = 0
    """0: how many runs are held is logged every 5 minutes. 1: every 20 seconds. 2: and every detail."""

    macro_environment: tuple[EnvironmentName, ...] = ()
    """Variables of the agent's environment that stand for themselves as macros: `${NAME}` in the config of a queue."""

    environment: Environment | None = None
    """The cloud whose credentials the agent uses."""

    job_events: tuple[EventQueue, ...] = ()
    """Where platforms tell of changes of jobs, which are seen within seconds then: URLs of queues of SQS, and
    subscriptions of Pub/Sub."""

    registry: AnyRegistryConfig | None = None
    """Where images go when the builder has no `destination`."""

    builder: BuilderConfig | None = None
    """What builds images. Absent: docker where it works, else buildkit where `BUILDKIT_HOST` is set, else noop."""

    venv: VenvConfig = Field(default_factory=VenvConfig)
    """Options of the environments that are made for local-process queues."""

    git: GitConfig = Field(default_factory=GitConfig)
    """Credentials and the cache of git repositories."""

    @field_validator("queues")
    @classmethod
    def _belong_to_the_entity(cls, queues: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return tuple(full_name(name, info.data.get("entity")) for name in queues)

    @model_validator(mode="after")
    def _kaniko_reaches_its_stores(self) -> AgentConfig:
        if not isinstance(self.builder, KanikoBuilderConfig):
            return self
        if not self.destination:
            raise ValueError("builder: kaniko pushes what it builds; write a destination, registry/path/name")
        store = self.builder.build_context_store
        if store and self.environment and cloud_of(store) != self.environment.type:
            raise ValueError(
                f"builder.build-context-store: {store!r} needs an environment of type {cloud_of(store)}, "
                f"and this one is of type {self.environment.type}"
            )
        return self

    @model_validator(mode="after")
    def _buildkit_pushes(self) -> AgentConfig:
        if isinstance(self.builder, BuildkitBuilderConfig) and not self.destination:
            raise ValueError("builder: buildkit pushes what it builds; write a destination, registry/path/name")
        return self

    @model_validator(mode="after")
    def _several_platforms_are_pushed(self) -> AgentConfig:
        platform = getattr(self.builder, "platform", None) or ""
        if "," in platform and isinstance(self.builder, KanikoBuilderConfig):
            raise ValueError(f"builder.platform: kaniko builds for one platform, and {platform} are several")
        if "," in platform and not self.destination:
            raise ValueError(
                f"builder.platform: an image for {platform} stands in a registry only; write a destination, "
                "registry/path/name"
            )
        return self

    @property
    def destination(self) -> AnyRegistryConfig | None:
        """The repository that images are pushed to; None when they stay where they were built.

        The builder's own wins, and options of the block `registry` are also for it where both are at one host.
        """
        own: str | None = getattr(self.builder, "destination", None)
        if own is None:
            return self.registry
        if self.registry and self.registry.uri.partition("/")[0] == own.partition("/")[0]:
            return self.registry.model_copy(update={"uri": own})
        return RegistryConfig(type=kind_of(own), uri=own)

    @property
    def builds_ahead(self) -> int:
        """How many builds there may be at once while some are for runs that wait; 0: none is."""
        return int(self.builder.ahead) if self.builder else 0

    def block_of(self, builder: str) -> BuilderConfig | VenvConfig:
        """What a builder of that type is told: its block, or the defaults where the config names no builder.

        Raises:
            ConfigError: when it cannot do without a block.
        """
        if builder == "venv":
            return self.venv
        if self.builder:
            return self.builder
        if builder == "buildkit":
            if not self.destination:
                raise ConfigError(
                    "builder buildkit: it takes a daemon that BUILDKIT_HOST names, and a repository to push to; "
                    "write registry.uri"
                )
            return BuildkitBuilderConfig()
        return DockerBuilderConfig() if builder == "docker" else NoopBuilderConfig()
