"""What makes an ID token good: who signed it, for whom, when, and in answer to what.

Source of the rules: "OpenID Connect Core 1.0", section 3.1.3.7.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, InvalidKeyIdError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from producer.server.oidc.refused import SignInRefused

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""Those of key pairs, whatever a provider says that it supports: not `none`, nor what the client secret could sign."""

LEEWAY_SECONDS = 60
"""By how much the provider's clock may differ from ours."""

_REFUSED = "the identity provider's ID token is refused"
_CLOCKS = "set the clocks of the server and of the provider"
_OF_CLAIMS = {
    "iss": "it is of another issuer",
    "aud": "it is meant for another client; an admin checks LAUNCHYARD_OIDC_CLIENT_ID",
    "azp": "it is meant for another client; an admin checks LAUNCHYARD_OIDC_CLIENT_ID",
    "nonce": "it answers another sign-in; sign in again",
    "at_hash": "it came with another access token",
    "exp": f"by this server's clock it is over; {_CLOCKS}",
    "iat": f"by this server's clock it is from the future; {_CLOCKS}",
    "nbf": f"by this server's clock it is from the future; {_CLOCKS}",
}


class OtherKey(SignInRefused):
    """The token is signed with none of these keys; the provider may have newer ones."""


class Expected(NamedTuple):
    """What a token must say."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str  # which came with it


def claims_of(text: str, keys: KeySet, expected: Expected) -> dict[str, Any]:
    """The claims of a token that is good.

    Raises:
        OtherKey: when it is signed with none of these keys.
        SignInRefused: when it is not good.
    """
    try:
        # Providers put headers of their own beside those of the standard.
        token = jwt.decode(text, keys, registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False))
        _claims(token, expected).validate(leeway=LEEWAY_SECONDS)
    except (InvalidKeyIdError, BadSignatureError) as error:
        raise OtherKey(f"{_REFUSED}: its signature is not of the provider's keys") from error
    except ClaimError as error:
        raise _refused(_OF_CLAIMS.get(error.claim, f"its claim {error.claim!r} is missing or wrong")) from error
    except UnsupportedAlgorithmError as error:
        raise _refused("its signature is of a kind that proves nothing") from error
    except (JoseError, ValueError) as error:
        raise _refused("it is missing, or cannot be read") from error
    return dict(token.claims)


def _claims(token: jwt.Token, expected: Expected) -> CodeIDToken:
    options = {
        "iss": {"essential": True, "value": expected.issuer},
        "aud": {"essential": True, "value": expected.client_id},
        "sub": {"essential": True},
        "nonce": {"essential": True, "value": expected.nonce},
    }
    return CodeIDToken(token.claims, token.header, options, expected._asdict())


def _refused(why: str) -> SignInRefused:
    return SignInRefused(f"{_REFUSED}: {why}")
