"""Messages get other names in their store; their unique-ids stay, and none is given twice."""

import imaplib
import re
import shutil
import time
import zlib

import pytest

from support import corpus
from support.gateway import PASSWORD, free_port, merge, run
from support.http import Admin
from support.maildir import Maildir
from support.pop3 import Pop3
from support.scripted_imap import CAPABILITIES, ScriptedImap

LOGIN = "joe@acme.example"


def letters(n, start=0):
    """Of different sizes, but for every third."""
    return [
        corpus.message(f"number {i}", b"x" * (i % 3 * 7) + b"\r\n")
        for i in range(start, start + n)
    ]


def subject_of(octets):
    return re.search(rb"^Subject: (.*)\r$", octets, re.M)[1].decode()


class History:
    """What a client of one maildrop has seen: every id must name one message for good."""

    def __init__(self, connect):
        self.connect = connect  # a session that is logged in
        self.named = {}  # id: subject

    def look(self):
        """subject: ids, in order of numbers."""
        shown = {}
        with self.connect() as client:
            ids = client.ids()
            assert len(set(ids.values())) == len(ids)
            for number, unique in ids.items():
                subject = subject_of(client.top(number, 0))
                assert self.named.setdefault(unique, subject) == subject, "an id used twice"
                shown.setdefault(subject, []).append(unique)
            client.quit()
        return shown


@pytest.fixture
def tenant(gateway, directory, sha512):
    """tenant(store, …): a gateway for joe; store is an imap block or a Maildir."""

    class Tenant:
        (directory / "passwords").write_text(f"{LOGIN}:{sha512}\n")

        def block(self, store, changes):
            return merge({
                "name": "acme",
                "match": {"domains": ["acme.example"]},
                **({"imap": store} if isinstance(store, dict) else {
                    "maildir": {"path": str(store.path)},
                    "auth": {"users_file": str(directory / "passwords")}}),
            }, changes)  # fmt: skip

        def __call__(self, store, more=None, **changes):
            self.changes = more or {}
            self.gateway = gateway(tenants=[self.block(store, self.changes)], **changes)
            self.history = History(self.session)
            return self

        def move(self, store):
            """joe's mail is there from now on."""
            config = {**self.gateway.config, "tenants": [self.block(store, self.changes)]}
            self.gateway.write(config)
            reloads = len(self.gateway.events("reload done"))
            self.gateway.reload()
            self.gateway.wait("reload done", reloads + 1)

        def connect(self):
            return Pop3(self.gateway.port())

        def session(self):
            return self.connect().login(LOGIN, PASSWORD)

        def look(self):
            return self.history.look()

    return Tenant()


@pytest.fixture
def server(own_dovecot):
    """server(): a Dovecot with joe's empty mailbox."""

    def start(**options):
        running = own_dovecot(**options)
        running.joe = running.user(LOGIN, PASSWORD)
        return running

    return start


def append(user, messages, *, dated=True, folder="INBOX", first=0):
    """In order; a second younger each, or of now."""
    with user.client() as client:
        for n, message in enumerate(messages, first):
            date = imaplib.Time2Internaldate(1_700_000_000 + n) if dated else ""
            status, data = client.append(folder, "", date, message)
            assert status == "OK", data


def copy(source, target, *, dated, folder="INBOX"):
    """All mail from one server to another, as a migration tool does."""
    with source.client(folder) as client, target.client() as other:
        _, data = client.fetch("1:*", "(INTERNALDATE BODY.PEEK[])")
        for row in data:
            if isinstance(row, tuple):
                date = imaplib.Time2Internaldate(imaplib.Internaldate2tuple(row[0]))
                other.append(folder, "", date if dated else "", row[1])


def forget_uids(user, *, uidvalidity=None):
    """Dovecot gives UIDs anew; keeps them when only the UIDVALIDITY is to be another."""
    path = user.maildir.path
    uidlist = path / "dovecot-uidlist"
    header, *rows = uidlist.read_text().splitlines()
    for file in path.glob("dovecot.index*"):
        file.unlink()
    if uidvalidity is None:
        uidlist.unlink()
        return
    version, _, *rest = header.split(" ")
    rest = [word for word in rest if not word.startswith("G")]
    uidlist.write_text("\n".join([" ".join([version, f"V{uidvalidity}", *rest]), *rows]) + "\n")
    user.dovecot.give(uidlist)


# UIDVALIDITY


def test_uidvalidity_changes_and_returns(tenant, server):
    running = server()
    joe = running.joe
    append(joe, letters(12))
    acme = tenant(running.as_config())
    first = joe.uidvalidity()
    before = acme.look()
    forget_uids(joe, uidvalidity=first + 1000)
    assert joe.uidvalidity() == first + 1000
    assert acme.look() == before
    joe.expunge(3, 4)
    append(joe, letters(2, 100))
    during = acme.look()
    assert {s: ids for s, ids in during.items() if s in before} == {
        s: ids for s, ids in before.items() if s not in ("number 2", "number 3")}
    assert len(during) == 12
    forget_uids(joe, uidvalidity=first)
    assert acme.look() == during
    append(joe, letters(3, 200))
    after = acme.look()
    assert {s: ids for s, ids in after.items() if s in during} == during and len(after) == 15


def test_uids_are_given_anew(tenant, server):
    running = server()
    joe = running.joe
    append(joe, letters(9))
    acme = tenant(running.as_config())
    before = acme.look()
    joe.expunge(1, 5)
    forget_uids(joe)
    after = acme.look()
    assert after == {s: ids for s, ids in before.items() if s not in ("number 0", "number 4")}


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("poll", ["no poll", "empty", "half"])
def test_a_mailbox_is_deleted_and_restored(tenant, server, dated, poll):
    running = server()
    joe = running.joe
    mail = letters(10)
    with joe.client() as client:
        client.create("Mail")
    append(joe, mail, folder="Mail")
    acme = tenant(running.as_config(), {"maildrop": {"folder": "Mail"}})
    before = acme.look()
    with joe.client() as client:
        assert client.delete("Mail")[0] == "OK"
    with acme.connect() as client:
        client.ok(f"USER {LOGIN}")
        client.err(f"PASS {PASSWORD}")
    with joe.client() as client:
        assert client.create("Mail")[0] == "OK"
    if poll == "empty":
        assert acme.look() == {}
    if poll == "half":
        append(joe, mail[:5], dated=dated, folder="Mail")
        assert acme.look() == dict(list(before.items())[:5])
        mail = mail[5:]
    append(joe, mail, dated=dated, folder="Mail", first=10 - len(mail))
    append(joe, letters(1, 300), dated=False, folder="Mail")
    after = acme.look()
    assert len(after.pop("number 300")) == 1
    assert after == before


# Other stores


@pytest.mark.parametrize("how", ["in place", "copied", "copied without dates"])
@pytest.mark.parametrize("poll", [False, True])
def test_mail_moves_from_maildir_to_imap_and_back(tenant, server, directory, how, poll):
    running = server()
    joe = running.joe
    in_place = how == "in place"
    maildir = joe.maildir if in_place else Maildir(directory / "old")
    for message in letters(10):
        path = maildir.deliver(message)
        if in_place:
            running.give(path)
    acme = tenant(maildir)
    before = acme.look()
    with acme.session() as client:
        client.ok("DELE 4")
        client.quit()
    gone = before.pop("number 3")
    acme.move(running.as_config())
    if not in_place:
        if poll:
            assert acme.look() == {}
        mail = [corpus.wire(octets) for octets in maildir.messages()]
        dated = not how.endswith("dates")
        append(joe, mail[:3], dated=dated, first=1)
        append(joe, mail[3:], dated=dated, first=5)
    assert acme.look() == before
    append(joe, letters(1, 50))
    during = acme.look()
    assert {s: ids for s, ids in during.items() if s in before} == before
    assert during["number 50"] != gone
    joe.expunge(2)
    if in_place:
        acme.move(joe.maildir)
        during.pop("number 1")
        assert acme.look() == during


@pytest.mark.parametrize("dated", [True, False])
def test_mail_moves_to_another_server(tenant, server, dated):
    old, new = server(), server()
    append(old.joe, letters(12))
    append(old.joe, [corpus.message("twin")] * 3, dated=False)
    acme = tenant(old.as_config())
    before = acme.look()
    assert len(before["twin"]) == 3
    copy(old.joe, new.joe, dated=dated)
    append(new.joe, letters(2, 70))
    acme.move(new.as_config())
    after = acme.look()
    for n in (70, 71):
        assert len(after.pop(f"number {n}")) == 1
    assert after == before


def test_twins_that_stay_keep_their_ids(tenant, server):
    """Of messages that nothing tells apart, those that went before are no candidates first."""
    running = server()
    joe = running.joe
    with joe.client() as client:
        for _ in range(3):
            client.append("INBOX", "", imaplib.Time2Internaldate(1_700_000_000),
                          corpus.message("twin"))
    acme = tenant(running.as_config())
    before = acme.look()["twin"]
    joe.expunge(1)
    assert acme.look()["twin"] == before[1:]
    forget_uids(joe, uidvalidity=joe.uidvalidity() + 1000)
    assert acme.look()["twin"] == before[1:]


# What servers name messages by


class Named(ScriptedImap):
    """Each message has a date and a name that do not depend on its UID."""

    def __init__(self, names, capability="", **options):
        super().__init__([], capabilities=f"{CAPABILITIES} {capability}", **options)
        self.names, self.dates = {}, {}
        self.stated = {}  # UID: what RFC822.SIZE says
        for name in names:
            self.add(name)

    def add(self, name, octets=None, *, date=None, emailid=None):
        uid = self.uidnext
        self.uidnext += 1
        self.messages[uid] = octets or corpus.message(name)
        self.names[uid] = emailid or name.replace(" ", "-")
        self.dates[uid] = date or len(self.names)
        return uid

    def remove(self, uid):
        del self.messages[uid]

    def items(self, uid, items):
        plain = super().items(uid, items.replace("INTERNALDATE", "").replace("RFC822.SIZE", ""))
        if "INTERNALDATE" in items:
            date = time.strftime("%d-%b-%Y %H:%M:%S", time.gmtime(1_700_000_000 + self.dates[uid]))
            plain += f' INTERNALDATE "{date} +0000"'.encode()
        if "RFC822.SIZE" in items:
            plain += b" RFC822.SIZE %d" % self.stated.get(uid, len(self.messages[uid]))
        if " EMAILID" in items:
            plain += f" EMAILID ({self.names[uid]})".encode()
        if "X-GM-MSGID" in items:
            plain += b" X-GM-MSGID %d" % zlib.crc32(self.names[uid].encode())
        return plain

    def commands_with(self, text):
        return [c for c in self.commands("UID FETCH") if text in c]


@pytest.fixture
def named():
    running = []

    def start(*arguments, **options):
        running.append(Named(*arguments, **options))
        return running[-1]

    yield start
    for each in running:
        each.close()


@pytest.mark.parametrize("capability", ["OBJECTID", "X-GM-EXT-1"])
def test_the_servers_own_names_count_most(tenant, named, capability):
    """Sizes, dates and order are all others; another message looks like the first."""
    store = named([f"number {n}" for n in range(6)], capability)
    acme = tenant(store.as_config())
    before = acme.look()
    old = store.messages
    store.messages, store.uidvalidity, store.uidnext = {}, 8, 1
    for n in reversed(range(6)):
        store.add(f"number {n}", old[n + 1] + b"more\r\n" * n, date=1000 + n)
    store.add("another", old[1], date=1, emailid="other")
    after = History(acme.session).look()  # of subjects, two are the same
    assert after["number 0"][0] == before["number 0"][0] and len(after["number 0"]) == 2
    after.pop("number 0")
    before.pop("number 0")
    assert after == before


@pytest.mark.parametrize("capability", ["OBJECTID", ""])
def test_an_edited_message_gets_another_uid(tenant, named, capability):
    """As Exchange does when a user takes off an attachment."""
    store = named([f"number {n}" for n in range(4)], capability)
    acme = tenant(store.as_config())
    before = acme.look()
    edited = store.messages[2] + b"edited\r\n"
    store.remove(2)
    store.add("number 1", edited, date=store.dates[2])
    store.add("new")
    after = acme.look()
    new = after.pop("new")
    assert after == before and new[0] not in sum(before.values(), [])


def test_uidnext_goes_back(tenant, named):
    """A mailbox restored from a copy gives UIDs again under its old UIDVALIDITY."""
    store = named([f"number {n}" for n in range(6)])
    acme = tenant(store.as_config())
    before = acme.look()
    for uid in (5, 6):
        store.remove(uid)
    store.uidnext = 5
    store.add("new 1")
    after = acme.look()
    new = after.pop("new 1")
    assert after == {s: ids for s, ids in before.items() if s not in ("number 4", "number 5")}
    store.add("new 2")
    store.add("new 3")
    last = acme.look()
    assert last["new 1"] == new and len(last) == 7


@pytest.mark.parametrize("new", [2, 3])
def test_uidnext_went_back_and_has_caught_up(tenant, named, new):
    """Only HIGHESTMODSEQ tells, where the server has one."""
    store = named([f"number {n}" for n in range(6)], "CONDSTORE QRESYNC ENABLE")
    store.modseq = 900

    def select(peer, _):
        peer.untagged(f"{len(store.messages)} EXISTS")
        peer.untagged(f"OK [UIDVALIDITY {store.uidvalidity}] valid")
        peer.untagged(f"OK [UIDNEXT {store.uidnext}] next")
        peer.untagged(f"OK [HIGHESTMODSEQ {store.modseq}] highest")
        peer.ok("[READ-WRITE] selected")

    store.on["SELECT"] = select
    store.on["ENABLE"] = lambda peer, _: (peer.untagged("ENABLED QRESYNC"), peer.ok())
    acme = tenant(store.as_config())
    before = acme.look()
    for uid in (5, 6):
        store.remove(uid)
    store.uidnext, store.modseq = 5, 700
    for n in range(new):
        store.add(f"new {n}")
    after = acme.look()
    assert set(after) == {*(f"number {n}" for n in range(4)), *(f"new {n}" for n in range(new))}
    assert all(after[f"number {n}"] == before[f"number {n}"] for n in range(4))


def test_copies_and_duplicates(tenant, named):
    """A copy in the mailbox is another message, though the server names it the same."""
    store = named(["one", "two"], "OBJECTID")
    acme = tenant(store.as_config())
    before = acme.look()
    copied = store.add("one", date=store.dates[1])
    both = acme.look()
    assert both["one"][0] == before["one"][0] and len(both["one"]) == 2
    store.remove(1)
    assert acme.look()["one"] == both["one"][1:]
    store.remove(copied)
    store.uidvalidity, store.uidnext = 9, 1
    assert acme.look() == {"two": before["two"]}


@pytest.mark.parametrize("kept", [0, 1])
def test_mail_of_a_device_that_names_all_its_mail_alike(either, kept):
    """A scanner with one Message-ID and one size: each is new, though the one before is gone."""
    served = either([corpus.message("kept")] * kept)
    seen = set()
    for n in range(3):
        scan = corpus.message("scan", b"page %d\r\n" % n)
        if hasattr(served, "user"):
            append(served.user, [scan], first=n)
        else:
            served.deliver(scan)
        with served.session() as client:
            ids = client.ids()
            client.quit()
        assert len(ids) == kept + 1 and ids[kept + 1] not in seen
        seen |= set(ids.values())
        served.remove(kept + 1)


# Templates


def test_a_template_gives_no_id_of_another_folder(tenant, server):
    """UIDs are spent for one folder only."""
    running = server()
    joe = running.joe
    with joe.client() as client:
        client.create("Junk")
    append(joe, letters(3))
    acme = tenant(running.as_config(),
                  {"maildrop": {"also": ["Junk"]}, "uidl": {"format": "%{uid}"}})
    before = acme.look()
    assert before == {f"number {n}": [str(n + 1)] for n in range(3)}
    with acme.session() as client:
        for n in (1, 2, 3):
            client.ok(f"DELE {n}")
        client.quit()
    append(joe, letters(3, 20), folder="Junk")
    assert len(acme.look()) == 3


def test_a_folder_has_the_same_ids_as_a_maildrop_and_as_a_part_of_one(tenant, server):
    running = server()
    joe = running.joe
    with joe.client() as client:
        client.create("Junk")
    append(joe, letters(3), folder="Junk")
    acme = tenant(running.as_config(), {"maildrop": {"also": ["Junk"]}},
                  login_name={"folder_separator": "+"})
    part = History(lambda: acme.connect().login("joe+Junk@acme.example", PASSWORD))
    alone, within = part.look(), acme.look()
    for file in (joe.maildir.path / ".Junk").glob("dovecot[.-][iu]*"):
        file.unlink()
    assert acme.look() == within
    assert part.look() == alone


# Too many at once


def accept(gateway, login=LOGIN):
    done = run("uidl", "verify", "-c", gateway.file, "--accept", login)
    assert done.returncode == 0, done.stderr


def refused(acme, count):
    with acme.connect() as client:
        client.ok(f"USER {LOGIN}")
        assert client.err(f"PASS {PASSWORD}").startswith("[SYS/TEMP]")
    return acme.gateway.wait("login failed", count)


@pytest.mark.parametrize("limit", [0, 20, 99, 100])
def test_too_many_changes_are_refused_until_accepted(tenant, named, limit):
    admin = {"listen": f"127.0.0.1:{free_port()}"}
    store = named([f"number {n}" for n in range(60)])
    acme = tenant(store.as_config(), uidl={"max_changed": limit}, admin=admin)
    before = acme.look()
    mail = store.messages
    store.messages, store.uidvalidity, store.uidnext = {}, 8, 1
    for n in range(60):
        store.add(f"quite another {n}", date=5000 + n)
    if limit == 100:
        assert len(acme.look()) == 60
        return
    for count in (1, 2):
        line = refused(acme, count)
        assert "60 of 60 messages" in str(line) and f"--accept {LOGIN}" in str(line)
        Admin(acme.gateway).wait_value("popgate_logins_changed_ids_total", count, tenant="acme")
    store.messages, store.uidvalidity, store.uidnext = mail, 7, 61
    assert acme.look() == before
    store.messages, store.uidvalidity, store.uidnext = {}, 8, 1
    for n in range(60):
        store.add(f"quite another {n}", date=5000 + n)
    refused(acme, 3)
    accept(acme.gateway)
    after = acme.look()
    assert len(after) == 60
    store.messages, store.uidvalidity, store.uidnext = {}, 9, 1
    for n in range(60):
        store.add(f"a third {n}", date=7000 + n)
    refused(acme, 4)  # accepted once


def test_few_changes_are_no_reason_to_refuse(tenant, named):
    store = named([f"number {n}" for n in range(49)])
    acme = tenant(store.as_config(), uidl={"max_changed": 0})
    acme.look()
    store.messages, store.uidvalidity, store.uidnext = {}, 8, 1
    for n in range(49):
        store.add(f"quite another {n}", date=5000 + n)
    assert len(acme.look()) == 49


def test_mail_that_was_deleted_does_not_come_back_in_a_crowd(tenant, named):
    """Hidden messages that are not known again would be downloaded again."""
    store = named([f"number {n}" for n in range(70)])
    acme = tenant(store.as_config(), {"maildrop": {"on_delete": "hide"}})
    acme.look()
    with acme.session() as client:
        for n in range(1, 61):
            client.ok(f"DELE {n}")
        client.quit()
    store.messages, store.uidvalidity, store.uidnext = {}, 8, 1
    for n in range(70):
        store.add(f"quite another {n}", date=5000 + n)
    assert "70 of 70" in str(refused(acme, 1))


# Databases


def test_a_database_of_yesterday_gives_no_id_twice(tenant, server, directory):
    """It has forgotten which numbers were given since."""
    running = server()
    joe = running.joe
    append(joe, letters(4))
    acme = tenant(running.as_config())
    acme.look()
    forget_uids(joe, uidvalidity=joe.uidvalidity() + 1000)  # numbers from now on
    append(joe, letters(1, 10))
    before = acme.look()
    acme.gateway.stop()
    for file in directory.glob("state.db*"):
        shutil.copy(file, directory / f"yesterday-{file.name}")
    acme.gateway.start()
    append(joe, letters(3, 20))
    during = acme.look()
    acme.gateway.stop()
    for file in directory.glob("state.db*"):
        file.unlink()
    for file in directory.glob("yesterday-*"):
        file.rename(directory / file.name.removeprefix("yesterday-"))
    acme.gateway.start()
    joe.expunge(6, 7)
    append(joe, letters(3, 30))
    after = acme.look()
    assert {s: ids for s, ids in after.items() if s in before} == before
    new = sum((after[f"number {n}"] for n in (22, 30, 31, 32)), [])
    assert len(new) == 4 and not set(new) & set(sum(during.values(), []))


# Sizes


def test_a_measured_size_is_remembered(tenant, named):
    store = named([f"number {n}" for n in range(3)])
    store.stated[2] = 17
    acme = tenant(store.as_config())
    before = acme.look()
    with acme.session() as client:
        assert client.sizes()[2] == 17
        client.retr(2)
        client.quit()
    true = {n: len(octets) for n, octets in store.messages.items()}
    for again in range(3):
        with acme.session() as client:
            assert client.sizes() == true and client.stat() == (len(true), sum(true.values()))
            client.quit()
        assert acme.look() == before
        if again == 0:
            acme.gateway.stop()
            acme.gateway.start()
        elif again == 1:
            store.add("new")
            true[4] = len(store.messages[4])
            before = {**before, "new": acme.look()["new"]}
    store.uidvalidity = 8
    with acme.session() as client:
        assert client.sizes() == true
        client.quit()
    assert acme.look() == before
