"""What every builder promises, in the words of `workers/builders/protocol.py`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from broker_config.states import FailureClass
from tests.contract.builders import BUILDERS, IMAGE_LABEL, Case
from tests.docker_engine import engine
from workers.builders.protocol import Artifact, Builder, BuildOrder
from workers.failures import RunCancelled, RunFailed


@pytest.fixture(params=BUILDERS)
def case(request: pytest.FixtureRequest) -> Case:
    return BUILDERS[request.param]


@pytest.fixture(params=[name for name, case in BUILDERS.items() if case.builds])
def building(request: pytest.FixtureRequest) -> Case:
    return BUILDERS[request.param]


@pytest.fixture(params=[name for name, case in BUILDERS.items() if not case.builds])
def refusing(request: pytest.FixtureRequest) -> Case:
    return BUILDERS[request.param]


@pytest.fixture(autouse=True, scope="module")
def _leaves_no_image() -> Iterator[None]:
    yield
    with suppress(pytest.skip.Exception, pytest.fail.Exception):
        for image in engine().images(filters={"label": IMAGE_LABEL}):
            engine().remove_image(image["Id"], force=True)


def build(builder: Builder, order: BuildOrder, log: list[str] | None = None) -> Artifact:
    lines = log if log is not None else []
    return builder.build(order, builder.key(order), lines.append, lambda: False)


def test_the_key_is_that_of_the_content_whoever_asks(case: Case, home: Path) -> None:
    # Given
    one, other = case.order(home, "one"), case.order(home, "other")
    # When
    keys = [case.make(home).key(one), case.make(home).key(one), case.make(home).key(other)]
    # Then
    assert keys[0] == keys[1] != keys[2]


def test_looking_for_an_artifact_never_builds_it(case: Case, home: Path) -> None:
    # Given
    builder, order = case.make(home), case.order(home, "one")
    # When / Then
    for _ in range(2):
        assert builder.find(order, builder.key(order)) is None


def test_a_look_at_what_is_lacking_builds_nothing(case: Case, home: Path) -> None:
    # Given
    builder, order = case.make(home), case.order(home, "one")
    # When
    lacking = builder.check()
    # Then
    assert all(isinstance(text, str) for text in lacking)
    assert builder.find(order, builder.key(order)) is None


def test_what_was_built_is_found_and_is_the_same_when_it_is_built_again(building: Case, home: Path) -> None:
    # Given
    builder, order = building.make(home), building.order(home, "one")
    log: list[str] = []
    # When
    artifact = build(builder, order, log)
    # Then
    assert log
    assert builder.find(order, builder.key(order)) == artifact
    assert build(builder, order) == artifact
    if building.keeps:
        assert building.make(home).find(order, builder.key(order)) == artifact


def test_another_content_gives_another_artifact(building: Case, home: Path) -> None:
    # Given
    builder = building.make(home)
    # When
    artifacts = {build(builder, building.order(home, content)) for content in ("one", "other")}
    # Then
    assert len(artifacts) == 2


def test_a_cancelled_build_leaves_nothing_to_be_found(building: Case, home: Path) -> None:
    # Given
    builder, order = building.make(home), building.order(home, "one")
    key = builder.key(order)
    # When
    with pytest.raises(RunCancelled):
        builder.build(order, key, print, lambda: True)
    # Then
    assert builder.find(order, key) is None
    assert build(builder, order) == builder.find(order, key)


def test_a_builder_that_builds_nothing_refuses_as_a_matter_of_config(refusing: Case, home: Path) -> None:
    with pytest.raises(RunFailed) as failed:
        build(refusing.make(home), refusing.order(home, "one"))
    assert failed.value.failure is FailureClass.CONFIG


def test_what_was_removed_is_not_found_and_may_be_built_again(building: Case, home: Path) -> None:
    # Given
    builder, order = building.make(home), building.order(home, "one")
    key, artifact = builder.key(order), build(builder, order)
    # When / Then
    assert [builder.remove(key, artifact.reference) for _ in range(2)] == ["", ""]
    assert builder.find(order, key) is None
    assert build(builder, order) == artifact
