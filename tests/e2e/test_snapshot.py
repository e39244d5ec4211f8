"""The maildrop is a snapshot of the login: what others do meanwhile does not move it."""

import os
import threading

import pytest

from support import corpus
from support.pop3 import Pop3
from support.scripted_imap import ScriptedImap

THREE = [corpus.message(f"number {n}", b"text %d\r\n" % n) for n in (1, 2, 3)]


@pytest.fixture
def served(either):
    return either(THREE)


def view(client):
    return client.stat(), client.sizes(), client.ids()


def test_new_mail_is_invisible_until_the_next_login(served):
    with served.session() as client:
        before = view(client)
        served.deliver(corpus.message("new"))
        assert view(client) == before
        assert client.retr(3) == THREE[2]
        client.err("RETR 4")
        client.quit()
    with served.session() as client:
        assert client.retr(4) == corpus.message("new")
        ids = client.ids()
        assert {n: ids[n] for n in before[2]} == before[2]


def test_a_message_removed_by_another_keeps_its_number(served):
    with served.session() as client:
        before = view(client)
        served.remove(2)
        assert view(client) == before
        assert client.err("RETR 2") == "message 2 is no longer in the mailbox"
        assert client.err("TOP 2 0") == "message 2 is no longer in the mailbox"
        assert client.retr(1) == THREE[0]
        assert client.retr(3) == THREE[2]
        assert view(client) == before
        client.quit()
    with served.session() as client:
        assert [client.retr(n) for n in client.sizes()] == [THREE[0], THREE[2]]
        assert list(client.ids().values()) == [before[2][1], before[2][3]]


def test_removing_what_is_gone_already_is_no_error(served):
    with served.session() as client:
        client.ok("DELE 2")
        served.remove(2)
        client.quit()
    with served.session() as client:
        assert [client.retr(n) for n in client.sizes()] == [THREE[0], THREE[2]]


def test_delivery_and_expunge_at_once(served):
    with served.session() as client:
        before = view(client)
        stop = threading.Event()

        def busy():
            n = 10
            while not stop.is_set():
                served.deliver(corpus.message(f"number {n}"))
                n += 1

        other = threading.Thread(target=busy)
        other.start()
        try:
            for _ in range(20):
                assert client.retr(1) == THREE[0]
                assert view(client) == before
            served.remove(1)
            client.err("RETR 1")
            for _ in range(20):
                assert client.retr(3) == THREE[2]
                assert view(client) == before
        finally:
            stop.set()
            other.join()
        client.ok("DELE 3")
        client.quit()
    with served.session() as client:
        ids = list(client.ids().values())
        assert ids[0] == before[2][2]
        assert before[2][1] not in ids and before[2][3] not in ids


def test_two_sessions_at_once_see_the_same(served):
    with served.session() as one, served.session() as two:
        assert view(one) == view(two)
        one.ok("DELE 1")
        assert two.stat()[0] == 3, "a mark is the session's own"
        assert two.retr(1) == THREE[0]
        one.quit()
        two.err("RETR 1")
        assert two.retr(2) == THREE[1]
        assert two.stat()[0] == 3
        two.ok("DELE 1")
        two.ok("DELE 3")
        two.quit()
    with served.session() as client:
        assert [client.retr(n) for n in client.sizes()] == [THREE[1]]


def test_maildir_messages_that_others_rename_are_still_found(local):
    """A flag moves a message from new/ to cur/ and changes its name."""
    served = local(THREE)
    with served.session() as client:
        for path in served.maildir.files():
            os.rename(path, served.maildir.path / "cur" / (path.name + ":2,FS"))
        assert [client.retr(n) for n in (1, 2, 3)] == THREE
        client.ok("DELE 2")
        for path in served.maildir.files():
            os.rename(path, str(path)[: -len("FS")] + "RS")
        client.quit()
    assert served.maildir.messages() == [THREE[0], THREE[2]]


def test_an_exclusive_maildrop_is_in_use(either):
    served = either(THREE, tenant={"maildrop": {"exclusive": True}})
    with served.session() as client:
        with served.connect() as other:
            other.ok(f"USER {served.login}")
            assert other.err(f"PASS {served.password}").startswith("[IN-USE]")
        client.quit()
    with served.session() as client:
        client.quit()


def test_an_exclusive_maildrop_is_free_once_quit_was_answered(either):
    """RFC 1939 section 6: the lock goes in UPDATE, before the +OK."""
    served = either(THREE, tenant={"maildrop": {"exclusive": True}})
    with served.session() as client, served.connect() as other:
        other.ok(f"USER {served.login}")
        assert client.command("QUIT").startswith("+OK")
        other.ok(f"PASS {served.password}")
        other.quit()


def test_a_login_that_failed_does_not_hold_an_exclusive_maildrop(gateway):
    """The server was not able to list the mailbox for the one; the other may have it."""
    server = ScriptedImap(THREE)

    def fetch(peer, arguments):
        if len(server.commands("UID FETCH")) == 1:
            return peer.no("[UNAVAILABLE] later")
        server.do_uid_fetch(peer, arguments)

    server.on["UID FETCH"] = fetch
    running = gateway(tenants=[{
        "name": "t", "imap": server.as_config(), "maildrop": {"exclusive": True}}])
    with Pop3(running.port()) as client, Pop3(running.port()) as other:
        client.ok("USER joe@x.example")
        assert client.err("PASS sEcReT").startswith("[SYS/TEMP]")
        other.login("joe@x.example", "sEcReT").quit()
    server.close()
