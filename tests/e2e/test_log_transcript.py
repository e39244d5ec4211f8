"""log.transcript: the sessions of some logins written out in the log, without their secrets."""

import pytest
from conftest import LOGIN
from support import corpus, sasl
from support.gateway import PASSWORD

ANN = "ann@local.example"


def said(gateway) -> list[tuple[str, str]]:
    """(who, line) of all transcripts, lines that go on put together again."""
    lines, begun = [], ""
    for event in gateway.events("transcript"):
        who = "client" if "client" in event else "server"
        begun += event.get(who, event.get("detail", ""))
        if "goes_on" not in event:
            lines.append((who, begun))
            begun = ""
    return lines


def by(who: str, lines: list[tuple[str, str]]) -> list[str]:
    return [line for speaker, line in lines if speaker == who]


@pytest.fixture
def served(local, maildir_tenant):
    def start(messages=(), logins=(LOGIN,), **changes):
        maildir_tenant.add_user(ANN)
        maildir_tenant.maildir("ann")
        return local(messages, log={"transcript": list(logins), "level": "info"},
                     tenant={"auth": {"mechanisms": ["user", "plain", "login", "scram-sha-256"]}},
                     protocol={"bad_commands": 1000}, **changes)  # fmt: skip

    return start


def ended(client, mail) -> list[tuple[str, str]]:
    """QUIT, and what the log has once the session is over."""
    client.quit()
    mail.gateway.wait("transcript", server="+OK bye")
    return said(mail.gateway)


def test_a_session_is_written_out_as_it_was(served):
    text = "hello\r\n\r\n.dot\r\n+ is no challenge\r\nä€😀\"\\\r\n" + "ä long " * 300 + "\r\n"
    mail = served([corpus.message("transcribed", text.encode())])
    client = mail.connect()
    client.ok(f"USER {LOGIN}")
    welcome = client.ok(f"PASS {PASSWORD}")
    client.ok("RETR 1")
    wire = client.multiline_raw().decode()
    lines = ended(client, mail)
    assert lines[:6] == [
        ("server", client.greeting), ("client", f"USER {LOGIN}"),
        ("server", "+OK password, please"), ("client", "PASS ****"),
        ("server", f"+OK {welcome}"), ("client", "RETR 1"),
    ]  # fmt: skip
    assert lines[6][1].startswith("+OK ")
    assert [line for who, line in lines[7:-2] if who == "server"] == wire.split("\r\n")[:-1]
    assert "+ is no challenge" in wire and "\r\n..dot\r\n" in wire
    assert lines[-2:] == [("client", "QUIT"), ("server", "+OK bye")]


def test_others_are_not_written(served):
    mail = served(logins=["nobody@local.example"])
    mail.session().quit()
    client = mail.connect()
    client.ok(f"USER {LOGIN}")
    client.err("PASS wrong")
    client.quit()
    mail.gateway.stop()
    assert said(mail.gateway) == []


@pytest.mark.parametrize("typed", ["JOE@LOCAL.EXAMPLE", "joe", "joe+junk@local.example"])
def test_however_the_login_is_written(served, typed):
    mail = served(login_name={"default_domain": "local.example", "folder_separator": "+"}, logins=["Joe@Local.Example"])
    client = mail.connect()
    client.ok(f"USER {typed}")
    client.err("PASS wrong")
    lines = ended(client, mail)
    assert by("client", lines) == [f"USER {typed}", "PASS ****", "QUIT"]
    assert by("server", lines)[2].startswith("-ERR [AUTH]")


def test_only_the_attempts_of_the_login(served):
    """What was said before and after for another login is the other's affair."""
    mail = served()
    client = mail.connect()
    client.ok(f"USER {ANN}")
    client.err("PASS wrong")
    client.ok(f"USER {LOGIN}")
    client.err("PASS wrong")
    client.err("STAT")
    client.ok(f"USER {ANN}")
    client.ok(f"PASS {PASSWORD}")
    client.ok("STAT")
    client.quit()
    mail.gateway.stop()
    # Who the next attempt is by is not known before its PASS.
    assert by("client", said(mail.gateway)) == [
        f"USER {LOGIN}", "PASS ****", "STAT", f"USER {ANN}", "PASS ****"]


SECRETS = {
    "PASS": f"PASS {PASSWORD}",
    "pass and a tab": f"pass\t{PASSWORD}",
    "alone": PASSWORD,
    "alone in base64": sasl.encode(PASSWORD),
    "a SASL message alone": sasl.plain(LOGIN, PASSWORD),
    "AUTH of nothing": f"AUTH NONE {sasl.encode(PASSWORD)}",
    "APOP": f"APOP joe {PASSWORD}",
    "a verb that is none": f"XPASS {PASSWORD}",
    "a space before": f" PASS {PASSWORD}",
    "the wrong way round": f"{PASSWORD} USER joe",
    "a NUL before": f"\0PASS {PASSWORD}",
    "a NUL between": f"PASS\0{PASSWORD}",
    "AUTH and no space": f"AUTHPLAIN {PASSWORD}",
}


@pytest.mark.parametrize("line", SECRETS.values(), ids=SECRETS)
def test_secrets_are_masked_wherever_they_come(served, line):
    """The gateway's fixture looks for the password in the log, in base64 too."""
    mail = served()
    client = mail.connect()
    client.err(line)
    client.login(LOGIN, PASSWORD)
    client.err(line)
    lines = by("client", ended(client, mail))
    assert len(lines) == 5
    assert all("****" in lines[number] for number in (0, 2, 3))


def test_sasl_is_masked(served):
    mail = served()
    client = mail.connect()
    client.command("AUTH LOGIN")
    client.command(sasl.encode(LOGIN))
    client.ok(sasl.encode(PASSWORD))
    lines = ended(client, mail)
    assert by("client", lines) == ["AUTH LOGIN", "****", "****", "QUIT"]
    assert by("server", lines)[1:3] == ["+ ****", "+ ****"]


def test_a_proof_that_is_wrong(served, maildir_tenant):
    mail = served(logins=["scram@local.example"])
    maildir_tenant.add_user("scram@local.example", sasl.scram_keys(PASSWORD))
    client = mail.connect()
    assert sasl.Scram("scram@local.example", "wrong").run(client).startswith("-ERR [AUTH]")
    lines = ended(client, mail)
    assert by("client", lines) == ["AUTH SCRAM-SHA-256 ****", "****", "QUIT"]


def test_a_canceled_exchange(served):
    mail = served()
    client = mail.connect()
    client.command("AUTH LOGIN")
    client.err("*")
    client.ok(f"AUTH PLAIN {sasl.plain(LOGIN, PASSWORD)}")
    assert by("client", ended(client, mail)) == ["AUTH LOGIN", "*", "AUTH PLAIN ****", "QUIT"]


def test_after_stls(served):
    mail = served()
    client = mail.connect()
    client.ok("STLS")
    client.start_tls(mail.tls)
    client.login(LOGIN, PASSWORD)
    assert by("client", ended(client, mail)) == ["STLS", f"USER {LOGIN}", "PASS ****", "QUIT"]


def test_what_was_sent_ahead(served):
    mail = served()
    client = mail.connect()
    client.send(f"USER {LOGIN}\r\nPASS {PASSWORD}\r\nSTAT\r\nQUIT\r\n".encode())
    assert client.rest().count(b"+OK") == 4
    mail.gateway.wait("transcript", server="+OK bye")
    lines = said(mail.gateway)
    assert by("client", lines) == [f"USER {LOGIN}", "PASS ****", "STAT", "QUIT"]
    assert len(by("server", lines)) == 5


def test_a_line_without_an_end(served):
    mail = served([corpus.message("long", b"x" * 3_000_000 + b"\r\n")])
    client = mail.session()
    assert b"x" * 3_000_000 in client.retr(1)
    assert "x" * 3_000_000 in by("server", ended(client, mail))


def test_a_long_talk_before_the_login_is_cut(served):
    mail = served()
    client = mail.connect()
    for _ in range(300):
        client.capabilities()
    client.login(LOGIN, PASSWORD)
    lines = ended(client, mail)
    assert len(lines) < 1000
    assert mail.gateway.events("transcript", detail="lines before the login are missing")
    assert by("client", lines)[-1] == "QUIT"


def test_a_reload_changes_whose_sessions_are_written(served):
    mail = served(logins=[ANN])
    mail.session().quit()
    mail.gateway.write({**mail.gateway.config, "log": {"transcript": [LOGIN], "level": "info"}})
    mail.gateway.reload()
    mail.gateway.wait("reload done")
    assert by("client", ended(mail.session(), mail)) == [f"USER {LOGIN}", "PASS ****", "QUIT"]
