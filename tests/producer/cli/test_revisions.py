"""`launchyard queue history|diff|rollback|rename`."""

from __future__ import annotations

import pytest

from tests.producer.cli.conftest import Call


@pytest.fixture
def gpu(launchyard: Call) -> None:
    """A queue at revision 2."""
    launchyard("queue", "create", "gpu", "-r", "stub", "--config-json", "{seconds: 1}")
    launchyard("queue", "edit", "gpu", "--set", "seconds=2", "--description", "slow")


@pytest.mark.usefixtures("gpu")
def test_the_history_of_a_queue_says_who_changed_what(launchyard: Call) -> None:
    # When
    answer = launchyard("queue", "history", "gpu")
    documents = launchyard("queue", "history", "gpu", "--json").json

    # Then
    newest, oldest = answer.out.splitlines()[1:]
    assert newest.split()[0] == "2"
    assert "/config/seconds, /description" in newest
    assert oldest.split()[0] == "1"
    assert [(one["revision"], one["queue"]["config"]) for one in documents["revisions"]] == [
        (2, {"seconds": 2}),
        (1, {"seconds": 1}),
    ]
    assert set(documents["revisions"][0]) == {"revision", "at", "author", "note", "queue"}


@pytest.mark.usefixtures("gpu")
def test_a_diff_shows_the_newest_edit_or_any_two_revisions(launchyard: Call) -> None:
    # When
    newest, named = launchyard("queue", "diff", "gpu"), launchyard("queue", "diff", "gpu", "2", "1")

    # Then
    assert {"-  seconds: 1", "+  seconds: 2", "+description: slow"} <= set(newest.out.splitlines())
    assert {"-  seconds: 2", "+  seconds: 1", "-description: slow"} <= set(named.out.splitlines())
    assert launchyard("queue", "diff", "gpu", "1", "--json").json == {
        "name": "gpu",
        "old": 1,
        "new": 2,
        "changes": [
            {"path": "/config/seconds", "old": 1, "new": 2, "kind": "changed"},
            {"path": "/description", "old": "", "new": "slow", "kind": "changed"},
        ],
    }
    same = launchyard("queue", "diff", "gpu", "2", "2")
    assert (same.out, "say the same" in same.err) == ("", True)


@pytest.mark.usefixtures("gpu")
def test_a_rollback_is_a_new_revision(launchyard: Call) -> None:
    # When
    answer = launchyard("queue", "rollback", "gpu", "1")

    # Then
    assert answer.out == "queue 'gpu' is at revision 3, which says what revision 1 said\n"
    assert launchyard("queue", "diff", "gpu", "1", "3").out == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("edit", "gpu", "--if-revision", "1", "--set", "seconds=3"), 5, "is at revision 2 by"),
        (("rollback", "gpu", "1", "--if-revision", "1"), 5, "is at revision 2 by"),
        (("rollback", "gpu", "7"), 4, "queue 'gpu' has no revision 7"),
        (("diff", "gpu", "x"), 2, "is not a valid integer"),
        (("history", "gpuu"), 4, "did you mean 'gpu'?"),
        (("rename", "gpu", "tpu"), 3, "queue 'gpu' keeps its name"),
    ],
)
@pytest.mark.usefixtures("gpu")
def test_what_cannot_be_done_ends_in_one_line(
    launchyard: Call, arguments: tuple[str, ...], code: int, message: str
) -> None:
    # When
    answer = launchyard("queue", *arguments)

    # Then the queue is as it was
    assert (answer.code, message in answer.err) == (code, True), answer
    assert launchyard("queue", "show", "gpu", "--json").json["revision"] == 2


def test_a_queue_that_was_not_edited_has_nothing_to_compare(launchyard: Call) -> None:
    # Given
    launchyard("queue", "create", "gpu", "-r", "stub")

    # Then
    assert "was not edited yet; it is at revision 1" in launchyard("queue", "diff", "gpu").err
