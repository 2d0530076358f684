"""Named jobs: versions that stay, aliases that move."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import InvalidRequest, NotFound
from broker_config.jobs import ImageSource, Job
from broker_config.named_jobs import JobDefinition, JobReference, JobVersion, parse_reference
from broker_config.store import Store

Create = Callable[..., JobVersion]


@pytest.fixture
def create(store: Store) -> Create:
    def create(tag: str = "1", name: str = "train", aliases: tuple[str, ...] = (), **fields: str) -> JobVersion:
        job = Job(source=ImageSource(image=f"team/train:{tag}"))
        definition = JobDefinition.model_validate({"entity": "team", "name": name, "job": job, **fields})
        return store.jobs.create(definition, "alice", aliases)

    return create


def found(store: Store, text: str) -> JobVersion:
    return store.jobs.get("team", parse_reference(text))


def test_every_change_is_a_new_version_and_the_old_ones_stay(store: Store, create: Create) -> None:
    # Given
    first, second = create("1"), create("2")

    # Then
    assert [first.reference, second.reference] == ["team/train:v0", "team/train:v1"]
    assert found(store, "train:v0").job == first.job
    assert found(store, "train") == found(store, "team/train:latest") == found(store, "train:v1") == second
    assert store.jobs.versions("team", "train") == [second, first.model_copy(update={"aliases": ()})]
    assert (second.author, second.aliases) == ("alice", ("latest",))


def test_the_same_again_is_no_new_version(create: Create) -> None:
    first = create("1")
    assert create("1") == first
    assert create("1", description="for the night").number == 1


def test_an_alias_moves_to_the_version_that_is_created_with_it(store: Store, create: Create) -> None:
    # Given
    create("1", aliases=("production", "good"))

    # When
    create("2", aliases=("production",))

    # Then
    assert found(store, "train:production").number == 1
    assert found(store, "train:good").aliases == ("good",)


def test_versions_that_are_created_at_once_all_get_a_number_of_their_own(create: Create) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = [version.number for version in pool.map(create, map(str, range(40)))]
    assert sorted(numbers) == list(range(40))


def test_jobs_are_listed_with_their_newest_version(store: Store, create: Create) -> None:
    create("1"), create("2"), create("3", name="serve"), create("1", entity="other")
    assert [version.reference for version in store.jobs.list()] == ["other/train:v0", "team/serve:v0", "team/train:v1"]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("trian", "job 'team/trian' does not exist; did you mean 'team/train'"),
        ("other/train", "job 'other/train' does not exist"),
        ("train:prodution", "has no version or alias 'prodution'; did you mean 'production'"),
        ("train:v7", "has no version or alias 'v7'"),
        ("team/digits/train", "is of project 'vision', not 'digits'"),
    ],
)
def test_what_is_not_there_is_told_with_near_misses(store: Store, create: Create, reference: str, message: str) -> None:
    create(aliases=("production",), project="vision")
    with pytest.raises(NotFound, match=message):
        found(store, reference)


def test_without_any_job_the_command_that_makes_one_is_told(store: Store) -> None:
    with pytest.raises(NotFound, match="there is none yet: launchyard job create"):
        found(store, "train")


@pytest.mark.parametrize("alias", ["latest", "v0", "v12", "", "a b", "a/b", "a:b"])
def test_an_alias_that_means_something_else_is_refused_and_nothing_is_written(
    store: Store, create: Create, alias: str
) -> None:
    with pytest.raises(InvalidRequest, match="alias"):
        create(aliases=("good", alias))
    assert store.jobs.list() == []


@pytest.mark.parametrize("text", ["", ":", "a:", "a/b/c/d", "a//b", "/a", "a b", "a:b:c", "a/b:c/d", "ä"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="job"):
        parse_reference(text)


NAMES = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9._-]{0,6}[A-Za-z0-9])?\Z")


@given(NAMES, NAMES, st.none() | NAMES, st.none() | NAMES)
def test_a_reference_says_what_its_parts_say(name: str, alias: str, entity: str | None, project: str | None) -> None:
    owners = [entity, project] if entity and project else [entity] if entity else []
    text = "/".join([*owners, name]) + f":{alias}"
    assert parse_reference(text) == JobReference(name, alias, entity, project if entity else None)
