"""What a login finds is what the IMAP server has, whatever happened since the last one."""

import random

import pytest

from support import corpus
from support.pop3 import Pop3
from support.scripted_imap import CAPABILITIES, ScriptedImap

PLAIN = "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE UIDPLUS MOVE UNSELECT"


@pytest.fixture(params=["QRESYNC ESEARCH", "CONDSTORE QRESYNC", "ESEARCH", ""])
def histories(request, imap, own_dovecot):
    """A mailbox of a Dovecot that offers no more than this."""
    server = own_dovecot(extra=f"imap_capability = {PLAIN} {request.param}\n")
    return imap([corpus.message(f"old {n}") for n in range(5)], server=server)


class History:
    """What other clients and a delivery agent do to a mailbox."""

    def __init__(self, user, seed):
        self.user = user
        self.random = random.Random(seed)
        self.count = 0

    def deliver(self):
        messages = []
        for _ in range(self.random.randint(1, 3)):
            self.count += 1
            messages.append(corpus.message(
                f"new {self.count}", b"x" * self.random.randint(0, 900) + b"\r\n"))
        self.user.append(*messages)

    def some(self):
        uids = self.user.uids()
        return self.random.sample(uids, min(len(uids), self.random.randint(1, 3)))

    def expunge(self):
        if uids := self.some():
            self.user.expunge(*uids)

    def flag(self):
        for uid in self.some():
            self.user.flag(uid, self.random.choice([r"\Seen", r"\Flagged", r"\Deleted"]))

    def copy(self):
        if uids := self.some():
            with self.user.client() as client:
                status, data = client.uid("COPY", str(uids[0]), "INBOX")
                assert status == "OK", data

    def replace(self):
        """As many come as leave."""
        uids = self.some()
        self.user.append(*(corpus.message(f"for {uid}") for uid in uids))
        if uids:
            self.user.expunge(*uids)

    def nothing(self):
        pass

    def go_on(self):
        for _ in range(self.random.randint(1, 2)):
            self.random.choice([self.deliver, self.deliver, self.expunge, self.flag, self.copy,
                                self.replace, self.nothing])()  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_lists_what_the_server_has(histories, seed):
    history = History(histories.user, seed)
    for _ in range(10):
        held = histories.user.held()
        validity = histories.user.uidvalidity()
        with histories.session() as client:
            ids = [str((validity << 32) + uid) for uid, _ in held]
            assert list(client.ids().values()) == ids
            assert list(client.sizes().values()) == [len(octets) for _, octets in held]
            if held and history.random.random() < 0.3:
                client.retr(1)
                client.ok("DELE 1")
            client.quit()
        history.go_on()


def scripted(gateway, server):
    running = gateway(tenants=[{"name": "t", "imap": server.as_config()}])
    return Pop3(running.port()).login("joe@x.example", "sEcReT")


@pytest.mark.parametrize("answer", ["OK enabled", "NO not here", "BAD unknown command"])
def test_enabling_qresync_costs_no_round_trip(gateway, answer):
    """The server says nothing before it has both commands."""
    server = ScriptedImap([corpus.message("one")],
                          capabilities=CAPABILITIES + " ENABLE CONDSTORE QRESYNC ESEARCH")
    tags = []

    def select(peer, arguments):
        peer.send(f"{tags[0]} {answer}\r\n")
        server.do_select(peer, arguments)

    server.on["ENABLE"] = lambda peer, _: tags.append(peer.tag)
    server.on["SELECT"] = select
    with scripted(gateway, server) as client:
        assert client.stat()[0] == 1
        assert client.retr(1) == corpus.message("one")
        client.quit()
    assert server.commands("ENABLE") == ["QRESYNC"]
    server.close()


def test_a_server_without_qresync_is_not_asked_to_enable_it(gateway):
    server = ScriptedImap([corpus.message("one")], capabilities=CAPABILITIES + " ENABLE CONDSTORE")
    with scripted(gateway, server) as client:
        assert client.stat()[0] == 1
        client.quit()
    assert server.commands("ENABLE") == []
    server.close()
