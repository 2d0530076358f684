"""What a queue's owner wrote down holds for every launch: its template variables, its rights, its macros."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config.errors import InvalidRequest, NotFound
from broker_config.queues import Queue, parse_queue
from broker_config.store import Store
from producer import Client

IMAGE = "python:3.11"
GPUS = {"type": "integer", "maximum": 8}


def queue_with(**fields: Any) -> Queue:
    return parse_queue({"name": "gpu", "resource": "stub", **fields})


@pytest.fixture
def gpu(store: Store) -> Queue:
    config = {"seconds": "{{gpus}}", "lines": ["${run_id}"]}
    return store.queues.create(queue_with(config=config, template_variables={"gpus": GPUS})).queue


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "queue 'gpu' needs a value for template variable 'gpus'; give it with --set-var gpus="),
        ({"template_variables": {"gpu": 1}}, "queue 'gpu': it has no template variable 'gpu'; did you mean 'gpus'"),
        ({"template_variables": {"gpus": "4"}}, "template variable 'gpus' is '4' and must be an integer, not a text"),
        ({"template_variables": {"gpus": 16}}, "must be at most 8"),
        (
            {"template_variables": {"gpus": 1}, "overrides": {"lines": ["${run_nam}"]}},
            r"overrides of a launch on queue 'gpu': /lines/0: macro '\$\{run_nam\}' does not exist, .*'run_name'",
        ),
    ],
)
def test_a_launch_that_breaks_its_queues_contract_is_refused(
    client: Client, store: Store, gpu: Queue, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        client.launch(queue="gpu", source=IMAGE, **fields)
    assert not list(store.runs.newest())


def test_one_wrong_launch_among_many_and_none_is_written(client: Client, store: Store, gpu: Queue) -> None:
    # Given
    launches = [{"queue": "gpu", "source": IMAGE, "template_variables": {"gpus": gpus}} for gpus in (1, 2, 9)]

    # When
    with pytest.raises(InvalidRequest, match="'gpus' is 9"):
        client.enqueue_many(launches)  # type: ignore[arg-type]

    # Then
    assert not list(store.runs.newest())
    runs = client.enqueue_many(launches[:2])  # type: ignore[arg-type]
    assert [run.run.spec.resource_config["seconds"] for run in runs] == [1, 2]


def test_an_edit_of_the_queue_counts_for_the_next_launch_and_not_for_the_last(
    client: Client, store: Store, gpu: Queue
) -> None:
    # Given
    first = client.launch(queue="gpu", source=IMAGE, template_variables={"gpus": 8})

    # When
    fewer = queue_with(config=gpu.config, template_variables={"gpus": {"type": "integer", "maximum": 4, "default": 2}})
    store.queues.edit(fewer)

    # Then
    with pytest.raises(InvalidRequest, match="must be at most 4"):
        client.launch(queue="gpu", source=IMAGE, template_variables={"gpus": 8})
    assert client.launch(queue="gpu", source=IMAGE).run.spec.template_values == {"gpus": 2}
    assert first.refresh().run.spec.template_values == {"gpus": 8}


def test_a_queue_without_variables_says_so(client: Client, store: Store) -> None:
    # Given
    store.queues.create(queue_with())

    # Then
    with pytest.raises(InvalidRequest, match=r"queue 'gpu': it has no template variable 'gpus'$"):
        client.launch(queue="gpu", source=IMAGE, template_variables={"gpus": 1})


def test_overrides_are_held_to_the_rights_that_the_owner_gives(client: Client, store: Store) -> None:
    # Given
    store.queues.create(queue_with(overridable=["/lines"]))

    # When
    run = client.launch(queue="gpu", source=IMAGE, overrides={"lines": ["a"]})

    # Then
    assert run.run.spec.resource_config == {"lines": ["a"]}
    with pytest.raises(InvalidRequest, match="a job may not override '/seconds'; it may override: /lines"):
        client.launch(queue="gpu", source=IMAGE, overrides={"seconds": 1})


@pytest.mark.parametrize(
    ("resource", "overrides", "message"),
    [
        ("kubernetes", {"spec": {"backoffLimit": "two"}}, "queue 'gpu': /spec/backoffLimit: .*'two'"),
        ("kubernetes", {"spec": {"template": {"spec": {"containers": {}}}}}, "/spec/template/spec/containers"),
        ("kubernetes", {"spec": {"backofLimit": 2}}, "/spec/backofLimit: .*did you mean 'backoffLimit'"),
        ("stub", {"second": 1}, "/second: .*did you mean 'seconds'"),
    ],
)
def test_overrides_that_their_resource_cannot_take_are_refused_at_once(
    client: Client, store: Store, resource: str, overrides: dict[str, Any], message: str
) -> None:
    # Given
    store.queues.create(queue_with(resource=resource))

    # Then
    with pytest.raises(InvalidRequest, match=message):
        client.launch(queue="gpu", source=IMAGE, overrides=overrides)
    assert not list(store.runs.newest())


def test_a_queue_that_names_the_project_wants_one(client: Client, store: Store) -> None:
    # Given
    store.queues.create(queue_with(config={"lines": ["${project_name}"]}))

    # Then
    with pytest.raises(InvalidRequest, match=r"queue 'gpu' writes '\$\{project_name\}', so a launch has to name"):
        client.launch(queue="gpu", source=IMAGE)
    assert client.launch(queue="gpu", source=IMAGE, project="digits").run.spec.project == "digits"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"config": {"lines": ["{{gpus}}"]}}, "/lines/0: template variable 'gpus' is not declared; declare it with"),
        (
            {"config": {"{{x}}": 1}, "template_variables": {"x": GPUS}},
            "template variable 'x' is in a key, so it has to be a string with an enum",
        ),
        ({"config": {"lines": ["${runid}"]}}, r"macro '\$\{runid\}' does not exist, .*did you mean 'run_id'"),
        (
            {"config": {"seconds": "{{s}}"}, "template_variables": {"s": GPUS}, "overridable": "nothing"},
            "template variable 's' has no default, and 'overridable: nothing'",
        ),
    ],
)
def test_a_queue_whose_config_cannot_work_is_not_written(store: Store, fields: Any, message: str) -> None:
    # Given
    queue = queue_with(**fields)

    # Then
    with pytest.raises(InvalidRequest, match=message):
        store.queues.create(queue)
    with pytest.raises(NotFound):
        store.queues.get("gpu")
    store.queues.create(queue_with())
    with pytest.raises(InvalidRequest, match=message):
        store.queues.edit(queue)
