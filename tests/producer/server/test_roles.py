"""What roles and keys mean to people, over the server. What each may do is told whole in `test_every_operation`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from broker_config.accounts.people import NewApiKey
from broker_config.accounts.rights import Role
from broker_config.errors import LaunchyardError, NotFound, NotPermitted
from broker_config.history import open_history
from broker_config.queues import Queue
from broker_config.runs import now
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from broker_config.store.finished import Finished
from producer import Client
from producer.server.app import create_app
from producer.server.serving import serving
from tests.producer.server.conftest import As, key_of, settle
from workers.historian import Historian

IMAGE = "python:3.11"


@pytest.fixture
def queue(as_: As) -> str:
    """A queue of the team's."""
    return as_("olga").queues.create(Queue(name="gpu", entity="team-a", resource="stub")).name


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


def test_what_another_team_had_is_not_in_the_history_either(
    settings: Settings, store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a run of the team's that has left the broker
    settings = settings.model_copy(update={"history": f"sqlite://{home}/history.db"})
    settle(store)
    store.queues.create(Queue(name="gpu", entity="team-a", resource="stub"))
    with serving(create_app(settings)) as url:

        def client(name: str) -> Client:
            return Client(settings, server_url=url, api_key=key_of(store, name))

        run = client("leo").launch(queue="team-a/gpu", source=IMAGE).cancel()
        monkeypatch.setattr(Finished, "due", lambda _: [run.id] if store.runs.get_many([run.id]) else [])
        historian = Historian(store, open_history(settings.history or ""), "agent@hand")
        historian.prepare()
        historian.keep()
        # Then
        assert [one.id for one in client("vera").runs(history=True)] == [run.id]
        assert client("vera").run(run.id).run.in_history_since
        stranger = client("nemo")
        assert [*stranger.runs(history=True)] == []
        for read in (
            lambda: stranger.run(run.id),
            lambda: stranger._runs.log(run.id),
            lambda: stranger._runs.events(run.id),
        ):
            with pytest.raises(NotFound, match=f"run '{run.id}' does not exist"):
                read()
