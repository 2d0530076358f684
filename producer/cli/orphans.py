"""`launchyard agent orphans`: what is at the targets and belongs to no run, and its removal."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import click

from broker_config.errors import NotFound, did_you_mean
from broker_config.store.orphans import Orphan, Removal
from producer import readable
from producer.cli import output
from producer.cli.session import Session, json_option, pass_session


@click.command()
@click.option("--remove", "names", multiple=True, metavar="NAME", help="End and remove this one; may be repeated.")
@json_option
@pass_session
def orphans(session: Session, names: tuple[str, ...]) -> None:
    """List objects at the targets that belong to no run, as agents see them, and remove those named.

    An agent that reaches the object ends and removes it; the list tells what became of it. When the broker has lost
    its data, running jobs are listed too: first run `launchyard recover`.
    """
    store = session.client.orphans
    found = store.list()
    _check(names, {orphan.name for orphan in found})
    for name in names:
        store.remove(name)
    removals = store.removals()
    if session.as_json:
        output.document(
            {
                "orphans": [orphan.model_dump(mode="json") for orphan in found],
                "removals": {name: removal.model_dump(mode="json") for name, removal in removals.items()},
            }
        )
        return
    output.table(
        ("NAME", "RESOURCE", "AGENT", "SINCE", "SEEN", "REMOVAL"),
        [*(_row(orphan, removals.get(orphan.name)) for orphan in found), *_gone(found, removals)],
        empty="Every object that agents see belongs to a run.",
    )
    if found:
        output.next_command("launchyard agent orphans" if names else "launchyard agent orphans --remove NAME")


def _check(names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise NotFound(f"no agent sees an orphan {name!r}{did_you_mean(name, known)}; see launchyard agent orphans")


def _row(orphan: Orphan, removal: Removal | None) -> tuple[str, ...]:
    since, seen = f"{readable.age(orphan.since)} ago", f"{readable.age(orphan.seen_at)} ago"
    return (orphan.name, orphan.resource, orphan.agent, since, seen, _words(removal))


def _gone(found: Collection[Orphan], removals: Mapping[str, Removal]) -> list[tuple[str, ...]]:
    """What no agent sees any more, and was removed not long ago."""
    seen = {orphan.name for orphan in found}
    return [
        (name, "", removal.agent, "", "", _words(removal)) for name, removal in removals.items() if name not in seen
    ]


def _words(removal: Removal | None) -> str:
    if removal is None:
        return ""
    if not removal.outcome:
        return f"wanted by {removal.by}"
    return f"{removal.outcome} {readable.age(removal.at)} ago, wanted by {removal.by}"
