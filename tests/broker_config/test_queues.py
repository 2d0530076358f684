"""Queues and their names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import InvalidRequest
from broker_config.frozen import Frozen, parse
from broker_config.queues import Name, Queue, QueueName, parse_queue


class Named(Frozen):
    name: Name
    queue: QueueName = "q"


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


@pytest.mark.parametrize("name", ["celery", "unacked", "unacked_index", "unacked_mutex", "celeryev", "celeryev.x"])
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
