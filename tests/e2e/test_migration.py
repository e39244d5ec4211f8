"""From another server to popgate: clients see the ids that they know, of Dovecot's every form."""

import json

import pytest

from support import corpus
from support.gateway import PASSWORD, free_port, run
from support.pop3 import Pop3, Refused

MESSAGES = [*corpus.thousand()[:20], *corpus.ODD.values()]

POP3 = """
protocols = imap pop3
service pop3-login {{
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
{more}
"""

# pop3_uidl_format of Dovecot and what says the same here; whether an IMAP server can tell it
FORMATS = {
    "%08Xu%08Xv": ("%{uid:hex8}%{uidvalidity:hex8}", True),
    "%v.%u": ("%{uidvalidity}.%{uid}", True),
    "%u": ("%{uid}", True),
    "%08Xv%08Xu": ("%{uidvalidity:hex8}%{uid:hex8}", True),
    "%f": ("%{filename}", False),
    "%g": ("%{guid}", False),
}


def pop3_ids(port, login, password):
    with Pop3(port) as client:
        client.login(login, password)
        ids = client.ids()
        client.ok("QUIT")
    return ids


@pytest.fixture
def old_dovecot(own_dovecot):
    """old_dovecot(settings): one that serves POP3, too."""

    def start(more=""):
        port = free_port()
        server = own_dovecot(extra=POP3.format(port=port, more=more))
        server.pop3_port = port
        server.ids = lambda user: pop3_ids(port, user.login, user.password)
        return server

    return start


def imap_tenant(server, **uidl):
    return {"name": "acme", "imap": server.as_config(), "uidl": uidl}


def maildir_tenant(server, directory, user, sha512, **uidl):
    users = directory / "users"
    users.write_text(f"{user.login}:{sha512}\n")
    return {"name": "acme", "auth": {"users_file": str(users)}, "uidl": uidl,
            "maildir": {"path": f"{server.directory}/mail/%{{login}}/Maildir"}}  # fmt: skip


@pytest.mark.parametrize("format", [name for name, (_, imap) in FORMATS.items() if imap])
def test_templates_before_the_same_imap_server(gateway, old_dovecot, format):
    server = old_dovecot(f"pop3_uidl_format = {format}")
    user = server.new_user()
    user.deliver(*MESSAGES)
    before = server.ids(user)
    running = gateway(tenants=[imap_tenant(server, format=FORMATS[format][0])])
    assert pop3_ids(running.port(), user.login, user.password) == before
    # and of what comes later
    user.deliver(corpus.message("later"))
    after = pop3_ids(running.port(), user.login, user.password)
    assert after == server.ids(user)
    assert len(after) == len(before) + 1


@pytest.mark.parametrize("format", FORMATS)
def test_templates_on_dovecots_maildir(gateway, old_dovecot, directory, sha512, format):
    server = old_dovecot(f"pop3_uidl_format = {format}")
    user = server.new_user()
    user.deliver(*MESSAGES)
    before = server.ids(user)
    running = gateway(
        tenants=[maildir_tenant(server, directory, user, sha512, format=FORMATS[format][0])])
    assert pop3_ids(running.port(), user.login, PASSWORD) == before
    # Dovecot gives no more UIDs: numbers, which are none of the old ids
    server.stop()
    user.maildir.deliver(corpus.message("later"), name="1800000000.M1P1.test")
    after = pop3_ids(running.port(), user.login, PASSWORD)
    assert {n: after[n] for n in before} == before
    assert len(set(after.values())) == len(before) + 1


def test_saved_ids_of_dovecot_come_before_its_format(gateway, old_dovecot, directory, sha512):
    """pop3_save_uidl: what was shown once stays, though the format is another by now."""
    settings = "pop3_uidl_format = {}\npop3_save_uidl = yes\n"
    server = old_dovecot(settings.format("%v.%u"))
    user = server.new_user()
    user.deliver(*MESSAGES[:5])
    first = server.ids(user)
    server.stop()
    server.config.write_text(server.config.read_text().replace("%v.%u", "%08Xu%08Xv"))
    server.start()
    user.deliver(*MESSAGES[5:9])
    before = server.ids(user)
    assert {n: before[n] for n in first} == first and "." not in before[9]
    template = FORMATS["%08Xu%08Xv"][0]
    running = gateway(tenants=[maildir_tenant(server, directory, user, sha512, format=template)])
    assert pop3_ids(running.port(), user.login, PASSWORD) == before


def test_templates_without_a_registry(gateway, old_dovecot):
    server = old_dovecot("pop3_uidl_format = %08Xu%08Xv")
    user = server.new_user()
    user.deliver(*MESSAGES)
    running = gateway(tenants=[imap_tenant(server, format=FORMATS["%08Xu%08Xv"][0])], state="none")
    assert pop3_ids(running.port(), user.login, user.password) == server.ids(user)


def test_what_courier_left_in_a_maildir(local):
    """courierpop3dsizelist as courierpop3d 1.0.16 has written it; the hyphen cannot be sent."""
    served = local([], tenant={"uidl": {"format": "%{uid}"}})
    for name, flags in ("1700000001.M1P1.test", "S"), ("1700000002.M2P1.te-st,S=20", ""):
        served.maildir.deliver(corpus.message(name), into="cur", flags=flags, name=name)
    (served.maildir.path / "courierpop3dsizelist").write_text(
        "/3 3 1795240557\n"
        "1700000001.M1P1.test:2,S 21 1:1795240557:0\n"
        "1700000002.M2P1.te-st,S=20:2, 21 2:1795240557:0\n")
    with served.session() as client:
        assert client.ids() == {1: "~.UID1~2D1795240557", 2: "~.UID2~2D1795240557"}


# Another server


@pytest.fixture
def moved(old_dovecot, own_dovecot, directory):
    """A mailbox that was copied to another server: other UIDs, other order, some gone, some new."""

    class Moved:
        old = old_dovecot("pop3_uidl_format = %08Xu%08Xv")
        new = own_dovecot()

    # Nothing tells two messages apart that have neither Message-ID nor Date.
    mail = [corpus.message(f"number {n}", b"x" * n + b"\r\n") for n in range(30)]
    user = Moved.old.new_user()
    user.deliver(*mail)
    Moved.before = Moved.old.ids(user)
    Moved.user = Moved.new.new_user()
    assert Moved.user.login == user.login
    Moved.user.append(corpus.message("before all others"), corpus.message("another"))
    Moved.user.append(*reversed(mail[2:]))
    Moved.wanted = list(reversed(list(Moved.before.values())[2:]))
    Moved.file = directory / "harvest.tsv"
    done = run("uidl", "harvest", "-S", f"localhost:{Moved.old.pop3_port}", "-t", "none", "-O",
               Moved.file, user.login, stdin=user.password)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Moved


def check_moved(moved, running):
    """The ids of the old server, in the order of the new one, and two new ones."""
    after = pop3_ids(running.port(), moved.user.login, moved.user.password)
    assert list(after.values())[2:] == moved.wanted
    assert len(set(after.values())) == 30
    assert not set(list(after.values())[:2]) & set(moved.before.values())
    # once more, and with mail that comes later
    moved.user.append(corpus.message("later"))
    again = pop3_ids(running.port(), moved.user.login, moved.user.password)
    assert {n: again[n] for n in after} == after
    assert len(set(again.values())) == 31


def test_harvest_and_import(gateway, moved):
    running = gateway(tenants=[imap_tenant(moved.new)])
    done = run("uidl", "import", "-c", running.file, moved.file)
    assert done.returncode == 0, done.stderr
    check_moved(moved, running)


def test_adopt_file(gateway, moved):
    running = gateway(tenants=[imap_tenant(moved.new, adopt_file=str(moved.file))])
    check_moved(moved, running)
    done = run("uidl", "list", "-c", running.file, moved.user.login)
    assert done.stdout.count(" adopted ") == 2, "the two that did not come along"


def test_adopt_file_waits_for_the_main_folder(gateway, moved):
    """A login into a folder of his own choice is not the first login that matters."""
    running = gateway(tenants=[imap_tenant(moved.new, adopt_file=str(moved.file))],
                      login_name={"folder_separator": "+"})  # fmt: skip
    user, _, domain = moved.user.login.partition("@")
    assert pop3_ids(running.port(), f"{user}+Trash@{domain}", moved.user.password) == {}
    check_moved(moved, running)


def test_adopt_file_that_cannot_be_read(gateway, moved):
    """No login rather than other ids."""
    running = gateway(tenants=[imap_tenant(moved.new, adopt_file=str(moved.file))])
    content = moved.file.read_text()
    moved.file.write_text(content + "nonsense\tx\n")
    with Pop3(running.port()) as client, pytest.raises(Refused, match="SYS/TEMP"):
        client.login(moved.user.login, moved.user.password)
    running.wait_text("kind: not valid")
    moved.file.write_text(content)
    check_moved(moved, running)


def test_two_gateways_adopt_at_once(gateway, moved, postgresql, ca):
    state = postgresql.new_database().uri(ca.certificate)
    pair = [gateway(tenants=[imap_tenant(moved.new, adopt_file=str(moved.file))], state=state)
            for _ in range(2)]
    clients = [Pop3(running.port()) for running in pair for _ in range(4)]
    for client in clients:
        client.send(f"USER {moved.user.login}\r\nPASS {moved.user.password}\r\nUIDL\r\n".encode())
    answers = []
    for client in clients:
        assert client.reply().startswith("+OK") and client.reply().startswith("+OK")
        assert client.reply().startswith("+OK")
        answers.append(client.multiline_raw())
        client.close()
    assert all(answer == answers[0] for answer in answers)
    for running in pair:
        assert list(pop3_ids(running.port(), moved.user.login, moved.user.password).values())[2:] \
            == moved.wanted


# uidl verify


def verify(running, user, *options):
    done = run("uidl", "verify", "-c", running.file, "--json", *options, user.login,
               stdin=user.password)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    done.messages, done.sums = rows[:-1], rows[-1] if rows else None
    return done


def sums(kept=0, adopted=0, changed=0, new=0, missing=0, refused=False):
    return {"kept": kept, "adopted": adopted, "changed": changed, "new": new, "missing": missing,
            "refused": refused}


def test_verify_before_the_cut_over(gateway, old_dovecot, directory):
    """Does the template say what the old server says?"""
    server = old_dovecot("pop3_uidl_format = %08Xu%08Xv")
    user = server.new_user()
    user.deliver(*MESSAGES[:10])
    before = server.ids(user)
    file = directory / "harvest.tsv"
    done = run("uidl", "harvest", "-S", f"localhost:{server.pop3_port}", "-t", "none", "-O", file,
               user.login, stdin=user.password)  # fmt: skip
    assert done.returncode == 0, done.stderr
    wrong = gateway(tenants=[imap_tenant(server)])
    done = verify(wrong, user, "--old", file)
    assert done.returncode == 1 and done.sums == sums(changed=10)
    assert [row["known_id"] for row in done.messages] == list(before.values())
    right = gateway(tenants=[imap_tenant(server, format=FORMATS["%08Xu%08Xv"][0])])
    done = verify(right, user, "--old", file)
    assert done.returncode == 0 and done.sums == sums(adopted=10)
    user.deliver(corpus.message("later"))
    user.expunge(user.uids()[3])
    assert verify(right, user, "--old", file).sums == sums(adopted=9, new=1, missing=1)
    listed = run("uidl", "list", "-c", right.file, user.login)
    assert listed.returncode == 1, "nothing was written"
    missing = verify(right, server.new_user(), "--old", file)
    assert missing.returncode == 1 and "nothing of" in missing.stderr


def test_verify_what_is_adopted(gateway, moved):
    running = gateway(tenants=[imap_tenant(moved.new)])
    assert run("uidl", "import", "-c", running.file, moved.file).returncode == 0
    done = verify(running, moved.user)
    assert done.returncode == 0 and done.sums == sums(adopted=28, new=2, missing=2)
    text = run("uidl", "verify", "-c", running.file, moved.user.login, stdin=moved.user.password)
    assert "adopted  28\n" in text.stdout and text.stdout.count("\nmissing ") == 3
    check_moved(moved, running)
    assert verify(running, moved.user).sums == sums(kept=31, missing=2)


def test_ids_that_have_to_be_encoded_count_as_changed(local, directory):
    served = local([corpus.message("one")])
    size = len(served.maildir.messages()[0])
    file = directory / "old.tsv"
    file.write_text(f"login\told_id\tsize\njoe@local.example\tUID1-2\t{size}\n")
    done = run("uidl", "verify", "-c", served.gateway.file, "--old", file, "joe@local.example")
    assert done.returncode == 1 and "changed  1\n" in done.stdout
    assert run("uidl", "import", "-c", served.gateway.file, file).returncode == 0
    done = run("uidl", "verify", "-c", served.gateway.file, "joe@local.example")
    assert done.returncode == 1 and "~.UID1~2D2" in done.stdout


def test_accepting_what_was_refused(gateway, own_dovecot):
    """Another user's mail at a stroke: refused, looked at, accepted, once."""
    server = own_dovecot()
    user = server.new_user()
    user.append(*[corpus.message(f"first {n}", b"x" * n) for n in range(60)])
    running = gateway(tenants=[imap_tenant(server)])
    first = pop3_ids(running.port(), user.login, user.password)
    with user.client("Trash") as client:
        client.delete("INBOX")
    for path in user.maildir.path.glob("dovecot*"):
        path.unlink()
    for path in user.maildir.files():
        path.unlink()
    server.stop()
    server.start()
    user.append(*[corpus.message(f"second {n}", b"y" * n) for n in range(60)])
    with Pop3(running.port()) as client, pytest.raises(Refused, match="SYS/TEMP"):
        client.login(user.login, user.password)
    done = verify(running, user)
    assert done.returncode == 1
    assert done.sums == sums(changed=60, missing=60, refused=True)
    done = run("uidl", "verify", "-c", running.file, "--accept", user.login)
    assert done.returncode == 0, done.stderr
    assert not verify(running, user).sums["refused"]
    second = pop3_ids(running.port(), user.login, user.password)
    assert not set(first.values()) & set(second.values())
    assert pop3_ids(running.port(), user.login, user.password) == second


def test_verify_usage(local):
    served = local([])
    for arguments in ([], ["--accept"], ["--accept", "--json", "x"], ["a", "b"]):
        assert run("uidl", "verify", *arguments).returncode == 2, arguments
    for arguments in (["joe@nowhere.example"], ["--accept", "joe@nowhere.example"],
                      ["--accept", "joe@local.example"]):
        assert run("uidl", "verify", "-c", served.gateway.file, *arguments).returncode == 1
