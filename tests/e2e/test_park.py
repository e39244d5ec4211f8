"""The server session of a silent client is given up, or lost, and opened again when it is needed."""

import os
import signal
import socket
from pathlib import Path

import pytest

from support import corpus
from support.pop3 import Pop3
from support.scripted_imap import ScriptedImap

MESSAGES = [corpus.message(f"number {n}") for n in range(1, 6)]


def imap_processes(server) -> list[int]:
    """The sessions of a Dovecot that look into a mailbox."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if Path(f"/proc/{c}/comm").read_text().strip() == "imap"]


ESTABLISHED = "01"


def connected(server) -> bool:
    """Whether the server has a connection that it has not closed."""
    ports = {f"{port:04X}" for port in (server.port, server.tls_port)}
    rows = [row.split() for row in open("/proc/net/tcp").read().splitlines()[1:]]
    return any(row[1].rpartition(":")[2] in ports and row[3] == ESTABLISHED for row in rows)


def end_idle(server) -> None:
    """Ends its sessions, as an autologout or a failure would. Under TLS it is another process that
    closes the connection, when it sees the end of this one."""
    victims = imap_processes(server)
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    while connected(server):
        os.sched_yield()


def restart(server) -> None:
    server.kill()
    server.start()


def test_a_silent_client_holds_no_server_session(imap, own_dovecot):
    server = own_dovecot()
    served = imap(MESSAGES, server=server, over="implicit")
    with served.session() as client:
        client.ok("DELE 2")
        client.ok("DELE 4")
        assert imap_processes(server)
        server.wait_log(f"imap({served.login})", "Logged out")  # after 15 s
        assert not imap_processes(server)
        assert client.retr(1) == MESSAGES[0]
        assert client.retr(5) == MESSAGES[4]
        assert client.stat()[0] == 3
        client.quit()
    assert [octets for _, octets in served.user.held()] == [MESSAGES[0], MESSAGES[2], MESSAGES[4]]


@pytest.mark.parametrize("over", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("lose", [end_idle, restart])
def test_a_lost_connection_does_not_show(imap, own_dovecot, lose, over):
    server = own_dovecot()
    served = imap(MESSAGES, server=server, over=over)
    with served.session() as client:
        ids = client.ids()
        assert client.retr(1) == MESSAGES[0]
        lose(server)
        assert client.retr(3) == MESSAGES[2]
        assert client.top(4, 0) == MESSAGES[3].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        client.ok("DELE 1")
        client.ok("DELE 3")
        lose(server)
        assert client.ids() == {n: i for n, i in ids.items() if n not in (1, 3)}
        client.quit()
    held = served.user.held()
    assert [octets for _, octets in held] == [MESSAGES[1], MESSAGES[3], MESSAGES[4]]
    assert len(served.gateway.events("deleted", login=served.login)) == 2


def test_what_came_meanwhile_stays_invisible_and_untouched(imap, own_dovecot):
    server = own_dovecot()
    served = imap(MESSAGES, server=server)
    with served.session() as client:
        for n in range(1, 6):
            client.ok(f"DELE {n}")
        end_idle(server)
        served.user.append(corpus.message("new"))
        client.err("RETR 6")
        client.quit()
    assert [octets for _, octets in served.user.held()] == [corpus.message("new")]


def test_a_mailbox_renumbered_meanwhile_loses_nothing(imap, own_dovecot):
    server = own_dovecot()
    served = imap(MESSAGES, server=server)
    before = served.user.uidvalidity()
    with served.session() as client:
        client.ok("DELE 2")
        server.kill()
        path = served.user.maildir.path
        for file in path.glob("dovecot*"):
            file.unlink()
        (path / "dovecot-uidlist").write_text(f"3 V{before + 1} N100 G{'a' * 32}\n")
        server.give(path / "dovecot-uidlist")
        server.start()
        served.user.append(corpus.message("new"))
        assert "no longer" in client.err("RETR 1")
        assert "1 of 1" in client.err("QUIT")
    assert served.user.uidvalidity() != before
    assert len(served.user.uids()) == 6
    assert all("Deleted" not in flags for _, flags in served.user.flags())


def test_a_server_that_is_down_is_waited_for(imap, own_dovecot):
    server = own_dovecot()
    served = imap(MESSAGES, server=server)
    with served.session() as client:
        server.kill()
        for _ in range(2):
            assert client.err("RETR 2").startswith("[SYS/TEMP]")
        server.start()
        assert client.retr(2) == MESSAGES[1]
        client.ok("DELE 2")
        server.kill()
        assert "1 of 1" in client.err("QUIT")
    server.start()
    assert len(served.user.uids()) == 5


def scripted(gateway, server) -> Pop3:
    running = gateway(tenants=[{"name": "t", "imap": server.as_config()}])
    return Pop3(running.port()).login("joe@x.example", "sEcReT")


def test_a_password_that_is_refused_by_now_is_tried_once(gateway):
    server = ScriptedImap(MESSAGES)
    with scripted(gateway, server) as client:
        server.on["LOGIN"] = lambda peer, _: peer.no("[AUTHENTICATIONFAILED] not any more")
        server.on["UID FETCH"] = lambda peer, _: peer.vanish()
        assert client.err("RETR 1").startswith("[SYS/TEMP]")
        for _ in range(3):
            assert client.err("RETR 1").startswith("[SYS/TEMP]")
        client.ok("DELE 1")
        assert client.err("QUIT").startswith("[SYS/TEMP]")
    assert len(server.commands("LOGIN")) == 2
    assert len(server.messages) == 5
    server.close()


@pytest.mark.parametrize("command", ["UID STORE", "UID EXPUNGE"])
def test_a_removal_that_broke_off_is_not_repeated(gateway, command):
    server = ScriptedImap(MESSAGES)
    with scripted(gateway, server) as client:
        client.ok("DELE 2")
        server.on[command] = lambda peer, _: peer.vanish()
        assert "1 of 1" in client.err("QUIT")
    assert len(server.commands("LOGIN")) == 1
    assert len(server.commands(command)) == 1
    server.close()


def test_idle_news_ends_nothing(gateway):
    """A server may tell of new mail at any time."""
    server = ScriptedImap(MESSAGES)
    with scripted(gateway, server) as client:
        peer = server.peers[-1]
        for _ in range(20):
            peer.untagged("6 EXISTS")
            assert client.retr(1) == MESSAGES[0]
        client.quit()
    assert len(server.commands("LOGIN")) == 1
    server.close()


def test_a_server_that_says_goodbye(gateway):
    server = ScriptedImap(MESSAGES)
    with scripted(gateway, server) as client:
        server.wait("UID FETCH")
        peer = server.peers[-1]
        peer.untagged("BYE Autologout; idle for too long")
        peer.socket.shutdown(socket.SHUT_RDWR)
        assert client.retr(1) == MESSAGES[0]
        assert len(server.commands("LOGIN")) == 2
        client.ok("DELE 1")
        client.quit()
    assert sorted(server.messages) == [2, 3, 4, 5]
    server.close()
