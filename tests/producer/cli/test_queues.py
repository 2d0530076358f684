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
    launchyard("queue", "create", "gpu", "-r", "elsewhere", "--config-json", "{a: {b: 1, c: 2}, d: 3}")

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


GPUS = {"type": "integer", "minimum": 1, "maximum": 8, "default": 1, "description": "how many"}


@pytest.mark.parametrize("is_file", [True, False])
@pytest.mark.parametrize("shape", [{"gpus": GPUS}, [{"name": "gpus", "schema": json.dumps(GPUS)}]])
def test_template_variables_come_from_a_text_or_a_file_in_every_shape(
    launchyard: Call, tmp_path: Path, is_file: bool, shape: object
) -> None:
    # Given
    text = json.dumps(shape)
    (tmp_path / "variables.json").write_text(text)

    # When
    given = str(tmp_path / "variables.json") if is_file else text
    config = '{"gpus": "{{gpus}}"}'
    answer = launchyard(
        "queue", "create", "gpu", "-r", "docker", "--config-json", config, "--template-variables", given
    )

    # Then
    assert answer.code == 0, answer.err
    assert "gpus: integer, 1 to 8, default 1; how many" in launchyard("queue", "show", "gpu").out
    variables = launchyard("queue", "show", "gpu", "--json").json["template_variables"]
    assert {key: value for key, value in variables["gpus"].items() if value} == GPUS


def test_a_variable_that_nothing_uses_gives_a_warning_and_one_that_is_not_declared_an_error(launchyard: Call) -> None:
    # When
    unused = launchyard("queue", "create", "a", "-r", "stub", "--template-variables", '{"gpus": {"type": "integer"}}')
    missing = launchyard("queue", "create", "b", "-r", "stub", "--config-json", '{"seconds": "{{gpus}}"}')

    # Then
    assert (unused.code, missing.code) == (0, 3)
    assert "warning: template variable 'gpus' is declared, and nothing uses it" in unused.err
    assert "queue 'b': config: /seconds: template variable 'gpus' is not declared" in missing.err


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        (("--overridable", "nothing"), "nothing"),
        (("--overridable", "/lines"), ["/lines"]),
        (("--overridable", "/lines", "--overridable", "/seconds"), ["/lines", "/seconds"]),
        ((), "all"),
    ],
)
def test_what_a_job_may_override_is_a_word_or_paths(launchyard: Call, options: tuple[str, ...], stored: object) -> None:
    # When
    launchyard("queue", "create", "gpu", "-r", "stub", *options)
    launchyard("queue", "edit", "gpu", "--description", "for everybody")

    # Then
    assert launchyard("queue", "show", "gpu", "--json").json["overridable"] == stored


def test_a_word_that_says_nothing_about_overrides_is_refused(launchyard: Call) -> None:
    # When
    answer = launchyard("queue", "create", "gpu", "-r", "stub", "--overridable", "some")

    # Then
    assert answer.code == 3
    assert "'some' must be nothing, variables, all, or a list of paths" in answer.err
