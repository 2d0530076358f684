"""`launchyard images`, and how runs tell how they came by theirs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker_config.images import Image, ImageStep
from broker_config.jobs import GitSource
from broker_config.runs import now
from broker_config.store import Store
from producer.cli.build_steps import Step, step_of
from tests.producer.cli.conftest import Call

STEPS = (ImageStep(name="FROM python:3.11-slim", seconds=0, is_cached=True), ImageStep(name="RUN make", seconds=2.5))


def image(key: str, minutes: float = 0, place: str = "registry.example.com/jobs") -> Image:
    """An image that was built and used so many minutes ago."""
    at = now() - timedelta(minutes=minutes)
    return Image(
        key=key,
        place=place,
        reference=f"{place}@sha256:{key}",
        size_bytes=120_000_000,
        source=GitSource(repository="https://example.com/team/code.git", ref="main"),
        run="abcdefghijkm",
        agent="gpu@host",
        built_at=at,
        seconds=12.34,
        steps=STEPS,
        last_used=at,
    )


def test_images_are_listed_the_last_used_first(launchyard: Call, store: Store) -> None:
    # Given three, of which the oldest is used again
    images = [image("a" * 64, 300), image("b" * 64, 200), image("c" * 64, 100)]
    for one in images:
        store.images.record(one)
    store.images.touch(images[0].id)

    # When
    answer = launchyard("images")
    listed = launchyard("images", "--json").json["images"]

    # Then
    assert [line.split()[0] for line in answer.out.splitlines()] == ["KEY", "a" * 12, "c" * 12, "b" * 12]
    assert "12.3s  120.0 MB" in answer.out
    assert [one["key"] for one in listed] == ["a" * 64, "c" * 64, "b" * 64]
    assert listed[0]["digest"] == "sha256:" + "a" * 64


def test_an_image_is_shown_with_its_steps(launchyard: Call, store: Store) -> None:
    # Given
    store.images.record(image("a" * 64))
    # When
    answer = launchyard("images", "show", "aaaaaa")
    # Then
    assert "https://example.com/team/code.git at main" in answer.out
    assert "cached  FROM python:3.11-slim" in answer.out
    assert "2.5 s  RUN make" in answer.out
    assert "next: launchyard show abcdefghijkm" in answer.err


def test_an_image_that_is_not_meant_by_one_word_is_asked_for_again(launchyard: Call, store: Store) -> None:
    # Given the same content at two places
    store.images.record(image("a" * 64))
    store.images.record(image("a" * 64, place="engine one"))
    # When / Then
    assert launchyard("images", "show", "aaa").code == 3
    assert launchyard("images", "show", "bbb").code == 4


def test_images_that_nobody_uses_for_long_are_dropped_from_the_record(store: Store) -> None:
    # Given
    store.images.record(image("a" * 64, minutes=60 * 24 * 181))
    store.images.record(image("b" * 64, minutes=60 * 24 * 179))
    # When
    store.images.forget_unused()
    # Then
    assert [one.key for one in store.images.all()] == ["b" * 64]


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("#7 [3/5] RUN pip install torch", Step(3, 5)),
        ("#12 [build 2/4] COPY . .", Step(2, 4)),
        ("Step 2/6 : RUN make", Step(2, 6)),
        ("#7 0.512 [1/2] downloading", None),
        ("#1 [internal] load build definition", None),
        ("training [3/5]", None),
    ],
)
def test_the_step_of_a_build_is_read_from_its_builders_words(line: str, step: Step | None) -> None:
    assert step_of(line) == step


def test_what_is_too_old_or_too_much_is_chosen(launchyard: Call, store: Store) -> None:
    # Given images of 120 MB, used 1, 2, 3 and 4 days ago
    day = 24 * 60
    for number, key in enumerate("abcd", start=1):
        store.images.record(image(key * 64, minutes=number * day))

    def chosen(*arguments: str) -> list[str]:
        return [
            one["key"][0] for one in launchyard("images", "prune", "--dry-run", "--json", *arguments).json["chosen"]
        ]

    # When / Then
    assert chosen("--older-than", "60h") == ["c", "d"]
    assert chosen("--older-than", "0s") == ["a", "b", "c", "d"]
    assert chosen("--keep-bytes", "240MB") == ["c", "d"]
    assert chosen("--keep-bytes", "1GB") == []
    assert chosen("--older-than", "84h", "--keep-bytes", "0.2GB") == ["b", "c", "d"]
    assert store.images.removals() == {}


@pytest.mark.parametrize("arguments", [[], ["--older-than", "30"], ["--keep-bytes", "50 things"]])
def test_an_unclear_wish_to_prune_is_asked_for_again(launchyard: Call, arguments: list[str]) -> None:
    assert launchyard("images", "prune", *arguments).code == 2


def test_agents_are_asked_to_remove_and_the_list_says_so(launchyard: Call, store: Store) -> None:
    # Given
    store.images.record(image("a" * 64))
    # When
    answer = launchyard("images", "prune", "--keep-bytes", "1MB")
    # Then
    assert "images: 1, 120.0 MB; agents were asked" in answer.err
    assert f"wanted by {store.images.removals()[image('a' * 64).id].by}" in launchyard("images").out
