"""XOAUTH2 and OAUTHBEARER: tokens of a real OpenID provider, judged by the gateway."""

import base64
import hmac
import json
import subprocess
import time

import jwt
import pytest

from conftest import LOGIN
from support import corpus
from support.gateway import PASSWORD, TIMEOUT, merge
from support.oidc import Key, Provider, Web, raw
from support.pop3 import Pop3

MESSAGES = [corpus.message("first"), corpus.message("second")]
MECHANISMS = ["XOAUTH2", "OAUTHBEARER"]


@pytest.fixture(scope="session")
def provider():
    running = Provider([Key("RS256"), Key("PS256"), Key("ES256")]).start()
    yield running
    running.stop()


@pytest.fixture
def own_provider():
    """own_provider(key, …): one that this test may end."""
    running = []

    def start(*keys: Key, **options) -> Provider:
        running.append(Provider(list(keys), **options).start())
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def web():
    running = Web()
    yield running
    running.stop()


def tenant(oauth2: dict, **more) -> dict:
    """What a tenant needs beside its store: both mechanisms, and passwords."""
    return merge({"auth": {"mechanisms": ["user", "xoauth2", "oauthbearer"], "oauth2": oauth2}},
                 more)


@pytest.fixture
def served(local, directory):
    """served(oauth2, …): a gateway before joe's Maildir that judges tokens by these settings."""

    def start(oauth2: dict, *, more: dict | None = None, **changes):
        changes = merge({"limits": {"login_failures": 100}}, changes)
        return local(MESSAGES, tenant=tenant(oauth2, **(more or {})), **changes)

    return start


@pytest.fixture(params=["keys", "asking"])
def judged(request, served, provider, directory):
    """The same test with both ways to judge; judged.token(email) is one that will do."""
    by_keys = request.param == "keys"
    running = served(provider.by_keys() if by_keys else provider.by_asking(directory))
    running.token = lambda email, **more: provider.token(email, opaque=not by_keys, **more)
    return running


# Messages


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def message(mechanism: str, login: str, token: str) -> str:
    if mechanism == "XOAUTH2":
        return b64(f"user={login}\1auth=Bearer {token}\1\1")
    name = login.replace("=", "=3D").replace(",", "=2C")
    return b64(f"n,a={name},\1host=localhost\1port=110\1auth=Bearer {token}\1\1")


def answer(client: Pop3, line: str, *, dummy: str = "AQ==") -> tuple[dict | None, str]:
    """Sends a line that ends an exchange; what the failure challenge says, and the reply."""
    reply = client.command(line)
    if not reply.startswith("+ "):
        return None, reply
    told = json.loads(base64.b64decode(reply[2:], validate=True))
    return told, client.command(dummy)


def attempt(client: Pop3, mechanism: str, login: str, token: str, *, lines: int = 1):
    if lines == 1:
        return answer(client, f"AUTH {mechanism} {message(mechanism, login, token)}")
    assert client.command(f"AUTH {mechanism}") == "+ "
    return answer(client, message(mechanism, login, token))


def accepted(client: Pop3, mechanism: str, login: str, token: str, **options) -> None:
    told, reply = attempt(client, mechanism, login, token, **options)
    assert told is None and reply.startswith("+OK"), (told, reply)
    assert client.stat()[0] == len(MESSAGES)
    assert client.retr(2) == corpus.wire(MESSAGES[1])


def refused(client: Pop3, mechanism: str, login: str, token: str, **options) -> dict:
    """Refused as a wrong password is, with the mechanism's own word before."""
    told, reply = attempt(client, mechanism, login, token, **options)
    assert told is not None and reply.startswith("-ERR [AUTH] "), (told, reply)
    return told


def works(client: Pop3) -> None:
    """The session is as good as before: a login by password succeeds."""
    client.err("STAT")
    client.login(LOGIN, PASSWORD)
    assert client.stat()[0] == len(MESSAGES)
    client.quit()


def no_trace(served, token: str) -> None:
    """Not even a part of a token is in the log, however it was sent."""
    text = served.gateway.text()
    parts = token.split(".") if token.count(".") == 2 else [token]
    for part in parts:
        if len(part) >= 30:
            assert part[:30] not in text and b64(part)[8:38] not in text


# Tokens that are good


@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_token_opens_the_maildrop(judged, mechanism, lines):
    token = judged.token(LOGIN)
    with judged.connect() as client:
        accepted(client, mechanism, LOGIN, token, lines=lines)
        client.quit()
    login = judged.gateway.wait("login")
    assert login["login"] == LOGIN and login["mechanism"] == mechanism
    assert "authenticated_as" not in login
    no_trace(judged, token)


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256"])
def test_each_algorithm_of_the_provider(served, provider, alg):
    running = served(provider.by_keys())
    with running.connect() as client:
        accepted(client, "OAUTHBEARER", LOGIN, provider.token(LOGIN, alg=alg))


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS384", "PS512", "ES384", "ES512"])
def test_the_longer_digests(served, web, alg):
    key = Key(alg)
    web.answer({"keys": [key.jwk(private=False)]})
    running = served({"jwks_url": web.url, "issuer": "me", "audience": ["mail"]})
    token = jwt.encode({"iss": "me", "aud": ["other", "mail"], "exp": time.time() + 60.5,
                        "email": LOGIN}, key.private, alg, {"kid": alg})
    with running.connect() as client:
        accepted(client, "OAUTHBEARER", LOGIN, token)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_token_of_many_kib(served, provider, mechanism):
    """More than 4096 octets, which others cannot take; up to what a line may hold."""
    running = served(provider.by_keys())
    for size in (5000, 33000):
        token = provider.forge(LOGIN, padding="x" * size)
        with running.connect() as client:
            accepted(client, mechanism, LOGIN, token, lines=2)
        with running.connect() as client:
            accepted(client, mechanism, LOGIN, token)
    with running.connect() as client:
        assert client.command(f"AUTH {mechanism} " + "A" * 70000).startswith("-ERR")
        assert client.command(f"AUTH {mechanism}") == "+ "
        assert client.command("A" * 70000).startswith("-ERR")
        works(client)


def test_a_key_without_an_id(served, provider, web):
    key = {name: value for name, value in provider.keys["RS256"].jwk(private=False).items()
           if name not in ("kid", "alg", "use")}
    other = Key("RS256", "other").jwk(private=False)
    web.answer({"keys": [{k: v for k, v in other.items() if k != "kid"}, key]})
    running = served(provider.by_keys(jwks_url=web.url))
    token = jwt.encode(provider.claims(LOGIN), provider.keys["RS256"].private, "RS256")
    with running.connect() as client:
        accepted(client, "XOAUTH2", LOGIN, token)


def test_another_claim_and_a_scope(served, provider):
    running = served(provider.by_keys(login_claim="preferred_username", scope="mail other"))
    with running.connect() as client:
        accepted(client, "OAUTHBEARER", LOGIN, provider.token(
            "x", preferred_username=LOGIN, scope="other mail"))
    with running.connect() as client:
        accepted(client, "OAUTHBEARER", LOGIN, provider.forge(
            "x", preferred_username=LOGIN, scope=None, scp=["mail", "other"]))
    with running.connect() as client:
        refused(client, "OAUTHBEARER", LOGIN, provider.token("x", preferred_username=LOGIN))
        refused(client, "OAUTHBEARER", LOGIN, provider.token(LOGIN, scope="other mail"))


def test_the_login_name_rules_hold_for_both(served, provider):
    running = served(provider.by_keys(), login_name={
        "separators": "@%", "default_domain": "local.example"})
    for login in ("joe", "JOE%local.example", "Joe@local.example"):
        with running.connect() as client:
            accepted(client, "XOAUTH2", login, provider.token("JOE@Local.example"))


def test_a_name_with_a_comma_is_read_as_it_is_meant(served, provider):
    """RFC 5801: "," is =2C and "=" is =3D in the header."""
    running = served(provider.by_keys())
    with running.connect() as client:
        attempt(client, "OAUTHBEARER", "a,b=c@local.example", provider.token(LOGIN))
    assert running.gateway.wait("login failed")["login"] == "a,b=c@local.example"


def test_passwords_go_on_beside(judged):
    with judged.connect() as client:
        works(client)


# Who is offered them


def test_tokens_are_offered_where_passwords_are(served, provider):
    running = served(provider.by_keys())
    with running.connect() as client:
        assert any(row.startswith("SASL") and "XOAUTH2" in row and "OAUTHBEARER" in row
                   for row in client.capabilities())


def test_no_token_before_tls(gateway, gateway_config, maildir_tenant, provider, tls):
    listeners = gateway_config()["listeners"]
    listeners[0]["plaintext_login"] = False
    maildir_tenant.maildir().deliver_all(MESSAGES)
    running = gateway(tenants=[maildir_tenant(**tenant(provider.by_keys()))], listeners=listeners)
    with Pop3(running.port()) as client:
        assert not any("OAUTH" in row for row in client.capabilities())
        for mechanism in MECHANISMS:
            client.err(f"AUTH {mechanism}")
            client.err(f"AUTH {mechanism} {message(mechanism, LOGIN, 'x')}")
        client.ok("STLS")
        client.start_tls(tls)
        assert any("SASL" in row and "OAUTHBEARER" in row for row in client.capabilities())
        accepted(client, "OAUTHBEARER", LOGIN, provider.token(LOGIN))


def test_a_tenant_without_the_mechanisms(gateway, maildir_tenant, provider):
    """Another tenant has them: there it fails as a wrong password does."""
    maildir_tenant.maildir().deliver_all(MESSAGES)
    other = merge(maildir_tenant(**tenant(provider.by_keys())), {
        "name": "other", "match": {"domains": ["other.example"]}})
    running = gateway(tenants=[maildir_tenant(), other])
    with Pop3(running.port()) as client:
        refused(client, "XOAUTH2", LOGIN, provider.token(LOGIN))
        refused(client, "OAUTHBEARER", "joe@nowhere.example", provider.token(LOGIN))
        works(client)


# Tokens that are bad


def bent(provider: Provider) -> dict:
    """Tokens that must not do, by what is wrong with them; each with what the log says of it."""
    now = int(time.time())
    stranger = Key("RS256")
    good = provider.forge(LOGIN)
    header, claims, signature = good.split(".")
    other = raw(json.dumps(provider.claims("ann@local.example")).encode())
    unsigned = raw(b'{"alg":"none","typ":"JWT"}')
    hmac_header = raw(b'{"alg":"HS256","kid":"RS256"}')
    public = provider.keys["RS256"].public_pem()
    hmac_signature = raw(hmac.digest(public, f"{hmac_header}.{claims}".encode(), "sha256"))
    deep = raw(b'{"alg":"RS256","kid":"RS256","x":' + b"[" * 2000 + b"]" * 2000 + b"}")

    def signed(payload: bytes) -> str:
        return jwt.api_jws.encode(
            payload, provider.keys["RS256"].private, "RS256", {"kid": "RS256"})

    text = json.dumps(provider.claims(LOGIN))
    return {
        "expired": (provider.forge(LOGIN, exp=now - 61), "it expired 6"),
        "expired long ago": (provider.forge(LOGIN, exp=1), "it expired"),
        "without an expiry": (provider.forge(LOGIN, exp=None), "when it expires"),
        "an expiry that is no number": (
            signed(json.dumps(provider.claims(LOGIN, exp="9999999999")).encode()),
            "when it expires"),
        "not valid yet": (provider.forge(LOGIN, nbf=now + 600), "not valid yet"),
        "of another audience": (provider.token(LOGIN, audience="calendar"), "for calendar"),
        "of an audience that is longer": (provider.forge(LOGIN, aud="mailer"), "for mailer"),
        "of no audience": (provider.forge(LOGIN, aud=None), "nobody in particular"),
        "of other audiences": (provider.forge(LOGIN, aud=["calendar", "mail2"]), "for others"),
        "of another issuer": (provider.forge(LOGIN, iss="https://evil.example"), "evil.example"),
        "of no issuer": (provider.forge(LOGIN, iss=None), "issuer is not said"),
        "signed by a stranger": (provider.forge(LOGIN, key=stranger), "signature is wrong"),
        "of a key that is not known": (
            provider.forge(LOGIN, header={"kid": "other"}), "no key of the provider"),
        "signed with another algorithm than its key's": (
            provider.forge(LOGIN, alg="PS256", key=provider.keys["RS256"]),
            "no key of the provider"),
        "changed after it was signed": (f"{header}.{other}.{signature}", "signature is wrong"),
        "with half a signature": (good[:-40], "signature is wrong"),
        "without a signature": (f"{header}.{claims}.", "signature is wrong"),
        "of algorithm none": (f"{unsigned}.{claims}.", "not taken (none)"),
        "of algorithm none, signed": (f"{unsigned}.{claims}.{signature}", "not taken (none)"),
        "of HMAC with the public key": (
            f"{hmac_header}.{claims}.{hmac_signature}", "not taken (HS256)"),
        "with critical extensions": (
            provider.forge(LOGIN, header={"crit": ["exp"]}), "critical extensions"),
        "without a login": (provider.forge(None), "no login in email"),
        "whose login is no text": (provider.forge([LOGIN]), "no login in email"),
        "whose login is empty": (provider.forge(""), "no login in email"),
        "whose login has a line end": (provider.forge(f"{LOGIN}\r\n"), "no login in email"),
        "whose login has a NUL": (provider.forge(f"{LOGIN}\0"), "no JSON object"),
        "whose login is long": (provider.forge("j" * 1100), "no login in email"),
        "whose address is not verified": (
            provider.forge(LOGIN, email_verified=False), "not verified"),
        "whose login nobody serves": (
            provider.forge("joe@nowhere.example"), "whom tenant local does not serve"),
        "that is no JWT": ("abcdefgh", "no JWT"),
        "of dots": ("..", "no JWT"),
        "of two parts": (f"{header}.{claims}", "no JWT"),
        "of five parts": (f"{header}.{claims}.{signature}.a.b", "no JWT"),
        "whose header is no object": (f"{raw(b'[]')}.{claims}.{signature}", "no JWT"),
        "whose header is nested deeply": (f"{deep}.{claims}.{signature}", "signature is wrong"),
        "whose header is nested without end": (
            f"{raw(b'[' * 20000)}.{claims}.{signature}", "no JWT"),
        "whose claims are no object": (signed(b"[1]"), "no JSON object"),
        "whose claims come twice": (
            signed(text.replace('"aud"', '"aud": "x", "aud"').encode()), "no JSON object"),
    }  # fmt: skip


def test_bad_tokens_are_refused_and_the_session_goes_on(served, provider):
    running = served(provider.by_keys(), limits={"failures_per_address": 1000})
    attempts = 0
    for what, (token, reason) in bent(provider).items():
        with running.connect() as client:
            for mechanism in MECHANISMS:
                told, reply = attempt(client, mechanism, LOGIN, token)
                assert told is not None and reply.startswith("-ERR [AUTH] "), (what, reply)
                attempts += 1
                logged = running.gateway.wait("login failed", attempts)["detail"]
                assert reason in logged, (what, logged)
            works(client)
        no_trace(running, token)
    with running.connect() as client:
        accepted(client, "OAUTHBEARER", LOGIN, provider.forge(LOGIN, exp=int(time.time()) - 20))


def test_keys_that_are_no_good(served, web, provider):
    """Too short; meant for something else; symmetric; and one that is good among them."""
    weak, other, good = Key("RS256", "weak", bits=1024), Key("RS256", "other"), Key("RS256")
    secret = raw(b"0" * 32)
    web.answer({"keys": [
        weak.jwk(private=False), {**other.jwk(private=False), "use": "enc"},
        {**other.jwk(private=False), "use": None, "kid": "ops", "key_ops": ["encrypt"]},
        {"kty": "oct", "kid": "oct", "alg": "HS256", "k": secret}, good.jwk(private=False)]})
    running = served(provider.by_keys(jwks_url=web.url))
    tokens = [provider.forge(LOGIN, key=weak), provider.forge(LOGIN, key=other),
              provider.forge(LOGIN, key=other, header={"kid": "ops"}),
              jwt.encode(provider.claims(LOGIN), b"0" * 32, "HS256", {"kid": "oct"})]
    with running.connect() as client:
        for token in tokens:
            refused(client, "XOAUTH2", LOGIN, token)
        accepted(client, "XOAUTH2", LOGIN, provider.forge(LOGIN, key=good))


def test_tokens_that_the_provider_does_not_know(served, provider, directory):
    running = served(provider.by_asking(directory))
    revoked = provider.token(LOGIN, opaque=True)
    provider.revoke(revoked)
    tokens = {"made up": "abcdefgh", "revoked": revoked, "a JWT": provider.token(LOGIN),
              "another audience": provider.token(LOGIN, opaque=True, audience="calendar"),
              "nobody's": provider.token(None, opaque=True)}
    for what, token in tokens.items():
        with running.connect() as client:
            refused(client, "XOAUTH2", LOGIN, token)
            works(client)


@pytest.mark.parametrize("answered", [
    {"active": False, "email": LOGIN, "aud": "mail"},
    {"active": "true", "email": LOGIN, "aud": "mail"},
    {"email": LOGIN, "aud": "mail"},
    {"active": True, "email": LOGIN},
    {"active": True, "email": LOGIN, "aud": "mail", "exp": 1},
    {"active": True, "email": LOGIN, "aud": "mail", "exp": "soon"},
    {"active": True, "email": LOGIN, "aud": "mail", "nbf": 99999999999},
    {"active": True, "email": LOGIN, "aud": "mail", "iss": "https://evil.example"},
    {"active": True, "email": LOGIN, "aud": "mail", "token_type": "mac"},
    {"active": True, "username": LOGIN, "aud": "mail"},
    {"active": True, "email": "ann@local.example", "aud": "mail"},
])  # fmt: skip
def test_answers_about_a_token_that_are_no(served, web, answered):
    web.answer(answered)
    running = served({"introspection_url": web.url, "audience": ["mail"], "issuer": "me"})
    with running.connect() as client:
        told, reply = attempt(client, "XOAUTH2", LOGIN, "opaque")
        assert reply.startswith("-ERR"), reply
        assert not reply.startswith("-ERR [SYS/TEMP]")
        works(client)


def test_the_least_answer_about_a_token(served, web):
    web.answer({"active": True, "email": LOGIN})
    running = served({"introspection_url": web.url})
    with running.connect() as client:
        accepted(client, "XOAUTH2", LOGIN, "a+b/c==")
    path, _, form = web.requests[0].partition(" ")
    assert path == "/" and form == "token_type_hint=access_token&token=a%2Bb%2Fc%3D%3D"


# What a client is told of a failure


def test_what_a_failure_says(served, provider):
    running = served(provider.by_keys(scope='mail "x"'))
    with running.connect() as client:
        assert refused(client, "OAUTHBEARER", LOGIN, "x") == {
            "status": "invalid_token", "scope": 'mail "x"',
            "openid-configuration": f"{provider.url}/.well-known/openid-configuration"}
        assert refused(client, "XOAUTH2", LOGIN, "x") == {
            "status": "401", "schemes": "bearer", "scope": 'mail "x"'}


def test_a_failure_does_not_show_whose_tenant_it_is(gateway, maildir_tenant, provider):
    first = maildir_tenant(**tenant(provider.by_keys()))
    second = merge(maildir_tenant(**tenant(provider.by_keys(issuer="https://other.example"))), {
        "name": "second", "match": {"domains": ["second.example"]}})
    running = gateway(tenants=[first, second], limits={"login_failures": 100})
    with Pop3(running.port()) as client:
        for login in (LOGIN, "joe@second.example", "joe@nowhere.example"):
            assert refused(client, "OAUTHBEARER", login, "x") == {"status": "invalid_token"}


@pytest.mark.parametrize("dummy", ["", "AQ==", "*", "anything at all", "QUIT", "A" * 5000])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_whatever_the_client_answers_to_a_failure(served, provider, mechanism, dummy):
    running = served(provider.by_keys())
    with running.connect() as client:
        told, reply = answer(
            client, f"AUTH {mechanism} {message(mechanism, LOGIN, 'x')}", dummy=dummy)
        assert told and reply.startswith("-ERR [AUTH] ")
        works(client)


def test_failures_end_the_connection_as_wrong_passwords_do(served, provider):
    running = served(provider.by_keys(), limits={"login_failures": 2})
    with running.connect() as client:
        refused(client, "XOAUTH2", LOGIN, "x")
        told, reply = attempt(client, "XOAUTH2", LOGIN, "x")
        assert told and reply.startswith("-ERR [AUTH] ") and "closing" in reply
        client.closed()


def test_a_client_that_vanishes_instead_of_answering(served, provider):
    running = served(provider.by_keys())
    with running.connect() as client:
        assert client.command(f"AUTH XOAUTH2 {message('XOAUTH2', LOGIN, 'x')}").startswith("+ ")
    running.gateway.wait("session closed")
    with running.connect() as client:
        works(client)


# Malformed exchanges


MALFORMED = {
    "XOAUTH2": [
        "", "\1", "\1\1", "user=joe", "user=joe\1", "user=joe\1\1", "auth=Bearer x\1\1",
        "user=joe\1auth=Bearer x\1", "user=joe\1auth=Bearer x", "user=joe\1auth=Bearer x\1\1\1",
        "user=joe\1auth=Bearer x\1\1more", "user=\1auth=Bearer x\1\1",
        "user=joe\1auth=Bearer \1\1", "user=joe\1auth=Basic x\1\1", "user=joe\1auth=x\1\1",
        "user=joe\1auth=Bearer x y\1\1", "user=joe\1auth=Bearer x\r\n\1\1",
        "user=joe\1auth=Bearer x\0\1\1", "user=joe\1auth=Bearer x\1auth=Bearer y\1\1",
        "user=joe\1user=ann\1auth=Bearer x\1\1", "user joe\1auth=Bearer x\1\1",
        "=joe\1user=joe\1auth=Bearer x\1\1", "user=joe\1us er=x\1auth=Bearer x\1\1",
        "user=" + "j" * 1025 + "\1auth=Bearer x\1\1",
    ],
    "OAUTHBEARER": [
        "", "\1", "n,", "n,,", "n,,\1", "n,,\1\1", "n,a=joe,\1\1", "n,a=joe\1auth=Bearer x\1\1",
        "n,a=joe,auth=Bearer x\1\1", "a=joe,\1auth=Bearer x\1\1", ",a=joe,\1auth=Bearer x\1\1",
        "p=tls-unique,a=joe,\1auth=Bearer x\1\1", "n,a=,\1auth=Bearer x\1\1",
        "n,a=jo=e,\1auth=Bearer x\1\1", "n,a=joe=2c,\1auth=Bearer x\1\1",
        "n,a=joe,\1auth=Bearer x\1", "n,a=joe,\1auth=Bearer x", "n,a=joe,\1auth=Bearer x\1\1x",
        "n,a=joe,\1auth=Bearer\1\1", "n,a=joe,\1auth=\1\1", "n,a=joe,\1port=0\1auth=Bearer x\1\1",
        "n,a=joe,\1port=65536\1auth=Bearer x\1\1", "n,a=joe,\1port=x\1auth=Bearer x\1\1",
        "n,a=joe,\1host=a\1host=b\1auth=Bearer x\1\1", "n,a=joe,\1auth=Bearer x\0y\1\1",
        "user=joe\1auth=Bearer x\1\1", "n,a=" + "j" * 1025 + ",\1auth=Bearer x\1\1",
    ],
}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_malformed_messages(served, provider, mechanism):
    running = served(provider.by_keys(), protocol={"bad_commands": 1000})
    with running.connect() as client:
        for text in MALFORMED[mechanism]:
            for lines in (1, 2):
                if lines == 2:
                    assert client.command(f"AUTH {mechanism}") == "+ "
                    reply = client.command(b64(text))
                else:
                    reply = client.command(f"AUTH {mechanism} {b64(text) or '='}")
                assert reply.startswith("-ERR "), (text, reply)
                assert "[AUTH]" not in reply, (text, reply)
        works(client)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_exchanges_that_break_off(served, provider, mechanism):
    running = served(provider.by_keys(), protocol={"bad_commands": 1000})
    good = message(mechanism, LOGIN, provider.token(LOGIN))
    with running.connect() as client:
        assert client.command(f"AUTH {mechanism}") == "+ "
        assert client.command("*").startswith("-ERR ")
        client.err(f"AUTH {mechanism} *")
        client.err(f"AUTH {mechanism} {good[:-1]}")
        client.err(f"AUTH {mechanism} {good}=")
        client.err(f"AUTH {mechanism} {good} more")
        assert client.command(f"AUTH {mechanism}") == "+ "
        client.err("not base64")
        assert client.command(f"AUTH {mechanism}") == "+ "
        client.err(good[:40])
        works(client)


def test_unknown_keys_are_ignored(served, provider):
    running = served(provider.by_keys())
    token = provider.token(LOGIN)
    with running.connect() as client:
        told, reply = answer(client, "AUTH OAUTHBEARER " + b64(
            f"y,a={LOGIN},\1mthd=POST\1auth=bearer  {token}\1path=/\1\1"))
        assert reply.startswith("+OK"), reply


def test_a_message_for_another_host(served, provider, tls):
    """Where TLS told the name that the client wants, the message must name it too."""
    running = served(provider.by_keys())
    token = provider.token(LOGIN)

    def text(host: str) -> str:
        return b64(f"n,a={LOGIN},\1host={host}\1port=995\1auth=Bearer {token}\1\1")

    with running.connect("pop3s", tls=tls) as client:
        client.err(f"AUTH OAUTHBEARER {text('evil.example')}")
        client.ok(f"AUTH OAUTHBEARER {text('LocalHost')}")
    with running.connect() as client:  # no name is known
        client.ok(f"AUTH OAUTHBEARER {text('evil.example')}")


# Whose token it is


def test_the_token_of_somebody_else(served, provider, maildir_tenant):
    running = served(provider.by_keys())
    maildir_tenant.maildir("ann").deliver(corpus.message("ann's"))
    with running.connect() as client:
        for mechanism in MECHANISMS:
            told, reply = attempt(
                client, mechanism, LOGIN, provider.token("ann@local.example"))
            assert reply.startswith("-ERR [SYS/PERM]"), reply
        works(client)
    with running.connect() as client:
        told, reply = attempt(client, "XOAUTH2", "ann@local.example",
                              provider.token("ann@local.example"))
        assert reply.startswith("+OK 1 ")


def test_the_token_of_a_master(served, provider):
    running = served(provider.by_keys(), more={"auth": {"masters": ["boss@local.example"]}})
    with running.connect() as client:
        accepted(client, "OAUTHBEARER", LOGIN, provider.token("boss@local.example"))
    login = running.gateway.wait("login")
    assert login["login"] == LOGIN and login["authenticated_as"] == "boss@local.example"


def test_a_delegates_login(served, provider):
    running = served(provider.by_keys(), more={"auth": {"masters": ["boss@local.example"]}},
                     login_name={"delegate": True})
    with running.connect() as client:
        accepted(client, "XOAUTH2", "boss@local.example/joe", provider.token("boss@local.example"))
    with running.connect() as client:
        refused(client, "XOAUTH2", "boss@local.example/joe", provider.token("ann@local.example"))
        told, reply = attempt(
            client, "XOAUTH2", "ann@local.example/joe", provider.token("ann@local.example"))
        assert reply.startswith("-ERR [SYS/PERM]")
        works(client)


def test_the_token_of_another_tenants_user(gateway, maildir_tenant, provider):
    maildir_tenant.maildir().deliver_all(MESSAGES)
    first = maildir_tenant(**tenant(provider.by_keys()))
    second = merge(first, {"name": "second", "match": {"domains": ["second.example"]}})
    running = gateway(tenants=[first, second])
    with Pop3(running.port()) as client:
        refused(client, "XOAUTH2", LOGIN, provider.token("joe@second.example"))
        works(client)


def test_nobody_is_named(gateway, maildir_tenant, provider):
    """RFC 7628 section 3.1: whom the token belongs to, where only one tenant can judge it."""
    maildir_tenant.maildir().deliver_all(MESSAGES)
    first = maildir_tenant(**tenant(provider.by_keys()))
    second = merge(first, {"name": "second", "match": {"domains": ["second.example"]}})
    line = "AUTH OAUTHBEARER " + b64(f"n,,\1auth=Bearer {provider.token(LOGIN)}\1\1")
    with Pop3(gateway(tenants=[first]).port()) as client:
        told, reply = answer(client, line)
        assert reply.startswith(f"+OK {len(MESSAGES)} "), reply
    with Pop3(gateway(tenants=[first, second]).port()) as client:
        told, reply = answer(client, line)
        assert reply.startswith("-ERR [AUTH]"), reply
        works(client)


# A provider that is out of order


def test_a_provider_that_is_down(served, own_provider, provider):
    gone = own_provider(Key("RS256"))
    token = gone.token(LOGIN)
    gone.stop()
    running = served(gone.by_keys())
    with running.connect() as client:
        told, reply = attempt(client, "XOAUTH2", LOGIN, token)
        assert told is None and reply.startswith("-ERR [SYS/TEMP] "), reply
        works(client)
    gone.start()
    deadline = time.monotonic() + TIMEOUT
    while True:
        with running.connect() as client:
            told, reply = attempt(client, "XOAUTH2", LOGIN, gone.token(LOGIN))
            if reply.startswith("+OK"):
                break
            assert reply.startswith("-ERR [SYS/TEMP] "), reply
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_keys_are_kept_while_the_provider_is_down(served, own_provider):
    gone = own_provider(Key("RS256"))
    running = served(gone.by_keys())
    with running.connect() as client:
        accepted(client, "XOAUTH2", LOGIN, gone.token(LOGIN))
    gone.stop()
    with running.connect() as client:
        accepted(client, "XOAUTH2", LOGIN, gone.forge(LOGIN))


def test_a_good_answer_is_kept_for_a_while(served, own_provider, directory):
    gone = own_provider(Key("RS256"))
    running = served(gone.by_asking(directory))
    first, second = gone.token(LOGIN, opaque=True), gone.token(LOGIN, opaque=True)
    with running.connect() as client:
        accepted(client, "XOAUTH2", LOGIN, first)
    gone.stop()
    with running.connect() as client:
        accepted(client, "OAUTHBEARER", LOGIN, first)
    with running.connect() as client:
        told, reply = attempt(client, "XOAUTH2", LOGIN, second)
        assert told is None and reply.startswith("-ERR [SYS/TEMP] "), reply
        works(client)


def test_new_keys_of_the_provider(served, own_provider):
    """A token names a key that is not known: the keys are asked for again."""
    old = own_provider(Key("RS256", "old"))
    running = served(old.by_keys())
    with running.connect() as client:
        accepted(client, "XOAUTH2", LOGIN, old.token(LOGIN))
    old.stop()
    new = own_provider(Key("RS256", "new"), port=old.port)
    deadline = time.monotonic() + TIMEOUT
    while True:  # not more often than every few seconds
        with running.connect() as client:
            told, reply = attempt(client, "XOAUTH2", LOGIN, new.token(LOGIN))
            if reply.startswith("+OK"):
                break
            assert told and reply.startswith("-ERR [AUTH] "), reply
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with running.connect() as client:
        refused(client, "XOAUTH2", LOGIN, old.forge(LOGIN))


def test_tokens_of_unknown_keys_are_no_flood_of_requests(served, provider, web):
    web.answer({"keys": [provider.keys["RS256"].jwk(private=False)]})
    running = served(provider.by_keys(jwks_url=web.url))
    for number in range(20):
        with running.connect() as client:
            refused(client, "XOAUTH2", LOGIN, provider.forge(LOGIN, header={"kid": f"k{number}"}))
    assert len(web.requests) <= 1 + 20  # once, and then every five seconds at most
    before = len(web.requests)
    with running.connect() as client:
        accepted(client, "XOAUTH2", LOGIN, provider.token(LOGIN))
    assert len(web.requests) == before


BROKEN_ANSWERS = {
    "nothing": (b"", 200),
    "no JSON": (b"<html>login</html>", 200),
    "half of it": (b'{"keys": [', 200),
    "another thing": (b"[]", 200),
    "no keys": (b'{"keys": []}', 200),
    "keys of no use": (b'{"keys": [1, {}, {"kty": "oct", "k": "AAAA"}, {"kty": "RSA"}]}', 200),
    "nested deeply": (b"[" * 200000, 200),
    "a huge one": (b'{"keys": [' + b" " * 400000 + b"]}", 200),
    "an error": (b"{}", 500),
    "not found": (b"{}", 404),
    "a redirect": (b"{}", 302),
}


@pytest.mark.parametrize("way, what", [
    *(("jwks_url", what) for what in BROKEN_ANSWERS),
    *(("introspection_url", what) for what in BROKEN_ANSWERS if "keys" not in what),
])  # fmt: skip
def test_a_provider_that_talks_nonsense(served, provider, web, what, way):
    body, status = BROKEN_ANSWERS[what]
    web.answer(body, status, **({"Location": provider.jwks_url} if status == 302 else {}))
    running = served({way: web.url, "issuer": provider.url, "audience": ["mail"]})
    with running.connect() as client:
        told, reply = attempt(client, "OAUTHBEARER", LOGIN, provider.token(LOGIN))
        assert told is None and reply.startswith("-ERR [SYS/TEMP] "), reply
        works(client)


def test_a_provider_that_refuses_the_gateway(served, provider, directory):
    running = served(provider.by_asking(directory, client_id="nobody"))
    with running.connect() as client:
        told, reply = attempt(client, "XOAUTH2", LOGIN, provider.token(LOGIN, opaque=True))
        assert told is None and reply.startswith("-ERR [SYS/PERM] "), reply
        works(client)


@pytest.mark.parametrize("way", ["jwks_url", "introspection_url"])
def test_a_provider_that_is_slow(served, provider, web, way):
    """Its tenant's tokens wait; nobody else does, and not for long."""
    web.stall()
    running = served({way: web.url, "issuer": provider.url, "audience": ["mail"],
                      "timeout": "500ms"})
    clients = [running.connect() for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(f"AUTH XOAUTH2 {message('XOAUTH2', LOGIN, f'token{number}')}\r\n".encode())
    with running.connect() as other:
        works(other)
    for client in clients:
        with client:
            assert client.reply().startswith("-ERR [SYS/TEMP] ")
            works(client)
    assert len(web.requests) <= 8 * 3


def test_a_stop_does_not_wait_for_a_slow_provider(served, web):
    web.stall()
    running = served({"introspection_url": web.url, "timeout": "60s"}, shutdown_grace="0s")
    client = running.connect()
    client.send(f"AUTH XOAUTH2 {message('XOAUTH2', LOGIN, 'token')}\r\n".encode())
    while not web.requests:
        time.sleep(0.01)
    running.gateway.stop()
    assert running.gateway.events("session closed", reason="shutdown")
    client.close()


def test_a_provider_under_tls(served, own_provider, provider, certificate, ca, directory):
    secure = own_provider(*provider.keys.values(), certificate=certificate)
    token = secure.forge(LOGIN)
    trusting = served(secure.by_keys(ca_file=str(ca.certificate)))
    with trusting.connect() as client:
        accepted(client, "XOAUTH2", LOGIN, token)
    trusting.gateway.write(merge(trusting.gateway.config, {}))
    config = trusting.gateway.config
    config["tenants"][0]["auth"]["oauth2"].pop("ca_file")
    trusting.gateway.write(config)
    trusting.gateway.stop()
    trusting.gateway.start()
    with trusting.connect() as client:
        told, reply = attempt(client, "XOAUTH2", LOGIN, token)
        assert told is None and reply.startswith("-ERR [SYS/TEMP] "), reply
        works(client)


# Clients that nobody here wrote


def program(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, arguments)), capture_output=True, timeout=TIMEOUT,
                          **options)


@pytest.mark.parametrize("initial", [[], ["--sasl-ir"]])
@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("scheme", ["pop3", "pop3s"])
def test_curl(judged, ca, scheme, mechanism, initial):
    def curl(token: str):
        return program("curl", "--silent", "--show-error", "--ssl-reqd", *initial,
                       "--cacert", ca.certificate, "--user", f"{LOGIN}:",
                       "--oauth2-bearer", token, "--login-options", f"AUTH={mechanism}",
                       f"{scheme}://localhost:{judged.gateway.port(scheme)}/2")

    done = curl(judged.token(LOGIN))
    assert done.returncode == 0, done.stderr
    assert done.stdout == corpus.wire(MESSAGES[1])
    assert curl("wrong").returncode == 67  # CURLE_LOGIN_DENIED


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("over", ["stls", "tls"])
def test_mpop(judged, ca, directory, mechanism, over):
    def mpop(token: str):
        target = directory / "mail"
        for part in ("cur", "new", "tmp"):
            (target / part).mkdir(parents=True, exist_ok=True)
        (directory / "token").write_text(token + "\n")
        config = directory / "mpoprc"
        config.write_text("\n".join([
            "account test", "host localhost",
            f"port {judged.gateway.port('pop3s' if over == 'tls' else 'pop3')}",
            "tls on", f"tls_starttls {'off' if over == 'tls' else 'on'}",
            f"tls_trust_file {ca.certificate}", f"auth {mechanism.lower()}", f"user {LOGIN}",
            f"passwordeval cat {directory}/token", "keep on", "only_new off", "received_header off",
            f"uidls_file {directory}/uidls", f"delivery maildir {target}", ""]))
        config.chmod(0o600)
        return program("mpop", "-C", config, "test"), target

    done, target = mpop(judged.token(LOGIN))
    assert done.returncode == 0, done.stderr
    assert len(list((target / "new").iterdir())) == len(MESSAGES)
    done, _ = mpop("wrong")
    assert done.returncode == 77, done.stderr  # EX_NOPERM
