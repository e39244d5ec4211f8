"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 5929, 7677, 9266)."""

import ssl
import subprocess

import pytest
from conftest import LOGIN
from support import corpus
from support.dovecot import tls_client
from support.gateway import PASSWORD, password, run
from support.pop3 import TIMEOUT, Pop3
from support.sasl import (
    Gsasl, OpenSsl, Scram, challenge, decode, encode, plain, scram_keys, start,
)  # fmt: skip

ANN = "ann@local.example"
MECHANISMS = ["user", "plain", "login", "scram-sha-256"]


@pytest.fixture
def served(local, maildir_tenant):
    """A gateway where ann has SCRAM keys, and joe a hash only."""
    maildir_tenant.add_user(ANN, scram_keys(password("ann")))
    maildir_tenant.maildir("ann").deliver_all([corpus.message("ann's")])
    served = local(tenant={"auth": {"mechanisms": MECHANISMS}})
    served.maildir_tenant = maildir_tenant
    return served


@pytest.fixture
def tls_1_2(ca):
    context = tls_client(ca.certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def unique(client: Pop3) -> tuple[str, bytes]:
    return "tls-unique", client.socket.get_channel_binding("tls-unique")


def assert_in(client: Pop3, answer: str) -> None:
    assert answer.startswith("+OK"), answer
    assert client.retr(1) == corpus.message("ann's")


@pytest.fixture(params=["plain", "stls", "tls"])
def connected(request, served):
    """A client over each kind of connection."""
    client = (served.connect("pop3s", tls=served.tls) if request.param == "tls"
              else served.connect())
    if request.param == "stls":
        client.ok("STLS")
        client.start_tls(served.tls)
    with client:
        yield client


@pytest.mark.parametrize("initial", [True, False])
def test_scram_sha_256(connected, initial):
    assert_in(connected, Scram(ANN, password("ann")).run(connected, initial))


def test_scram_sha_256_by_libgsasl(connected):
    client = Gsasl("SCRAM-SHA-256", authid=ANN, password=password("ann"))
    assert_in(connected, client.run(connected))


def test_scram_needs_no_tls_and_passwords_do(gateway, maildir_tenant, gateway_config):
    maildir_tenant.add_user(ANN, scram_keys(password("ann")))
    maildir_tenant.maildir("ann").deliver_all([corpus.message("ann's")])
    listeners = gateway_config()["listeners"]
    listeners[0]["plaintext_login"] = False
    running = gateway(listeners=listeners,
                      tenants=[maildir_tenant(auth={"mechanisms": MECHANISMS})])
    with Pop3(running.port()) as client:
        rows = client.capabilities()
        assert "SASL SCRAM-SHA-256" in rows and "USER" not in rows and "STLS" in rows
        client.err(f"USER {ANN}")
        client.err(f"AUTH PLAIN {plain(ANN, password('ann'))}")
        assert_in(client, Scram(ANN, password("ann")).run(client))


def test_plus_is_offered_under_tls_only(served):
    with served.connect() as client:
        assert "SASL PLAIN LOGIN SCRAM-SHA-256" in client.capabilities()
        client.err(f"AUTH SCRAM-SHA-256-PLUS {encode('p=tls-exporter,,n=a,r=b')}")
        client.ok("STLS")
        client.start_tls(served.tls)
        assert "SASL PLAIN LOGIN SCRAM-SHA-256-PLUS SCRAM-SHA-256" in client.capabilities()


def test_plus_binds_a_tls_1_2_connection(served, tls_1_2):
    with served.connect("pop3s", tls=tls_1_2) as client:
        assert client.socket.version() == "TLSv1.2"
        assert_in(client, Scram(ANN, password("ann"), binding=unique(client)).run(client))
    with served.connect() as client:
        client.ok("STLS")
        client.start_tls(tls_1_2)
        name, octets = unique(client)
        gsasl = Gsasl("SCRAM-SHA-256-PLUS", authid=ANN, password=password("ann"),
                      tls_unique=encode(octets))
        assert_in(client, gsasl.run(client))


def test_plus_binds_a_resumed_tls_1_2_connection(served, tls_1_2):
    """There the server's Finished message is the first (RFC 5929 section 3.1)."""
    with served.connect("pop3s", tls=tls_1_2) as client:
        session = client.socket.session
    with Pop3(served.gateway.port(), greet=True) as client:
        client.ok("STLS")
        client.socket = tls_1_2.wrap_socket(client.socket, server_hostname="localhost")
        session = client.socket.session
    with Pop3(served.gateway.port()) as client:
        client.ok("STLS")
        client.socket = tls_1_2.wrap_socket(client.socket, server_hostname="localhost",
                                            session=session)
        assert client.socket.session_reused
        assert_in(client, Scram(ANN, password("ann"), binding=unique(client)).run(client))


@pytest.mark.parametrize("by", ["ours", "libgsasl"])
def test_plus_binds_a_tls_1_3_connection(served, ca, by):
    with OpenSsl(served.gateway.port("pop3s"), ca.certificate) as client:
        if by == "ours":
            exchange = Scram(ANN, password("ann"), binding=("tls-exporter", client.exporter))
        else:
            exchange = Gsasl("SCRAM-SHA-256-PLUS", authid=ANN, password=password("ann"),
                             tls_exporter=encode(client.exporter))
        assert exchange.run(client).startswith("+OK 1 ")
    event = served.gateway.wait("login", mechanism="SCRAM-SHA-256-PLUS")
    assert event["login"] == ANN


def test_plus_wants_the_extended_master_secret(served, tls_1_2):
    """Without it tls-unique can be forged (RFC 7627)."""
    tls_1_2.options |= 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET
    with served.connect("pop3s", tls=tls_1_2) as client:
        assert "SASL PLAIN LOGIN SCRAM-SHA-256" in client.capabilities()
        assert Scram(ANN, password("ann"), binding=unique(client)).run(client).startswith("-ERR")
        assert_in(client, Scram(ANN, password("ann"), flag="y").run(client))


def test_the_binding_of_another_connection_is_refused(served, tls_1_2):
    """What a man in the middle has."""
    with served.connect("pop3s", tls=tls_1_2) as other, \
         served.connect("pop3s", tls=tls_1_2) as client:
        exchange = Scram(ANN, password("ann"), binding=unique(other))
        assert exchange.run(client).startswith("-ERR [AUTH]")
        assert_in(client, Scram(ANN, password("ann"), binding=unique(client)).run(client))


@pytest.mark.parametrize("binding", [b"", b"\0", b"x" * 12, b"x" * 64])
def test_a_binding_of_nothing_is_refused(served, tls_1_2, binding):
    with served.connect("pop3s", tls=tls_1_2) as client:
        exchange = Scram(ANN, password("ann"), binding=("tls-unique", binding))
        assert exchange.run(client).startswith("-ERR [AUTH]")


@pytest.mark.parametrize("name", ["tls-exporter", "tls-server-end-point", "tls-uniqu", ""])
def test_a_binding_that_this_connection_has_not_is_refused(served, tls_1_2, name):
    with served.connect("pop3s", tls=tls_1_2) as client:
        assert start(client, "SCRAM-SHA-256-PLUS",
                     f"p={name},,n={ANN},r=abcdef".encode()).startswith("-ERR")
        assert_in(client, Scram(ANN, password("ann"), binding=unique(client)).run(client))


def test_a_client_from_whom_plus_was_hidden_is_refused(served):
    """It says y: it could bind, and thinks that the server cannot (RFC 5802 section 6)."""
    with served.connect("pop3s", tls=served.tls) as client:
        answer = Scram(ANN, password("ann"), flag="y").run(client)
        assert answer.startswith("-ERR [AUTH]")
        assert_in(client, Scram(ANN, password("ann")).run(client))
    assert "somebody hides" in served.gateway.wait("login failed")["detail"]


def test_a_client_that_could_bind_gets_in_without_tls(served):
    with served.connect() as client:
        assert_in(client, Scram(ANN, password("ann"), flag="y").run(client))


@pytest.mark.parametrize("flag", ["n", "y", "p=", "p"])
def test_plus_without_a_binding_is_refused(served, tls_1_2, flag):
    with served.connect("pop3s", tls=tls_1_2) as client:
        assert start(client, "SCRAM-SHA-256-PLUS",
                     f"{flag},,n={ANN},r=abcdef".encode()).startswith("-ERR")


def test_a_binding_without_plus_is_refused(served, tls_1_2):
    with served.connect("pop3s", tls=tls_1_2) as client:
        name, octets = unique(client)
        for binding in (octets, b""):
            exchange = Scram(ANN, password("ann"), binding=(name, binding))
            exchange.mechanism = "SCRAM-SHA-256"
            assert exchange.run(client).startswith("-ERR")


# Passwords


def test_a_wrong_password_is_refused_and_the_session_goes_on(connected):
    assert Scram(ANN, password("joe")).run(connected).startswith("-ERR [AUTH]")
    assert Scram(ANN, "").run(connected).startswith("-ERR [AUTH]")
    connected.err("STAT")
    assert_in(connected, Scram(ANN, password("ann")).run(connected))


def test_failures_end_the_connection_and_are_counted(local, maildir_tenant):
    maildir_tenant.add_user(ANN, scram_keys(password("ann")))
    served = local(tenant={"auth": {"mechanisms": MECHANISMS}}, limits={"login_failures": 2})
    with served.connect() as client:
        assert Scram(ANN, password("a")).run(client).startswith("-ERR [AUTH]")
        assert Scram(ANN, password("b")).run(client).startswith("-ERR [AUTH]")
        client.closed()
    failed = served.gateway.events("login failed")
    assert [e["login"] for e in failed] == [ANN, ANN]
    assert {e["mechanism"] for e in failed} == {"SCRAM-SHA-256"}


def test_scram_keys_serve_the_other_mechanisms_too(served):
    for command in (f"AUTH PLAIN {plain(ANN, password('ann'))}", "USER"):
        with served.connect() as client:
            if command == "USER":
                client.ok(f"USER {ANN}")
                assert client.command(f"PASS {password('joe')}").startswith("-ERR [AUTH]")
                client.ok(f"USER {ANN}")
                command = f"PASS {password('ann')}"
            assert_in(client, client.command(command))


def test_a_hash_serves_no_scram(served):
    with served.connect() as client:
        assert Scram(LOGIN, PASSWORD).run(client).startswith("-ERR [AUTH]")


def test_keys_written_by_the_users_verb(served):
    done = run("users", "set", "--scram", "--file", served.maildir_tenant.users, LOGIN,
               stdin="sEcReT größe\n")
    assert done.returncode == 0, done.stderr
    lines = served.maildir_tenant.users.read_text().splitlines()
    assert len([line for line in lines if line.startswith(LOGIN)]) == 1
    assert lines[0].startswith(f"{LOGIN}:{{SCRAM-SHA-256}}100000,")
    listed = run("users", "list", "--file", served.maildir_tenant.users).stdout.splitlines()
    assert f"{LOGIN}\tscram-sha-256" in listed
    with served.connect() as client:
        assert Scram(LOGIN, "sEcReT größe").run(client).startswith("+OK")
    with served.connect() as client:
        client.ok(f"AUTH PLAIN {plain(LOGIN, 'sEcReT größe')}")


def test_a_new_password_takes_the_old_keys_away(served):
    assert run("users", "set", "--file", served.maildir_tenant.users, ANN,
               stdin=password("new") + "\n").returncode == 0
    with served.connect() as client:
        assert Scram(ANN, password("ann")).run(client).startswith("-ERR [AUTH]")
        client.ok(f"AUTH PLAIN {plain(ANN, password('new'))}")


def test_dovecot_takes_the_same_keys(dovecot):
    """The users verb writes what Dovecot's passwd-file reads, scheme and all."""
    file = dovecot.directory / "scram"
    assert run("users", "set", "--scram", "--file", file, ANN,
               stdin=password("ann") + "\n").returncode == 0
    keys = file.read_text().strip().partition(":")[2]
    for secret, right in ((password("ann"), True), (password("joe"), False)):
        done = subprocess.run(
            ["doveadm", "-c", dovecot.directory / "dovecot.conf", "pw", "-t", keys, "-p", secret],
            capture_output=True, text=True, timeout=TIMEOUT)  # fmt: skip
        assert (done.returncode == 0) == right, done.stderr
        assert ("(verified)" in done.stdout) == right


# What a client without a password learns


def offer(client: Pop3, login: str) -> tuple[bytes, int]:
    """Salt and iterations that the gateway shows for a login."""
    exchange = Scram(login, "")
    answer = start(client, "SCRAM-SHA-256", exchange.first())
    exchange.final(challenge(answer))
    client.err("*")
    return exchange.salt, exchange.iterations


def test_logins_without_keys_are_shown_some(served):
    with served.connect() as client:
        known = offer(client, ANN)
        others = {login: offer(client, login) for login in (
            LOGIN, "nobody@local.example", "ann@nowhere.example", "ann", "../x@local.example")}
        again = {login: offer(client, login) for login in others}
    assert others == again
    assert len({salt for salt, _ in [known, *others.values()]}) == 1 + len(others)
    assert {iterations for _, iterations in others.values()} == {known[1]}
    assert {len(salt) for salt, _ in others.values()} == {len(known[0])}
    served.gateway.stop()
    served.gateway.start()
    with served.connect() as client:
        assert {login: offer(client, login) for login in others} == others


def test_logins_without_keys_are_shown_the_same_in_any_case(served):
    with served.connect() as client:
        assert offer(client, "nobody@local.example") == offer(client, "NoBody@Local.Example")
        assert offer(client, "x@nowhere.example") == offer(client, "X@NOWHERE.example")
        assert offer(client, ANN) == offer(client, ANN.upper())


def test_shown_keys_look_like_those_of_the_file(local, maildir_tenant):
    for n in range(3):
        maildir_tenant.add_user(f"u{n}@local.example",
                                scram_keys(password("u"), 5000, b"%d" % n * 24))
    maildir_tenant.add_user(ANN, scram_keys(password("ann"), 4096))
    served = local(tenant={"auth": {"mechanisms": MECHANISMS}})
    with served.connect() as client:
        salt, iterations = offer(client, "nobody@local.example")
        assert (len(salt), iterations) == (24, 5000)


def test_unknown_user_unknown_tenant_and_wrong_password_end_alike(served):
    answers = set()
    for login in (ANN, LOGIN, "nobody@local.example", "ann@nowhere.example", "ann"):
        with served.connect() as client:
            answers.add(Scram(login, password("wrong")).run(client))
    assert len(answers) == 1
    assert answers.pop().startswith("-ERR [AUTH] ")


def test_no_password_fits_a_login_without_keys(served):
    for secret in ("", password("nobody")):
        with served.connect() as client:
            answer = Scram("nobody@local.example", secret).run(client)
            assert answer.startswith("-ERR [AUTH]")


def test_a_users_file_that_vanished_is_no_wrong_password(served):
    served.maildir_tenant.users.unlink()
    with served.connect() as client:
        answer = start(client, "SCRAM-SHA-256", Scram(ANN, password("ann")).first())
        assert answer.startswith("-ERR [SYS/TEMP]")


def test_a_tenant_without_scram_looks_like_an_unknown_one(gateway, maildir_tenant, tls):
    maildir_tenant.add_user(ANN, scram_keys(password("ann")))
    with_scram = maildir_tenant(auth={"mechanisms": MECHANISMS}, name="with",
                                match={"domains": ["other.example"]})
    running = gateway(tenants=[with_scram, maildir_tenant()])
    with Pop3(running.port()) as client:
        assert offer(client, ANN) == offer(client, ANN)
        assert Scram(ANN, password("ann")).run(client).startswith("-ERR [AUTH]")


# Messages


def test_names_with_commas_and_equals_signs(served):
    login = "a,b=c@local.example"
    served.maildir_tenant.add_user(login, scram_keys(password("abc")))
    served.maildir_tenant.maildir("a,b=c")
    with served.connect() as client:
        assert Scram(login, password("abc")).run(client).startswith("+OK")


def test_a_name_that_is_too_long(served):
    with served.connect() as client:
        exchange = Scram("a" * 1025, password("ann"))
        client.err(f"AUTH SCRAM-SHA-256 {encode(exchange.first())}")
        assert_in(client, Scram(ANN, password("ann")).run(client))


def test_an_answer_to_the_last_challenge_must_be_empty(served):
    with served.connect() as client:
        exchange = Scram(ANN, password("ann"))
        answer = start(client, "SCRAM-SHA-256", exchange.first())
        answer = client.command(encode(exchange.final(challenge(answer))))
        exchange.check(challenge(answer))
        client.err(encode("more"))
        client.err("STAT")
        assert_in(client, Scram(ANN, password("ann")).run(client))


def test_a_replayed_exchange_is_refused(served):
    with served.connect() as client:
        exchange = Scram(ANN, password("ann"))
        first = exchange.first()
        final = exchange.final(challenge(start(client, "SCRAM-SHA-256", first)))
        assert client.command(encode(final)).startswith("+ ")
        client.err("*")
        assert start(client, "SCRAM-SHA-256", first).startswith("+ ")
        assert client.command(encode(final)).startswith("-ERR [AUTH]")
    assert decode(encode(first)) == first
