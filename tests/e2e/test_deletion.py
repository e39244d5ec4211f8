"""QUIT removes exactly the marked messages, in the way on_delete says."""

import pytest

from support import corpus
from support.dovecot import fetch_all
from support.maildir import Maildir
from support.pop3 import Pop3
from support.scripted_imap import ScriptedImap

FIVE = [corpus.message(f"number {n}") for n in range(1, 6)]


@pytest.fixture(params=["with UIDPLUS", "without UIDPLUS"])
def foreign(request, imap, dovecot):
    """Five messages, the second of which another client has flagged \\Deleted."""
    without = request.param == "without UIDPLUS"
    served = imap(FIVE, server=request.getfixturevalue("plain_dovecot") if without else dovecot)
    with served.user.client() as client:
        assert (b"UIDPLUS" in client.capability()[1][0]) != without
    served.user.flag(2, r"\Deleted")
    return served


def test_mail_that_another_client_flagged_deleted_is_still_there_after_our_quit(foreign):
    with foreign.session() as client:
        assert client.stat()[0] == 5, "flagged by others: listed as any other"
        assert client.retr(2) == FIVE[1]
        client.ok("DELE 1")
        client.ok("DELE 4")
        client.quit()
    flags = dict(foreign.user.flags())
    assert 2 in flags and "Deleted" in flags[2]
    assert {3, 5} <= set(flags)
    with foreign.session() as client:
        assert [client.retr(n) for n in client.sizes()] == [FIVE[1], FIVE[2], FIVE[4]]
        client.quit()


def test_without_uidplus_the_marked_stay_flagged_and_are_hidden(imap, plain_dovecot):
    served = imap(FIVE, server=plain_dovecot)
    with served.session() as client:
        ids = client.ids()
        client.ok("DELE 3")
        client.quit()
    assert sorted(served.user.uids()) == [1, 2, 3, 4, 5], "a plain EXPUNGE is never sent"
    assert "Deleted" in dict(served.user.flags())[3]
    served.gateway.wait("hidden instead of removed", login=served.login)
    with served.session() as client:
        assert list(client.ids().values()) == [ids[n] for n in (1, 2, 4, 5)]
        assert client.retr(3) == FIVE[3]
        client.quit()


def test_with_uidplus_the_marked_are_gone(imap):
    served = imap(FIVE)
    with served.session() as client:
        client.ok("DELE 1")
        client.ok("DELE 5")
        client.quit()
    assert served.user.uids() == [2, 3, 4]


def test_marking_thousands_removes_exactly_those(imap):
    messages = [corpus.message(f"number {n}") for n in range(1, 1501)]
    served = imap(messages)
    with served.session() as client:
        client.send(b"".join(b"DELE %d\r\n" % n for n in range(1, 1501) if n % 3))
        for n in range(1, 1501):
            if n % 3:
                assert client.reply().startswith("+OK")
        client.quit()
    assert served.user.uids() == list(range(3, 1501, 3))


def test_deletions_are_in_the_log_one_by_one(either):
    served = either(FIVE)
    with served.session() as client:
        ids = client.ids()
        client.ok("DELE 2")
        client.ok("DELE 3")
        client.quit()
    served.gateway.wait("session closed", login=served.login)
    rows = served.gateway.events("deleted", login=served.login, address="127.0.0.1")
    assert {row["unique_id"] for row in rows} == {ids[2], ids[3]}


def test_what_is_deleted_in_the_trash_is_deleted(either):
    """To move it to where it is would make a new message of it, again and again."""
    served = either(tenant={"maildrop": {"on_delete": "trash"}},
                    login_name={"folder_separator": "+"})
    if hasattr(served, "user"):
        served.user.append(*FIVE, folder="Trash")
    else:
        Maildir(served.maildir.path / ".Trash").deliver_all(FIVE)
    served.login = served.login.replace("@", "+Trash@")
    with served.session() as client:
        client.ok("DELE 2")
        client.quit()
    with served.session() as client:
        assert [client.retr(n) for n in client.sizes()] == [FIVE[0], *FIVE[2:]]
        client.quit()


def test_on_delete_trash_moves(either):
    served = either(FIVE, tenant={"maildrop": {"on_delete": "trash"}})
    with served.session() as client:
        client.ok("DELE 2")
        client.quit()
    if hasattr(served, "user"):
        assert served.user.uids() == [1, 3, 4, 5]
        with served.user.client("Trash") as other:
            assert [octets for _, octets in fetch_all(other)] == [FIVE[1]]
    else:
        assert served.maildir.messages() == [m for m in FIVE if m != FIVE[1]]
        assert Maildir(served.maildir.path / ".Trash").messages() == [FIVE[1]]
    with served.session() as client:
        assert client.stat()[0] == 4


def test_on_delete_hide_keeps_the_message_and_forgets_it(either):
    served = either(FIVE, tenant={"maildrop": {"on_delete": "hide"}})
    with served.session() as client:
        ids = client.ids()
        client.ok("DELE 2")
        client.quit()
    if hasattr(served, "user"):
        assert all("Deleted" not in flags for _, flags in served.user.flags())
        assert served.user.uids() == [1, 2, 3, 4, 5]
    else:
        assert sorted(served.maildir.messages()) == sorted(FIVE)
    with served.session() as client:
        assert list(client.ids().values()) == [ids[n] for n in (1, 3, 4, 5)]
        assert client.retr(2) == FIVE[2]


def test_on_delete_ignore_does_nothing(either):
    served = either(FIVE, tenant={"maildrop": {"on_delete": "ignore"}})
    with served.session() as client:
        ids = client.ids()
        client.ok("DELE 2")
        client.quit()
    with served.session() as client:
        assert client.ids() == ids


def test_retrieved_messages_are_marked_seen_at_quit(either):
    served = either(FIVE)
    with served.session() as client:
        client.retr(1)
        client.top(2, 0)
        client.retr(3)
        client.quit()
    assert seen(served) == [True, False, True, False, False]


def test_messages_are_not_marked_seen_without_quit(either):
    served = either(FIVE)
    with served.session() as client:
        client.retr(1)
    served.gateway.wait("session closed", login=served.login)
    assert seen(served) == [False] * 5


def test_mark_seen_can_be_turned_off(either):
    served = either(FIVE, tenant={"maildrop": {"mark_seen": False}})
    with served.session() as client:
        client.retr(1)
        client.quit()
    assert seen(served) == [False] * 5


def seen(served) -> list[bool]:
    if hasattr(served, "user"):
        return ["Seen" in flags for _, flags in served.user.flags()]
    return ["S" in flags for flags in served.maildir.flags()]


@pytest.fixture
def scripted(gateway):
    """A gateway before a scripted server, and a session."""
    servers = []

    def start(messages, tenant: dict | None = None, **options):
        server = ScriptedImap(messages, **options)
        servers.append(server)
        running = gateway(tenants=[{"name": "t", "imap": server.as_config(), **(tenant or {})}])
        return server, running

    yield start
    for server in servers:
        server.close()


def login(running):
    return Pop3(running.port()).login("joe@x.example", "sEcReT of joe")


def test_quit_sends_the_marked_uids_and_no_other(scripted):
    server, running = scripted(FIVE)
    with login(running) as client:
        client.ok("DELE 2")
        client.ok("DELE 4")
        client.ok("RSET")
        client.ok("DELE 3")
        client.ok("DELE 5")
        client.quit()
    stores = [a for a in server.commands("UID STORE") if "Deleted" in a]
    assert [a.split(" ")[0] for a in stores] == ["3,5"]
    assert server.commands("UID EXPUNGE") == ["3,5"]
    assert server.commands("EXPUNGE") == []
    assert server.commands("CLOSE") == []
    assert sorted(server.messages) == [1, 2, 4]


def test_the_servers_no_to_a_deletion_is_told_with_the_count(scripted):
    server, running = scripted(FIVE)
    server.on["UID STORE"] = lambda peer, arguments: peer.no("[SERVERBUG] not now")
    with login(running) as client:
        client.ok("DELE 2")
        client.ok("DELE 4")
        reply = client.command("QUIT")
        assert reply.startswith("-ERR [SYS/TEMP] "), reply
        assert "2" in reply
        assert "not now" not in reply, "the server's own words are for the log"
        client.closed()
    assert len(server.messages) == 5
    running.wait_text("not now")


def test_a_server_that_vanishes_in_update_is_told(scripted):
    server, running = scripted(FIVE)
    server.on["UID EXPUNGE"] = lambda peer, arguments: peer.vanish()
    with login(running) as client:
        client.ok("DELE 2")
        assert client.command("QUIT").startswith("-ERR [SYS/TEMP] ")
        client.closed()
    assert len(server.messages) == 5


def test_without_uidplus_move_to_the_trash_where_the_server_has_it(scripted):
    server, running = scripted(FIVE, capabilities="IMAP4rev1 MOVE SASL-IR")

    def move(peer, arguments):
        for uid in server.chosen(arguments.split(" ")[0]):
            del server.messages[uid]
        peer.ok("moved")

    server.on["UID MOVE"] = move
    with login(running) as client:
        client.ok("DELE 2")
        client.quit()
    assert sorted(server.messages) == [1, 3, 4, 5]
    (moved,) = server.commands("UID MOVE")
    assert moved.split(" ")[0] == "2" and "Trash" in moved
    assert server.commands("EXPUNGE") == []


def test_what_one_worker_hid_no_other_shows(local):
    """Each worker remembers what it read of the registry; it must not trust that for too long."""
    served = local([corpus.message(f"number {n}") for n in range(12)], workers=3,
                   tenant={"maildrop": {"on_delete": "hide"}})
    with served.session() as client:
        left = list(client.ids().values())
    while left:
        sessions = [served.session() for _ in range(6)]
        assert all(list(client.ids().values()) == left for client in sessions)
        for client in sessions[1:]:
            client.quit()
        sessions[0].ok("DELE 1")
        sessions[0].quit()
        left = left[1:]
