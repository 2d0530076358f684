"""Signing in with an identity provider, by a browser that follows where it is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from broker_config.accounts.rights import Role
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.store import Store
from producer.server.app import create_app
from producer.server.oidc.provider import Provider
from producer.server.serving import serving
from tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, key, oidc_provider

SESSION, UNDER_WAY = "launchyard_session", "launchyard_signin"


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with oidc_provider() as running:
        yield running


class Site:
    """The server, and browsers before it."""

    def __init__(self, stack: ExitStack, provider: OidcProvider, settings: Settings) -> None:
        self._stack, self._provider, self._settings = stack, provider, settings

    def serve(self, *, patience_seconds: float = 10.0, **more: Any) -> str:
        """Start it with these settings; its URL."""
        about = {"oidc_issuer": self._provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}
        settings = Settings.model_validate({**self._settings.model_dump(), **about, **more})
        app = create_app(settings)
        app.state.provider = Provider(settings, patience_seconds)
        url = self._stack.enter_context(serving(app))
        self._provider.redirect_uri = f"{url}/signin/oidc/back"
        return url

    def browser(self, url: str) -> httpx2.Client:
        """One that nobody used yet."""
        return self._stack.enter_context(httpx2.Client(base_url=url, follow_redirects=True, timeout=30))


@pytest.fixture
def site(provider: OidcProvider, settings: Settings) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(stack, provider, settings)


def answer_of(browser: httpx2.Client) -> str:
    """Where the provider sends a browser that sets out; the browser does not follow."""
    to = browser.get("/signin/oidc", follow_redirects=False).headers["Location"]
    return str(browser.get(to, follow_redirects=False).headers["Location"])


def test_somebody_signs_in_reaches_the_page_that_was_wanted_and_signs_out(
    site: Site, provider: OidcProvider, store: Store
) -> None:
    # Given a sign-in page that offers the provider
    browser = site.browser(site.serve())
    offered = browser.get("/queues")
    assert (offered.url.path, "/signin/oidc?next=/queues" in offered.text) == ("/signin", True)

    # When
    page = browser.get("/signin/oidc?next=/queues")

    # Then there is an account, and a session of it that the cookie's text alone opens
    assert (page.status_code, page.url.path) == (200, "/queues")
    assert ">bob<" in page.text
    user = store.accounts.user("bob")
    assert (user.subject, user.is_admin) == (f"{provider.issuer} 1001", False)
    assert UNDER_WAY not in browser.cookies
    assert [deed.action for _, deed in store.audit.newest()] == ["user.create"]

    # When
    text = browser.cookies[SESSION]
    browser.post("/signout", headers={"Sec-Fetch-Site": "same-origin"})

    # Then
    assert store.sessions.get(text) is None
    assert browser.get("/queues").url.path == "/signin"


def test_nothing_that_opens_a_door_is_logged(
    site: Site, provider: OidcProvider, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    browser = site.browser(site.serve())

    # When
    with caplog.at_level(logging.INFO):
        assert browser.get("/signin/oidc").status_code == 200

    # Then what the server logged, unlike the browser of this test, names no code, secret, verifier or token
    said = "\n".join(one.getMessage() for one in caplog.records if "/signin/oidc/back" not in one.getMessage())
    assert "/token" in said
    assert not [word for word in (*provider.given, CLIENT_SECRET, browser.cookies[SESSION]) if word in said]


def test_a_session_that_was_there_before_is_not_taken_on(site: Site, store: Store) -> None:
    # Given a browser with a session's text that somebody else may know
    url = site.serve()
    browser, other = site.browser(url), site.browser(url)
    other.get("/signin/oidc")
    known = other.cookies[SESSION]
    browser.cookies.set(SESSION, known, domain="127.0.0.1")

    # When
    browser.get("/signin/oidc")

    # Then
    assert store.sessions.get(known) is None
    assert {cookie.value for cookie in browser.cookies.jar if cookie.name == SESSION} & {known} == set()


def test_cookies_are_kept_from_scripts_and_behind_tls_from_other_hosts(site: Site) -> None:
    # Given a proxy that speaks TLS
    browser = site.browser(site.serve())
    behind = {"X-Forwarded-Proto": "https"}

    # When
    began = browser.get("/signin/oidc", headers=behind, follow_redirects=False)

    # Then
    cookie = began.headers["Set-Cookie"]
    assert cookie.startswith(f"__Host-{UNDER_WAY}=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    asked = parse_qs(urlsplit(began.headers["Location"]).query)
    assert asked["redirect_uri"][0].startswith("https://127.0.0.1:")


def test_what_the_provider_shall_never_have_asked_for_is_not_gone_to(site: Site) -> None:
    browser = site.browser(site.serve())
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example"):
        assert browser.get("/signin/oidc", params={"next": elsewhere}).url.path == "/"


def test_somebody_is_known_by_the_subject_whatever_the_name_is_now(
    site: Site, provider: OidcProvider, store: Store
) -> None:
    # Given
    url = site.serve()
    site.browser(url).get("/signin/oidc")

    # When bob is called otherwise, and somebody else bob
    provider.person = {"sub": "1001", "preferred_username": "robert"}
    renamed = site.browser(url).get("/signin/oidc")
    provider.person = {"sub": "2002", "preferred_username": "Bob"}
    namesake = site.browser(url).get("/signin/oidc")

    # Then
    assert ">bob<" in renamed.text
    assert namesake.status_code == 409
    assert "nothing says that it is you" in namesake.text
    assert f"launchyard user link NAME --subject &#39;{provider.issuer} 2002&#39;" in namesake.text
    assert [user.name for user in store.accounts.users()] == ["bob"]

    # When an admin says that it is one with an account
    store.accounts.add_user("bobby")
    store.accounts.link("bobby", f"{provider.issuer} 2002")

    # Then
    assert ">bobby<" in site.browser(url).get("/signin/oidc").text


@pytest.mark.parametrize("name", ["default", "Vision", "gpu-team", "ops"])
def test_nobody_comes_by_an_entity_that_is_another_ones(
    site: Site, provider: OidcProvider, store: Store, name: str
) -> None:
    # Given teams that are there, own queues already, or will be there
    store.accounts.add_team("vision")
    store.queues.create(Queue(name="gpu", entity="gpu-team", resource="stub"))
    url = site.serve(oidc_groups="ops=ops:owner")

    # When
    provider.person = {"sub": "3003", "preferred_username": name}
    page = site.browser(url).get("/signin/oidc")

    # Then
    assert (page.status_code, store.accounts.users()) == (409, [])


def test_groups_give_roles_at_each_sign_in_anew(site: Site, provider: OidcProvider, store: Store) -> None:
    # Given a team whose members the provider knows, and one whose members are kept here
    url = site.serve(oidc_groups="CN=ml,OU=x=vision:launcher; leads=vision:owner; ops=admin")
    store.accounts.add_team("speech")

    # When
    provider.person |= {"groups": ["CN=ml,OU=x", "leads", "ops", "others"]}
    site.browser(url).get("/signin/oidc")
    store.accounts.set_member("speech", "bob", Role.VIEWER)

    # Then
    assert store.accounts.user("bob").is_admin
    assert store.accounts.team("vision").members == {"bob": Role.OWNER}

    # When bob is in fewer of them
    provider.person |= {"groups": ["CN=ml,OU=x"]}
    site.browser(url).get("/signin/oidc")

    # Then
    assert not store.accounts.user("bob").is_admin
    assert store.accounts.team("vision").members == {"bob": Role.LAUNCHER}

    # When the provider tells no group at all
    del provider.person["groups"]
    site.browser(url).get("/signin/oidc")

    # Then
    assert store.accounts.team("vision").members == {}
    assert store.accounts.team("speech").members == {"bob": Role.VIEWER}
    told = [f"{deed.action} {deed.details}" for _, deed in reversed(store.audit.newest())]
    assert told[1:] == [
        "user.admin given by groups",
        "team.create by groups",
        "team.member bob: owner by groups",
        "user.admin taken by groups",
        "team.member bob: launcher by groups",
        "team.member bob: removed by groups",
    ]


def test_an_admin_who_was_made_here_stays_one_where_no_group_makes_admins(
    site: Site, provider: OidcProvider, store: Store
) -> None:
    # Given
    store.accounts.add_user("root", is_admin=True, subject=f"{provider.issuer} 1001")

    # When
    site.browser(site.serve(oidc_groups="ml=vision:launcher")).get("/signin/oidc")

    # Then
    assert store.accounts.user("root").is_admin


def test_where_accounts_are_made_by_admins_alone_nobody_else_gets_one(
    site: Site, provider: OidcProvider, store: Store
) -> None:
    # Given
    url = site.serve(oidc_creates_users=False)

    # When
    page = site.browser(url).get("/signin/oidc")

    # Then
    assert page.status_code == 403
    assert "made an account for you; ask an admin for: launchyard user create bob" in page.text
    assert store.accounts.users() == []


def test_what_the_token_leaves_out_is_asked_for_and_must_be_of_the_same_person(
    site: Site, provider: OidcProvider, store: Store
) -> None:
    # Given a provider whose tokens say no more than who it is
    provider.person = {"sub": "1001"}
    provider.userinfo = {"sub": "1001", "email": "bob.b@example.com", "groups": ["ml"]}
    url = site.serve(oidc_groups="ml=vision:launcher")

    # When
    site.browser(url).get("/signin/oidc")

    # Then
    assert store.accounts.team("vision").members == {"bob.b": Role.LAUNCHER}

    # When it tells of somebody else
    provider.userinfo |= {"sub": "1002"}
    page = site.browser(url).get("/signin/oidc")

    # Then
    assert (page.status_code, "not of the same person" in page.text) == (403, True)


def test_new_keys_of_the_provider_are_read_when_a_token_needs_them(site: Site, provider: OidcProvider) -> None:
    # Given
    url = site.serve()
    assert site.browser(url).get("/signin/oidc").status_code == 200

    # When it signs with another one, by another name and by the same
    for other in (key("two"), key("three"), key("one")):
        provider.signing_key = other
        assert site.browser(url).get("/signin/oidc").status_code == 200

    # Then what did not change was not read again
    assert site.browser(url).get("/signin/oidc").status_code == 200
    assert provider.asked.count("/keys") == 4
    assert provider.asked.count("/.well-known/openid-configuration") == 1


Misdeed = Callable[[OidcProvider], None]


def saying(**claims: Any) -> Misdeed:
    return lambda provider: provider.claims.update(claims)


def set_to(name: str, value: Any) -> Misdeed:
    return lambda provider: setattr(provider, name, value)


MISDEEDS: dict[str, tuple[Misdeed, int, str]] = {
    "a nonce of another sign-in": (saying(nonce="another"), 403, "it answers another sign-in"),
    "no nonce": (saying(nonce=None), 403, "it answers another sign-in"),
    "another audience": (saying(aud="other"), 403, "meant for another client"),
    "another audience, given to us": (saying(aud=["other"], azp=CLIENT_ID), 403, "meant for another client"),
    "several audiences, given to another": (saying(aud=[CLIENT_ID, "other"], azp="other"), 403, "another client"),
    "another issuer": (saying(iss="https://evil.example"), 403, "it is of another issuer"),
    "no subject": (saying(sub=None), 403, "&#39;sub&#39; is missing"),
    "an empty subject": (saying(sub=""), 403, "&#39;sub&#39; is missing or wrong"),
    "a token that is over": (saying(exp=1_700_000_000), 403, "is over; set the clocks"),
    "a token without an end": (saying(exp=None), 403, "is over; set the clocks"),
    "a token of the future": (saying(iat=4_000_000_000), 403, "from the future; set the clocks"),
    "an access token of another": (saying(at_hash="other"), 403, "came with another access token"),
    "no signature": (set_to("algorithm", "none"), 403, "of a kind that proves nothing"),
    "a signature by the secret": (set_to("algorithm", "HS256"), 403, "of a kind that proves nothing"),
    "a key of nobody": (set_to("shown_keys", [key("two")]), 403, "not of the provider&#39;s keys"),
    "a token that is none": (set_to("token", {"id_token": "x.y"}), 403, "cannot be read"),
    "no token": (set_to("token", {"id_token": None}), 403, "missing, or cannot be read"),
    "no name": (set_to("person", {"sub": "1001"}), 403, "tells neither &#39;preferred_username&#39; nor an email"),
    "a refusal": (set_to("answered", {"error": "access_denied", "code": ""}), 403, "it does not let you in here"),
    "no code": (set_to("answered", {"code": ""}), 403, "holds no code"),
    "an answer of another provider": (set_to("answered", {"iss": "https://evil.example"}), 403, "not of the identity"),
    "an answer of nobody": (set_to("answered", {"iss": ""}), 403, "not of the identity provider that was asked"),
    "a state of another sign-in": (set_to("answered", {"state": "another"}), 403, "not the answer to the sign-in"),
    "a state in other letters": (set_to("answered", {"state": "ä"}), 403, "not the answer to the sign-in"),
    "a code that is too old": (set_to("answered", {"code": "old"}), 403, "it takes this answer no more; sign in again"),
    "a fault at the token": (set_to("faults", {"/token": 500}), 503, "answers 500 at /token; try again soon"),
    "a fault at the keys": (set_to("faults", {"/keys": 502}), 503, "answers 502 at /keys; try again soon"),
    "a fault at the start": (set_to("faults", {"/.well-known/openid-configuration": 404}), 503, "answers 404 at"),
    "another name of its own": (set_to("described", {"issuer": "http://id.example"}), 403, "calls itself http://id.e"),
    "a description of nothing": (set_to("described", {"token_endpoint": None}), 503, "is no identity provider"),
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_a_provider_that_misbehaves_lets_nobody_in_and_the_page_says_why(
    site: Site, provider: OidcProvider, store: Store, misdeed: str, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    do, status, sentence = MISDEEDS[misdeed]
    browser = site.browser(site.serve())
    do(provider)

    # When
    with caplog.at_level(logging.DEBUG, "producer"):
        page = browser.get("/signin/oidc")

    # Then
    assert (page.status_code, sentence in page.text) == (status, True), page.text
    assert SESSION not in browser.cookies
    assert store.accounts.users() == []
    assert caplog.records == []


def test_a_secret_that_the_provider_does_not_know_is_told(site: Site) -> None:
    page = site.browser(site.serve(oidc_client_secret="another")).get("/signin/oidc")
    assert (page.status_code, "an admin checks LAUNCHYARD_OIDC_CLIENT_ID and its secret" in page.text) == (403, True)


def test_a_provider_that_is_slow_is_given_up(site: Site, provider: OidcProvider) -> None:
    # Given
    url = site.serve(patience_seconds=0.2)
    provider.seconds = 1

    # When
    page = site.browser(url).get("/signin/oidc")

    # Then
    assert (page.status_code, "does not answer; try again soon, or sign in with an API key" in page.text) == (503, True)


def test_a_provider_that_is_down_is_told(site: Site) -> None:
    page = site.browser(site.serve(oidc_issuer="http://127.0.0.1:1")).get("/signin/oidc")
    assert (page.status_code, "http://127.0.0.1:1 does not answer" in page.text) == (503, True)


def test_an_answer_is_of_use_once_and_to_the_browser_that_set_out(site: Site) -> None:
    # Given the answer to one browser
    url = site.serve()
    browser, other = site.browser(url), site.browser(url)
    answer = answer_of(browser)

    # When it is given to another one, which is under way itself or not
    nowhere = other.get(answer)
    answer_of(other)
    under_way = other.get(answer)

    # Then
    assert (nowhere.status_code, "sign-in is under way in this browser" in nowhere.text) == (403, True)
    assert (under_way.status_code, "not the answer to the sign-in" in under_way.text) == (403, True)

    # When
    attempt = browser.cookies[UNDER_WAY]
    assert browser.get(answer).status_code == 200
    browser.cookies.set(UNDER_WAY, attempt, domain="127.0.0.1")

    # Then
    again = browser.get(answer)
    assert (again.status_code, "it takes this answer no more" in again.text) == (403, True)


def test_a_code_that_was_meant_for_another_sign_in_is_of_no_use(site: Site) -> None:
    # Given somebody's code, in an answer with the state of a sign-in of one's own
    url = site.serve()
    browser, other = site.browser(url), site.browser(url)
    code = parse_qs(urlsplit(answer_of(other)).query)["code"][0]
    own = parse_qs(urlsplit(answer_of(browser)).query)

    # When
    page = browser.get("/signin/oidc/back?" + urlencode({**{name: one[0] for name, one in own.items()}, "code": code}))

    # Then the verifier of PKCE is not the one that it was given for
    assert (page.status_code, "it takes this answer no more" in page.text) == (403, True)


def test_a_cookie_that_somebody_made_up_is_no_sign_in(site: Site) -> None:
    browser = site.browser(site.serve())
    for text in ("x", "e30=", "%%%"):
        browser.cookies.set(UNDER_WAY, text, domain="127.0.0.1")
        assert "sign-in is under way" in browser.get("/signin/oidc/back?state=x&code=y").text
        browser.cookies.clear()


def test_without_a_provider_the_page_offers_none(site: Site, settings: Settings) -> None:
    with serving(create_app(settings)) as url:
        browser = site.browser(url)
        assert "/signin/oidc" not in browser.get("/signin").text
        page = browser.get("/signin/oidc")
    assert (page.status_code, "has no identity provider; sign in with an API key" in page.text) == (404, True)
