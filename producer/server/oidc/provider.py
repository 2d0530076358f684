"""The identity provider, as this server asks it: what it is, for whom a code stands, and who that is."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any, Self
from urllib.parse import quote_plus, urlsplit

from authlib.integrations.httpx_client import AsyncOAuth2Client
from httpx2 import BasicAuth
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, model_validator

from broker_config.accounts.oidc import OidcSettings, Person
from producer.server.oidc.asking import PATIENCE_SECONDS, TLS, asking, document, json_object, refusal
from producer.server.oidc.attempt import Attempt
from producer.server.oidc.claims import is_all, person_of, together
from producer.server.oidc.id_token import Expected, OtherKey, claims_of
from producer.server.oidc.refused import SignInRefused

HOLDS_SECONDS = 3600.0
"""How long a provider's description counts."""


class Description(BaseModel):
    """What a provider says of itself ("OpenID Connect Discovery 1.0", section 3), as far as it is used here."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    @model_validator(mode="after")
    def _is_as_safe_as_the_issuer(self) -> Self:
        asked = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri, self.userinfo_endpoint)
        if self.issuer.startswith("https://") and not all(url.startswith("https://") for url in asked if url):
            raise ValueError("an address without TLS")
        return self


class Provider:
    """The identity provider of an installation."""

    def __init__(self, settings: OidcSettings, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.issuer = settings.oidc_issuer or ""
        self.host = urlsplit(self.issuer).hostname or ""
        self.settings = settings
        self._patience_seconds = patience_seconds
        self._description: Description | None = None
        self._described_at = 0.0
        self._keys: KeySet | None = None

    async def begin(self, redirect_uri: str, wanted: str) -> tuple[str, Attempt]:
        """Where to send a browser, and what to know when it comes back to `redirect_uri`.

        Raises:
            ProviderUnavailable: when the provider does not say where.
            SignInRefused: when it is another one than the settings name.
        """
        attempt = Attempt(redirect_uri=redirect_uri, wanted=wanted)
        async with asking(self.issuer, self._patience_seconds):
            description = await self._describe()
        url, _ = self._client(attempt).create_authorization_url(
            description.authorization_endpoint,
            state=attempt.state,
            nonce=attempt.nonce,
            code_verifier=attempt.verifier,
        )
        return str(url), attempt

    async def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Person:
        """Who came back, by the parameters that the provider sent along.

        Raises:
            SignInRefused: when nobody is let in by them.
            ProviderUnavailable: when the provider does not say who that is.
        """
        if not attempt.is_answered_by(answer.get("state", "")):
            raise SignInRefused("this is not the answer to the sign-in that this browser began last; sign in again")
        async with asking(self.issuer, self._patience_seconds):
            description = await self._describe()
            code = self._code(description, answer)
            return person_of(await self._claims(description, attempt, code), self.settings)

    def _code(self, description: Description, answer: Mapping[str, str]) -> str:
        # Another provider may have sent the browser here, with a code that was meant for it (RFC 9207).
        is_told = description.authorization_response_iss_parameter_supported
        if answer.get("iss", "" if is_told else self.issuer) != self.issuer:
            raise SignInRefused("this answer is not of the identity provider that was asked; sign in again")
        if error := answer.get("error"):
            raise refusal(error, answer.get("error_description"))
        if not answer.get("code"):
            raise SignInRefused("the identity provider's answer holds no code; sign in again")
        return answer["code"]

    async def _claims(self, description: Description, attempt: Attempt, code: str) -> dict[str, Any]:
        async with self._client(attempt) as client:
            token = await client.fetch_token(
                description.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=attempt.verifier,
                auth=self._proof(description),
            )
            claims = await self._checked(description, token, attempt.nonce)
            if description.userinfo_endpoint and not is_all(claims, self.settings):
                return together(claims, json_object(await client.get(description.userinfo_endpoint)))
        return claims

    async def _checked(self, description: Description, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        text = str(token.get("id_token", ""))
        expected = Expected(self.issuer, self.settings.oidc_client_id or "", nonce, str(token.get("access_token", "")))
        known = self._keys
        try:
            return claims_of(text, known or await self._read_keys(description), expected)
        except OtherKey:
            if known is None:
                raise
        # Providers change their keys.
        return claims_of(text, await self._read_keys(description), expected)

    async def _read_keys(self, description: Description) -> KeySet:
        found = await document(description.jwks_uri)
        if not isinstance(found.get("keys"), list):
            raise ValueError("these are no keys")
        self._keys = KeySet.import_key_set({"keys": found["keys"]})
        return self._keys

    async def _describe(self) -> Description:
        if self._description and monotonic() - self._described_at < HOLDS_SECONDS:
            return self._description
        found = await document(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        description = Description.model_validate(found)
        if description.issuer != self.issuer:
            raise SignInRefused(
                f"the identity provider at {self.issuer} calls itself {description.issuer}; "
                "an admin sets LAUNCHYARD_OIDC_ISSUER to that, if it is the right one"
            )
        self._description, self._described_at, self._keys = description, monotonic(), None
        return description

    def _proof(self, description: Description) -> BasicAuth | None:
        """The client's secret in a header; None: it goes into the body, or there is none."""
        client_id, secret = self.settings.oidc_client_id or "", self.settings.oidc_client_secret
        methods = description.token_endpoint_auth_methods_supported
        if secret is None or ("client_secret_post" in methods and "client_secret_basic" not in methods):
            return None
        # Authlib would leave out the encoding that RFC 6749, section 2.3.1, has for them.
        return BasicAuth(quote_plus(client_id), quote_plus(secret))

    def _client(self, attempt: Attempt) -> AsyncOAuth2Client:
        secret = self.settings.oidc_client_secret
        return AsyncOAuth2Client(
            self.settings.oidc_client_id,
            secret,
            token_endpoint_auth_method="client_secret_post" if secret else "none",
            scope=self.settings.oidc_scopes,
            redirect_uri=attempt.redirect_uri,
            code_challenge_method="S256",
            verify=TLS,
        )
