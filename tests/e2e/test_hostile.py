"""Garbage from clients, lies from servers: a closed session at worst, never a crash or a hang."""

import random
import socket

import pytest

from support import corpus
from support.gateway import LEAN, PASSWORD
from support.pop3 import Closed, Pop3
from support.scripted_imap import ScriptedImap

# From clients


def garbage(seed: int) -> bytes:
    rng = random.Random(seed)
    kinds = [
        lambda: rng.randbytes(rng.randrange(1, 5000)),
        lambda: bytes(rng.choice(b"\0\r\n .\xff") for _ in range(rng.randrange(1, 3000))),
        lambda: b"A" * rng.randrange(1, 200_000),
        lambda: b"\r\n" * rng.randrange(1, 2000),
        lambda: b" ".join(rng.choice(
            [b"USER", b"PASS", b"RETR", b"1", b"-1", b"AUTH PLAIN", b"\r\n", b"=", b"*", b"STLS"])
            for _ in range(rng.randrange(1, 500))) + b"\r\n",
        lambda: b"\x16\x03\x01\xff\xff" + rng.randbytes(2000),
        lambda: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    return rng.choice(kinds)()


@pytest.mark.parametrize("listener", ["pop3", "pop3s"])
@pytest.mark.parametrize("seed", range(6))
def test_garbage_on_every_port(local, listener, seed):
    served = local(timeouts={"login": "5s", "tls": "5s"})
    for n in range(30):
        with served.connect(listener, greet=False) as client:
            try:
                client.send(garbage(seed * 100 + n))
                client.socket.shutdown(socket.SHUT_WR)
                client.rest()
            except (BrokenPipeError, ConnectionResetError, Closed, OSError):
                pass
    with served.session() as client:
        client.quit()
    with served.secure() as client:
        client.quit()


@pytest.mark.parametrize("seed", range(4))
def test_garbage_within_tls_and_after_login(local, seed):
    messages = [corpus.message(f"number {n}") for n in range(3)]
    served = local(messages)
    for n in range(10):
        with served.secure() as client:
            try:
                client.send(garbage(1000 + seed * 100 + n).replace(b"QUIT", b"QU1T"))
                client.socket.unwrap() if n % 2 else client.socket.shutdown(socket.SHUT_WR)
            except (OSError, Closed):
                pass
    assert sorted(served.maildir.messages()) == sorted(messages)
    with served.session() as client:
        assert client.stat()[0] == 3


def test_a_line_that_never_ends_takes_no_memory(local):
    served = local(options=LEAN)
    with served.session() as client:
        client.ok("NOOP")
        before = served.gateway.memory()
        for _ in range(640):
            client.send(b"x" * 65536)
        assert served.gateway.memory() - before < 8_000_000
        client.send(b"\r\n")
        assert client.reply().startswith("-ERR")
        client.ok("NOOP")


def test_connections_that_only_open_and_close(local):
    served = local()
    for _ in range(200):
        served.connect(greet=False).close()
    with served.session() as client:
        client.quit()


# From IMAP servers


@pytest.fixture
def scripted(gateway):
    """A server of three messages, and a gateway that loses patience soon."""
    server = ScriptedImap([corpus.message(f"number {n}", b"text\r\n" * 50) for n in range(3)])
    running = gateway(options=LEAN, tenants=[{"name": "t", "imap": server.as_config(
        connect_timeout="2s", command_timeout="2s")}])
    yield server, running
    server.close()


def sign_in(running) -> tuple[Pop3, str]:
    client = Pop3(running.port())
    client.ok("USER joe@x.example")
    return client, client.command(f"PASS {PASSWORD}")


def login(running) -> Pop3:
    client, answer = sign_in(running)
    assert answer.startswith("+OK"), answer
    return client


def refused(running) -> str:
    client, answer = sign_in(running)
    with client:
        assert answer.startswith("-ERR [SYS/"), answer
        return answer


GREETINGS = {
    "silence": lambda peer: peer.stall(),
    "an end": lambda peer: peer.vanish(),
    "BYE": lambda peer: (peer.send("* BYE overloaded\r\n"), peer.vanish()),
    "another protocol": lambda peer: peer.send("220 mail.example ESMTP\r\n"),
    "TLS": lambda peer: peer.send(b"\x15\x03\x03\x00\x02\x02\x28"),
    "octets without end": lambda peer: peer.send(b"* OK " + b"x" * 20_000_000),
    "NULs": lambda peer: peer.send(b"\0" * 1000),
}


@pytest.mark.parametrize("kind", GREETINGS)
def test_a_server_that_greets_with(scripted, kind):
    server, running = scripted
    server.greeting = GREETINGS[kind]
    refused(running)
    server.greeting = "* OK ready\r\n"


def nested(depth: int) -> str:
    return "* 1 FETCH (BODYSTRUCTURE " + "(" * depth + ")" * depth + ")\r\n"


LISTINGS = {
    "silence": lambda peer, _: peer.stall(),
    "an end": lambda peer, _: peer.vanish(),
    "NO": lambda peer, _: peer.no("[SERVERBUG] index"),
    "BAD": lambda peer, _: peer.bad("what?"),
    "garbage": lambda peer, _: peer.send("* 1 FETCH (UID (((\r\n%%%\r\n"),
    "a deep nesting": lambda peer, _: (peer.send(nested(100_000)), peer.ok()),
    "a line without end": lambda peer, _: peer.send(b"* 1 FETCH (FLAGS (" + b"x" * 50_000_000),
    "a huge literal": lambda peer, _: peer.send(b"* 1 FETCH (UID 1 ENVELOPE {4294967295}\r\n"),
    "half an answer": lambda peer, _: (peer.send("* 1 FETCH (UID 1 RFC822.SI"), peer.vanish()),
}


@pytest.mark.parametrize("kind", LISTINGS)
def test_a_server_that_answers_the_listing_with(scripted, kind):
    server, running = scripted
    server.on["UID FETCH"] = LISTINGS[kind]
    refused(running)
    del server.on["UID FETCH"]
    with login(running) as client:
        assert client.stat()[0] == 3
        client.quit()
    assert running.memory() < 400_000_000


def test_a_server_that_floods_after_the_login(scripted):
    server, running = scripted

    def flood(peer, _):
        for n in range(200_000):
            peer.untagged(f"{n} EXPUNGE")
        peer.ok()

    server.on["NOOP"] = server.on["SELECT"] = flood
    client, answer = sign_in(running)
    with client:
        assert answer.startswith("-ERR [SYS/") or client.stat()[0] == 0


@pytest.mark.parametrize("kind", ["fewer", "more", "none", "another UID", "twice", "uid 0"])
def test_a_server_that_lies_in_its_listing(scripted, kind):
    """The maildrop is what was listed; nothing crashes, no message has two numbers."""
    server, running = scripted
    rows = {"fewer": [1], "more": [1, 2, 3, 4, 5], "none": [], "another UID": [7, 8, 9],
            "twice": [1, 1, 2], "uid 0": [0, 1, 2]}[kind]

    def fetch(peer, arguments):
        if "BODY.PEEK[]" in arguments:
            return server.do_uid_fetch(peer, arguments)
        for number, uid in enumerate(rows, 1):
            peer.untagged(f'{number} FETCH (UID {uid} FLAGS () RFC822.SIZE 100 '
                          f'INTERNALDATE "01-Jan-2025 00:00:00 +0000")')
        peer.ok()

    server.on["UID FETCH"] = fetch
    client, answer = sign_in(running)
    with client:
        if answer.startswith("-ERR [SYS/"):
            return
        ids = client.ids()
        assert len(set(ids.values())) == len(ids)
        for number in ids:
            client.command(f"TOP {number} 0").startswith("+OK") and client.multiline_raw()


def test_a_server_that_gives_another_message_than_asked(scripted):
    """A body of another UID must not be sent as the one that was asked for."""
    server, running = scripted

    def fetch(peer, arguments):
        uids, _, items = arguments.partition(" ")
        if "BODY.PEEK[]" not in items:
            return server.do_uid_fetch(peer, arguments)
        peer.send(b"* 3 FETCH (UID 3" + server.items(3, items) + b")\r\n")
        peer.ok()

    server.on["UID FETCH"] = fetch
    with login(running) as client:
        client.send(b"RETR 1\r\n")
        rest = b""
        try:
            answer = client.reply()
            if answer.startswith("+OK"):
                rest = client.multiline_raw()
        except Closed:
            pass
        assert b"Subject: number 2" not in rest or not rest.endswith(b"\r\n.\r\n")


def test_a_server_that_stalls_in_a_body(scripted):
    server, running = scripted

    def fetch(peer, arguments):
        if "BODY.PEEK[]" not in arguments:
            return server.do_uid_fetch(peer, arguments)
        peer.send(b"* 1 FETCH (UID 1 BODY[] {1000}\r\nSubject: half\r\n\r\nha")
        peer.stall()

    server.on["UID FETCH"] = fetch
    with login(running) as client:
        client.send(b"RETR 1\r\n")
        rest = client.rest()
        assert not rest.endswith(b"\r\n.\r\n")


def test_a_stalled_server_does_not_hold_up_others(scripted, gateway):
    """One worker, one thread: another tenant's session runs while this one waits."""
    stalled = ScriptedImap([])
    stalled.greeting = lambda peer: peer.stall()
    good = ScriptedImap([corpus.message("good")])
    running = gateway(tenants=[
        {"name": "stalled", "match": {"domains": ["stalled.example"]},
         "imap": stalled.as_config(connect_timeout="1h", command_timeout="1h")},
        {"name": "good", "imap": good.as_config()},
    ], shutdown_grace="1s")
    with Pop3(running.port()) as waiting:
        waiting.ok("USER joe@stalled.example")
        waiting.send(b"PASS sEcReT\r\n")
        with Pop3(running.port()).login("joe@x.example", "sEcReT") as client:
            assert client.retr(1) == corpus.message("good")
            client.quit()
    stalled.close()
    good.close()


def test_the_message_is_gone_when_the_server_says_nothing_of_it(scripted):
    server, running = scripted
    with login(running) as client:
        del server.messages[2]
        assert client.err("RETR 2") == "message 2 is no longer in the mailbox"
        assert client.retr(3) == corpus.message("number 2", b"text\r\n" * 50)
        client.quit()


def test_a_server_that_ends_the_session_with_bye(scripted):
    server, running = scripted

    def fetch(peer, arguments):
        if "BODY.PEEK[]" not in arguments:
            return server.do_uid_fetch(peer, arguments)
        peer.send("* BYE shutting down\r\n")
        peer.vanish()

    server.on["UID FETCH"] = fetch
    with login(running) as client:
        assert client.err("RETR 1").startswith("[SYS/TEMP]")
        assert client.stat()[0] == 3
        client.command("QUIT")
