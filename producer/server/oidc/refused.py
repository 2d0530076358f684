"""Why nobody was let in."""

from __future__ import annotations

from broker_config.errors import LaunchyardError, TemporaryError


class SignInRefused(LaunchyardError):
    """What came back from the identity provider lets nobody in."""

    code = "sign-in-refused"


class ProviderUnavailable(TemporaryError):
    """The identity provider does not answer, or with nothing that can be read."""

    code = "provider-unavailable"
