"""A build's key is that of everything that changes its image, and of nothing else."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.jobs import CodeSource, ImageSource, Job
from broker_config.states import FailureClass
from workers.config.builder import DockerBuilderConfig
from workers.config.image_builder import ImageBuilderConfig
from workers.config.kaniko import KanikoBuilderConfig
from workers.failures import RunFailed
from workers.images.bases import Base, Bases
from workers.images.recipe import KEY_LABEL, Code, Recipe, Recipes

CODE = CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)

INPUTS: dict[str, st.SearchStrategy[Any]] = {
    "source": st.sampled_from(["sha256:a", "sha256:b"]),
    "dockerfile": st.sampled_from(["FROM base\n", "FROM base\nRUN ls\n"]),
    "ignore": st.sampled_from([None, "data", "data\nother"]),
    "platform": st.sampled_from(["linux/amd64", "linux/arm64"]),
    "build_args": st.dictionaries(st.sampled_from("AB"), st.sampled_from(["1", "2"])),
    "secrets": st.frozensets(st.sampled_from(["one", "two"])),
    "base": st.sampled_from(["sha256:a", "sha256:b"]),
}
"""What an image depends on."""

OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "entry_point": st.sampled_from([(), ("python", "main.py")]),
    "args": st.sampled_from([(), ("--fast",)]),
    "run_config": st.sampled_from([{}, {"rate": 0.1}]),
    "env": st.sampled_from([{}, {"A": "1"}]),
    "place_of_secrets": st.sampled_from([{"env": "X"}, {"env": "Y"}, {"file": "/run/secret"}]),
    "mounts": st.booleans(),
    "kind": st.sampled_from(["docker", "kaniko"]),
}
"""What it does not."""


def _recipe(folder: Path, inputs: dict[str, Any], others: dict[str, Any]) -> Recipe:
    for name, text in (("Dockerfile", inputs["dockerfile"]), (".dockerignore", inputs["ignore"])):
        (folder / name).unlink(missing_ok=True)
        if text is not None:
            (folder / name).write_text(text)
    secrets = dict.fromkeys(inputs["secrets"], others["place_of_secrets"])
    shared = {"build-args": inputs["build_args"], "secrets": secrets}
    config: ImageBuilderConfig = DockerBuilderConfig.model_validate(shared)
    if others["kind"] == "kaniko":
        config = KanikoBuilderConfig.model_validate({**shared, "build-context-store": "s3://bucket"})
    bases = Bases(lambda _: Base(inputs["base"]))
    job = Job(source=CODE, **{name: others[name] for name in ("entry_point", "args", "run_config", "env")})
    return Recipes(config, inputs["platform"], bases, mounts=others["mounts"]).recipe(
        job, Code(folder, inputs["source"])
    )


@given(*(st.fixed_dictionaries(parts) for parts in (INPUTS, INPUTS, OTHERS, OTHERS)))
def test_the_key_changes_if_and_only_if_an_input_changes(
    inputs: dict[str, Any], others_inputs: dict[str, Any], one: dict[str, Any], other: dict[str, Any]
) -> None:
    with TemporaryDirectory() as folder:
        same = _recipe(Path(folder), inputs, one).key, _recipe(Path(folder), inputs, other).key
        changed = _recipe(Path(folder), others_inputs, other).key
    assert same[0] == same[1]
    assert (changed == same[0]) == (inputs == others_inputs)


def test_a_written_dockerfile_has_the_same_key_with_and_without_mounts_and_another_on_an_accelerator(
    tmp_path: Path,
) -> None:
    # Given
    (tmp_path / "requirements.txt").write_text("six\n")
    with_mounts, without = (
        Recipes(DockerBuilderConfig(), "linux/amd64", Bases(lambda _: None), mounts=mounts) for mounts in (True, False)
    )
    plain, accelerated = Code(tmp_path, "sha256:a"), Code(tmp_path, "sha256:a", "nvidia/cuda:12.9.1")
    job = Job(source=CODE)
    # Then
    assert with_mounts.recipe(job, plain).dockerfile != without.recipe(job, plain).dockerfile
    assert with_mounts.recipe(job, plain).key == without.recipe(job, plain).key
    assert with_mounts.recipe(job, plain).key != with_mounts.recipe(job, accelerated).key


def test_a_recipe_is_all_that_a_builder_needs(tmp_path: Path) -> None:
    # Given
    (tmp_path / "Dockerfile").write_text("FROM base:1\n")
    config = DockerBuilderConfig.model_validate({"build-args": {"A": "1"}, "secrets": {"index": {"env": "TOKEN"}}})
    recipes = Recipes(config, "linux/amd64", Bases(lambda _: Base("sha256:b")), mounts=True)
    # When
    recipe = recipes.recipe(Job(source=CODE), Code(tmp_path, "sha256:a"))
    # Then
    assert recipe.dockerfile == "FROM base:1@sha256:b\n"
    assert (recipe.folder, recipe.platform, recipe.ignored) == (tmp_path, "linux/amd64", ())
    assert recipe.build_args == {"A": "1"}
    assert recipe.secrets["index"].env == "TOKEN"
    assert recipe.labels == {KEY_LABEL: recipe.key}
    assert len(recipe.key) == 64


def test_a_build_keeps_the_key_under_which_it_is_waited_for(tmp_path: Path) -> None:
    # Given a base image that moves with every look
    moving = iter("abcd")
    bases = Bases(lambda _: Base(f"sha256:{next(moving)}"), seconds=0)
    recipes = Recipes(DockerBuilderConfig(), "linux/amd64", bases, mounts=True)
    key = recipes.recipe(Job(source=CODE), Code(tmp_path, "sha256:a")).key
    # Then
    assert recipes.recipe(Job(source=CODE), Code(tmp_path, "sha256:a"), key).labels == {KEY_LABEL: key}


def test_without_code_there_is_nothing_to_build() -> None:
    recipes = Recipes(DockerBuilderConfig(), "linux/amd64", Bases(lambda _: None), mounts=True)
    with pytest.raises(RunFailed) as failed:
        recipes.recipe(Job(source=ImageSource(image="a")), Code(None, "sha256:a"))
    assert failed.value.failure is FailureClass.CONFIG
