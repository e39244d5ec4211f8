"""Who gets in: users files, the IMAP server, throttling; and what a failed login tells."""

import base64
import os

import pytest

from conftest import LOGIN
from support import corpus
from support.dovecot import MASTER_USER
from support.gateway import PASSWORD, merge, password, run
from support.hashes import argon2id_of, crypt_of
from support.pop3 import Pop3
from support.scripted_imap import ScriptedImap

HASHES = {
    "SHA-512": lambda secret: crypt_of("$6$rounds=1000$saltsalt$", secret),
    "SHA-256": lambda secret: crypt_of("$5$rounds=1000$saltsalt$", secret),
    "bcrypt": lambda secret: crypt_of("$2b$04$abcdefghijklmnopqrstuu", secret),
    "yescrypt": lambda secret: crypt_of("$y$j75$saltsalt$", secret),
    "argon2id": argon2id_of,
}


def attempt(client: Pop3, login: str, secret: str) -> str:
    """USER and PASS; the answer to PASS."""
    client.ok(f"USER {login}")
    return client.command(f"PASS {secret}")


def plain(login: str, secret: str, identity: str = "") -> str:
    return base64.b64encode(f"{identity}\0{login}\0{secret}".encode()).decode()


@pytest.mark.parametrize("kind", HASHES)
def test_users_file_with_each_kind_of_hash(local, maildir_tenant, kind):
    served = local([corpus.message("joe's")])
    maildir_tenant.add_user("ann@local.example", HASHES[kind](password("ann")))
    maildir_tenant.maildir("ann")
    with served.connect() as client:
        assert attempt(client, "ann@local.example", password("anne")).startswith("-ERR [AUTH]")
        assert attempt(client, "ann@local.example", "").startswith("-ERR")
        assert attempt(client, "ann@local.example", password("ann")).startswith("+OK")
        assert client.stat() == (0, 0)


def test_users_file_written_by_the_users_verb(local, maildir_tenant):
    served = local()
    done = run("users", "set", "--file", maildir_tenant.users, "ann@local.example",
               stdin=password("ann") + "\n")
    assert done.returncode == 0, done.stderr
    assert "ann@local.example:$y$" in maildir_tenant.users.read_text()
    maildir_tenant.maildir("ann")
    with served.connect() as client:
        assert attempt(client, "ann@local.example", password("ann")).startswith("+OK")


def test_users_file_is_read_again_when_it_changes(local, maildir_tenant):
    served = local()
    with served.session() as client:
        client.quit()
    changed = maildir_tenant.users.with_suffix(".new")
    changed.write_text(f"{LOGIN}:{HASHES['SHA-512'](password('new'))}\n")
    os.rename(changed, maildir_tenant.users)
    with served.connect() as client:
        assert attempt(client, LOGIN, PASSWORD).startswith("-ERR [AUTH]")
        assert attempt(client, LOGIN, password("new")).startswith("+OK")


def test_users_file_that_vanished_is_no_wrong_password(local, maildir_tenant):
    """A client throws its password away at [AUTH]; trouble of ours must not be told so."""
    served = local()
    maildir_tenant.users.unlink()
    with served.connect() as client:
        assert attempt(client, LOGIN, PASSWORD).startswith("-ERR [SYS/")


def test_users_file_with_comments_and_empty_lines(local, maildir_tenant):
    served = local()
    with open(maildir_tenant.users, "a") as users:
        users.write("# a comment\n\n  \n#joe@local.example:disabled\n")
    maildir_tenant.add_user("ann@local.example", HASHES["SHA-512"](password("ann")))
    maildir_tenant.maildir("ann")
    with served.connect() as client:
        assert attempt(client, "ann@local.example", password("ann")).startswith("+OK")


@pytest.mark.parametrize(
    "line", ["no colon", ":$6$x$y", "two words@local.example:", "x:plain text"])
def test_a_malformed_users_file_lets_nobody_in_and_the_log_tells_the_line(
        local, maildir_tenant, line):
    served = local()
    with open(maildir_tenant.users, "a") as users:
        users.write(line + "\n")
    with served.connect() as client:
        assert attempt(client, LOGIN, PASSWORD).startswith("-ERR [SYS/")
    served.gateway.wait_text(f"{maildir_tenant.users}:2")


def test_unknown_user_unknown_tenant_and_wrong_password_get_the_same_text(local):
    served = local()
    with served.connect() as client:
        answers = {
            attempt(client, LOGIN, password("wrong")),
            attempt(client, "nobody@local.example", PASSWORD),
        }
    with served.connect() as client:
        answers.add(attempt(client, "joe@nowhere.example", PASSWORD))
    assert len(answers) == 1
    assert answers.pop().startswith("-ERR [AUTH] ")


def test_logins_that_try_to_leave_the_path_are_refused(local, directory):
    served = local([corpus.message("joe's")])
    for login in ("../joe@local.example", "joe/../joe@local.example", "..@local.example",
                  ".@local.example", "@local.example", "joe@../local.example"):
        with served.connect() as client:
            answer = attempt(client, login, PASSWORD)
            assert answer.startswith("-ERR"), login
    assert sorted(p.name for p in (directory / "mail").rglob("*") if p.is_dir()) == [
        "Maildir", "cur", "joe", "local.example", "new", "tmp"]


def test_login_failures_end_the_connection(local):
    served = local(limits={"login_failures": 2})
    with served.connect() as client:
        assert attempt(client, LOGIN, "a").startswith("-ERR [AUTH]")
        assert attempt(client, LOGIN, "b").startswith("-ERR")
        client.closed()


def test_an_address_with_too_many_failures_is_refused_even_with_the_right_password(local):
    served = local(limits={"failures_per_address": 2, "login_failures": 100})
    with served.connect() as client:
        for _ in range(3):
            assert attempt(client, LOGIN, password("wrong")).startswith("-ERR [AUTH]")
        assert attempt(client, LOGIN, PASSWORD).startswith("-ERR")
    with served.connect(source="127.0.0.9") as client:
        assert attempt(client, LOGIN, PASSWORD).startswith("+OK")


def test_plain_with_another_authorization_identity_is_refused(local, maildir_tenant):
    served = local()
    maildir_tenant.add_user("ann@local.example")
    maildir_tenant.maildir("ann")
    with served.connect() as client:
        client.err(f"AUTH PLAIN {plain(LOGIN, PASSWORD, 'ann@local.example')}")
        client.err("STAT")


def test_login_name_rules(local):
    served = local(login_name={"separators": "@%#", "default_domain": "local.example"})
    for login in ("joe%local.example", "JOE#LOCAL.EXAMPLE", "joe", "Joe@local.example"):
        with served.connect() as client:
            assert attempt(client, login, PASSWORD).startswith("+OK"), login
    with served.connect() as client:
        client.ok(f"AUTH PLAIN {plain('joe%local.example', PASSWORD)}")


def test_case_counts_when_asked_for(local):
    served = local(login_name={"lower_case": False})
    with served.connect() as client:
        assert attempt(client, "Joe@local.example", PASSWORD).startswith("-ERR [AUTH]")
        assert attempt(client, LOGIN, PASSWORD).startswith("+OK")


def test_folder_separator_opens_that_folder(imap):
    served = imap([corpus.message("inbox")], login_name={"folder_separator": "+"})
    served.user.append(corpus.message("trash"), folder="Trash")
    user, _, domain = served.login.partition("@")
    with served.connect() as client:
        assert attempt(client, f"{user}+Trash@{domain}", served.password).startswith("+OK")
        assert client.retr(1) == corpus.message("trash")


# Logins that the IMAP server judges


def test_the_imap_server_judges_the_password(imap):
    served = imap([corpus.message("one")])
    with served.connect() as client:
        assert attempt(client, served.login, password("wrong")).startswith("-ERR [AUTH]")
        assert attempt(client, "nobody@acme.example", PASSWORD).startswith("-ERR [AUTH]")
        assert attempt(client, served.login, served.password).startswith("+OK")
        assert client.stat()[0] == 1
    assert "Disconnected" in served.user.dovecot.log()


ODD_PASSWORDS = ['q"uote', "back\\slash", "ümlaut", "{5}", "(a) *%", "x" * 200]


def test_odd_passwords_reach_the_imap_server_as_they_are(imap):
    served = imap()
    for number, odd in enumerate(ODD_PASSWORDS):
        user = served.user.dovecot.user(f"odd{number}-{served.login}", password(odd))
        with served.connect() as client:
            client.login(user.login, user.password)
            client.quit()
        with served.connect() as client:
            client.ok(f"AUTH PLAIN {plain(user.login, user.password)}")
            client.quit()


def test_master_user_with_a_users_file(imap, directory):
    """The gateway judges the password; the server is entered by its master user."""
    secret_file = directory / "master-password"
    secret_file.write_text(password(MASTER_USER) + "\n")
    users = directory / "gateway-users"
    users.write_text("")
    served = imap([corpus.message("one")], tenant={
        "auth": {"users_file": str(users)},
        "imap": {"master_user": MASTER_USER, "master_password_file": str(secret_file)},
    })
    users.write_text(f"{served.login}:{HASHES['SHA-512'](PASSWORD)}\n")
    with served.connect() as client:
        assert attempt(client, served.login, served.password).startswith("-ERR [AUTH]")
        assert attempt(client, served.login, PASSWORD).startswith("+OK")
        assert client.retr(1) == corpus.message("one")
        client.quit()


def test_login_template(imap, directory):
    """imap.login says what the server gets as user name."""
    served = imap()
    user = served.user.dovecot.user("bare" + served.login.partition("@")[0])
    user.deliver(corpus.message("bare"))
    config = merge(served.gateway.config, {})
    config["tenants"][0]["imap"]["login"] = "bare%{user}"
    served.gateway.write(config)
    served.gateway.stop()
    served.gateway.start()
    with served.connect() as client:
        assert attempt(client, served.login, user.password).startswith("+OK")
        assert client.retr(1) == corpus.message("bare")


CODES = {
    "NO [AUTHENTICATIONFAILED] no": "[AUTH]",
    "NO [EXPIRED] get a newer one": "[AUTH]",
    "NO no such user or wrong password": "[AUTH]",
    "NO [UNAVAILABLE] backend": "[SYS/TEMP]",
    "NO [LIMIT] too many": "[SYS/TEMP]",
    "NO [SERVERBUG] oops": "[SYS/TEMP]",
    "NO [INUSE] taken": "[IN-USE]",
    "NO [CONTACTADMIN] call": "[SYS/PERM]",
    "NO [NOPERM] never": "[SYS/PERM]",
}


@pytest.fixture
def scripted(gateway):
    server = ScriptedImap([corpus.message("one")])
    running = gateway(tenants=[{"name": "t", "imap": server.as_config()}])
    yield server, running
    server.close()


@pytest.mark.parametrize("words", CODES)
def test_the_servers_refusal_of_a_login_becomes_a_pop3_code(scripted, words):
    server, running = scripted

    def refuse(peer, _):
        peer.send(f"{peer.tag} {words}\r\n")

    server.on["LOGIN"] = server.on["AUTHENTICATE"] = refuse
    with Pop3(running.port()) as client:
        answer = attempt(client, "joe@x.example", PASSWORD)
        wanted = CODES[words]
        assert answer.startswith(f"-ERR {wanted} ") or (
            wanted == "[IN-USE]" and answer.startswith("-ERR [SYS/TEMP]")), answer
        own = words.partition("] ")[2]
        assert not own or own not in answer, "the server's own words are for the log"
        client.ok("QUIT")


@pytest.mark.parametrize("words, code", [
    ("NO [NONEXISTENT] no such mailbox", "[SYS/PERM]"),
    ("NO [NOPERM] not yours", "[SYS/PERM]"),
    ("NO [SERVERBUG] broken index", "[SYS/TEMP]"),
    ("NO [INUSE] locked", "[IN-USE]"),
])  # fmt: skip
def test_authenticated_but_not_connected_is_a_failed_login(scripted, words, code):
    server, running = scripted

    def refuse(peer, _):
        peer.send(f"{peer.tag} {words}\r\n")

    server.on["SELECT"] = server.on["EXAMINE"] = refuse
    with Pop3(running.port()) as client:
        answer = attempt(client, "joe@x.example", PASSWORD)
        assert answer.startswith("-ERR [SYS/" if code == "[IN-USE]" else f"-ERR {code} ") or (
            answer.startswith(f"-ERR {code}")), answer
        client.err("STAT")


def test_a_login_over_the_servers_silence_fails_as_temporary(gateway):
    server = ScriptedImap([])
    server.on["LOGIN"] = server.on["AUTHENTICATE"] = lambda peer, _: peer.stall()
    running = gateway(tenants=[{"name": "t", "imap": server.as_config(command_timeout="1s")}])
    with Pop3(running.port()) as client:
        assert attempt(client, "joe@x.example", PASSWORD).startswith("-ERR [SYS/TEMP]")
    server.close()


def test_logins_with_control_octets_never_reach_the_server(scripted):
    server, running = scripted
    evil = base64.b64encode(b"\0joe@x.example\0a\r\nA9 DELETE INBOX").decode()
    with Pop3(running.port()) as client:
        client.err(f"AUTH PLAIN {evil}")
    with Pop3(running.port()) as client:
        evil = base64.b64encode(b"\0joe\r\nx@x.example\0sEcReT").decode()
        client.err(f"AUTH PLAIN {evil}")
    assert server.commands("DELETE") == []
