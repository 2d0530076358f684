"""Long lists, read in parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker_config.store import Store
from producer.over_http.connection import PAGE
from producer.server.paging import Part
from tests.producer.server.conftest import As

NAMES = st.sets(st.text("ab/-é", min_size=1, max_size=3))


def read(names: set[str], limit: int, gone: set[str], *, from_last: bool) -> list[str]:
    """What somebody gets who reads a list to its end, while entries go after the first part."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = Part(cursor, limit).of(sorted(names), str, from_last=from_last)
        assert len(page.items) <= limit
        found += page.items
        cursor, names = page.cursor, names - gone
    return found


@given(NAMES, NAMES, st.integers(1, 5), st.booleans())
def test_all_parts_together_have_each_entry_once_in_order_whatever_goes_meanwhile(
    names: set[str], gone: set[str], limit: int, from_last: bool
) -> None:
    found = read(names, limit, gone, from_last=from_last)
    assert found == sorted(set(found), reverse=from_last)
    assert names - gone <= set(found) <= names
    assert set(found[:limit]) == set(sorted(names, reverse=from_last)[:limit])


def test_a_client_reads_all_parts(as_: As, store: Store) -> None:
    # Given more than one answer has
    for number in range(2 * PAGE + 1):
        store.accounts.add_service_account("team-a", f"program-{number:03}")

    # Then
    assert as_("root").accounts.service_accounts() == store.accounts.service_accounts()


def test_the_audit_trail_is_read_on_from_where_the_last_answer_ended(as_: As) -> None:
    # Given three changes
    root = as_("root").accounts
    for name in ("ann", "ben", "cid"):
        root.add_user(name)

    # When the trail is read in parts
    newest = root.audit(2)
    rest = root.audit(2, before=newest[-1][0])

    # Then
    assert [deed.subject for _, deed in newest + rest] == ["cid", "ben", "ann"]
