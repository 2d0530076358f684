"""The server beside `up`: on this machine only, with a link by which the person before it signs in."""

from __future__ import annotations

from importlib.util import find_spec

from pydantic import TypeAdapter, ValidationError

from broker_config.errors import InvalidRequest
from broker_config.queues import Name
from broker_config.store import Store
from broker_config.store.sessions import LINK_LASTS

DEFAULT_PORT = 8400
MISSING = "the server's packages are not installed, so there is no page; pip install 'launchyard[server]'"


def is_installed() -> bool:
    """Whether the extra that brings the server is installed."""
    return find_spec("fastapi") is not None


def sign_in_link(store: Store, url: str, author: str) -> str:
    """An address at the page that signs an author in, once.

    Where nobody has an account yet, the author becomes the first admin: whoever reaches the broker may make one anyway.

    Raises:
        InvalidRequest: when the author has no account, and others have.
    """
    users = store.accounts.users()
    if not users:
        store.accounts.add_user(_name(author), is_admin=True)
    elif author not in {user.name for user in users}:
        raise InvalidRequest(f"{author!r} has no account; make one with: launchyard user create {author}")
    return f"{url}/signin?link={store.sessions.new_link(author)}"


def lasts() -> str:
    """How long a link is of use."""
    return f"once, within {LINK_LASTS.total_seconds() / 60:.0f} minutes"


def _name(author: str) -> str:
    try:
        return TypeAdapter(Name).validate_python(author)
    except ValidationError:
        raise InvalidRequest(
            f"the author {author!r} cannot be the name of an account; set LAUNCHYARD_AUTHOR to one"
        ) from None
