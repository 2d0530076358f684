"""What every registry promises, in the words of `workers/registries/protocol.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_config.errors import ConfigError, TemporaryError
from tests.contract.registries import CAN_FAIL, REGISTRIES, Case
from workers.registries.protocol import tag_of


@pytest.fixture(params=REGISTRIES)
def case(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with REGISTRIES[request.param](home, monkeypatch) as case:
        yield case


@pytest.fixture(params=CAN_FAIL)
def failing(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with REGISTRIES[request.param](home, monkeypatch) as case:
        yield case


def test_an_image_is_found_by_its_tag_with_its_digest(case: Case) -> None:
    # Given
    tag = tag_of("sha256:" + "ab" * 32)
    before = case.registry.digest(tag)
    # When
    digest = case.put(tag)
    # Then
    assert before is None
    assert case.registry.digest(tag) == digest
    assert digest.startswith("sha256:")


def test_a_login_is_known_and_its_password_is_never_printed(case: Case) -> None:
    # When
    login = case.registry.login()
    # Then
    assert login == case.login
    assert login is None or login.password not in repr(login)


def test_making_a_repository_that_is_there_changes_nothing(case: Case) -> None:
    # Given
    digest = case.put("kept")
    # When
    for _ in range(2):
        case.registry.prepare()
    # Then
    assert case.registry.digest("kept") == digest


def test_a_look_says_that_images_can_be_pushed_and_pulled_and_leaves_none_behind(case: Case) -> None:
    assert case.registry.check()
    assert case.registry.check_pull()
    assert case.registry.digest("launchyard-check") is None


def test_credentials_that_do_not_hold_are_the_agents_own_fault(failing: Case) -> None:
    # Given
    assert failing.refuse is not None
    failing.refuse()
    # When / Then
    for look in (failing.registry.check, failing.registry.check_pull, lambda: failing.registry.digest("any")):
        with pytest.raises(ConfigError, match=";"):
            look()


def test_a_registry_that_does_not_answer_is_worth_another_try(failing: Case) -> None:
    # Given
    assert failing.leave is not None
    failing.leave()
    # When / Then
    for look in (failing.registry.check, lambda: failing.registry.digest("any")):
        with pytest.raises(TemporaryError):
            look()


def test_a_removed_image_is_not_found_any_more_and_may_be_removed_again(case: Case) -> None:
    # Given
    removed, kept = case.put("removed"), case.put("kept")
    # When / Then
    assert [case.registry.remove(removed) for _ in range(2)] == ["", ""]
    assert (case.registry.digest("removed"), case.registry.digest("kept")) == (None, kept)
