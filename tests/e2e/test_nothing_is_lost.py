"""Whatever breaks before QUIT: nothing is deleted, and no message that was cut looks complete."""

import os
import signal
import socket
import struct

import pytest

from support import corpus
from support.pop3 import Closed, Pop3
from support.scripted_imap import ScriptedImap

MESSAGES = [corpus.message(f"number {n}") for n in range(1, 6)]


def count(served) -> int:
    if hasattr(served, "user"):
        assert all("Deleted" not in flags for _, flags in served.user.flags())
        return len(served.user.uids())
    return len(served.maildir.files())


def marked(served):
    """A session that has read all and marked all."""
    client = served.session()
    for n in range(1, 6):
        client.retr(n)
        client.ok(f"DELE {n}")
    return client


def test_a_cut_connection_deletes_nothing(either):
    served = either(MESSAGES)
    with marked(served):
        pass
    served.gateway.wait("session closed", login=served.login)
    assert count(served) == 5


def test_a_timeout_deletes_nothing(either):
    served = either(MESSAGES, timeouts={"idle": "1s"})
    with marked(served) as client:
        assert client.reply().startswith("-ERR")
        client.closed()
    assert count(served) == 5


def test_a_killed_worker_deletes_nothing_and_is_replaced(either):
    served = either(MESSAGES)
    with marked(served) as client:
        (worker,) = served.gateway.workers()
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(Closed):
            client.command("NOOP")
    assert count(served) == 5
    with served.session() as client:
        assert client.stat()[0] == 5
        client.quit()
    assert served.gateway.workers() != [worker]


def test_other_workers_do_not_notice_a_killed_one(local):
    served = local(MESSAGES, workers=2)
    sessions = {}
    while len(sessions) < 2:  # until both workers have one
        client = served.session()
        worker = worker_of(served.gateway, client)
        if worker in sessions:
            client.close()
        else:
            sessions[worker] = client
    victim, survivor = sessions
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(Closed):
        sessions[victim].command("NOOP")
    assert sessions[survivor].retr(1) == MESSAGES[0]
    sessions[survivor].quit()
    sessions[victim].close()
    with served.session() as client:
        client.quit()


def worker_of(gateway, client) -> int:
    """The process that holds the other end of the client's connection."""
    port = client.socket.getsockname()[1]
    inodes = set()
    for row in open("/proc/net/tcp").read().splitlines()[1:]:
        fields = row.split()
        if int(fields[2].split(":")[1], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    for pid in gateway.workers():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{fd}") in inodes:
                    return pid
            except OSError:
                continue
    raise AssertionError("no worker holds the connection")


def test_a_killed_gateway_deletes_nothing(either):
    served = either(MESSAGES)
    with marked(served) as client:
        served.gateway.kill()
        with pytest.raises(Closed):
            client.command("NOOP")
    assert count(served) == 5


def test_shutdown_deletes_nothing(either):
    """SIGTERM lets the session go on for shutdown_grace, then ends it."""
    served = either(MESSAGES, shutdown_grace="1s")
    with marked(served) as client:
        served.gateway.stop()
        client.rest()
    assert count(served) == 5


def test_a_killed_imap_server_deletes_nothing(own_dovecot, imap):
    server = own_dovecot()
    served = imap(MESSAGES, server=server)
    with marked(served) as client:
        server.kill()
        assert client.command("QUIT").startswith("-ERR [SYS/TEMP]")
        client.closed()
    server.start()
    assert count(served) == 5


def test_an_imap_server_killed_in_the_middle_of_a_body_leaves_no_final_dot(own_dovecot, imap):
    server = own_dovecot()
    served = imap([corpus.large(30_000_000)], server=server)
    with served.session() as client:
        client.send(b"RETR 1\r\n")
        assert client.reply().startswith("+OK")
        received = client.socket.recv(65536)
        server.kill()
        received += client.rest()
    assert len(received) < 30_000_000
    assert not received.endswith(b".\r\n")
    assert b"\r\n.\r\n" not in received
    assert b"-ERR" not in received
    server.start()
    assert count(served) == 1


CUTS = {
    "half a line": lambda message: 2002,
    "whole lines": lambda message: message.index(b"\r\n.\r\n") + 5,
    "all but the last octet": lambda message: len(message) - 1,
    "all but the end of the answer": len,
}


@pytest.mark.parametrize("part", CUTS)
def test_a_body_cut_by_the_server_leaves_no_final_dot(gateway, part):
    message = corpus.message("cut", b"line\r\n.\r\n" * 1000)
    sent = CUTS[part](message)
    server = ScriptedImap([message])

    def fetch(peer, arguments):
        if "BODY" not in arguments or "HEADER" in arguments:
            return server.do_uid_fetch(peer, arguments)
        peer.send(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % len(message) + message[:sent])
        peer.vanish()

    server.on["UID FETCH"] = fetch
    running = gateway(tenants=[{"name": "t", "imap": server.as_config()}])
    with Pop3(running.port()).login("joe@x.example", "sEcReT") as client:
        client.send(b"RETR 1\r\n")
        answer = client.rest()
    assert not answer.endswith(b"\r\n.\r\n")
    assert b"-ERR" not in answer[3:], "nothing may follow a message that broke off"
    server.close()


def test_a_server_that_vanishes_before_the_body_is_told(gateway):
    server = ScriptedImap([corpus.message("one")])
    server.on["UID FETCH"] = lambda peer, arguments: (
        peer.vanish() if "BODY.PEEK[]" in arguments else server.do_uid_fetch(peer, arguments))
    running = gateway(tenants=[{"name": "t", "imap": server.as_config()}])
    with Pop3(running.port()).login("joe@x.example", "sEcReT") as client:
        assert client.err("RETR 1").startswith("[SYS/TEMP]")
        assert client.stat()[0] == 1
    server.close()


def test_the_session_goes_on_in_clear_failure_when_the_server_is_gone(own_dovecot, imap):
    """Without its server a session still answers from the snapshot, and says so for messages."""
    server = own_dovecot()
    served = imap(MESSAGES, server=server)
    with served.session() as client:
        before = client.sizes()
        server.kill()
        assert client.err("RETR 1").startswith("[SYS/TEMP]")
        assert client.sizes() == before
        client.ok("NOOP")
        client.ok("QUIT")  # nothing was marked: nothing to fail
    server.start()
    assert count(served) == 5


def test_a_maildir_file_cut_while_it_is_read_does_not_look_complete(local):
    served = local([corpus.large(30_000_000)])
    with served.session() as client:
        client.send(b"RETR 1\r\n")
        assert client.reply().startswith("+OK")
        client.socket.recv(1000)
        os.truncate(served.maildir.files()[0], 100)
        received = client.rest()
    assert not received.endswith(b"\r\n.\r\n")


def test_a_client_that_is_gone_before_it_has_the_message_deletes_nothing(gateway):
    """RETR, DELE and QUIT came in one go: QUIT must not count when nothing of it was taken."""
    server = ScriptedImap([corpus.message("one")])
    client = None

    def fetch(peer, arguments):
        if "BODY.PEEK[]" in arguments:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        server.do_uid_fetch(peer, arguments)

    server.on["UID FETCH"] = fetch
    running = gateway(tenants=[{"name": "t", "imap": server.as_config()}])
    client = Pop3(running.port()).login("joe@x.example", "sEcReT")
    client.send(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
    assert running.wait("session closed")["reason"] == "client closed the connection"
    assert not server.commands("UID STORE") and not server.commands("UID EXPUNGE")
    server.close()


def test_a_client_that_takes_no_output_deletes_nothing(local):
    served = local([corpus.message("n")] * 3000, timeouts={"write": "500ms"})
    with served.connect() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.login(served.login, served.password)
        client.send(b"UIDL\r\n" * 300 + b"DELE 1\r\nQUIT\r\n")
        closed = served.gateway.wait("session closed", login=served.login)
    assert closed["reason"] == "client takes no output"
    assert len(served.maildir.files()) == 3000
