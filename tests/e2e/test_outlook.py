"""What Outlook needs of a server on the wire, or it waits for ever ([MS-STANOPOP3] 2.2)."""

import base64
import random
import re
import threading

import pytest
import yaml

from support import corpus
from support.gateway import PASSWORD, free_port, run
from support.pop3 import TIMEOUT, Pop3
from support.scripted_imap import ScriptedImap

# The greeting comes at once, whatever is behind


def greeting(served, **options) -> str:
    """What comes without a word of the client."""
    with served.connect(greet=False, **options) as client:
        return client.reply()


def test_the_greeting_does_not_wait_for_the_mail_store(gateway):
    """The store neither accepts nor answers: that is the login's matter."""
    silent = ScriptedImap([])
    silent.close()
    running = gateway(tenants=[{"name": "t", "imap": silent.as_config()}])
    with Pop3(running.port()) as client:
        assert client.greeting.startswith("+OK ")
        client.ok("USER joe@x.example")
        assert client.err(f"PASS {PASSWORD}").startswith("[SYS/TEMP] ")
        client.quit()


def test_the_greeting_does_not_look_at_the_tls_server_name(local):
    """No tenant serves that name; the greeting is the same, the login fails."""
    served = local(tenant={"match": {"server_names": ["pop.acme.example"]}})
    with served.connect("pop3s", tls=served.tls) as client:
        assert client.greeting.startswith("+OK ")
        client.ok(f"USER {served.login}")
        assert client.err(f"PASS {served.password}").startswith("[AUTH] ")
    with served.session("pop3s", tls=served.tls, server_name="pop.acme.example") as client:
        client.quit()


def test_the_greeting_comes_while_another_login_takes_its_time(local):
    """One worker, whose only other client waits for the answer to a failed login."""
    served = local(limits={"failure_delay": "15s"})
    with served.connect() as slow:
        slow.ok(f"USER {served.login}")
        slow.send(b"PASS sEcReT wrong\r\n")
        served.gateway.wait("login failed", login=served.login)
        assert greeting(served).startswith("+OK ")
        assert greeting(served, listener="pop3s", tls=served.tls).startswith("+OK ")


def test_every_refused_connection_is_told_why(local):
    """Also in a flood, where there is no patience for each: none is closed without a word."""
    served = local(limits={"sessions": 1})
    with served.session() as one:
        flood = [served.connect(greet=False) for _ in range(600)]
        for client in flood:
            assert client.reply().startswith("-ERR [SYS/TEMP] ")
            client.closed()
            client.close()
        one.quit()


def test_the_default_ports_are_those_of_pop3(gateway):
    """Nothing is bound: check says where serve would listen."""
    idle = gateway(start=False, listeners=None, tenants=[
        {"name": "t", "imap": {"servers": ["imap.x.example"]}}])
    listeners = yaml.safe_load(run("check", "-c", idle.file).stdout)["listeners"]
    assert [(row["listen"], row["tls"]) for row in listeners] == [
        (["[::]:110"], "starttls"), (["[::]:995"], "implicit")]


# One response per command, one form of response


class Script:
    """Commands that keep the session alive, and what is known of their answers."""

    SINGLE = [b"STAT", b"NOOP", b"RSET", b"stat", b"Noop \t", b"LIST 2", b"UIDL 3", b"LIST\t1",
              b"DELE 3", b"RETR 99", b"TOP 1", b"TOP 1 -1", b"DELE", b"LIST x", b"UIDL 0",
              b"QUIT now", b"CAPA x", b"USER", b"STLS now", b"APOP joe 00", b"PASS", b"XTND XMIT",
              b"AUTH NOSUCH", b"AUTH PLAIN =", b"AUTH PLAIN !!!!", b"AUTH A B C"]  # fmt: skip
    MULTI = [b"LIST", b"UIDL", b"CAPA", b"RETR 1", b"RETR 2", b"TOP 1 0", b"TOP 2 1", b"capa",
             b"TOP\t2\t9"]  # fmt: skip

    def __init__(self, seed: int):
        self.rng = random.Random(seed)

    def line(self) -> bytes:
        """A command with its line end."""
        rng = self.rng
        kind = rng.randrange(10)
        if kind < 4:
            line = rng.choice(self.SINGLE)
        elif kind < 6:
            line = rng.choice(self.MULTI)
        elif kind == 6:
            line = rng.randbytes(rng.randrange(0, 60)).replace(b"\n", b"\r")
        elif kind == 7:
            line = bytes(rng.choice(b" \t.+-*=:\0\r\x7f\xff") for _ in range(rng.randrange(0, 9)))
        elif kind == 8:
            line = bytes(rng.randrange(0x21, 0x7F) for _ in range(rng.choice([3, 40, 600, 5000])))
        else:
            line = rng.choice(self.SINGLE + self.MULTI) + bytes([rng.randrange(0x80, 0x100)])
        # A reader may take ".\r" and LF for an end; what is asked for here is one line each.
        return line.rstrip(b"\r") + rng.choice([b"\r\n", b"\r\n", b"\r\n", b"\n"])


def many_rows(command: bytes) -> bool:
    """Whether +OK to this command begins a multi-line response."""
    words = command.upper().split()
    verb = words[0] if words and command[:1] not in b" \t" else b""
    return (verb in (b"RETR", b"TOP", b"CAPA") or verb in (b"LIST", b"UIDL", b"AUTH")
            and len(words) == 1)  # fmt: skip


def check_rows(command: bytes, raw: bytes) -> None:
    assert raw.replace(b"\r\n", b"").count(b"\n") == 0, f"a bare LF after {command!r}"
    rows = raw.split(b"\r\n")[:-2]
    verb = command.upper().split()[0]
    if verb in (b"LIST", b"UIDL", b"CAPA", b"AUTH"):
        for row in rows:
            assert not row.startswith(b"."), f"Outlook stops at {row!r} of {command!r}"
            assert len(row) <= 510
            assert re.fullmatch(rb"[!-~]+( [!-~]+)*", row), f"{row!r} of {command!r}"
    if verb in (b"LIST", b"UIDL"):
        assert all(re.fullmatch(rb"\d+ [.-~]{1,70}", row) for row in rows), rows


def converse(client: Pop3, lines: list[bytes], seed: int) -> int:
    """Sends all lines in pieces of any size, reads one response to each; how many were +OK."""
    data, rng = b"".join(lines), random.Random(seed)

    def send():
        at = 0
        while at < len(data):
            n = rng.choice([1, 7, 100, 1460, 40_000])
            client.send(data[at : at + n])
            at += n

    sender = threading.Thread(target=send)
    sender.start()
    good, prompted = 0, False
    for line in lines:
        command = line.rstrip(b"\n").rstrip(b"\r")
        status = client.line()
        assert re.fullmatch(rb"(\+OK|-ERR) [!-~]+( [!-~]+)*|\+ [A-Za-z0-9+/]*=*", status), status
        assert len(status) <= 510
        good += status.startswith(b"+OK")
        if status.startswith(b"+OK") and not prompted and many_rows(command):
            check_rows(command, client.multiline_raw())
        prompted = status.startswith(b"+ ")
    sender.join(TIMEOUT)
    assert not sender.is_alive()
    return good


TOLERANT = {"protocol": {"bad_commands": 100_000}, "timeouts": {"idle": "5m", "login": "5m"},
            "limits": {"login_failures": 100, "failure_delay": "0s",
                       "failures_per_address": 1_000_000}}  # fmt: skip

MESSAGES = [corpus.ODD["dots"], corpus.ODD["forged end"], corpus.message("three")]


@pytest.mark.parametrize("seed", range(3))
def test_one_response_per_command_after_login(either, seed):
    served = either(MESSAGES, **TOLERANT)
    script = Script(seed)
    with served.session() as client:
        lines = [script.line() for _ in range(3000)] + [b"RSET\r\n"]
        assert converse(client, lines, seed) > 500
        assert client.stat()[0] == 3, "and none too many"
        client.quit()
    served.gateway.wait("session closed", reason="quit")


@pytest.mark.parametrize("seed", range(3))
def test_one_response_per_command_before_login(local, seed):
    """The exchanges of AUTH among them: a challenge is a response, what follows is no command."""
    served = local(**TOLERANT)
    script, rng = Script(100 + seed), random.Random(seed)
    initial = base64.b64encode(b"\0joe@local.example\0wrong")
    extra = [b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH", b"*", b"USER joe@local.example", initial, b"=",
             b"AUTH PLAIN " + base64.b64encode(b"x" * 3000), b"A" * 70_000]  # fmt: skip
    with served.connect() as client:
        lines = [rng.choice(extra) + b"\r\n" if rng.randrange(3) == 0 else script.line()
                 for _ in range(2000)]
        # Each of these asks for a login; as many as may fail.
        lines += [b"*\r\n"] + [b"USER joe@local.example\r\n", b"PASS wrong\r\n"] * 5
        assert converse(client, lines, seed) > 100
        client.login(served.login, served.password)
        client.quit()


@pytest.mark.parametrize("listener", ["pop3", "pop3s"])
def test_the_last_command_before_the_end_has_one_response_too(local, listener):
    served = local(protocol={"bad_commands": 5})
    with served.connect(listener, tls=served.tls if listener == "pop3s" else None) as client:
        client.send(b"XYZZY\r\n" * 9)
        rest = client.rest()
    assert re.fullmatch(rb"(-ERR [^\r\n]+\r\n){5}", rest), rest


# What Outlook does


def test_a_session_as_outlook_has_it(either):
    """Leave mail on the server, remove it when deleted here: no TOP, no argument to LIST or UIDL."""
    served = either(MESSAGES)
    with served.connect() as client:
        client.capabilities()
        client.login(served.login, served.password)
        count, octets = client.stat()
        assert count == 3
        ids, sizes = client.ids(), client.sizes()
        assert sorted(ids) == sorted(sizes) == [1, 2, 3]
        assert sum(sizes.values()) == octets
        for number in (1, 2, 3):
            assert len(client.retr(number)) == sizes[number]
        client.ok("DELE 2")
        client.quit()
    with served.session() as client:
        assert list(client.ids().values()) == [ids[1], ids[3]]
        client.quit()


def test_auth_alone_lists_the_mechanisms(local):
    """As Windows' own POP3 service answers clients that ask for secure password authentication."""
    served = local()
    with served.connect() as client:
        rows = client.rows("AUTH")
        sasl = next(row for row in client.capabilities() if row.startswith("SASL "))
        assert rows == sasl.split(" ")[1:]


def test_a_listener_of_its_own_for_old_clients(local):
    """Ports are free to choose; what Outlook is told there is the same."""
    served = local(listeners=[{"name": "pop3", "listen": [f"127.0.0.1:{free_port()}"],
                               "tls": "none", "plaintext_login": True}])
    with served.session() as client:
        client.quit()
