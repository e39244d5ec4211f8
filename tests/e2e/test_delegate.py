"""Delegate logins of MS-OXPOP3: domain/user/mailbox and user/mailbox."""

import pytest
from conftest import LOGIN, PASSWORD
from support.dovecot import Dovecot
from support.gateway import password
from support.pop3 import Pop3

# Every user may see what another shares with him, below shared/, as the ACL says.
SHARED = """
mail_plugins = $mail_plugins acl
protocol imap {{
  mail_plugins = $mail_plugins acl imap_acl
}}
plugin {{
  acl = vfile
}}
namespace shared {{
  type = shared
  separator = /
  prefix = shared/%%n/
  location = maildir:{directory}/mail/%%n@acme.example/Maildir:INDEXPVT=~/shared/%%n
  subscriptions = no
  list = no
}}
"""


def message(text: str) -> bytes:
    return f"Subject: {text}\r\n\r\n{text}\r\n".encode()


@pytest.fixture
def deputies(own_dovecot, gateway):
    """deputies(tenant={…}): a gateway before a Dovecot where boss may act for everybody."""

    def start(**tenant):
        server = own_dovecot()
        with open(server.directory / "masters", "a") as masters:
            masters.write(f"user1@acme.example:{password('user1@acme.example')}\n")
        for name in ("user0@acme.example", "user1@acme.example", "user2@acme.example"):
            server.user(name).deliver(message(f"mail of {name}"))
        block = {
            "name": "acme",
            "match": {"domains": ["acme.example"]},
            "auth": {"masters": ["*"]},
            "imap": {"servers": ["127.0.0.1"], "port": server.port, "tls": "none"},
        }
        block.update(tenant)
        return gateway(tenants=[block], login_name={"delegate": True})

    return start


def log_in(gateway, login: str, secret: str) -> tuple[Pop3, str]:
    client = Pop3(gateway.port("pop3"))
    client.command(f"USER {login}")
    return client, client.command(f"PASS {secret}")


@pytest.mark.parametrize("form", [
    "acme.example/user1/user0",
    "acme.example/user1/user0@acme.example",
    "user1@acme.example/user0",
    "user1@acme.example/user0@acme.example",
])
def test_own_password_opens_the_other_mailbox(deputies, form):
    running = deputies()
    client, answer = log_in(running, form, password("user1@acme.example"))
    assert answer.startswith("+OK 1 messages"), answer
    assert b"mail of user0@acme.example" in client.retr(1)
    client.quit()
    event = running.wait("login")
    assert event["login"] == "user0@acme.example"
    assert event["authenticated_as"] == "user1@acme.example"


def test_refused_with_a_clear_text_where_the_store_refuses(deputies):
    running = deputies()
    # user2 is no master at the server.
    client, answer = log_in(
        running, "user2@acme.example/user0", password("user2@acme.example"))
    assert answer.startswith("-ERR [AUTH] ") and "no right to that mailbox" in answer, answer
    # The session is usable, and user2's own mail is his.
    client.command("USER user2@acme.example")
    assert client.command(f"PASS {password('user2@acme.example')}").startswith("+OK 1 messages")


def test_refused_where_the_tenant_allows_nobody(deputies):
    running = deputies(auth={"masters": []})
    for owner in ("user0", "nobody-has-this-name"):
        _, answer = log_in(
            running, f"user1@acme.example/{owner}", password("user1@acme.example"))
        assert answer == "-ERR [SYS/PERM] this login may not open that mailbox", answer


def test_the_owners_password_does_not_open_it(deputies):
    running = deputies()
    _, answer = log_in(
        running, "user1@acme.example/user0", password("user0@acme.example"))
    assert answer.startswith("-ERR [AUTH] "), answer


def test_nobody_reaches_into_another_tenant(deputies):
    running = deputies()
    _, answer = log_in(
        running, "user1@acme.example/user0@other.example", password("user1@acme.example"))
    assert answer == "-ERR [SYS/PERM] this login may not open that mailbox", answer


def test_without_the_setting_a_slash_is_part_of_the_name(imap):
    served = imap([message("one")])
    client = served.connect()
    client.command(f"USER {served.login}/user0")
    assert client.command(f"PASS {served.password}").startswith("-ERR [AUTH] ")


def test_maildir_delegate_named_as_master(local, maildir_tenant, sha512):
    maildir_tenant.add_user("deputy@local.example", sha512)
    served = local([message("joe's")], tenant={"auth": {"masters": ["deputy@local.example"]}},
                   login_name={"delegate": True})
    client = served.connect()
    client.command("USER deputy@local.example/joe")
    assert client.command(f"PASS {PASSWORD}").startswith("+OK 1 messages")
    assert b"joe's" in client.retr(1)
    # And not the other way round.
    client = served.connect()
    client.command(f"USER {LOGIN}/deputy")
    assert client.command(f"PASS {PASSWORD}") == (
        "-ERR [SYS/PERM] this login may not open that mailbox")


def test_folder_template_and_the_servers_acl(own_dovecot, directory, certificate, gateway):
    """The delegate enters as himself; the owner's mailbox is a folder that the ACL shows him."""
    folder = directory / "dovecot0"
    server: Dovecot = own_dovecot(extra=SHARED.format(directory=folder))
    for name in ("ann", "bob", "eve"):
        server.user(f"{name}@acme.example").deliver(message(f"mail of {name}"))
    acl = folder / "mail/ann@acme.example/Maildir/dovecot-acl"
    acl.write_text("user=bob@acme.example lrwstipekxa\n")
    server.give(acl)
    running = gateway(login_name={"delegate": True}, tenants=[{
        "name": "acme",
        "imap": {"servers": ["127.0.0.1"], "port": server.port, "tls": "none",
                 "delegate_folder": "shared/%{user}"},
    }])  # fmt: skip
    client, answer = log_in(running, "bob@acme.example/ann", password("bob@acme.example"))
    assert answer.startswith("+OK 1 messages"), answer
    assert b"mail of ann" in client.retr(1)
    client.quit()
    _, answer = log_in(running, "eve@acme.example/ann", password("eve@acme.example"))
    assert answer == "-ERR [SYS/PERM] this login may not open that mailbox", answer
