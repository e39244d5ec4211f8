"""EXTERNAL (RFC 4422 appendix A): logins by client certificates."""

import ssl
import subprocess

import pytest
from conftest import LOGIN
from support import corpus
from support.certificates import Authority
from support.dovecot import MASTER_USER, tls_client
from support.gateway import PASSWORD, merge, password
from support.pop3 import TIMEOUT, Closed, Pop3
from support.sasl import Gsasl, encode, plain

ANN = "ann@local.example"


@pytest.fixture(scope="session")
def people(shared_directory):
    """The authority of clients, another than that of servers."""
    return Authority(shared_directory / "people", "People CA")


@pytest.fixture(scope="session")
def certificates(people):
    """Who has which certificate."""
    return {
        "ann": people.issue_to("Ann", ANN, "second@local.example", file="ann"),
        "cn": people.issue_to(ANN, file="cn"),
        "both": people.issue_to(LOGIN, ANN, file="both"),
        "nobody": people.issue_to("Nobody", "nobody@local.example", file="nobody"),
        "elsewhere": people.issue_to("Else", "ann@nowhere.example", file="elsewhere"),
    }


@pytest.fixture
def served(local, maildir_tenant, gateway_config, people):
    """served(who): a gateway that asks for certificates; ann and joe have a maildrop."""

    def start(listener: dict | None = None, **tenant):
        maildir_tenant.maildir("ann").deliver_all([corpus.message("ann's")])
        maildir_tenant.add_user(ANN)
        listeners = [{**entry, "ca_file": str(people.certificate), **(listener or {})}
                     for entry in gateway_config()["listeners"]]
        return local(listeners=listeners, tenant=merge(
            {"auth": {"mechanisms": ["user", "plain", "external"]}}, tenant))

    return start


@pytest.fixture
def context(ca, certificates):
    def make(who: str = "", **versions) -> ssl.SSLContext:
        made = tls_client(ca.certificate)
        for name, version in versions.items():
            setattr(made, name, version)
        if who:
            made.load_cert_chain(certificates[who].certificate, certificates[who].key)
        return made

    return make


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("response", ["", " =", f" {encode(ANN)}"])
@pytest.mark.parametrize("over", ["tls", "stls"])
def test_external(served, context, over, response, version):
    tls = context("ann", maximum_version=version)
    gateway = served()
    with gateway.connect("pop3s", tls=tls) if over == "tls" else gateway.connect() as client:
        if over == "stls":
            assert "SASL PLAIN" in client.capabilities()
            client.ok("STLS")
            client.start_tls(tls)
        assert "SASL PLAIN EXTERNAL" in client.capabilities()
        answer = client.command(f"AUTH EXTERNAL{response}")
        if not response:
            assert answer == "+ "
            answer = client.command("")
        assert answer.startswith("+OK")
        assert client.retr(1) == corpus.message("ann's")
    event = gateway.gateway.wait("login", login=ANN)
    assert event["mechanism"] == "EXTERNAL"


def test_external_by_libgsasl(served, context):
    with served().connect("pop3s", tls=context("ann")) as client:
        assert Gsasl("EXTERNAL", authzid="").run(client).startswith("+OK 1 ")


@pytest.mark.parametrize("which, who, login", [
    ("email_or_cn", "ann", ANN),
    ("email_or_cn", "cn", ANN),
    ("email_or_cn", "both", ANN),
    ("email", "both", ANN),
    ("cn", "both", LOGIN),
    ("cn", "cn", ANN),
    ("email", "cn", None),
])  # fmt: skip
def test_the_login_in_the_certificate(served, context, which, who, login):
    gateway = served({"certificate_login": which})
    with gateway.connect("pop3s", tls=context(who)) as client:
        answer = client.command("AUTH EXTERNAL =")
        if login:
            assert answer.startswith("+OK")
            assert gateway.gateway.wait("login")["login"] == login
        else:
            assert answer.startswith("-ERR")
            assert "SASL PLAIN" in client.capabilities()


def test_a_client_without_a_certificate_logs_in_otherwise(served, context):
    with served().connect("pop3s", tls=context()) as client:
        assert "SASL PLAIN" in client.capabilities()
        client.err("AUTH EXTERNAL =")
        client.err("AUTH EXTERNAL")
        client.ok(f"AUTH PLAIN {plain(LOGIN, PASSWORD)}")


def test_a_certificate_that_its_owner_does_not_use(served, context):
    with served().connect("pop3s", tls=context("ann")) as client:
        client.ok(f"AUTH PLAIN {plain(LOGIN, PASSWORD)}")


def test_the_listener_asks_only_with_a_ca_file(local, context):
    with local(tenant={"auth": {"mechanisms": ["plain", "external"]}}).connect(
            "pop3s", tls=context("ann")) as client:
        assert "SASL PLAIN" in client.capabilities()
        client.err("AUTH EXTERNAL =")


def assert_no_handshake(gateway, tls) -> None:
    """Under TLS 1.3 a client learns of it with its first read."""
    with pytest.raises((ssl.SSLError, Closed, ConnectionError)):
        gateway.connect("pop3s", tls=tls)
    gateway.gateway.wait("tls handshake failed")


def test_a_strangers_certificate_ends_the_handshake(served, ca, shared_directory):
    strangers = Authority(shared_directory / "strangers", "Strangers")
    forged = strangers.issue_to("Ann", ANN, file="ann")
    tls = tls_client(ca.certificate)
    tls.load_cert_chain(forged.certificate, forged.key)
    assert_no_handshake(served(), tls)


def test_a_servers_certificate_is_none_of_a_client(served, ca, people):
    made = people.issue(ANN.replace("@", "."), file="server")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "30", "-subj", f"/CN={ANN}", "-keyout", made.key, "-out", made.certificate,
         "-CA", people.certificate, "-CAkey", people.key,
         "-addext", "extendedKeyUsage=serverAuth"], check=True, capture_output=True)  # fmt: skip
    tls = tls_client(ca.certificate)
    tls.load_cert_chain(made.certificate, made.key)
    assert_no_handshake(served(), tls)


def test_a_revoked_certificate_ends_the_handshake(served, context, people, certificates):
    gateway = served({"ca_file": str(people.revoke(certificates["cn"]))})
    with gateway.connect("pop3s", tls=context("ann")) as client:
        assert client.command("AUTH EXTERNAL =").startswith("+OK")
    assert_no_handshake(gateway, context("cn"))


def test_a_resumed_session_remembers_the_certificate(served, context):
    gateway, tls = served(), context("ann")
    with gateway.connect("pop3s", tls=tls) as client:
        client.capabilities()
        session = client.socket.session
    with Pop3(gateway.gateway.port()) as client:
        client.ok("STLS")
        client.socket = tls.wrap_socket(client.socket, server_hostname="localhost")
        client.capabilities()
        session = client.socket.session
    with Pop3(gateway.gateway.port()) as client:
        client.ok("STLS")
        client.socket = tls.wrap_socket(client.socket, server_hostname="localhost",
                                        session=session)
        assert client.socket.session_reused
        assert client.command("AUTH EXTERNAL =").startswith("+OK 1 ")


@pytest.mark.parametrize("who", ["nobody", "elsewhere"])
def test_certificates_without_a_mailbox(served, context, who):
    with served().connect("pop3s", tls=context(who)) as client:
        assert client.command("AUTH EXTERNAL =").startswith("-ERR")
        client.err("STAT")
        client.ok(f"AUTH PLAIN {plain(LOGIN, PASSWORD)}")


def test_another_mailbox_than_the_certificates_is_refused(served, context):
    with served().connect("pop3s", tls=context("ann")) as client:
        for other in (LOGIN, "second@local.example", "nobody@local.example", "x@nowhere.example"):
            assert client.command(f"AUTH EXTERNAL {encode(other)}").startswith("-ERR [SYS/PERM]")
        client.err("STAT")
        assert client.command(f"AUTH EXTERNAL {encode(ANN)}").startswith("+OK 1 ")


def test_a_masters_certificate_opens_another_mailbox(served, context):
    gateway = served(auth={"masters": [ANN]})
    gateway.maildir.deliver_all([corpus.message("joe's")])
    with gateway.connect("pop3s", tls=context("ann")) as client:
        assert client.command(f"AUTH EXTERNAL {encode(LOGIN)}").startswith("+OK 1 ")
        assert client.retr(1) == corpus.message("joe's")
    event = gateway.gateway.wait("login", login=LOGIN)
    assert event["authenticated_as"] == ANN


def test_malformed_identities(served, context):
    with served().connect("pop3s", tls=context("ann")) as client:
        for wrong in (b"a\0b", b"\0", b"x" * 1025):
            client.err(f"AUTH EXTERNAL {encode(wrong)}")
        assert client.command(f"AUTH EXTERNAL {encode(bytes([0xff]))}").startswith("-ERR")
        assert client.command("AUTH EXTERNAL =").startswith("+OK")


def test_external_on_imap_enters_by_the_master_user(gateway, gateway_config, dovecot, ca, people,
                                                    directory):
    user = dovecot.new_user()
    user.deliver(corpus.message("theirs"))
    secret = directory / "master"
    secret.write_text(password(MASTER_USER))
    made = people.issue_to("User", user.login, file=user.login)
    tls = tls_client(ca.certificate)
    tls.load_cert_chain(made.certificate, made.key)
    listeners = [{**entry, "ca_file": str(people.certificate)}
                 for entry in gateway_config()["listeners"]]
    imap = merge(dovecot.as_config("none", ca.certificate), {
        "master_user": MASTER_USER, "master_password_file": str(secret)})  # fmt: skip
    running = gateway(listeners=listeners, tenants=[
        {"name": "acme", "auth": {"mechanisms": ["external"]}, "imap": imap}])
    with Pop3(running.port("pop3s"), tls=tls) as client:
        assert client.command("AUTH EXTERNAL =").startswith("+OK 1 ")
        assert client.retr(1) == corpus.message("theirs")


# Clients that nobody here wrote


@pytest.mark.parametrize("scheme", ["pop3", "pop3s"])
def test_curl_by_external(served, ca, certificates, scheme):
    """curl names the user as authorization identity."""
    gateway = served()
    ann = certificates["ann"]
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", ca.certificate,
         "--cert", ann.certificate, "--key", ann.key, "--user", f"{ANN}:",
         "--login-options", "AUTH=EXTERNAL",
         f"{scheme}://localhost:{gateway.gateway.port(scheme)}/1"],
        capture_output=True, timeout=TIMEOUT)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == corpus.message("ann's")
    assert gateway.gateway.wait("login")["mechanism"] == "EXTERNAL"
