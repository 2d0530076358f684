from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path

import pytest

from broker_config.queues import Queue, QueueRecord
from broker_config.store import Store
from producer import Client
from producer.cli import drafts
from tests.producer.cli.conftest import Call


def test_a_queue_is_created_from_options_and_ends_with_the_next_commands(launchyard: Call) -> None:
    # Given no queue, when one is created
    answer = launchyard("queue", "create", "gpu", "-r", "stub", "--prioritization", "--entity", "vision")

    # Then it is there, and the next useful commands are told beside the answer
    assert (answer.code, answer.out) == (0, "queue 'vision/gpu' is there, on resource stub\n")
    assert "next: launchyard launch -q vision/gpu" in answer.err
    shown = launchyard("queue", "show", "vision/gpu", "--json").json
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
    assert f"yes by {getpass.getuser()}: upgrade" in launchyard("queue", "list").out
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
    assert "--config-json:1:2: template variable 'gpus' is not declared" in missing.err


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


BAD_JOB = "spec:\n  backoffLimt: 3\n  template:\n    spec:\n      zebra: 1\n      hostPID: 1\n"


def test_every_finding_has_its_line_and_column_and_errors_keep_the_queue_back(launchyard: Call, tmp_path: Path) -> None:
    # Given a file with two errors and a warning
    file = tmp_path / "job.yaml"
    file.write_text(BAD_JOB)

    # When a queue is created from it, then all are told in the order of the file, and nothing is written
    answer = launchyard("queue", "create", "gpu", "-r", "kubernetes", "--config", str(file))
    assert answer.code == 3
    assert [line.split(" ")[:2] for line in answer.err.splitlines()] == [
        ["error:", f"{file}:2:3:"],
        ["warning:", f"{file}:5:7:"],
        ["error:", f"{file}:6:7:"],
    ]
    assert launchyard("queue", "list", "--json").json["queues"] == []

    # And in JSON each is an object
    answer = launchyard("queue", "create", "g", "-r", "kubernetes", "--config", str(file), "--json")
    error = json.loads(answer.err)["error"]
    assert error["code"] == "invalid-config"
    assert [(one["severity"], one["pointer"]) for one in error["findings"]] == [
        ("error", "/spec/backoffLimt"),
        ("warning", "/spec/template/spec/zebra"),
        ("error", "/spec/template/spec/hostPID"),
    ]


def test_a_wrapped_config_is_told_about_where_it_stands(launchyard: Call) -> None:
    # Given W&B's wrapper around a config, when it has an error, then its place is that in the text as it was given
    text = '{"resource_args": {"local-container":\n  {"memroy": "1g"}}}'
    answer = launchyard("queue", "create", "gpu", "-r", "docker", "--config-json", text)
    assert answer.err.startswith("error: --config-json:2:4: flag 'memroy' does not exist")


def test_warnings_are_told_beside_the_answer_and_in_json_inside_it(launchyard: Call) -> None:
    # Given a config of a kind that only a cluster knows, when a queue is created, then a note says that it is unchecked
    config = '{"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob"}'
    create = ("queue", "create", "--resource", "kubernetes", "--no-rehearse", "--config-json", config)
    assert "warning: --config-json:1:35: fields of PyTorchJob" in launchyard(*create, "a").err
    (told,) = launchyard(*create, "b", "--json").json["warnings"]
    assert (told["severity"], told["pointer"]) == ("warning", "/kind")


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that replaces texts: each call takes the next line `old=>new` of the file, and keeps what it saw."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        "home, file = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[1])\n"
        "number = len([*home.glob('seen-*')])\n"
        "(home / f'seen-{number}').write_text(file.read_text())\n"
        "old, new = (home / 'edits').read_text().splitlines()[number].split('=>')\n"
        "file.write_text(file.read_text().replace(old, new))\n"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    return tmp_path


def test_an_editor_comes_back_with_what_is_wrong_until_it_is_right(launchyard: Call, editor: Path) -> None:
    # Given somebody who mistypes a field, breaks the notation, and then gets it right
    launchyard("queue", "create", "gpu", "-r", "stub", "--config-json", "{seconds: 1}")
    (editor / "edits").write_text("  seconds: 1=>  second: 2\n  second: 2=>  seconds: [\nseconds: [=>seconds: 3\n")

    # When a queue is edited
    answer = launchyard("queue", "edit", "gpu", "--editor", "--json")

    # Then each time the text came back with its error above it, the line counted with that error's own
    assert answer.json["config"] == {"seconds": 3}
    first, second = ((editor / f"seen-{number}").read_text() for number in (1, 2))
    line = first.splitlines().index("  second: 2") + 1
    assert first.startswith(f"#: error: your text:{line}:3: unknown field 'second'; did you mean 'seconds'?\n")
    assert second.startswith("#: error: your text:")
    assert second.count("#: ") == 1


def test_an_editor_that_gives_up_on_an_error_changes_nothing(launchyard: Call, editor: Path) -> None:
    # Given somebody who makes a mistake and then leaves the text as it came back
    launchyard("queue", "create", "gpu", "-r", "stub", "--config-json", "{seconds: 1}")
    (editor / "edits").write_text("  seconds: 1=>  second: 2\nnothing=>nothing\n")

    # When a queue is edited, then the error is told and the queue is as it was
    answer = launchyard("queue", "edit", "gpu", "--editor")
    assert (answer.code, "unknown field 'second'" in answer.err) == (3, True)
    assert launchyard("queue", "show", "gpu", "--json").json["config"] == {"seconds": 1}


def test_a_queue_can_be_written_in_an_editor(launchyard: Call, editor: Path) -> None:
    # Given somebody who fills a config in, when a queue is created, then it has that config
    (editor / "edits").write_text("config: {}=>config: {seconds: 5}\n")
    assert launchyard("queue", "create", "gpu", "-r", "stub", "--editor", "--json").json["config"] == {"seconds": 5}


def test_an_editor_is_shown_every_field_but_the_name_so_that_none_is_lost() -> None:
    assert {"name", *drafts.EDITABLE} == set(Queue.model_fields)


def test_limits_are_set_shown_and_taken_away(launchyard: Call) -> None:
    # Given
    launchyard("queue", "create", "gpu", "-r", "stub", "--max-running", "4", "--max-queued-per-author", "9")

    # When
    shown = launchyard("queue", "show", "gpu").out
    launchyard("queue", "edit", "gpu", "--max-running", "0")

    # Then
    assert "max_running: 4" in shown
    changed = launchyard("queue", "show", "gpu", "--json").json
    assert (changed["max_running"], changed["max_queued_per_author"]) == (None, 9)


def test_a_drained_queue_is_deleted_when_its_waiting_runs_are_cancelled(launchyard: Call, client: Client) -> None:
    # Given
    launchyard("queue", "create", "gpu", "-r", "stub")
    run = client.launch(queue="gpu", source="image:1")

    # When
    refused = launchyard("queue", "delete", "gpu")
    deleted = launchyard("queue", "delete", "gpu", "--drain", "--cancel-waiting")

    # Then
    assert (refused.code, "--drain" in refused.err) == (5, True)
    assert (deleted.code, deleted.out) == (0, "queue 'gpu' is deleted; its ended runs can still be read\n")
    assert run.refresh().run.state == "cancelled"


def test_a_queue_that_is_being_drained_says_so_until_it_is_resumed(launchyard: Call, client: Client) -> None:
    # Given
    launchyard("queue", "create", "gpu", "-r", "stub")
    client.queues.set_draining("gpu", True)

    # When
    refused = launchyard("launch", "-q", "gpu", "--image", "a:1")
    shown = launchyard("queue", "show", "gpu").out
    launchyard("queue", "resume", "gpu")

    # Then
    assert (refused.code, "takes no launches any more" in refused.err) == (5, True)
    assert "takes no launches, to be deleted" in shown
    assert launchyard("launch", "-q", "gpu", "--image", "a:1").code == 0


@pytest.mark.parametrize("moment", ["enqueue", "claim"])
def test_when_images_are_pinned_is_said_by_its_name(launchyard: Call, store: Store, moment: str) -> None:
    assert launchyard("queue", "create", "pinned", "--resource", "stub", "--pin-images", moment).code == 0
    assert store.queues.get("pinned").queue.pin_images == moment
    assert launchyard("queue", "edit", "pinned", "--pin-images", "never").code == 0
    assert store.queues.get("pinned").queue.pin_images is None
