"""Queues and their names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import InvalidRequest
from broker_config.frozen import Frozen, parse
from broker_config.queues import FullName, Name, Queue, full_name, parse_queue


class Named(Frozen):
    name: Name
    queue: FullName = "q"


def is_name(name: str) -> bool:
    try:
        parse(Named, {"name": name}, "thing")
    except InvalidRequest:
        return False
    return True


@pytest.mark.parametrize("name", ["a", "gpu-queue", "GPU.2", "team_a", "0", "a" * 64, "a--b", "celery"])
def test_letters_digits_and_marks_inside_make_a_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", ".a", "a.", "_a", "a b", "a:b", "a/b", "a" * 65, "ü", "a\n", "a\0", "٣", "a,b", "*", "a@b"]
)
def test_what_a_target_a_label_or_the_broker_could_not_take_is_no_name(name: str) -> None:
    assert not is_name(name)


@given(st.text(max_size=70))
def test_a_name_is_always_safe_as_a_label_a_file_and_a_part_of_a_key(name: str) -> None:
    if is_name(name):
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name)
        assert name[0].isalnum()
        assert name[-1].isalnum()


@pytest.mark.parametrize(
    "name",
    [
        *("celery", "unacked", "unacked_index", "unacked_mutex", "unacked-gpu", "celeryev", "celeryev.x"),
        *("a.reply.celery.pidbox", "celeryev/gpu", "unacked/gpu", "team/agent.celery.pidbox"),
    ],
)
def test_a_name_of_celerys_on_the_broker_is_no_name_of_a_queue(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"'{name}' is a name of Celery's on the broker"):
        parse_queue({"name": name, "resource": "docker"})


def test_the_key_of_a_result_is_no_name_of_a_queue() -> None:
    with pytest.raises(InvalidRequest, match="is a name of Celery's"):
        parse_queue({"name": "celery-task-meta-abcdefghijkm", "resource": "docker"})


def test_a_queue_that_cannot_be_is_named_with_the_reason() -> None:
    with pytest.raises(InvalidRequest, match="queue 'a b': name: 'a b' cannot be a name; use 1 to 64 letters"):
        parse_queue({"name": "a b", "resource": "docker"})


def test_an_unknown_field_of_a_queue_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(InvalidRequest, match="unknown field 'resorce'; did you mean 'resource'"):
        parse_queue({"name": "gpu", "resorce": "docker"})


@pytest.mark.parametrize(("written", "meant"), [("local-container", "docker"), ("gcp-vertex", "vertex"), ("x", "x")])
def test_a_name_of_a_resource_from_elsewhere_is_understood(written: str, meant: str) -> None:
    assert Queue(name="gpu", resource=written).resource == meant


def test_a_queue_has_these_defaults() -> None:
    # When
    queue = parse_queue({"name": "gpu", "resource": "docker"})

    # Then
    assert (queue.entity, queue.config, queue.prioritization, queue.description) == ("default", {}, False, "")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "example.com", "https://", "https://a b", "file:///etc/passwd"])
def test_a_link_leads_to_a_web_page(url: str) -> None:
    with pytest.raises(InvalidRequest, match="is no link; write one that begins with https://"):
        parse_queue({"name": "gpu", "resource": "stub", "external_links": {"dashboard": url}})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"name": "gpu"}, ("default", "gpu", "gpu")),
        ({"name": "default/gpu"}, ("default", "gpu", "gpu")),
        ({"name": "gpu", "entity": "team-a"}, ("team-a", "gpu", "team-a/gpu")),
        ({"name": "team-a/gpu"}, ("team-a", "gpu", "team-a/gpu")),
        ({"name": "team-a/gpu", "entity": "team-a"}, ("team-a", "gpu", "team-a/gpu")),
        ({"name": "team/celery"}, ("team", "celery", "team/celery")),
    ],
)
def test_a_full_name_says_the_entity_unless_it_is_the_default_one(
    given: dict[str, str], meant: tuple[str, str, str]
) -> None:
    queue = parse_queue({**given, "resource": "stub"})
    assert (queue.entity, queue.name, queue.full_name) == meant


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "a/b/c"}, "'b/c' cannot be a name"),
        ({"name": "/gpu"}, "entity: '' cannot be a name"),
        ({"name": "a/gpu", "entity": "b"}, "'a/gpu' names another entity than 'b'; leave one of them out"),
        ({"name": "gpu", "private": True}, "a private queue belongs to a user: name its author as the entity"),
    ],
)
def test_a_queue_that_cannot_say_whose_it_is_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        parse_queue({**given, "resource": "stub"})


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,3}[a-z0-9])?", fullmatch=True)


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_two_queues_have_one_full_name_only_when_they_are_the_same_queue(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert (full_name(one[1], one[0]) == full_name(other[1], other[0])) == (one == other)
    assert full_name(full_name(one[1], one[0])) == full_name(one[1], one[0])


@given(st.text(max_size=140))
def test_a_full_name_is_safe_as_a_part_of_a_key_and_of_a_pattern(name: str) -> None:
    try:
        queue = parse(Named, {"name": "a", "queue": name}, "thing").queue
    except InvalidRequest:
        return
    assert re.fullmatch(r"([A-Za-z0-9._-]{1,64}/)?[A-Za-z0-9._-]{1,64}", queue)
