"""What holds for every SASL mechanism (RFC 5034): framing, order, sizes; and real clients of each."""

import base64
import os
import random
import subprocess

import pytest
from conftest import LOGIN
from support import corpus

from support.dovecot import MASTER_USER, tls_client
from support.gateway import merge, password
from support.maildir import Maildir
from support.pop3 import TIMEOUT, Pop3
from support.sasl import Scram, challenge, encode, plain, scram_keys

ANN = "ann@local.example"
SECRET = "pass of ann"  # without what must not be logged: an exchange out of order has it as login
ALL = ["user", "plain", "login", "scram-sha-256", "external"]


@pytest.fixture
def listeners(gateway_config, ca):
    """Those of gateway_config, asking for certificates."""
    return [{**entry, "ca_file": str(ca.certificate)} for entry in gateway_config()["listeners"]]


@pytest.fixture(scope="session")
def ann(ca):
    """ann's certificate."""
    return ca.issue_to("Ann", ANN, file="ann-of-sasl")


@pytest.fixture
def tls(ca, ann):
    context = tls_client(ca.certificate)
    context.load_cert_chain(ann.certificate, ann.key)
    return context


@pytest.fixture
def served(local, maildir_tenant, listeners):
    """Every mechanism, for ann; joe has a maildrop too."""

    def start(*, tenant: dict | None = None, **changes):
        maildir_tenant.add_user(ANN, scram_keys(SECRET))
        maildir_tenant.maildir("ann").deliver_all([corpus.message("ann's")])
        changes = merge({"limits": {"login_failures": 100, "failures_per_address": 100000},
                         "protocol": {"bad_commands": 100000}}, changes)
        return local(listeners=listeners,
                     tenant=merge({"auth": {"mechanisms": ALL}}, tenant or {}), **changes)

    return start


# A good exchange of each mechanism: what the client sends, given what it was sent


def plain_exchange():
    return "PLAIN", [lambda _: plain(ANN, SECRET).encode()]


def login_exchange():
    return "LOGIN", [lambda _: encode(ANN).encode(), lambda _: encode(SECRET).encode()]


def scram_exchange():
    scram = Scram(ANN, SECRET)
    return "SCRAM-SHA-256", [
        lambda _: encode(scram.first()).encode(),
        lambda answer: encode(scram.final(challenge(answer))).encode(),
        lambda _: b"",
    ]


def external_exchange():
    return "EXTERNAL", [lambda _: encode(ANN).encode()]


EXCHANGES = [plain_exchange, login_exchange, scram_exchange, external_exchange]
MECHANISMS = ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL"]


def assert_usable(client: Pop3) -> None:
    """The session is before login, in step, and takes a good login."""
    assert "log in first" in client.err("STAT")
    assert client.command("CAPA").startswith("+OK")
    client.multiline_raw()
    client.ok(f"AUTH PLAIN {plain(ANN, SECRET)}")
    assert client.retr(1) == corpus.message("ann's")


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("initial", [True, False])
def test_a_good_exchange(served, tls, exchange, initial):
    name, steps = exchange()
    with served().connect("pop3s", tls=tls) as client:
        if initial:
            answer = client.command(f"AUTH {name} ".encode() + steps.pop(0)(""))
        else:
            answer = client.command(f"auth {name.lower()}")
        for step in steps:
            assert answer.startswith("+ ")
            answer = client.command(step(answer))
        assert answer.startswith("+OK")
        assert client.retr(1) == corpus.message("ann's")


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_canceled_at_every_step(served, tls, exchange):
    name, steps = exchange()
    with served().connect("pop3s", tls=tls) as client:
        for cut in range(len(steps) + 1):
            name, steps = exchange()
            answer = client.command(f"AUTH {name}")
            for step in steps[:cut]:
                assert answer.startswith("+ ")
                answer = client.command(step(answer))
            if answer.startswith("+OK"):
                break
            assert "cancel" in client.err("*")
            client.err("STAT")
        else:
            assert_usable(client)


@pytest.mark.parametrize("name", MECHANISMS)
def test_what_is_no_base64(served, tls, name):
    wrong = ["!", "AGFubgBzZWNyZXQ", "AGFubgBzZWNyZXQ==", "AGFubgBzZWNyZXR=", "A", "==", "*A",
             "AGFu bgBz", "AGFu\tbgBz", " AGFubgBz", "A-Fu_gBz", "AGFubgBz=AAA", "ä", "\0", "AGFu\0"]
    with served().connect("pop3s", tls=tls) as client:
        for text in wrong:
            client.err(f"AUTH {name} {text}")
            if client.command(f"AUTH {name}").startswith("+ "):
                client.err(text)
        # "=" is an empty response where it comes with the command only (RFC 5034 section 4).
        if client.command(f"AUTH {name}").startswith("+ "):
            client.err("=")
        assert_usable(client)


@pytest.mark.parametrize("name", MECHANISMS)
def test_what_is_too_long(served, tls, name):
    sizes = [49152, 49155, 60000, 200000]
    with served().connect("pop3s", tls=tls) as client:
        for size in sizes:
            long = encode(b"a" * size)
            client.err(f"AUTH {name} {long}")
            if client.command(f"AUTH {name}").startswith("+ "):
                answer = client.command(long)
                if answer.startswith("+ "):  # a very long name
                    client.err(encode(b"x"))
        assert_usable(client)


@pytest.mark.parametrize("name", MECHANISMS)
def test_one_argument_too_many(served, tls, name):
    with served().connect("pop3s", tls=tls) as client:
        client.err(f"AUTH {name} {plain(ANN, SECRET)} more")
        client.err(f"AUTH {name} = =")
        assert_usable(client)


def test_commands_ahead_are_responses(served, tls):
    """Whatever comes during an exchange belongs to it."""
    with served().connect("pop3s", tls=tls) as client:
        for name in MECHANISMS:
            client.send(f"AUTH {name}\r\nSTAT\r\nNOOP\r\n".encode())
            assert client.reply().startswith("+ ")
            answers = [client.reply(), client.reply()]
            assert all(answer.startswith(("-ERR", "+ ")) for answer in answers), answers
            if answers[-1].startswith("+ "):
                client.err("*")
        assert_usable(client)


def test_a_line_end_within_an_exchange_ends_the_line_only(served, tls):
    response = plain(ANN, SECRET).encode()
    with served().connect("pop3s", tls=tls) as client:
        client.send(b"AUTH PLAIN\n" + response[:9])
        assert client.reply() == "+ "
        client.send(response[9:] + b"\n")
        assert client.reply().startswith("+OK")


def test_auth_after_login_is_refused(served, tls):
    with served().connect("pop3s", tls=tls) as client:
        client.ok(f"AUTH PLAIN {plain(ANN, SECRET)}")
        for name in MECHANISMS:
            client.err(f"AUTH {name}")
        assert client.stat()[0] == 1


def test_a_client_that_vanishes_within_an_exchange(served, tls):
    gateway = served()
    for exchange in EXCHANGES:
        name, steps = exchange()
        for cut in range(len(steps)):
            name, steps = exchange()
            with gateway.connect("pop3s", tls=tls) as client:
                answer = client.command(f"AUTH {name}")
                for step in steps[:cut]:
                    answer = client.command(step(answer))
    with gateway.connect("pop3s", tls=tls) as client:
        assert_usable(client)


def mutate(rng: random.Random, octets: bytes) -> bytes:
    """One change to what a line of base64 says, or to the line."""
    what = rng.randrange(9)
    if what == 0:
        return octets[: rng.randrange(len(octets) + 1)]
    if what == 1:
        return octets + octets[rng.randrange(len(octets) + 1) :]
    if what == 2:
        return octets + b"=" * rng.randrange(1, 3)
    if what == 3 and octets:
        at = rng.randrange(len(octets))
        return octets[:at] + bytes([rng.choice(b"AZaz09+/=*- \0\xff")]) + octets[at + 1 :]
    try:
        message = bytearray(base64.b64decode(octets))
    except ValueError:
        return b""
    if what == 4 and message:
        message[rng.randrange(len(message))] ^= 1 << rng.randrange(8)
    elif what == 5 and message:
        del message[rng.randrange(len(message))]
    elif what == 6:
        message.insert(rng.randrange(len(message) + 1), rng.choice(b"\0,=pnyr\xff"))
    elif what == 7:
        message = message[: rng.randrange(len(message) + 1)]
    else:
        message += message[rng.randrange(len(message) + 1) :]
    return encode(bytes(message)).encode()


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("seed", range(3))
def test_mutated_exchanges_end_in_err_and_a_usable_session(served, tls, exchange, seed):
    """One step of a good exchange is changed, left out, repeated or put in another's place. Nobody
    gets in but as ann, every line has one answer, and the session goes on."""
    rng = random.Random(f"{exchange.__name__} {seed}")
    gateway = served()
    client = gateway.connect("pop3s", tls=tls)
    refused = entered = 0
    for _ in range(60):
        name, steps = exchange()
        bent = rng.randrange(len(steps))
        how = rng.randrange(8)
        if how == 0:
            del steps[bent]
        elif how == 1:
            steps.insert(bent, steps[bent])
        elif how == 2:
            rng.shuffle(steps)
        answer = client.command(f"AUTH {name}")
        for index, step in enumerate(steps):
            if not answer.startswith("+ "):
                break
            try:
                line = step(answer)
            except (AssertionError, AttributeError, UnicodeDecodeError):  # nothing to answer
                line = encode("r=1,s=MTIzNDU2Nzg=,i=4096").encode()
            if how > 2 and index == bent:
                line = mutate(rng, line).replace(b"\r", b"").replace(b"\n", b"")
            answer = client.command(line)
        if answer.startswith("+ "):
            client.err("*")
            answer = "-ERR"
        if answer.startswith("+OK"):  # the change made no difference
            entered += 1
            assert gateway.gateway.wait("login", entered)["login"] == ANN
            client.close()
            client = gateway.connect("pop3s", tls=tls)
            continue
        assert answer.startswith("-ERR"), answer
        refused += 1
    assert refused > 20
    assert_usable(client)
    client.close()


def test_each_failure_of_each_mechanism_has_one_text(served, tls):
    """Wrong password, unknown user, unknown tenant: the same answer, whatever the mechanism."""
    answers = set()
    with served().connect("pop3s", tls=tls) as client:
        for login in (ANN, LOGIN, "nobody@local.example", "ann@nowhere.example"):
            wrong = password("wrong")
            client.ok(f"USER {login}")
            answers.add(client.command(f"PASS {wrong}"))
            answers.add(client.command(f"AUTH PLAIN {plain(login, wrong)}"))
            client.command(f"AUTH LOGIN {encode(login)}")
            answers.add(client.command(encode(wrong)))
            answers.add(Scram(login, wrong).run(client))
        assert_usable(client)
    assert len(answers) == 1 and answers.pop().startswith("-ERR [AUTH] ")


def test_a_mechanism_that_the_tenant_does_not_take_looks_like_a_wrong_password(
        gateway, maildir_tenant, listeners, tls):
    """CAPA shows what some tenant takes; whether this one does is not told."""
    maildir_tenant.add_user(ANN, scram_keys(SECRET))
    maildir_tenant.maildir("ann")
    other = maildir_tenant(name="other", match={"domains": ["other.example"]},
                           auth={"mechanisms": ALL})
    running = gateway(listeners=listeners, tenants=[other, maildir_tenant(
        auth={"mechanisms": ["login"]})], limits={"login_failures": 100})
    answers = set()
    with Pop3(running.port("pop3s"), tls=tls) as client:
        for secret in (SECRET, password("wrong")):
            client.ok(f"USER {ANN}")
            answers.add(client.command(f"PASS {secret}"))
            answers.add(client.command(f"AUTH PLAIN {plain(ANN, secret)}"))
            answers.add(Scram(ANN, secret).run(client))
        answers.add(client.command("AUTH EXTERNAL ="))
        assert len(answers) == 1 and answers.pop().startswith("-ERR [AUTH] ")
        client.command(f"AUTH LOGIN {encode(ANN)}")
        assert client.command(encode(SECRET)).startswith("+OK")


# Authorization identities


def test_plain_for_another_by_a_master(served, tls):
    gateway = served(tenant={"auth": {"masters": [ANN]}})
    gateway.maildir.deliver_all([corpus.message("joe's")])
    with gateway.connect("pop3s", tls=tls) as client:
        assert client.command(
            f"AUTH PLAIN {plain(ANN, password('x'), LOGIN)}").startswith("-ERR [AUTH]")
        client.ok(f"AUTH PLAIN {plain(ANN, SECRET, LOGIN)}")
        assert client.retr(1) == corpus.message("joe's")
    event = gateway.gateway.wait("login")
    assert (event["login"], event["authenticated_as"]) == (LOGIN, ANN)


def test_scram_for_another_by_a_master(served, tls):
    gateway = served(tenant={"auth": {"masters": [ANN]}})
    gateway.maildir.deliver_all([corpus.message("joe's")])
    with gateway.connect("pop3s", tls=tls) as client:
        assert Scram(ANN, SECRET, identity=LOGIN).run(client).startswith("+OK 1 ")
        assert client.retr(1) == corpus.message("joe's")


@pytest.mark.parametrize("masters", [[], [LOGIN], ["ann"]])
def test_nobody_else_acts_for_another(served, tls, masters):
    """A right password and no right to that mailbox: the same text, whether it exists or not."""
    with served(tenant={"auth": {"masters": masters}}).connect("pop3s", tls=tls) as client:
        answers = {client.command(f"AUTH PLAIN {plain(ANN, SECRET, other)}") for other in
                   (LOGIN, "nobody@local.example", "joe@nowhere.example", "..@local.example")}
        answers.add(Scram(ANN, SECRET, identity=LOGIN).run(client))
        assert len(answers) == 1 and answers.pop().startswith("-ERR [SYS/PERM] ")
        assert_usable(client)


def test_ones_own_name_in_another_spelling_is_ones_own(served, tls):
    with served().connect("pop3s", tls=tls) as client:
        client.ok(f"AUTH PLAIN {plain(ANN, SECRET, ANN.upper())}")
        assert client.stat()[0] == 1


def test_a_master_reaches_no_other_tenant(gateway, maildir_tenant, directory, tls, listeners):
    maildir_tenant.add_user(ANN, scram_keys(SECRET))
    other = maildir_tenant(name="other", match={"domains": ["other.example"]},
                           auth={"masters": [ANN]})
    running = gateway(listeners=listeners, tenants=[maildir_tenant(auth={"masters": [ANN]}), other])
    Maildir(directory / "mail" / "other.example" / "zoe" / "Maildir")
    with Pop3(running.port("pop3s"), tls=tls) as client:
        assert client.command(
            f"AUTH PLAIN {plain(ANN, SECRET, 'zoe@other.example')}").startswith("-ERR [SYS/PERM]")


def test_an_imap_server_decides_who_acts_for_whom(imap, dovecot):
    served = imap([corpus.message("theirs")], tenant={"auth": {"masters": ["*"]}})
    ordinary = dovecot.new_user()
    with open(dovecot.directory / "masters", "a") as masters:
        masters.write(f"boss@acme.example:{password('boss')}\n")
    with served.connect() as client:
        assert client.command(f"AUTH PLAIN {plain(ordinary.login, ordinary.password, served.login)}"
                              ).startswith("-ERR [AUTH]")
        client.ok(f"AUTH PLAIN {plain('boss@acme.example', password('boss'), served.login)}")
        assert client.retr(1) == corpus.message("theirs")


def test_scram_on_imap_enters_by_the_master_user(imap, dovecot, directory):
    users, secret = directory / "scram.users", directory / "master"
    users.write_text("")
    secret.write_text(password(MASTER_USER))
    served = imap([corpus.message("theirs")], tenant={
        "auth": {"mechanisms": ["scram-sha-256"], "users_file": str(users)},
        "imap": {"master_user": MASTER_USER, "master_password_file": str(secret)}})
    users.write_text(f"{served.login}:{scram_keys(SECRET)}\n")
    with served.connect() as client:
        assert Scram(served.login, SECRET).run(client).startswith("+OK 1 ")
        assert client.retr(1) == corpus.message("theirs")


# Clients that nobody here wrote


def program(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, arguments)), capture_output=True, timeout=TIMEOUT,
                          **options)


@pytest.mark.parametrize("secure, mechanism", [
    (secure, mechanism) for secure in ("none", "starttls", "implicit")
    for mechanism in ("user", "plain", "login", "scram-sha-256", "external")
    if secure != "none" or mechanism != "external"])  # fmt: skip
def test_mpop_by_each_mechanism(served, ca, ann, directory, secure, mechanism):
    gateway = served()
    home = directory / "mpop"
    inbox = Maildir(home / "inbox")
    config = home / "mpoprc"
    config.write_text(f"""
defaults
host localhost
port {gateway.gateway.port("pop3s" if secure == "implicit" else "pop3")}
tls {"off" if secure == "none" else "on"}
tls_starttls {"on" if secure == "starttls" else "off"}
tls_trust_file {ca.certificate}
{"" if secure == "none" else f"tls_cert_file {ann.certificate}"}
{"" if secure == "none" else f"tls_key_file {ann.key}"}
auth {mechanism}
user {ANN}
password "{SECRET}"
uidls_file {home}/uidls
received_header off
account default
delivery maildir {inbox.path}
""")
    config.chmod(0o600)
    done = program("mpop", f"--file={config}", env={**os.environ, "HOME": str(home)})
    assert done.returncode == 0, done.stderr
    assert [m.replace(b"\r\n", b"\n") for m in inbox.messages()] == [
        corpus.message("ann's").replace(b"\r\n", b"\n")]
    assert gateway.gateway.wait("login")["mechanism"].upper() == mechanism.upper()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "EXTERNAL"])
@pytest.mark.parametrize("initial", [[], ["--sasl-ir"]])
@pytest.mark.parametrize("scheme, secure", [
    ("pop3", []), ("pop3", ["--ssl-reqd"]), ("pop3s", [])])  # fmt: skip
def test_curl_by_each_mechanism(served, ca, ann, scheme, secure, initial, mechanism):
    """EXTERNAL without TLS: curl finds it not offered."""
    offered = mechanism != "EXTERNAL" or scheme == "pop3s" or secure
    gateway = served()
    user = f"{ANN}:" if mechanism == "EXTERNAL" else f"{ANN}:{SECRET}"
    done = program("curl", "--silent", "--show-error", *secure, *initial, "--cacert",
                   ca.certificate, "--cert", ann.certificate, "--key", ann.key, "--user", user,
                   "--login-options", f"AUTH={mechanism}",
                   f"{scheme}://localhost:{gateway.gateway.port(scheme)}/1")
    assert (done.returncode == 0) == bool(offered), done.stderr
    if offered:
        assert done.stdout == corpus.message("ann's")
        assert gateway.gateway.wait("login")["mechanism"] == mechanism


@pytest.mark.parametrize("scheme", ["pop3", "pop3s"])
def test_curl_acts_for_another(served, ca, scheme):
    gateway = served(tenant={"auth": {"masters": [ANN]}})
    gateway.maildir.deliver_all([corpus.message("joe's")])
    done = program("curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", ca.certificate,
                   "--user", f"{ANN}:{SECRET}", "--login-options", "AUTH=PLAIN",
                   "--sasl-authzid", LOGIN,
                   f"{scheme}://localhost:{gateway.gateway.port(scheme)}/1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == corpus.message("joe's")
