"""Whatever happens to a mailbox, a message keeps its unique-id, no other ever gets it, and what is
listed is what is there: random histories of one mailbox of a real Dovecot, served by IMAP or as the
Maildir that it is, on each kind of registry."""

import os
import random
import re

import pytest

from support import corpus
from support.dovecot import fetch_all
from support.hashes import crypt_of
from support.pop3 import Pop3

STEPS = 14
ELSEWHERE = "Elsewhere"


class Mailbox:
    """What others do to it. A message is told by its size, which only its copies have too."""

    def __init__(self, user, seed):
        self.user = user
        self.random = random.Random(seed)
        self.count = self.files = 0
        self.copied = set()
        self.moved = set()  # out and back
        self.restored = set()
        self.away = []
        self.told = []  # what happened so far
        with user.client() as client:
            assert client.create(ELSEWHERE)[0] == "OK"

    def deliver(self):
        messages = []
        for _ in range(self.random.randint(1, 4)):
            self.count += 1
            messages.append(corpus.message(f"{self.count:05}", b"x" * self.count + b"\r\n"))
        if self.random.random() < 0.5:
            self.user.append(*messages)
        else:
            for message in messages:
                self.deliver_file(message)

    def deliver_file(self, message):
        """Under a name that no other has had."""
        self.files += 1
        time = 1_700_000_000 + self.files
        file = self.user.maildir.deliver(message, name=f"{time}.M{self.files}P9.test")
        os.utime(file, (time, time))
        self.user.dovecot.give(file)

    def some(self, most=3):
        uids = self.user.uids()
        return self.random.sample(uids, min(len(uids), self.random.randint(1, most)))

    def expunge(self):
        if uids := self.some():
            self.user.expunge(*uids)

    def move(self, uids, source, target):
        with self.user.client(source) as client:
            status, data = client.uid("MOVE", ",".join(map(str, uids)), target)
            assert status == "OK", data

    def move_out(self):
        if uids := self.some():
            self.move(uids, "INBOX", ELSEWHERE)

    def move_back(self):
        with self.user.client(ELSEWHERE) as client:
            back = fetch_all(client) if client.search(None, "ALL")[1][0] else []
        if back:
            self.moved |= {len(octets) for _, octets in back}
            self.move([uid for uid, _ in back], ELSEWHERE, "INBOX")

    def copy(self):
        if not (uids := self.some(1)):
            return
        held = dict(self.user.held())
        self.copied.add(len(held[uids[0]]))
        with self.user.client() as client:
            status, data = client.uid("COPY", str(uids[0]), "INBOX")
            assert status == "OK", data

    def flag(self):
        for uid in self.some():
            self.user.flag(uid, self.random.choice([r"\Seen", r"\Flagged", r"\Answered"]))

    def path(self):
        return self.user.maildir.path

    def forget_indexes(self):
        for file in self.path().glob("dovecot.index*"):
            file.unlink()

    def renumber(self):
        """All UIDs are given anew."""
        self.user.uids()
        (self.path() / "dovecot-uidlist").unlink(missing_ok=True)
        self.forget_indexes()

    def change_uidvalidity(self):
        """The same UIDs under another UIDVALIDITY."""
        self.user.uids()
        uidlist = self.path() / "dovecot-uidlist"
        old = uidlist.read_text()
        new = re.sub(r"^3 V(\d+)", lambda m: f"3 V{int(m[1]) + 1}", old)
        assert new != old
        uidlist.write_text(new)
        self.forget_indexes()

    def lose_and_restore(self):
        """The mailbox is emptied, and later it is as it was."""
        if self.away:
            for file, content, time in self.away:
                file.write_bytes(content)
                os.utime(file, ns=(time, time))
                self.user.dovecot.give(file)
                self.restored.add(len(content))
            self.away = []
        else:
            files = self.user.maildir.files()
            self.away = [(file, file.read_bytes(), file.stat().st_mtime_ns) for file in files]
            for file in files:
                file.unlink()

    def go_on(self):
        for _ in range(self.random.randint(1, 2)):
            step = self.random.choice([
                self.deliver, self.deliver, self.deliver, self.expunge, self.move_out,
                self.move_back, self.copy, self.flag, self.renumber, self.change_uidvalidity,
                self.lose_and_restore,
            ])  # fmt: skip
            self.told.append(step.__name__)
            step()


class Gateway:
    """The same mailbox by IMAP or as a Maildir; restarted, killed, moved from one to the other."""

    def __init__(self, start, mailbox, users_file, state):
        self.mailbox = mailbox
        self.user = mailbox.user
        self.users_file = users_file
        self.by_imap = mailbox.random.random() < 0.5
        mailbox.told.append("imap" if self.by_imap else "maildir")
        self.state = state
        self.running = start(tenants=[self.tenant()], **state)

    def tenant(self):
        store = {"imap": self.user.dovecot.as_config()} if self.by_imap else {
            "auth": {"users_file": str(self.users_file)},
            "maildir": {"path": f"{self.user.dovecot.directory}/mail/%{{login}}/Maildir"},
        }  # fmt: skip
        return {"name": "acme", "match": {"domains": ["acme.example"]},
                "uidl": {"max_changed": 100}, **store}

    def restart(self):
        self.running.stop()
        self.running.start()

    def kill(self):
        self.running.kill()
        self.running.start()

    def convert(self):
        self.by_imap = not self.by_imap
        self.running.stop()
        self.running.write({**self.running.config, "tenants": [self.tenant()]})
        self.running.start()

    def go_on(self):
        if self.mailbox.random.random() < 0.3:
            step = self.mailbox.random.choice(
                [self.restart, self.kill, self.convert, self.convert])
            self.mailbox.told.append(step.__name__)
            step()

    def session(self):
        return Pop3(self.running.port()).login(self.user.login, self.user.password)


class Judge:
    def __init__(self, served):
        self.served = served
        self.mailbox = served.mailbox
        self.ids = {}  # of a message
        self.by_imap = {}  # how it was seen last
        self.messages = {}  # of an id

    def lose_track(self):
        """A Maildir's names give moved mail another time, and IMAP the time of the file."""
        by_imap, mailbox = self.served.by_imap, self.mailbox
        for size in mailbox.moved:
            if not (by_imap and self.by_imap.get(size)):
                self.ids.pop(size, None)
        for size in mailbox.restored:
            if by_imap != self.by_imap.get(size):
                self.ids.pop(size, None)
        mailbox.moved, mailbox.restored = set(), set()

    def see(self, sizes, ids):
        self.lose_track()
        told = " ".join(self.mailbox.told)
        self.mailbox.told.append(f"[{len(ids)}]")
        held = [len(octets) for _, octets in self.mailbox.user.held()]
        assert sorted(sizes) == sorted(held), told
        assert len(set(ids)) == len(ids), told
        for size, unique_id in zip(sizes, ids, strict=True):
            assert self.messages.setdefault(unique_id, size) == size, told
            if size not in self.mailbox.copied:
                assert self.ids.setdefault(size, unique_id) == unique_id, told
            self.by_imap[size] = self.served.by_imap


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request, ca):
    if request.param == "sqlite":
        return {}
    database = request.getfixturevalue("postgresql").new_database()
    return {"state": database.uri(ca.certificate)}


@pytest.mark.parametrize("seed", range(4))
def test_unique_ids_survive_any_history(gateway, dovecot, directory, state, seed):
    user = dovecot.new_user()
    users_file = directory / "users"
    users_file.write_text(f"{user.login}:{crypt_of('$6$rounds=1000$saltsalt$', user.password)}\n")
    mailbox = Mailbox(user, seed)
    mailbox.deliver()
    served = Gateway(gateway, mailbox, users_file, state)
    judge = Judge(served)
    for _ in range(STEPS):
        with served.session() as client:
            sizes, ids = client.sizes(), client.ids()
            judge.see(list(sizes.values()), list(ids.values()))
            if ids and mailbox.random.random() < 0.3:
                number = mailbox.random.choice(list(ids))
                client.ok(f"DELE {number}")
            client.quit()
        mailbox.go_on()
        served.go_on()
