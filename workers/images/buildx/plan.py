"""One call of buildx, decided in full before it is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workers.images.recipe import Recipe

DOCKERFILE = "Dockerfile"
METADATA = "metadata.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """What buildx is told. Its environment is the agent's own, with `environment` laid over it."""

    recipe: Recipe
    reference: str  # how the image is to be named
    platform: str | None  # one, or several with commas; None: that of the machine that builds
    progress: str  # in which form it is told of
    pushes: bool  # else it is loaded into the engine
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def write(plan: Plan, scratch: Path) -> None:
    """Put the Dockerfile into the folder of the call, outside of the code that it copies."""
    (scratch / DOCKERFILE).write_text(plan.recipe.dockerfile)
    # BuildKit takes an ignore file with the Dockerfile's name before the one of the context.
    (scratch / f"{DOCKERFILE}.dockerignore").write_text("\n".join(plan.recipe.ignored) + "\n")


def command(plan: Plan, scratch: Path) -> list[str]:
    """The words of the call; no secret's value is among them."""
    recipe = plan.recipe
    # With attestations, what is pushed would be an index, which not every platform that runs images takes.
    words = ["docker", "buildx", "build", f"--progress={plan.progress}", "--provenance=false"]
    words += ["--push" if plan.pushes else "--load", "--metadata-file", str(scratch / METADATA)]
    words += ["--tag", plan.reference, "--file", str(scratch / DOCKERFILE)]
    words += ["--platform", plan.platform] if plan.platform else []
    for name, value in recipe.labels.items():
        words += ["--label", f"{name}={value}"]
    for name, value in recipe.build_args.items():
        words += ["--build-arg", f"{name}={value}"]
    for name, secret in recipe.secrets.items():
        words += ["--secret", f"id={name},env={secret.env}" if secret.env else f"id={name},src={secret.file}"]
    words += [f"--cache-from={cache}" for cache in plan.cache_from]
    words += [f"--cache-to={cache}" for cache in plan.cache_to]
    return [*words, str(recipe.folder)]
