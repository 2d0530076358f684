"""The link that `launchyard up` and `launchyard signin` print: whom it signs in, and who becomes the first admin."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from broker_config.errors import InvalidRequest
from broker_config.settings import Settings
from broker_config.store import Store
from producer.cli import page, ports
from tests.agents import eventually
from tests.producer.cli.conftest import Processes, command

URL = "http://127.0.0.1:8400"


def test_the_first_one_becomes_an_admin_and_no_second_one_does(store: Store) -> None:
    # When somebody asks for a link where nobody has an account
    page.sign_in_link(store, URL, "alice")
    # Then that one is the admin
    assert [(user.name, user.is_admin) for user in store.accounts.users()] == [("alice", True)]
    # And nobody else becomes one so
    with pytest.raises(InvalidRequest, match="'bob' has no account; make one with: launchyard user create bob"):
        page.sign_in_link(store, URL, "bob")


def test_a_name_that_no_account_can_have_is_told(store: Store) -> None:
    with pytest.raises(InvalidRequest, match="set LAUNCHYARD_AUTHOR"):
        page.sign_in_link(store, URL, "DOMAIN\\alice")
    assert store.accounts.users() == []


def test_the_command_prints_a_link_of_the_author(settings: Settings, store: Store) -> None:
    launchyard = command(settings, "alice")
    answer = launchyard("signin", "--url", "https://launchyard.example.com/", "--json")
    link = answer.json["url"]
    assert link.startswith("https://launchyard.example.com/signin?link=")
    session = store.sessions.linked(link.partition("=")[2])
    assert session is not None
    assert session.principal == "alice"


def test_what_needs_the_broker_says_so_where_only_a_server_is_known(processes: Processes, home: Path) -> None:
    for words in (("signin",), ("agent", "-q", "gpu"), ("serve",)):
        answer = processes.call("--server-url", "http://127.0.0.1:1", *words)
        assert answer.code in {1, 6}, words
        assert "set LAUNCHYARD_BROKER_URL" in answer.err + answer.out, words
    # And no broker was started beside it
    assert not (home / "broker").exists()


def test_everything_up_has_a_page_to_which_the_link_leads(processes: Processes) -> None:
    # Given everything up
    processes.call("queue", "create", "q", "-r", "stub")
    up = processes.start("up", "--no-flower", "--port", str(ports.free_from(8450)))
    assert up.stdout is not None
    link = next(found[0] for line in up.stdout if (found := re.search(r"http://\S+/signin\?link=\S+", line)))

    with httpx2.Client(follow_redirects=True, timeout=30) as browser:
        # When its link is followed
        eventually(_answers(browser, link), "the server answers", 60)
        url, _, text = link.partition("?link=")
        answer = browser.post(url, data={"link": text})

        # Then there is the overview
        assert answer.status_code == 200
        assert "<h1>Overview</h1>" in answer.text


def _answers(browser: httpx2.Client, url: str) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return browser.get(url).status_code == 200
        except httpx2.TransportError:
            return False

    return answers
