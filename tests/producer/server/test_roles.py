"""The server, asked by real keys: each may see and change what its role allows, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from broker_config.accounts.people import NewApiKey
from broker_config.accounts.rights import Role
from broker_config.errors import LaunchyardError, NotFound, NotPermitted
from broker_config.queues import Queue
from broker_config.runs import now
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from broker_config.store.agents import Mode
from producer import Client
from producer.server.app import create_app
from producer.server.serving import serving

IMAGE = "python:3.11"
As = Callable[..., Client]


@pytest.fixture
def as_(settings: Settings, store: Store) -> Iterator[As]:
    """A client that shows a key of somebody; who is not there yet is made."""
    for name in ("root", "olga", "leo", "vera", "nemo"):
        store.accounts.add_user(name, is_admin=name == "root")
    store.accounts.add_team("default")
    store.accounts.add_team("team-a")
    for name, role in (("olga", Role.OWNER), ("leo", Role.LAUNCHER), ("vera", Role.VIEWER)):
        store.accounts.set_member("team-a", name, role)
    store.accounts.add_service_account("team-a", "nightly")
    with ExitStack() as stack:
        url = stack.enter_context(serving(create_app(settings)))

        def client(name: str, **limits: object) -> Client:
            _, secret = store.accounts.add_key(NewApiKey.model_validate({"principal": name, **limits}), "test")
            return stack.enter_context(Client(settings, server_url=url, api_key=str(secret)))

        yield client


@pytest.fixture
def queue(as_: As) -> str:
    """A queue of the team's."""
    return as_("olga").queues.create(Queue(name="gpu", entity="team-a", resource="stub")).name


def outcome(call: Callable[[], object]) -> str:
    """Whether a call was carried out, or with which code it was refused."""
    try:
        call()
    except LaunchyardError as error:
        return error.code
    return "done"


EXPECTED = {
    # what is done: by nobody of the team, by a viewer, a launcher, an owner, an admin
    "see": ("not-found", "done", "done", "done", "done"),
    "launch": ("not-found", "not-permitted", "done", "done", "done"),
    "cancel": ("not-found", "not-permitted", "not-permitted", "done", "done"),
    "pause": ("not-found", "not-permitted", "not-permitted", "done", "done"),
    "edit": ("not-found", "not-permitted", "not-permitted", "done", "done"),
    "member": ("not-permitted", "not-permitted", "not-permitted", "done", "done"),
    "account": ("not-permitted", "not-permitted", "not-permitted", "not-permitted", "done"),
    "agent": ("not-permitted", "not-permitted", "not-permitted", "not-permitted", "not-found"),
    "audit": ("not-permitted", "not-permitted", "not-permitted", "not-permitted", "done"),
}


@pytest.mark.parametrize("deed", EXPECTED)
def test_each_role_may_do_what_the_table_says(as_: As, queue: str, deed: str) -> None:
    run = as_("root").launch(queue=queue, source=IMAGE)
    outcomes = []
    for name in ("nemo", "vera", "leo", "olga", "root"):
        client = as_(name)
        deeds: dict[str, Callable[[], object]] = {
            "see": lambda client=client: (client.queues.get(queue), client.run(run.id), [*client.run(run.id).logs()]),
            "launch": lambda client=client: client.launch(queue=queue, source=IMAGE),
            "cancel": lambda client=client: client.run(run.id).cancel(),
            "pause": lambda client=client: client.queues.set_paused(queue, True, "for a while"),
            "edit": lambda client=client: client.queues.edit(client.queues.get(queue).queue, note="the same"),
            "member": lambda client=client: client.accounts.set_member("team-a", "vera", Role.VIEWER),
            "account": lambda client=client, name=name: client.accounts.add_user(f"friend-of-{name}"),
            "agent": lambda client=client: client.agents.wish("nobody", Mode.DRAINING),
            "audit": lambda client=client: client.accounts.audit(),
        }
        outcomes.append(outcome(deeds[deed]))
    assert tuple(outcomes) == EXPECTED[deed]


def test_what_another_team_has_is_not_even_named(as_: As, queue: str) -> None:
    run = as_("leo").launch(queue=queue, source=IMAGE)
    stranger = as_("nemo")
    assert stranger.queues.list() == []
    assert [*stranger.runs()] == []
    with pytest.raises(NotFound, match=f"run '{run.id}' does not exist"):
        stranger.run(run.id)


def test_a_run_is_of_whoever_launched_it_and_may_be_cancelled_by_that_one(as_: As, queue: str) -> None:
    # Given a program's run, by a key
    program = as_("team-a/nightly")
    run = program.launch(queue=queue, source=IMAGE)
    assert run.run.spec.author == "team-a/nightly"
    # When another launcher cancels it
    with pytest.raises(NotPermitted, match="'leo' may not cancel any run"):
        as_("leo").run(run.id).cancel()
    # Then it can only be cancelled by itself
    assert run.cancel().state is State.CANCELLED


def test_a_personal_queue_is_seen_by_its_user_alone(as_: As) -> None:
    own = as_("leo").queues.create(Queue(name="mine", entity="leo", resource="stub", private=True))
    with pytest.raises(NotFound):
        as_("olga").queues.get(own.name)
    assert [record.name for record in as_("leo").queues.list()] == ["leo/mine"]


def test_a_key_is_of_no_use_when_it_is_limited_over_or_revoked(as_: As, store: Store, queue: str) -> None:
    with pytest.raises(NotPermitted, match="this key of 'olga' is for viewers at most"):
        as_("olga", most=Role.VIEWER).launch(queue=queue, source=IMAGE)
    with pytest.raises(NotPermitted, match="for the queues team-a/other alone"):
        as_("olga", queues=["team-a/other"]).launch(queue=queue, source=IMAGE)
    with pytest.raises(LaunchyardError, match="is over, or was revoked"):
        as_("olga", expires_at=now() - timedelta(seconds=1)).queues.list()
    client = as_("olga")
    assert client.queues.list()
    for key, _ in client.accounts.api_keys():
        store.accounts.revoke_key(key.id)
    with pytest.raises(LaunchyardError, match="is over, or was revoked"):
        client.queues.list()


def test_everybody_keeps_their_own_keys_and_owners_those_of_their_programs(as_: As) -> None:
    leo, olga = as_("leo", most=Role.LAUNCHER), as_("olga")
    made, text = leo.accounts.add_key(NewApiKey(principal="leo", most=Role.VIEWER, note="notebook"))
    assert text.startswith(f"ly_{made.id}_")
    with pytest.raises(NotPermitted, match="less so"):
        leo.accounts.add_key(NewApiKey(principal="leo"))
    for principal in ("olga", "team-a/nightly"):
        with pytest.raises(NotPermitted):
            leo.accounts.add_key(NewApiKey(principal=principal, most=Role.VIEWER))
    of_program, _ = olga.accounts.add_key(NewApiKey(principal="team-a/nightly"))
    assert {key.principal for key, _ in leo.accounts.api_keys()} == {"leo"}
    with pytest.raises(NotFound, match="none of yours"):
        leo.accounts.revoke_key(of_program.id)
    assert olga.accounts.revoke_key(of_program.id).revoked_at


def test_who_shows_nothing_learns_nothing(settings: Settings, as_: As, queue: str) -> None:
    url = as_("olga").settings.server_url
    for key in (None, "ly_nonsense"):
        with Client(settings, server_url=url, api_key=key) as nobody, pytest.raises(LaunchyardError) as refused:
            nobody.queues.list()
        assert refused.value.code == "not-identified"


def test_what_was_changed_is_in_the_audit_trail(as_: As, queue: str) -> None:
    olga = as_("olga")
    run = olga.launch(queue=queue, source=IMAGE)
    run.cancel()
    olga.queues.set_paused(queue, True, "broken nodes")
    deeds = [(deed.asker.name, deed.action, deed.subject, deed.details) for _, deed in as_("root").accounts.audit()]
    assert deeds[:4] == [
        ("olga", "queue.pause", queue, "broken nodes"),
        ("olga", "run.cancel", run.id, ""),
        ("olga", "run.launch", queue, f"1: {run.id}"),
        ("olga", "queue.create", queue, ""),
    ]
    assert all(deed.asker.key and deed.asker.address for _, deed in as_("root").accounts.audit())
