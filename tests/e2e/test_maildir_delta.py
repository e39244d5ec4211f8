"""Listings that build on earlier ones, and what Dovecot left, on a Maildir that Dovecot serves too."""

import poplib
import random
import re
import subprocess

import pytest

from support import corpus
from support.gateway import BINARY, TIMEOUT, free_port
from support.maildir import Maildir


class Probe:
    """The Maildir backend alone, session after session (maildir_probe.c)."""

    def __init__(self, maildir: Maildir):
        self.process = subprocess.Popen(
            [BINARY.parent / "tests" / "maildir_probe", maildir.path], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip

    def ask(self, command: str) -> list[str]:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return list(iter(lambda: self.process.stdout.readline().rstrip("\n"), ""))

    def look(self) -> tuple[str, int]:
        """How it went, and how many there are."""
        [line] = self.ask("list")
        found = re.fullmatch(r"(same|unchanged) (\d+)", line)
        assert found, line
        return found[1], int(found[2])

    def rest(self) -> None:
        assert self.ask("rest") == ["rest"]

    def legacy(self) -> dict[str, list[str]]:
        """By base name: UIDVALIDITY, UID, GUID, saved unique-id."""
        return {key: rest for key, *rest in (line.split("\t") for line in self.ask("legacy"))}

    def stop(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(TIMEOUT) == 0
        self.process.stdout.close()


@pytest.fixture
def probe():
    running = []

    def start(maildir: Maildir) -> Probe:
        running.append(Probe(maildir))
        return running[-1]

    yield start
    for process in running:
        process.stop()


def messages(n, start=1):
    return [corpus.message(f"number {i}") for i in range(start, start + n)]


def change(rng: random.Random, user, client, step: int) -> None:
    """One thing that other clients and delivery agents do."""
    uids = client.uid("SEARCH", "ALL")[1][0].split()
    what = rng.choice(["deliver", "append", "flag", "unflag", "expunge", "copy", "look", "nothing"])
    if what == "deliver":
        for n in range(rng.randint(1, 3)):
            name = f"{rng.randint(1_700_000_000, 1_700_000_009)}.M{step}P{n}.agent"
            user.dovecot.give(user.maildir.deliver(messages(1, step)[0], name=name))
    elif what == "append":
        client.append("INBOX", r"(\Seen)" if rng.random() < 0.5 else "", "", messages(1)[0])
    elif what == "look":
        client.noop()
    elif uids and what in ("flag", "unflag"):
        sign = "+FLAGS" if what == "flag" else "-FLAGS"
        client.uid("STORE", rng.choice(uids), sign, rng.choice([r"(\Seen)", r"(\Flagged kw)"]))
    elif uids and what == "expunge":
        client.uid("STORE", b",".join(rng.sample(uids, min(2, len(uids)))), "+FLAGS", r"(\Deleted)")
        client.expunge()
    elif uids and what == "copy":
        client.uid("COPY", rng.choice(uids), "INBOX")


def test_any_history_lists_as_from_scratch(dovecot, probe):
    user = dovecot.new_user()
    user.deliver(*messages(5))
    maildir = user.maildir
    listing = probe(maildir)
    rng = random.Random(20261121)
    with user.client() as client:
        for step in range(150):
            change(rng, user, client, step)
            _, n = listing.look()
            assert n == len(maildir.files())
            if rng.random() < 0.3:
                listing.rest()
                assert listing.look() == ("unchanged", n)


def test_a_gateways_listing_follows_every_change(local):
    """UIDL and LIST are of what is there, session after session."""
    served = local(messages(5))
    rng = random.Random(7)
    seen = {}
    for step in range(40):
        files = served.maildir.files()
        what = rng.choice(["deliver", "remove", "flag", "nothing"])
        if what == "deliver":
            served.maildir.deliver(corpus.message(f"step {step}"))
        elif what == "remove" and files:
            rng.choice(files).unlink()
        elif what == "flag" and files:
            file = rng.choice(files)
            base = file.name.partition(":2,")[0]
            file.rename(served.maildir.path / "cur" / f"{base}:2,{rng.choice(['', 'S', 'FS'])}")
        files = served.maildir.files()
        with served.session() as client:
            ids, sizes = client.ids(), client.sizes()
            client.quit()
        expected = [len(f.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
                    for f in files]  # fmt: skip
        assert list(sizes.values()) == expected
        for file, unique in zip(files, ids.values(), strict=True):
            assert seen.setdefault(file.name.partition(":2,")[0], unique) == unique


# What Dovecot left


@pytest.fixture
def pop3_dovecot(own_dovecot):
    """A Dovecot that serves POP3 too and saves the unique-ids which it shows."""

    def start(uidl_format: str):
        port = free_port()
        server = own_dovecot(extra=f"""
            protocols = imap pop3
            pop3_save_uidl = yes
            pop3_uidl_format = {uidl_format}
            service pop3-login {{
              inet_listener pop3 {{
                port = {port}
              }}
              inet_listener pop3s {{
                port = 0
              }}
            }}
            """)
        return server, port

    return start


def pop3_ids(user, port: int) -> list[str]:
    client = poplib.POP3("127.0.0.1", port, timeout=TIMEOUT)
    client.user(user.login)
    client.pass_(user.password)
    ids = [line.split(b" ", 1)[1].decode() for line in client.uidl()[1]]
    client.quit()
    return ids


@pytest.mark.parametrize("uidl_format", ["%08Xu%08Xv", "%v.%u", "%f", "%g"])
def test_saved_ids_of_dovecot_are_read(pop3_dovecot, probe, uidl_format):
    server, port = pop3_dovecot(uidl_format)
    user = server.new_user()
    user.append(*messages(3))
    user.deliver(*messages(3, 10))
    user.expunge(2)
    shown = pop3_ids(user, port)
    assert len(shown) == 5
    user.flag(user.uids()[0], r"\Flagged")
    left = probe(user.maildir).legacy()
    validity, by_uid = user.uidvalidity(), {}
    for base, (uidvalidity, uid, guid, uidl) in left.items():
        assert uidvalidity == str(validity)
        by_uid[int(uid)] = (base, guid, uidl)
    assert sorted(by_uid) == user.uids()
    for uid, unique in zip(sorted(by_uid), shown, strict=True):
        base, guid, uidl = by_uid[uid]
        assert uidl == unique
        if uidl_format == "%g":
            assert guid == unique
        if uidl_format == "%f":
            assert base == unique


def test_uids_of_dovecot_are_read_where_no_ids_were_saved(dovecot, probe):
    user = dovecot.new_user()
    user.append(*messages(4))
    user.expunge(1)
    user.flag(3, r"\Seen")
    user.deliver(messages(1, 9)[0])
    left = probe(user.maildir).legacy()
    told = sorted(int(uid) for _, uid, _, _ in left.values())
    assert told == [0, 2, 3, 4]  # Dovecot has not seen the last one yet
    assert user.uids() == [2, 3, 4, 5]
    again = probe(user.maildir).legacy()
    assert sorted(int(uid) for _, uid, _, _ in again.values()) == [2, 3, 4, 5]
    assert {validity for validity, *_ in again.values()} == {str(user.uidvalidity())}
    assert {uidl for *_, uidl in again.values()} == {"-"}
