"""GSSAPI (RFC 4752) with tickets of a real KDC."""

import base64
import hashlib
import subprocess
import time

import gssapi
import pytest
from gssapi.raw import ChannelBindings

from support import corpus
from support.dovecot import MASTER_USER, Dovecot
from support.gateway import PASSWORD, TIMEOUT, free_port, merge, password
from support.kerberos import Kdc
from support.maildir import Maildir
from support.pop3 import Pop3
from support.scripted_imap import ScriptedImap

MESSAGES = [corpus.message("first"), corpus.message("second")]
NO_LAYER = b"\1\0\0\0"


@pytest.fixture(scope="session")
def kdc(shared_directory):
    """Of the realm ACME.EXAMPLE, with some users and pop/localhost."""
    kdc = Kdc(shared_directory / "kdc").start()
    kdc.user("joe").user("ann").user("joe/admin")
    kdc.pop_keytab = kdc.keytab("pop/localhost")
    yield kdc
    kdc.stop()


@pytest.fixture
def joe(kdc):
    return kdc.login("joe")


@pytest.fixture
def maildir(directory):
    """maildir("joe@acme.example", message, …): a user's Maildir, below what tenant() names."""

    def make(login: str, *messages: bytes) -> Maildir:
        user, _, domain = login.partition("@")
        made = Maildir(directory / "mail" / domain / user / "Maildir")
        made.deliver_all(messages)
        return made

    return make


@pytest.fixture
def tenant(kdc, maildir_tenant):
    """The tenant acme.example, which takes tickets and passwords, a Maildir per user."""

    def make(**changes) -> dict:
        return merge(maildir_tenant(), merge({
            "name": "acme",
            "match": {"domains": ["acme.example"]},
            "auth": {"mechanisms": ["user", "gssapi"], "keytab_file": str(kdc.pop_keytab)},
        }, changes))  # fmt: skip

    return make


@pytest.fixture
def served(gateway, tenant, kdc, maildir, maildir_tenant):
    """A gateway before the Maildir of joe@acme.example, who has a password, too."""

    def start(*tenants: dict, env: dict | None = None, **changes):
        maildir("joe@acme.example", *MESSAGES)
        maildir_tenant.add_user("joe@acme.example")
        return gateway(tenants=list(tenants) or [tenant()],
                       options={"env": env or kdc.environment()}, **changes)

    return start


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def challenge(reply: str) -> bytes:
    assert reply.startswith("+ "), reply
    return base64.b64decode(reply[2:], validate=True)


def establish(client: Pop3, context: gssapi.SecurityContext, *, initial: bool = True) -> str:
    """Tokens until both sides have proved themselves; the reply to the last one."""
    token = b64(context.step())
    if initial:
        reply = client.command(f"AUTH GSSAPI {token}")
    else:
        assert client.command("AUTH GSSAPI") == "+ "
        reply = client.command(token)
    if reply.startswith("+ ") and not context.complete:
        assert context.step(challenge(reply)) is None
        reply = client.command("")
    return reply


def authenticate(client: Pop3, context: gssapi.SecurityContext, identity: bytes = b"", *,
                 layer: bytes = NO_LAYER, initial: bool = True) -> str:
    """The whole exchange; the reply at its end."""
    reply = establish(client, context, initial=initial)
    if not reply.startswith("+ "):
        return reply
    assert context.complete
    assert context.unwrap(challenge(reply)).message == NO_LAYER, "no layer, no octets of one"
    return client.command(b64(context.wrap(layer + identity, False).message))


def works(client: Pop3) -> None:
    """The connection is as good as before: a login by password succeeds."""
    client.login("joe@acme.example", PASSWORD)
    assert client.stat()[0] == len(MESSAGES)


# Clients


def curl(gateway, env, *arguments, user=":", listener="pop3", ca=None):
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--login-options", "AUTH=GSSAPI", "--user", user,
         *(["--cacert", ca] if ca else []), *arguments,
         f"{listener}://localhost:{gateway.port(listener)}/1"],
        env=env, capture_output=True, timeout=TIMEOUT)  # fmt: skip


# curl takes GSSAPI only for a user with a domain, or for none at all.
@pytest.mark.parametrize("user", [":", "joe@acme.example:", "ACME.EXAMPLE\\anybody:"])
@pytest.mark.parametrize("listener", ["pop3", "pop3s"])
def test_curl(served, joe, user, listener, ca):
    gateway = served()
    done = curl(gateway, joe.environment(), user=user, listener=listener, ca=ca.certificate)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == corpus.wire(MESSAGES[0])
    login = gateway.wait("login")
    assert (login["login"], login["mechanism"]) == ("joe@acme.example", "GSSAPI")


def test_curl_without_a_ticket(served, kdc, directory):
    gateway = served()
    done = curl(gateway, kdc.environment(KRB5CCNAME=f"FILE:{directory}/none"))
    assert done.returncode != 0 and done.stdout == b""
    with Pop3(gateway.port()) as client:
        works(client)


@pytest.mark.parametrize("user", ["joe", "joe@acme.example", "joe@ACME.EXAMPLE"])
def test_fetchmail(served, joe, directory, user):
    gateway = served()
    config = directory / "fetchmailrc"
    config.write_text(f"""
poll localhost protocol pop3 port {gateway.port()} auth gssapi
  username "{user}" sslproto '' mda "cat >>{directory}/got" fetchall keep
""")
    config.chmod(0o600)
    done = subprocess.run(
        ["fetchmail", "--fetchmailrc", config, "--pidfile", directory / "pid", "--nosyslog"],
        env={**joe.environment(), "HOME": str(directory), "FETCHMAILHOME": str(directory)},
        capture_output=True, timeout=TIMEOUT)  # fmt: skip
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert (directory / "got").read_bytes().count(b"Subject:") == len(MESSAGES)
    assert gateway.wait("login")["mechanism"] == "GSSAPI"


def test_mpop(served, joe, directory):
    gateway = served()
    inbox = Maildir(directory / "inbox")
    config = directory / "mpoprc"
    config.write_text(f"""
account default
host localhost
port {gateway.port()}
tls off
auth gssapi
user joe
keep on
uidls_file {directory}/uidls
received_header off
delivery maildir {inbox.path}
""")
    config.chmod(0o600)
    done = subprocess.run(["mpop", f"--file={config}"], capture_output=True, timeout=TIMEOUT,
                          env={**joe.environment(), "HOME": str(directory)})
    assert done.returncode == 0, done.stderr
    assert len(inbox.files()) == len(MESSAGES)
    assert gateway.wait("login")["mechanism"] == "GSSAPI"


# The exchange


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mutual", [True, False])
def test_exchange(served, joe, initial, mutual):
    with Pop3(served().port()) as client:
        assert authenticate(client, joe.context(mutual=mutual), initial=initial).startswith("+OK")
        assert client.stat()[0] == len(MESSAGES)
        assert client.err("AUTH GSSAPI")
        client.quit()


def test_it_needs_no_tls(served, joe):
    """It shows nobody a password, so it is offered where passwords are not."""
    gateway = served(listeners=[{"name": "pop3", "listen": [f"127.0.0.1:{free_port()}"],
                                 "tls": "none", "plaintext_login": False}])
    with Pop3(gateway.port()) as client:
        assert "SASL GSSAPI" in client.capabilities() and "USER" not in client.capabilities()
        assert authenticate(client, joe.context()).startswith("+OK")
        assert "SASL GSSAPI" in client.capabilities()


def test_it_is_offered_where_a_tenant_has_it(served, tenant):
    """Elsewhere it is not, in CAPA nor in fact."""
    listeners = [{"name": name, "listen": [f"127.0.0.1:{free_port()}"], "tls": "none",
                  "plaintext_login": True} for name in ("with", "without")]  # fmt: skip
    gateway = served(tenant(match={"listeners": ["with"]}),
                     tenant(name="other", auth={"mechanisms": ["user"], "keytab_file": ""}),
                     listeners=listeners)
    with Pop3(gateway.port("with")) as client:
        assert "SASL GSSAPI" in client.capabilities()
    with Pop3(gateway.port("without")) as client:
        assert not [line for line in client.capabilities() if "GSSAPI" in line]
        assert client.err("AUTH GSSAPI")
        works(client)


@pytest.mark.parametrize("right", [True, False])
def test_channel_binding(served, joe, certificate, tls, right):
    """Not in RFC 4752; but a client that binds its ticket to the certificate is held to it."""
    gateway = served()
    with Pop3(gateway.port("pop3s"), tls=tls) as client:
        der = client.socket.getpeercert(binary_form=True)
        digest = hashlib.sha256(der if right else der[1:]).digest()
        bindings = ChannelBindings(application_data=b"tls-server-end-point:" + digest)
        reply = authenticate(client, joe.context(bindings=bindings))
        assert reply.startswith("+OK" if right else "-ERR [AUTH]")
    if not right:
        assert "channel binding" in gateway.wait("login failed")["detail"].lower()


# Whose login it is


@pytest.mark.parametrize("identity", [b"", b"joe", b"joe@ACME.EXAMPLE", b"Joe@acme.example",
                                      b"joe@acme.example\0"])
def test_authorization_identity_of_oneself(served, joe, identity):
    with Pop3(served().port()) as client:
        assert authenticate(client, joe.context(), identity).startswith("+OK")


def test_authorization_identity_of_another(served, joe, maildir):
    maildir("ann@acme.example", *MESSAGES)
    gateway = served()
    for identity in (b"ann", b"ann@acme.example", b"joe@other.example"):
        with Pop3(gateway.port()) as client:
            assert authenticate(client, joe.context(), identity).startswith("-ERR")
            works(client)


def test_authorization_identity_for_a_master(served, tenant, joe, maildir):
    maildir("ann@acme.example", MESSAGES[0])
    gateway = served(tenant(auth={"masters": ["joe@acme.example"]}))
    with Pop3(gateway.port()) as client:
        assert authenticate(client, joe.context(), b"ann@acme.example").startswith("+OK")
        assert client.stat()[0] == 1


def test_login_domain(served, tenant, joe, maildir):
    maildir("joe@mail.example", MESSAGES[0])
    gateway = served(tenant(match={"domains": ["mail.example"]},
                            auth={"login_domain": "mail.example"}))
    with Pop3(gateway.port()) as client:
        assert authenticate(client, joe.context()).startswith("+OK")
        assert client.stat()[0] == 1
    assert gateway.wait("login")["login"] == "joe@mail.example"


def test_principals_of_several_components_are_no_logins(served, kdc):
    gateway = served()
    with Pop3(gateway.port()) as client:
        reply = authenticate(client, kdc.login("joe/admin").context())
        assert reply.startswith("-ERR [AUTH]")
        works(client)
    assert "joe/admin@ACME.EXAMPLE" in gateway.wait("login failed")["detail"]


@pytest.mark.parametrize("realms, good", [([], True), (["ACME.EXAMPLE"], True),
                                          (["OTHER.EXAMPLE", "ACME.EXAMPLE"], True),
                                          (["OTHER.EXAMPLE"], False), (["acme.example"], False)])
def test_realms(served, tenant, joe, realms, good):
    with Pop3(served(tenant(auth={"realms": realms})).port()) as client:
        reply = authenticate(client, joe.context())
        assert reply.startswith("+OK" if good else "-ERR [AUTH]")


def test_each_tenant_has_its_keytab(served, tenant, kdc, joe, maildir):
    """The key that a ticket fits tells the tenant, wherever it stands in the file."""
    other = kdc.keytab("pop/mail.other.example")
    maildir("joe@other.example", MESSAGES[0])
    gateway = served(tenant(name="other", match={"domains": ["other.example"]},
                            auth={"keytab_file": str(other), "login_domain": "other.example"}),
                     tenant())
    with Pop3(gateway.port()) as client:
        assert authenticate(client, joe.context()).startswith("+OK")
        assert client.stat()[0] == 2
    with Pop3(gateway.port()) as client:
        context = joe.context("pop@mail.other.example")
        assert authenticate(client, context).startswith("+OK")
        assert client.stat()[0] == 1
    gateway.wait("login", count=2)
    assert [e["tenant"] for e in gateway.events("login")] == ["acme", "other"]


def test_tenants_may_share_a_keytab(served, tenant, joe):
    """The one to which its reading of the principal leads is the one."""
    gateway = served(tenant(name="first", match={"domains": ["first.example"]}), tenant())
    with Pop3(gateway.port()) as client:
        assert authenticate(client, joe.context()).startswith("+OK")
    assert gateway.wait("login")["tenant"] == "acme"


def test_a_keytab_proves_no_login_of_another_tenant(served, tenant, kdc, joe):
    other = kdc.keytab("pop/elsewhere.example")
    gateway = served(tenant(auth={"keytab_file": str(other)}),
                     tenant(name="wicked", match={"domains": ["wicked.example"]},
                            auth={"login_domain": "acme.example"}))
    with Pop3(gateway.port()) as client:
        assert authenticate(client, joe.context()).startswith("-ERR [AUTH]")
        works(client)


# Refusals


def test_wrong_keytab(served, tenant, kdc, joe):
    gateway = served(tenant(auth={"keytab_file": str(kdc.keytab("pop/nobody.example"))}))
    with Pop3(gateway.port()) as client:
        assert authenticate(client, joe.context()).startswith("-ERR [AUTH]")
        works(client)
    failure = gateway.wait("login failed")
    assert failure["mechanism"] == "GSSAPI" and "pop/localhost@ACME.EXAMPLE" in failure["detail"]


def test_only_keys_of_the_service_pop(served, tenant, kdc, joe):
    """A ticket for another service of the same keytab is none for this one."""
    both = kdc.keytab("pop/both.example", "http/both.example")
    gateway = served(tenant(auth={"keytab_file": str(both)}))
    with Pop3(gateway.port()) as client:
        assert authenticate(client, joe.context("http@both.example")).startswith("-ERR [AUTH]")
        assert authenticate(client, joe.context("pop@both.example")).startswith("+OK")


def test_keys_change_under_way(served, tenant, kdc):
    """New keys need no restart; a ticket for keys that are not there yet fails till then."""
    keytab = kdc.keytab("pop/rolling.example")
    gateway = served(tenant(auth={"keytab_file": str(keytab)}))
    kdc.rekey("pop/rolling.example")
    with Pop3(gateway.port()) as client:
        context = kdc.login("joe").context("pop@rolling.example")
        assert authenticate(client, context).startswith("-ERR [AUTH]")
        kdc.keytab("pop/rolling.example")
        context = kdc.login("joe").context("pop@rolling.example")
        assert authenticate(client, context).startswith("+OK")


def test_a_keytab_that_vanished_is_no_wrong_password(served, tenant, kdc, joe):
    keytab = kdc.keytab("pop/vanishing.example")
    gateway = served(tenant(auth={"keytab_file": str(keytab)}))
    keytab.unlink()
    with Pop3(gateway.port()) as client:
        assert authenticate(client, joe.context()).startswith("-ERR [SYS/")
        works(client)
    assert str(keytab) in gateway.wait("login failed")["detail"]


def test_a_replay_cache_that_cannot_be_written_is_no_wrong_password(served, kdc, joe):
    gateway = served(env=kdc.environment(KRB5RCACHENAME="file2:/nonexistent/replay"))
    with Pop3(gateway.port()) as client:
        assert authenticate(client, joe.context()).startswith("-ERR [SYS/TEMP]")
        works(client)
    assert "/nonexistent/replay" in gateway.wait("login failed")["detail"]


def test_a_token_is_good_once(served, joe):
    token = b64(joe.context().step())
    with Pop3(served().port()) as client:
        assert client.command(f"AUTH GSSAPI {token}").startswith("+ ")
        assert client.command("*").startswith("-ERR")
        assert client.command(f"AUTH GSSAPI {token}").startswith("-ERR [AUTH]")
        works(client)


def tolerant_of(seconds: int, kdc) -> dict:
    return kdc.environment(KRB5_CONFIG=str(kdc.client_config(skew=seconds)))


def test_clock_skew(served, kdc, joe):
    gateway = served(env=tolerant_of(1, kdc))
    token = b64(joe.context().step())
    time.sleep(2.1)
    with Pop3(gateway.port()) as client:
        assert client.command(f"AUTH GSSAPI {token}").startswith("-ERR [AUTH]")
        assert authenticate(client, joe.context()).startswith("+OK")
    assert "Clock skew" in gateway.wait("login failed")["detail"]


def test_expired_ticket(served, kdc):
    gateway = served(env=tolerant_of(1, kdc))
    ticket = kdc.login("joe", life="2s")
    token = b64(ticket.context().step())
    while subprocess.run(["klist", "-s"], env=ticket.environment(), check=False).returncode == 0:
        time.sleep(0.1)
    time.sleep(1.1)  # beyond what clocks may differ
    with Pop3(gateway.port()) as client:
        assert client.command(f"AUTH GSSAPI {token}").startswith("-ERR [AUTH]")
        works(client)
    done = curl(gateway, ticket.environment())
    assert done.returncode != 0 and done.stdout == b""


def test_failures_count(served, tenant, kdc, joe):
    """As those of passwords do."""
    gateway = served(tenant(auth={"keytab_file": str(kdc.keytab("pop/counting.example"))}),
                     limits={"login_failures": 2})
    with Pop3(gateway.port()) as client:
        assert authenticate(client, joe.context()).startswith("-ERR [AUTH]")
        assert authenticate(client, joe.context()).startswith("-ERR [AUTH]")
        client.closed()
    assert gateway.wait("session closed")["reason"] == "too many failed logins"


# Hostile clients


GARBAGE = {
    "no base64": "%%%",
    "bad padding": "YWJj=",
    "empty": "=",
    "noise": b64(bytes(range(256))),
    "a frame with nothing in it": b64(bytes.fromhex("600b06092a864886f712010202")),
    "lengths that lie": b64(bytes.fromhex("6084ffffffff06092a864886f7120102020100")),
    "NTLM": b64(b"NTLMSSP\0\1\0\0\0" + bytes(28)),
    "SPNEGO": b64(bytes.fromhex("601006062b0601050502a0063004a0023000")),
    "48 KiB": b64(b"\x60" * 48000),
}


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_instead_of_a_token(served, kind, initial):
    with Pop3(served().port()) as client:
        if not initial:
            assert client.command("AUTH GSSAPI") == "+ "
        token = GARBAGE[kind] if initial or kind != "empty" else ""
        assert client.command(f"AUTH GSSAPI {token}" if initial else token).startswith("-ERR")
        works(client)


def test_tokens_of_every_length(served, joe):
    """A ticket cut anywhere, or with a bit turned, is none."""
    gateway = served(limits={"login_failures": 100})
    whole = joe.context().step()
    with Pop3(gateway.port()) as client:
        for n in [*range(1, 40), *range(40, len(whole), 97), len(whole) - 1]:
            assert client.command(f"AUTH GSSAPI {b64(whole[:n])}").startswith("-ERR")
    with Pop3(gateway.port()) as client:
        for n in range(0, len(whole), 61):
            turned = whole[:n] + bytes([whole[n] ^ 0x10]) + whole[n + 1 :]
            reply = client.command(f"AUTH GSSAPI {b64(turned)}")
            if reply.startswith("+ "):  # the APOptions are nobody's business
                reply = client.command("*")
            assert reply.startswith("-ERR")
        works(client)


def test_a_line_beyond_all_limits(served):
    with Pop3(served().port()) as client:
        assert client.command("AUTH GSSAPI") == "+ "
        assert client.command("A" * 70000).startswith("-ERR")
        works(client)


def test_cancel_at_every_stage(served, joe):
    with Pop3(served().port()) as client:
        assert client.command("AUTH GSSAPI") == "+ "
        assert client.err("*")
        context = joe.context()
        assert client.command(f"AUTH GSSAPI {b64(context.step())}").startswith("+ ")
        assert client.err("*")
        assert establish(client, joe.context()).startswith("+ ")
        assert client.err("*")
        works(client)


def test_a_token_where_none_belongs(served, joe):
    with Pop3(served().port()) as client:
        context = joe.context()
        assert client.command(f"AUTH GSSAPI {b64(context.step())}").startswith("+ ")
        assert client.err(b64(joe.context().step()))
        works(client)


def test_commands_in_the_middle(served, joe):
    with Pop3(served().port()) as client:
        assert client.command("AUTH GSSAPI") == "+ "
        assert client.err("STAT")
        assert establish(client, joe.context()).startswith("+ ")
        assert client.err("QUIT")
        works(client)


CHOICES = {
    "nothing": b"",
    "three octets": b"\1\0\0",
    "integrity": b"\2\0\0\0",
    "confidentiality": b"\4\0\0\0",
    "no layer and integrity": b"\3\0\0\0",
    "a NUL in the identity": NO_LAYER + b"joe\0ann",
    "no UTF-8": NO_LAYER + b"\xff\xfe",
    "a long identity": NO_LAYER + b"x" * 2000,
}


@pytest.mark.parametrize("kind", CHOICES)
def test_choices_that_are_none(served, joe, kind):
    with Pop3(served().port()) as client:
        context = joe.context()
        assert establish(client, context).startswith("+ ")
        assert client.err(b64(context.wrap(CHOICES[kind], False).message))
        works(client)


def test_a_choice_that_is_not_wrapped(served, joe):
    with Pop3(served().port()) as client:
        for choice in (NO_LAYER, b"", bytes(100)):
            assert establish(client, joe.context()).startswith("+ ")
            assert client.err(b64(choice))
        context = joe.context()
        assert establish(client, context).startswith("+ ")
        wrapped = context.wrap(NO_LAYER, False).message
        assert client.err(b64(wrapped[:-1] + bytes([wrapped[-1] ^ 1])))
        works(client)


def test_clients_that_vanish(served, joe):
    gateway = served()
    for stage in range(3):
        with Pop3(gateway.port()) as client:
            assert client.command("AUTH GSSAPI") == "+ "
            context = joe.context()
            if stage > 0:
                assert client.command(b64(context.step())).startswith("+ ")
            if stage > 1:
                client.command("")
        gateway.wait("session closed", count=stage + 1)
    with Pop3(gateway.port()) as client:
        works(client)


# Entry to an IMAP server


@pytest.fixture(scope="session")
def kerberos_dovecot(shared_directory, certificate, kdc):
    """A Dovecot that takes tickets, too."""
    keytab = kdc.keytab("imap/localhost")
    server = Dovecot(shared_directory / "kerberos", certificate, extra=f"""
auth_mechanisms = plain gssapi
auth_krb5_keytab = {keytab}
auth_gssapi_hostname = localhost
auth_username_format = %Lu
import_environment = TZ KRB5_CONFIG={kdc.config} KRB5RCACHENAME=none:
""").start()  # fmt: skip
    yield server
    server.stop()


@pytest.fixture
def before_imap(gateway, kdc, kerberos_dovecot, ca):
    """A gateway before joe's mailbox on the Dovecot, and that mailbox."""
    user = kerberos_dovecot.user("joe@acme.example")

    def start(**imap):
        running = gateway(tenants=[{
            "name": "acme",
            "match": {"domains": ["acme.example"]},
            "auth": {"mechanisms": ["user", "gssapi"], "keytab_file": str(kdc.pop_keytab)},
            "imap": merge(kerberos_dovecot.as_config(servers=["localhost"]), imap),
        }], options={"env": kdc.environment()})  # fmt: skip
        return running, user

    return start


@pytest.fixture
def master(directory):
    """The keys of a tenant's imap block that name the master user."""
    secret = directory / "master"
    secret.write_text(password(MASTER_USER))
    return {"master_user": MASTER_USER, "master_password_file": str(secret)}


def test_entry_by_master_user(gateway, kdc, kerberos_dovecot, master, joe, maildir_tenant):
    user = kerberos_dovecot.user("joe@acme.example")
    user.deliver(MESSAGES[0])
    held = len(user.uids())
    running = gateway(tenants=[{
        "name": "acme",
        "auth": {"mechanisms": ["gssapi"], "keytab_file": str(kdc.pop_keytab)},
        "imap": kerberos_dovecot.as_config(**master),
    }], options={"env": kdc.environment()})  # fmt: skip
    with Pop3(running.port()) as client:
        assert authenticate(client, joe.context()).startswith("+OK")
        assert client.stat()[0] == held


@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_entry_by_delegated_credentials(before_imap, kerberos_dovecot, ca, joe, tls):
    more = {"ca_file": str(ca.certificate)} if tls != "none" else {}
    running, user = before_imap(tls=tls, **more)
    user.deliver(MESSAGES[0])
    with Pop3(running.port()) as client:
        assert authenticate(client, joe.context(delegate=True)).startswith("+OK")
        assert client.stat()[0] == len(user.uids())
        client.quit()
    kerberos_dovecot.wait_log("Login: user=<joe@acme.example>", "method=GSSAPI")


def test_curl_delegates(before_imap, joe):
    running, user = before_imap()
    user.deliver(MESSAGES[0])
    done = curl(running, joe.environment(), "--delegation", "always")
    assert done.returncode == 0, done.stderr.decode()
    assert b"Subject:" in done.stdout


def test_no_way_into_the_server(before_imap, joe):
    """The login is proved, but by nothing that would open the mailbox."""
    running, user = before_imap()
    with Pop3(running.port()) as client:
        assert authenticate(client, joe.context()).startswith("-ERR [SYS/PERM]")
        client.login(user.login, user.password)
    assert "handed on" in running.wait("login failed")["detail"]


def test_delegated_to_a_server_without_gssapi(before_imap, dovecot, joe):
    running, _ = before_imap(servers=["localhost"], port=dovecot.port)
    with Pop3(running.port()) as client:
        assert authenticate(client, joe.context(delegate=True)).startswith("-ERR [SYS/PERM]")
    assert "AUTH=GSSAPI" in running.wait("login failed")["detail"]


def test_delegated_to_a_server_that_the_kdc_does_not_know(before_imap, joe):
    running, _ = before_imap(servers=["127.0.0.1"])
    with Pop3(running.port()) as client:
        assert authenticate(client, joe.context(delegate=True)).startswith("-ERR [SYS/TEMP]")
    assert "imap@127.0.0.1" in running.wait("login failed")["detail"]


class LyingServer:
    """An IMAP server that takes tickets, and says at one point of the exchange what it should not."""

    LIES = {
        "no base64": ("first", "+ ***\r\n"),
        "no token": ("first", f"+ {b64(b'noise')}\r\n"),
        "an error token": ("first", f"+ {b64(bytes.fromhex('600b06092a864886f712010202'))}\r\n"),
        "an offer that is not wrapped": ("offer", f"+ {b64(NO_LAYER)}\r\n"),
        "nothing as offer": ("offer", "+ \r\n"),
        "NO at first": ("first", "{tag} NO go away\r\n"),
        "NO at the offer": ("offer", "{tag} NO go away\r\n"),
        "NO at last": ("last", "{tag} NO not for you\r\n"),
        "OK before it proved itself": ("first", "{tag} OK come in\r\n"),
        "OK without an offer": ("offer", "{tag} OK come in\r\n"),
    }

    def __init__(self, keytab):
        self.keytab = keytab
        self.server = ScriptedImap([corpus.message("one")], capabilities="IMAP4rev1 AUTH=GSSAPI")
        self.server.on["AUTHENTICATE"] = self.authenticate
        self.lie = ("", "")
        self.layers = NO_LAYER
        self.chosen = None

    def say(self, peer, stage: str, truth: str) -> None:
        peer.send(self.lie[1].format(tag=peer.tag) if self.lie[0] == stage else truth)

    def authenticate(self, peer, arguments: str) -> None:
        assert arguments == "GSSAPI"
        context = gssapi.SecurityContext(usage="accept", creds=gssapi.Credentials(
            usage="accept", store={"keytab": str(self.keytab), "rcache": "none:"}))
        peer.send("+ \r\n")
        token = context.step(base64.b64decode(peer._line()))
        self.say(peer, "first", f"+ {b64(token)}\r\n")
        if self.lie[0] == "first":
            return
        assert peer._line() == b""
        self.say(peer, "offer", f"+ {b64(context.wrap(self.layers, False).message)}\r\n")
        if self.lie[0] == "offer":
            return
        self.chosen = context.unwrap(base64.b64decode(peer._line())).message
        self.say(peer, "last", f"{peer.tag} OK in\r\n")


@pytest.fixture
def lying(kdc, before_imap):
    """A gateway before a LyingServer, and that."""
    server = LyingServer(kdc.keytab("imap/localhost"))
    running, _ = before_imap(servers=["localhost"], port=server.server.port)
    yield running, server
    server.server.close()


def test_delegated_to_a_scripted_server(lying, joe):
    running, server = lying
    with Pop3(running.port()) as client:
        assert authenticate(client, joe.context(delegate=True)).startswith("+OK")
    assert server.chosen == NO_LAYER, "as nobody but whose ticket it is"


@pytest.mark.parametrize("lie", LyingServer.LIES)
def test_servers_that_lie(lying, joe, lie):
    running, server = lying
    server.lie = LyingServer.LIES[lie]
    with Pop3(running.port()) as client:
        reply = authenticate(client, joe.context(delegate=True))
        assert reply.startswith("-ERR [AUTH]" if lie.startswith("NO") else "-ERR [SYS/")
        client.err("STAT")
    assert server.server.commands("SELECT") == []


def test_a_server_that_insists_on_a_layer(lying, joe):
    running, server = lying
    server.layers = b"\6\0\x10\0"
    with Pop3(running.port()) as client:
        reply = authenticate(client, joe.context(delegate=True))
        assert reply.startswith("-ERR [SYS/PERM]")
    assert "security layer" in running.wait("login failed")["detail"]


# Without a KDC


@pytest.fixture
def own_kdc(directory):
    """One that this test may stop."""
    kdc = Kdc(directory / "kdc").start()
    kdc.user("joe")
    kdc.pop_keytab = kdc.keytab("pop/localhost")
    yield kdc
    kdc.stop()


def test_a_dead_kdc_is_not_missed(served, tenant, own_kdc):
    """To take a ticket needs keys alone."""
    gateway = served(tenant(auth={"keytab_file": str(own_kdc.pop_keytab)}),
                     env=own_kdc.environment())
    context = own_kdc.login("joe").context()
    token = context.step()
    own_kdc.stop()
    with Pop3(gateway.port()) as client:
        reply = client.command(f"AUTH GSSAPI {b64(token)}")
        context.step(challenge(reply))
        reply = client.command("")
        assert context.unwrap(challenge(reply)).message == NO_LAYER
        assert client.command(b64(context.wrap(NO_LAYER, False).message)).startswith("+OK")


@pytest.mark.parametrize("how", ["stop", "freeze"])
def test_a_silent_kdc_holds_nobody_else(gateway, own_kdc, own_dovecot, maildir_tenant, tenant,
                                        how):
    """Delegated credentials need it: who brings them waits, the others do not."""
    keytab = own_kdc.keytab("imap/localhost")
    server = own_dovecot(extra=f"""
auth_mechanisms = plain gssapi
auth_krb5_keytab = {keytab}
auth_gssapi_hostname = localhost
import_environment = TZ KRB5_CONFIG={own_kdc.config} KRB5RCACHENAME=none:
""")
    maildir_tenant.add_user("ann@local.example")
    maildir_tenant.maildir("ann")
    running = gateway(tenants=[
        {"name": "acme", "match": {"domains": ["acme.example"]},
         "auth": {"mechanisms": ["gssapi"], "keytab_file": str(own_kdc.pop_keytab)},
         "imap": server.as_config(servers=["localhost"], command_timeout="2s")},
        maildir_tenant(),
    ], options={"env": own_kdc.environment(UV_THREADPOOL_SIZE="4")})  # fmt: skip
    tickets = own_kdc.login("joe")
    contexts = [tickets.context(delegate=True) for _ in range(6)]
    tokens = [context.step() for context in contexts]
    getattr(own_kdc, how)()
    clients = [Pop3(running.port()) for _ in contexts]
    for client, context, token in zip(clients, contexts, tokens):
        context.step(challenge(client.command(f"AUTH GSSAPI {b64(token)}")))
        context.unwrap(challenge(client.command("")))
        client.send(b64(context.wrap(NO_LAYER, False).message).encode() + b"\r\n")
    with Pop3(running.port()) as client:
        client.login("ann@local.example", PASSWORD)
        client.quit()
    if how == "freeze":
        failures = running.events("login failed")
        assert all("waiting for others" in failure["detail"] for failure in failures), (
            "ann had to wait until the KDC was given up")
        own_kdc.thaw()
    for client in clients:
        assert client.reply().startswith(("-ERR [SYS/TEMP]", "+OK")[: 1 + (how == "freeze")])
        client.close()
    assert not running.events("worker died")
