"""What the shell offers while a command is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from broker_config.queues import parse_queue
from broker_config.settings import Settings
from broker_config.store import Store
from producer.cli import main

VARIABLES = {
    "gpus": {"type": "integer", "minimum": 1, "maximum": 8},
    "kind": {"type": "string", "enum": ["a100", "h100"]},
    "spot": {"type": "boolean", "default": False},
}


def offered(flags: list[str], incomplete: str, queue: str = "gpu") -> dict[str, str | None]:
    """The words that are offered after `launch -q QUEUE --set-var`, with what is said of them."""
    shell = ShellComplete(main, {}, "launchyard", "_LAUNCHYARD_COMPLETE")
    items = shell.get_completions([*flags, "launch", "-q", queue, "--set-var"], incomplete)
    return {item.value: item.help for item in items}


@pytest.fixture
def flags(settings: Settings, store: Store) -> list[str]:
    """Flags of an installation with a queue."""
    store.queues.create(parse_queue({"name": "gpu", "resource": "stub", "template_variables": VARIABLES}))
    return ["--home", str(settings.home), "--broker-url", str(settings.broker_url)]


def test_names_and_choices_are_offered_with_what_their_schema_says(flags: list[str]) -> None:
    assert offered(flags, "") == {
        "gpus=": "integer, 1 to 8",
        "kind=a100": '"a100" | "h100"',
        "kind=h100": '"a100" | "h100"',
        "spot=true": "boolean, default false",
        "spot=false": "boolean, default false",
    }


@pytest.mark.parametrize(
    ("written", "words"), [("ki", ["kind=a100", "kind=h100"]), ("kind=h", ["kind=h100"]), ("x", [])]
)
def test_only_what_goes_on_from_the_written_is_offered(flags: list[str], written: str, words: list[str]) -> None:
    assert list(offered(flags, written)) == words


def test_nothing_is_offered_where_nothing_can_be_known(flags: list[str], home: Path) -> None:
    # Given another queue, a broker that is not there, and one that nobody has started
    other_home = ["--home", str(home / "other")]

    # Then there is neither an error nor a broker
    assert offered(flags, "", queue="other") == {}
    assert offered([*other_home, "--broker-url", "redis://127.0.0.1:1"], "") == {}
    assert offered(other_home, "") == {}
    assert not (home / "other").exists()
