"""Messages arrive octet for octet, whatever they hold, wherever they lie."""

import pytest

from support import corpus
from support.corpus import digest, wire
from support.gateway import LEAN
from support.maildir import Maildir


@pytest.fixture
def held(either, odd_messages):
    """A gateway before a mailbox of the odd messages, and their octets as a client must get them.

    On IMAP that is what the server itself says it holds: Dovecot has its own ideas about NUL.
    """
    served = either(odd_messages)
    if hasattr(served, "user"):
        return served, [wire(octets) for _, octets in served.user.held()]
    return served, [wire(octets) for octets in odd_messages]


def test_every_odd_message_arrives_octet_for_octet(held):
    served, expected = held
    with served.session() as client:
        assert client.stat()[0] == len(expected)
        for number, octets in enumerate(expected, 1):
            client.ok(f"RETR {number}")
            raw = client.multiline_raw()
            assert raw == corpus.stuffed(octets) + b".\r\n", list(corpus.ODD)[number - 1]
        client.quit()


def test_every_odd_message_arrives_over_tls(held):
    served, expected = held
    with served.secure() as client:
        for number, octets in enumerate(expected, 1):
            assert client.retr(number) == octets
        client.quit()


@pytest.mark.parametrize("lines", [0, 1, 3, 1_000_000])
def test_top_of_every_odd_message(held, lines):
    served, expected = held
    with served.session() as client:
        for number, octets in enumerate(expected, 1):
            got = client.top(number, lines)
            name = list(corpus.ODD)[number - 1]
            if name.startswith(("headers only", "one octet")):
                # No blank line: whether one is added is open, the headers are not.
                assert got.rstrip(b"\r\n") == octets.rstrip(b"\r\n"), name
            else:
                assert got == corpus.top(octets, lines), name
        client.quit()


def test_maildir_sizes_are_exact(local, odd_messages):
    served = local(odd_messages)
    with served.session() as client:
        sizes = client.sizes()
        assert sizes == {n: len(wire(m)) for n, m in enumerate(odd_messages, 1)}
        assert client.stat() == (len(sizes), sum(sizes.values()))


def test_imap_sizes_are_exact_once_a_message_was_read(imap, odd_messages):
    """RFC822.SIZE is off where the last line has no end; a RETR measures, later sessions know."""
    served = imap(odd_messages)
    with served.session() as client:
        listed = client.sizes()
        octets = {n: len(client.retr(n)) for n in listed}
        assert client.sizes() == listed, "the snapshot itself does not change"
        client.quit()
    with served.session() as client:
        assert client.sizes() == octets
        client.quit()


def test_maildir_size_in_the_file_name_is_believed(local):
    served = local()
    message = corpus.message("one")
    served.maildir.deliver(
        message, into="cur", name=f"1700000001.M1P1.test,S={len(message)},W={len(message)}")
    served.maildir.deliver(message, into="cur", flags="S", name="1700000002.M2P1.test,W=4711")
    with served.session() as client:
        assert client.sizes() == {1: len(message), 2: 4711}
        assert client.retr(2) == message


def test_a_thousand_messages_through_imap_arrive_octet_for_octet(imap):
    served = imap(corpus.thousand())
    expected = [digest(wire(octets)) for _, octets in served.user.held()]
    assert len(expected) == 1000
    with served.session() as client:
        assert client.stat()[0] == 1000
        client.send(b"".join(b"RETR %d\r\n" % n for n in range(1, 1001)))
        got = []
        for _ in expected:
            assert client.reply().startswith("+OK")
            got.append(digest(client.unstuff(client.multiline_raw())))
        client.quit()
    assert got == expected


def test_a_thousand_messages_from_a_maildir_arrive_octet_for_octet(local):
    messages = corpus.thousand()
    served = local(messages)
    with served.session() as client:
        got = [digest(client.retr(n)) for n in range(1, 1001)]
        client.quit()
    assert got == [digest(wire(m)) for m in messages]


def test_thirty_megabytes_pass_in_bounded_memory(either):
    message = corpus.large(30_000_000)
    served = either([corpus.message("small"), message], options=LEAN)
    with served.session() as client:
        client.retr(1)
        before = served.gateway.memory()
        assert digest(client.retr(2)) == digest(message)
        assert served.gateway.memory() - before < 12_000_000
        assert digest(client.top(2, 100)) == digest(corpus.top(message, 100))
        client.quit()


def test_top_of_a_large_message_does_not_fetch_all_of_it(imap):
    message = corpus.large(30_000_000)
    served = imap([message])
    with served.session() as client:
        assert client.top(1, 10) == corpus.top(message, 10)
        assert client.top(1, 0) == corpus.top(message, 0)
        client.quit()
    read = served.user.dovecot.wait_log(f"imap({served.login})", "Logged out")
    sent = int(read.split(" out=")[1].split(" ")[0])
    assert sent < 5_000_000


def test_retr_twice_gives_the_same(either):
    served = either([corpus.ODD["dots"]])
    with served.session() as client:
        assert client.retr(1) == client.retr(1) == wire(corpus.ODD["dots"])


def test_maildir_flags_and_new_are_served_alike(local):
    served = local()
    messages = [corpus.message(f"number {n}") for n in range(4)]
    served.maildir.deliver(messages[0], into="cur", flags="S")
    served.maildir.deliver(messages[1], into="new")
    served.maildir.deliver(messages[2], into="cur", flags="RSF")
    served.maildir.deliver(messages[3], into="cur", flags="T")
    with served.session() as client:
        assert [client.retr(n) for n in range(1, 5)] == messages


def test_maildir_files_that_are_no_messages_are_left_alone(local):
    served = local([corpus.message("one")])
    (served.maildir.path / "cur" / ".hidden").write_bytes(b"no mail")
    (served.maildir.path / "cur" / "folder").mkdir()
    (served.maildir.path / "tmp" / "1700000009.draft").write_bytes(b"half a mes")
    (served.maildir.path / "dovecot.index.log").write_bytes(b"\0\1")
    with served.session() as client:
        assert client.stat()[0] == 1


def test_further_folders_of_a_maildir_are_shown_too(local):
    served = local([corpus.message("inbox")], tenant={"maildrop": {"also": ["Junk"]}})
    Maildir(served.maildir.path / ".Junk").deliver(corpus.message("junk"))
    with served.session() as client:
        got = [client.retr(n) for n in client.sizes()]
        assert len(set(client.ids().values())) == 2
    assert sorted(got) == [corpus.message("inbox"), corpus.message("junk")]


def test_further_folders_of_an_imap_server_are_shown_too(imap):
    served = imap([corpus.message("inbox")], tenant={"maildrop": {"also": ["Trash"]}})
    served.user.append(corpus.message("trash"), folder="Trash")
    with served.session() as client:
        got = [client.retr(n) for n in client.sizes()]
        assert len(set(client.ids().values())) == 2
    assert sorted(got) == [corpus.message("inbox"), corpus.message("trash")]


def test_another_folder_than_the_inbox(either):
    served = either([corpus.message("inbox")], tenant={"maildrop": {"folder": "Trash"}})
    if hasattr(served, "user"):
        served.user.append(corpus.message("trash"), folder="Trash")
    else:
        Maildir(served.maildir.path / ".Trash").deliver(corpus.message("trash"))
    with served.session() as client:
        assert client.stat()[0] == 1
        assert client.retr(1) == corpus.message("trash")


def test_newest_messages_only(either):
    """max_messages shows the newest N; the numbers begin at 1."""
    messages = [corpus.message(f"number {n}") for n in range(5)]
    served = either(messages, tenant={"maildrop": {"max_messages": 2}})
    with served.session() as client:
        assert [client.retr(n) for n in client.sizes()] == messages[3:]
