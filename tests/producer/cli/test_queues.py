from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker_config.queues import QueueRecord
from producer import Client
from tests.producer.cli.conftest import Call


def test_a_queue_is_created_from_options_and_ends_with_the_next_commands(launchyard: Call) -> None:
    # Given no queue, when one is created
    answer = launchyard("queue", "create", "gpu", "-r", "stub", "--prioritization", "--entity", "vision")

    # Then it is there, and the next useful commands are told beside the answer
    assert (answer.code, answer.out) == (0, "queue 'gpu' is there, on resource stub\n")
    assert "next: launchyard launch -q gpu" in answer.err
    shown = launchyard("queue", "show", "gpu", "--json").json
    assert (shown["resource"], shown["prioritization"], shown["entity"], shown["revision"]) == (
        "stub",
        True,
        "vision",
        1,
    )


@pytest.mark.parametrize("text", ['{"seconds": 2, "lines": ["a"]}', "seconds: 2\nlines: [a]\n"])
def test_a_config_may_be_json_or_yaml_in_a_file_on_stdin_or_as_text(
    launchyard: Call, tmp_path: Path, text: str
) -> None:
    # Given the same config in a file, on stdin and as text
    (tmp_path / "config").write_text(text)

    # When queues are created from each
    launchyard("queue", "create", "a", "-r", "stub", "--config", str(tmp_path / "config"))
    launchyard("queue", "create", "b", "-r", "stub", "--config", "-", stdin=text)
    launchyard("queue", "create", "c", "-r", "stub", "--config-json", text)

    # Then all have it
    queues = launchyard("queue", "list", "--json").json["queues"]
    assert [queue["config"] for queue in queues] == [{"seconds": 2, "lines": ["a"]}] * 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("create", "gpu", "-r", "stub"), 5, "queue 'gpu' exists"),
        (("create", "bad name", "-r", "stub"), 3, "'bad name' cannot be a name"),
        (("create", "x", "-r", "stub", "--config-json", "[1]"), 3, "--config-json:1:1: this must be an object"),
        (("create", "x", "-r", "stub", "--config-json", "{a: "), 3, "--config-json:2:1: this is not YAML"),
        (("create", "x", "-r", "stub", "--config", "/nowhere"), 3, "cannot read '/nowhere'"),
        (("create", "x"), 2, "Missing option '--resource'"),
        (("show", "gpuu"), 4, "queue 'gpuu' does not exist; did you mean 'gpu'?"),
        (("edit", "gpu", "--set", "seconds"), 3, "--set 'seconds' must be KEY=VALUE"),
        (("edit", "gpu"), 3, "say what to change"),
    ],
)
def test_a_mistake_ends_in_one_line_and_the_exit_code_of_its_class(
    launchyard: Call, arguments: tuple[str, ...], code: int, message: str
) -> None:
    # Given a queue, when a command has a mistake, then one line on stderr says so
    launchyard("queue", "create", "gpu", "-r", "stub")
    answer = launchyard("queue", *arguments)
    assert answer.code == code
    assert message in answer.err
    assert answer.out == ""


def test_an_error_is_json_where_json_is_asked_for(launchyard: Call) -> None:
    # Given no queue, when one is asked for in JSON, then the error has a code for programs
    answer = launchyard("queue", "show", "gpu", "--json")
    assert json.loads(answer.err)["error"]["code"] == "not-found"


def test_an_edit_changes_what_is_named_and_keeps_the_rest(launchyard: Call) -> None:
    # Given a queue with a config
    launchyard("queue", "create", "gpu", "-r", "stub", "--config-json", "{a: {b: 1, c: 2}, d: 3}")

    # When one value is set, one removed and prioritization turned on
    answer = launchyard("queue", "edit", "gpu", "--set", "a.b=[x]", "--set", "d=null", "--prioritization", "--json")

    # Then the rest is as it was, and the revision has grown
    assert (answer.json["config"], answer.json["prioritization"], answer.json["revision"]) == (
        {"a": {"b": ["x"], "c": 2}},
        True,
        2,
    )


def test_pausing_says_why_until_the_queue_is_resumed(launchyard: Call) -> None:
    # Given a paused queue
    launchyard("queue", "create", "gpu", "-r", "stub")
    launchyard("queue", "pause", "gpu", "--reason", "upgrade")

    # When queues are listed, then the reason is there, until it is resumed
    assert "yes: upgrade" in launchyard("queue", "list").out
    assert launchyard("queue", "resume", "gpu", "--json").json["paused"] is False


def test_a_queue_with_waiting_runs_is_not_deleted(launchyard: Call, client: Client, queue: QueueRecord) -> None:
    # Given a queue with a waiting run
    run = client.launch(queue="gpu-queue", source="python:3.11")

    # When it is deleted, then that is refused until the run has ended
    assert launchyard("queue", "delete", "gpu-queue", "-y").code == 5
    run.cancel()
    assert launchyard("queue", "delete", "gpu-queue", "-y").code == 0


def test_an_unknown_resource_is_warned_about(launchyard: Call) -> None:
    # Given a mistyped resource, when a queue is created on it, then the right one is named
    assert "did you mean 'docker'?" in launchyard("queue", "create", "x", "-r", "dokcer").err
