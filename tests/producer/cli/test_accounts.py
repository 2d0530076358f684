"""`launchyard user`, `team`, `service-account`, `key` and `audit`."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from broker_config.accounts import api_keys
from broker_config.accounts.rights import Role
from broker_config.runs import now
from broker_config.settings import Settings
from broker_config.store import Store
from producer.server.app import create_app
from producer.server.serving import serving
from tests.producer.cli.conftest import Call, command

BOB = "https://id.example.com 1001"
"""As an identity provider knows him."""


@pytest.fixture
def alice(launchyard: Call) -> str:
    """A user."""
    assert launchyard("user", "create", "alice").code == 0
    return "alice"


@pytest.fixture
def vision(launchyard: Call, alice: str) -> str:
    """A team that has a member."""
    assert launchyard("team", "create", "vision").code == 0
    assert launchyard("team", "add", "vision", alice, "--role", "owner").code == 0
    return "vision"


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_where_there_is_nobody_each_list_says_how_to_begin(launchyard: Call) -> None:
    for what, then in (
        ("user", "user create NAME --admin"),
        ("team", "team create NAME"),
        ("service-account", "service-account create TEAM/NAME"),
        ("key", "key create NAME"),
    ):
        answer = launchyard(what, "list")
        assert (answer.code, answer.out) == (0, "")
        assert "There is no" in answer.err
        assert f"next: launchyard {then}" in answer.err


def test_a_user_is_made_and_becomes_an_admin_and_is_one_no_longer(launchyard: Call, alice: str) -> None:
    # When
    launchyard("user", "create", "root", "--admin")

    # Then
    rows = words(launchyard("user", "list").out)
    assert [(row[0], "admin" in row) for row in rows[1:]] == [("alice", False), ("root", True)]
    assert launchyard("user", "admin", alice).out == "user alice is an admin\n"
    assert launchyard("user", "admin", alice, "--take").out == "user alice is no longer an admin\n"
    users = launchyard("user", "list", "--json").json["users"]
    assert {user["name"]: user["is_admin"] for user in users} == {"alice": False, "root": True}


def test_a_team_has_members_with_roles_until_they_are_taken_out(launchyard: Call, vision: str, alice: str) -> None:
    assert words(launchyard("team", "list").out)[1] == ["vision", "alice", "(owner)"]
    assert launchyard("team", "add", vision, alice).out == "alice is launcher in team vision\n"
    assert launchyard("team", "list", "--json").json["teams"][0]["members"] == {"alice": "launcher"}
    assert launchyard("team", "remove", vision, alice).out == "alice is in team vision no longer\n"
    assert launchyard("team", "list", "--json").json["teams"][0]["members"] == {}


def test_a_service_account_is_of_a_team(launchyard: Call, vision: str) -> None:
    assert launchyard("service-account", "create", "vision/nightly").out == "service account vision/nightly is made\n"
    assert launchyard("service-account", "create", "vision/eyes", "--role", "viewer", "--json").json["role"] == "viewer"
    assert [row[:2] for row in words(launchyard("service-account", "list").out)[1:]] == [
        ["vision/eyes", "viewer"],
        ["vision/nightly", "launcher"],
    ]
    answer = launchyard("service-account", "create", "nightly")
    assert (answer.code, answer.err) == (3, "error: 'nightly' says no team; write TEAM/nightly\n")


def test_a_key_is_shown_once_and_is_whose_it_says_until_it_is_revoked(
    launchyard: Call, store: Store, alice: str
) -> None:
    # When
    made = launchyard("key", "create", alice, "--most", "viewer", "-q", "vision/gpu", "--note", "for a dashboard")

    # Then its text is all that is on stdout, for a script to take
    secret = api_keys.read(made.out.strip())
    assert secret is not None
    assert "it is shown this once" in made.err
    principal = store.accounts.identify(secret)
    assert principal is not None
    assert (principal.name, principal.most, principal.queues) == ("alice", Role.VIEWER, ("vision/gpu",))
    listed = launchyard("key", "list")
    assert secret.secret not in listed.out
    assert words(listed.out)[1][:5] == [secret.id, "alice", "viewer", "vision/gpu", "holds"]
    assert listed.out.splitlines()[1].endswith("for a dashboard")

    # When
    assert launchyard("key", "revoke", secret.id).out == f"key {secret.id} of alice is revoked\n"

    # Then
    assert store.accounts.identify(secret) is None
    assert "revoked" in launchyard("key", "list").out


def test_a_key_may_end_by_itself_and_no_document_has_its_digest(launchyard: Call, alice: str) -> None:
    made = launchyard("key", "create", alice, "--expires", "90d", "--json").json
    (listed,) = launchyard("key", "list", "--json").json["keys"]
    left = datetime.fromisoformat(listed["expires_at"]) - now()
    assert timedelta(days=89, hours=23) < left <= timedelta(days=90)
    assert made["key"].startswith(f"ly_{listed['id']}_")
    assert "digest" not in made.keys() | listed.keys()
    assert " left" in launchyard("key", "list").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("user create alice", 5, "'alice' is the name of a user or a team"),
        ("team create alice", 5, "'alice' is the name of a user or a team"),
        ("user create Al!ce", 3, "'Al!ce' cannot be a name; use 1 to 64 letters"),
        ("team create Al!ce", 3, "'Al!ce' cannot be a name; use 1 to 64 letters"),
        ("service-account create vision/Al!ce", 3, "'Al!ce' cannot be a name; use 1 to 64 letters"),
        ("user admin alcie", 4, "user 'alcie' does not exist; did you mean 'alice'?"),
        ("team add visoin alice", 4, "team 'visoin' does not exist; did you mean 'vision'?"),
        ("team add vision bob", 4, "user 'bob' does not exist"),
        ("service-account create vsion/nightly", 4, "team 'vsion' does not exist; did you mean 'vision'?"),
        ("key create bob", 4, "there is no user or service account 'bob'"),
        ("key revoke aaaaaaaa", 4, "key 'aaaaaaaa' does not exist"),
        ("key create alice --most boss", 2, "'boss' is not one of"),
        ("team add vision alice --role admin", 2, "'admin' is not one of"),
        ("key create alice --expires soon", 2, "soon"),
    ],
)
def test_what_cannot_be_is_told_with_its_cure(
    launchyard: Call, vision: str, arguments: str, code: int, said: str
) -> None:
    answer = launchyard(*arguments.split())
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err


def test_what_was_changed_through_a_server_is_listed_with_who_did_it(settings: Settings, store: Store) -> None:
    # Given an admin's key, which was made on the broker
    on_broker = command(settings)
    on_broker("user", "create", "root", "--admin")
    assert "Nothing was changed through the server yet." in on_broker("audit").err
    key = on_broker("key", "create", "root").out.strip()

    # When that one changes something through a server
    with serving(create_app(settings)) as url:
        over_server = command(settings.model_copy(update={"server_url": url, "api_key": key}))
        over_server("user", "create", "alice")
        over_server("user", "admin", "alice")

        # Then the newest is first, here as there
        rows = words(over_server("audit").out)
        assert rows == words(on_broker("audit").out)
        assert [row[-2:] for row in rows[1:]] == [["alice", "given"], ["user.create", "alice"]]
        assert all("root" in row and key.split("_")[1] in row for row in rows[1:])
        assert len(over_server("audit", "-n", "1", "--json").json["deeds"]) == 1


def test_somebody_whom_the_provider_knows_is_linked_to_a_user_and_unlinked(launchyard: Call, store: Store) -> None:
    # Given
    launchyard("user", "create", "bob")

    # When
    linked = launchyard("user", "link", "bob", "--subject", BOB)

    # Then
    assert linked.out == f"{BOB} signs in as bob\n"
    assert store.accounts.user("bob").subject == BOB

    # When
    unlinked = launchyard("user", "link", "bob", "--nobody")

    # Then
    assert unlinked.out == "nobody signs in as bob\n"
    assert store.accounts.known_as(BOB) is None


def test_nobody_signs_in_as_two_users(launchyard: Call) -> None:
    # Given
    launchyard("user", "create", "bob")
    launchyard("user", "create", "robert")
    launchyard("user", "link", "bob", "--subject", BOB)

    # When
    answer = launchyard("user", "link", "robert", "--subject", BOB)

    # Then
    assert "that one is 'bob'; before it: launchyard user link bob --nobody" in answer.err
    assert launchyard("user", "link", "bob", "--subject", BOB).code == 0


def test_what_is_no_subject_or_names_no_user_is_refused(launchyard: Call) -> None:
    launchyard("user", "create", "bob")
    assert "write the issuer's URL, a space" in launchyard("user", "link", "bob", "--subject", "1001").err
    assert "user 'bib' does not exist; did you mean 'bob'?" in launchyard("user", "link", "bib", "--subject", BOB).err
    for words in ([], ["--subject", BOB, "--nobody"]):
        assert "say who signs in as that user" in launchyard("user", "link", "bob", *words).err


def test_nobody_owns_what_is_everybodys(launchyard: Call) -> None:
    answer = launchyard("user", "create", "default")
    assert (answer.code, "choose another name" in answer.err) == (3, True)
