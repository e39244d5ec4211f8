"""Tokens handed on to the IMAP server: a real Dovecot, which asks the provider; and bent ones."""

import base64
import json

import pytest

from support import corpus
from support.dovecot import MASTER_USER
from support.gateway import PASSWORD, merge, password
from support.oidc import DOVECOT, Key, Provider
from support.pop3 import Pop3
from support.scripted_imap import CAPABILITIES, ScriptedImap
from test_oauth_login import MECHANISMS, answer, attempt, b64, message, program, refused, tenant

MESSAGES = [corpus.message("first"), corpus.message("second")]
BOTH = {"auth": {"mechanisms": ["user", "xoauth2", "oauthbearer"]}}


@pytest.fixture(scope="session")
def provider():
    running = Provider([Key("RS256")]).start()
    yield running
    running.stop()


@pytest.fixture
def oauth_dovecot(own_dovecot, provider, directory):
    """oauth_dovecot("xoauth2 …"): a Dovecot that has these mechanisms and asks the provider."""

    def start(mechanisms: str = "oauthbearer xoauth2"):
        settings = directory / "dovecot-oauth2.conf.ext"
        settings.write_text("\n".join([
            f"introspection_url = {provider.introspection_url}", "introspection_mode = post",
            "force_introspection = yes", f"client_id = {DOVECOT[0]}",
            f"client_secret = {DOVECOT[1]}", "username_attribute = email",
            "active_attribute = active", "active_value = true", ""]))
        return own_dovecot(extra=f"""
auth_mechanisms = plain login {mechanisms}
passdb {{
  driver = oauth2
  mechanisms = {mechanisms}
  args = {settings}
}}
""")

    return start


# A real server


@pytest.mark.parametrize("takes", ["oauthbearer xoauth2", "oauthbearer", "xoauth2"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_dovecot_judges_the_token(imap, oauth_dovecot, provider, mechanism, takes):
    """Whatever form the client uses, the server gets one that it takes."""
    served = imap(MESSAGES, server=oauth_dovecot(takes), tenant=BOTH, over="implicit")
    token = provider.token(served.login, opaque=True)
    with served.connect() as client:
        told, reply = attempt(client, mechanism, served.login, token)
        assert reply.startswith(f"+OK {len(MESSAGES)} "), reply
        assert client.retr(1) == corpus.wire(MESSAGES[0])
        client.ok("DELE 1")
        client.quit()
    assert served.held() == len(MESSAGES) - 1
    assert served.gateway.wait("login")["mechanism"] == mechanism
    assert token not in served.gateway.text() and b64(token) not in served.gateway.text()


@pytest.mark.parametrize("takes", ["oauthbearer", "xoauth2"])
def test_dovecot_refuses_the_token(imap, oauth_dovecot, provider, takes):
    served = imap(MESSAGES, server=oauth_dovecot(takes), tenant=BOTH,
                  limits={"login_failures": 100})
    bad = ["made-up", provider.token("somebody@else.example", opaque=True)]
    with served.connect() as client:
        for token in bad:
            for mechanism in MECHANISMS:
                assert "status" in refused(client, mechanism, served.login, token)
        client.login(served.login, served.password)
        assert client.stat()[0] == len(MESSAGES)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_curl_through_to_dovecot(imap, oauth_dovecot, provider, ca, mechanism):
    served = imap(MESSAGES, server=oauth_dovecot(), tenant=BOTH)
    done = program(
        "curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", ca.certificate,
        "--user", f"{served.login}:", "--oauth2-bearer", provider.token(served.login, opaque=True),
        "--login-options", f"AUTH={mechanism}",
        f"pop3s://localhost:{served.gateway.port('pop3s')}/2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == corpus.wire(MESSAGES[1])


def test_a_judged_token_and_the_master_user(imap, dovecot, provider, directory):
    """The server is entered by its master; it never sees a token."""
    secret = directory / "master"
    secret.write_text(password(MASTER_USER) + "\n")
    served = imap(MESSAGES, tenant=tenant(provider.by_keys(), auth={
        "mechanisms": ["oauthbearer"]}, imap={
        "master_user": MASTER_USER, "master_password_file": str(secret)}))
    with served.connect() as client:
        told, reply = attempt(client, "OAUTHBEARER", served.login, provider.token(served.login))
        assert reply.startswith(f"+OK {len(MESSAGES)} "), reply
        assert client.retr(1) == corpus.wire(MESSAGES[0])
    with served.connect() as client:
        refused(client, "OAUTHBEARER", served.login, provider.token(served.login, audience="x"))


def test_a_judged_token_is_handed_on(imap, oauth_dovecot, provider, directory):
    """Without a master user both look at it."""
    served = imap(MESSAGES, server=oauth_dovecot(), tenant=tenant(provider.by_asking(directory)))
    with served.connect() as client:
        told, reply = attempt(
            client, "OAUTHBEARER", served.login, provider.token(served.login, opaque=True))
        assert reply.startswith(f"+OK {len(MESSAGES)} "), reply


# What a server may do


@pytest.fixture
def scripted(gateway):
    """scripted("AUTH=XOAUTH2 …"): a server with these capabilities beside, and its gateway."""
    servers = []

    def start(more: str, **changes):
        server = ScriptedImap(MESSAGES, capabilities=f"{CAPABILITIES} {more}")
        servers.append(server)
        block = merge({"name": "t", "imap": server.as_config(), **BOTH}, changes)
        return server, gateway(tenants=[block])

    yield start
    for server in servers:
        server.close()


def taken(server: ScriptedImap, *, two_lines: list[str]) -> list[tuple[str, bytes]]:
    """Makes it accept AUTHENTICATE; what it got, as (mechanism, message)."""
    got = []

    def authenticate(peer, arguments):
        mechanism, _, initial = arguments.partition(" ")
        if not initial:
            two_lines.append(mechanism)
            peer.send("+ \r\n")
            initial = peer._line().decode()
        got.append((mechanism, base64.b64decode(initial, validate=True)))
        peer.ok("in")

    server.on["AUTHENTICATE"] = authenticate
    return got


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("size", [10, 4000, 40000])
def test_what_the_server_gets(scripted, mechanism, size):
    server, running = scripted(f"AUTH=PLAIN AUTH={mechanism}")
    two_lines = []
    got = taken(server, two_lines=two_lines)
    token, login = "t" * size, "a,b=c@x.example"
    with Pop3(running.port()) as client:
        told, reply = attempt(client, "XOAUTH2", login, token, lines=2)
        assert reply.startswith("+OK"), reply
    if mechanism == "XOAUTH2":
        expected = f"user={login}\1auth=Bearer {token}\1\1"
    else:
        port = server.as_config()["port"]
        expected = (f"n,a=a=2Cb=3Dc@x.example,\1host=127.0.0.1\1port={port}\1"
                    f"auth=Bearer {token}\1\1")
    assert got == [(mechanism, expected.encode())]
    assert bool(two_lines) == (size == 40000), "a command line has its limits"


def test_the_login_template_holds_for_tokens(scripted):
    server, running = scripted("AUTH=XOAUTH2", imap={"login": "%{domain}/%{user}"})
    got = taken(server, two_lines=[])
    with Pop3(running.port()) as client:
        told, reply = attempt(client, "OAUTHBEARER", "joe@x.example", "abc")
        assert reply.startswith("+OK"), reply
    assert got[0][1] == b"user=x.example/joe\1auth=Bearer abc\1\1"


@pytest.mark.parametrize("mechanism, dummy", [("XOAUTH2", b""), ("OAUTHBEARER", b"AQ==")])
@pytest.mark.parametrize("words, code", [
    ("NO [AUTHENTICATIONFAILED] bad token", "[AUTH]"),
    ("NO bad token", "[AUTH]"),
    ("NO [UNAVAILABLE] later", "[SYS/TEMP]"),
    ("BAD what", "[SYS/TEMP]"),
])  # fmt: skip
def test_the_servers_reason_is_answered(scripted, mechanism, dummy, words, code):
    server, running = scripted(f"AUTH={mechanism}")
    answers = []

    def refuse(peer, _):
        peer.send("+ " + b64(json.dumps({"status": "400", "own": "words"})) + "\r\n")
        answers.append(peer._line())
        peer.send(f"{peer.tag} {words}\r\n")

    server.on["AUTHENTICATE"] = refuse
    with Pop3(running.port()) as client:
        told, reply = attempt(client, "XOAUTH2", "joe@x.example", "abc")
        assert reply.startswith(f"-ERR {code} "), reply
        assert told is None or "own" not in told
        client.ok("QUIT")
    assert answers == [dummy]


@pytest.mark.parametrize("bend", ["no challenge", "two challenges", "vanish", "garbage", "stall"])
def test_servers_that_break_the_exchange(scripted, bend):
    server, running = scripted("AUTH=XOAUTH2", imap={"command_timeout": "1s"})

    def authenticate(peer, _):
        if bend == "no challenge":
            peer.no("[AUTHENTICATIONFAILED] no")
        elif bend == "two challenges":
            peer.send("+ e30=\r\n+ e30=\r\n")
            peer.stall()
        elif bend == "vanish":
            peer.vanish()
        elif bend == "garbage":
            peer.send("+" * 70000 + "\r\n")
            peer.stall()
        else:
            peer.stall()

    server.on["AUTHENTICATE"] = authenticate
    with Pop3(running.port()) as client:
        told, reply = attempt(client, "XOAUTH2", "joe@x.example", "abc")
        expected = "[AUTH]" if bend == "no challenge" else "[SYS/TEMP]"
        assert reply.startswith(f"-ERR {expected} "), reply
        client.ok("QUIT")


def test_a_server_that_takes_no_tokens(scripted):
    server, running = scripted("AUTH=PLAIN")
    with Pop3(running.port()) as client:
        told, reply = attempt(client, "XOAUTH2", "joe@x.example", "abc")
        assert told is None and reply.startswith("-ERR [SYS/PERM] "), reply
        client.login("joe@x.example", PASSWORD)
        assert client.stat()[0] == len(MESSAGES)


def test_a_delegate_shows_a_token_of_his_own(scripted):
    """As at Exchange: the shared mailbox in user=, and the server decides by the token."""
    server, running = scripted("AUTH=XOAUTH2")
    got = taken(server, two_lines=[])
    with Pop3(running.port()) as client:
        told, reply = answer(
            client, f"AUTH XOAUTH2 {message('XOAUTH2', 'shared@x.example', 'tokenOfJoe')}")
        assert reply.startswith("+OK"), reply
    assert got[0][1] == b"user=shared@x.example\1auth=Bearer tokenOfJoe\1\1"
