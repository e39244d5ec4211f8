"""uidl harvest: an old POP3 server is read to the last id, whatever it does, and nothing changes there."""

import csv
import os
import stat

import pytest

from support import corpus
from support.dovecot import Dovecot
from support.gateway import PASSWORD, SECRET, free_port, password, run
from support.pop3 import Pop3
from support.scripted_pop3 import CAPABILITIES, ScriptedPop3

MESSAGES = [
    ("old.1", corpus.message("one")),
    ("old.2", corpus.message("two", b".\r\n..\r\n")),
    ("old.3", corpus.message("three", **{"Message_ID": "<3@old.example>"})),
]


def rows_of(file):
    """login → rows of its messages, of those that are complete."""
    found, open_rows = {}, {}
    with open(file, newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            login = row["login"]
            if row["kind"] == "message":
                open_rows.setdefault(login, []).append(row)
            else:
                rows = open_rows.pop(login, [])
                assert row["kind"] == "end" and int(row["messages"] or 0) == len(rows)
                found[login] = rows
    assert not open_rows
    return found


@pytest.fixture
def old():
    """old(messages, …): a scripted server."""
    servers = []

    def start(messages=MESSAGES, **options):
        servers.append(ScriptedPop3(messages, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def harvest(directory):
    """harvest(server, users=…): runs it; .rows are what the file holds."""
    output = directory / "harvest.tsv"
    users_file = directory / "users.tsv"

    def call(server, *options, users=("joe",), login=None, tls="none"):
        who = [login] if login else ["--users", users_file]
        if not login:
            users_file.write_text("".join(
                "\t".join(user if isinstance(user, tuple) else (user, PASSWORD)) + "\n"
                for user in users))
            users_file.chmod(0o600)
        done = run("uidl", "harvest", "--server", f"localhost:{server.port}", "--tls", tls,
                   "--output", output, *who, *options, stdin=PASSWORD + "\n" if login else "")
        assert SECRET not in done.stdout + done.stderr
        done.rows = rows_of(output) if output.exists() and done.returncode < 2 else None
        return done

    call.output = output
    call.users_file = users_file
    return call


def ids(rows):
    return [row["old_id"] for row in rows]


def test_ids_sizes_and_headers(old, harvest):
    server = old()
    done = harvest(server, login="joe")
    assert done.returncode == 0, done.stderr
    rows = done.rows["joe"]
    assert ids(rows) == ["old.1", "old.2", "old.3"]
    assert [int(row["size"]) for row in rows] == [len(octets) for _, octets in MESSAGES]
    assert rows[2]["message_id"] == "<3@old.example>"
    fingerprints = [row["fingerprint"] for row in rows]
    assert all(fingerprints) and len(set(fingerprints)) == 3
    assert stat.S_IMODE(os.stat(harvest.output).st_mode) == 0o600
    assert "3 messages" in done.stdout


def test_nothing_is_changed_at_the_old_server(old, harvest):
    server = old(capabilities=[*CAPABILITIES, "EXPIRE 0"])
    assert harvest(server).returncode == 0
    assert set(server.commands()) == {"CAPA", "USER", "PASS", "LIST", "UIDL", "TOP"}


def test_many_messages_are_asked_for_ahead(old, harvest):
    many = [(f"id{n}", corpus.message(f"number {n}")) for n in range(300)]
    server = old(many)
    done = harvest(server)
    assert done.returncode == 0, done.stderr
    assert ids(done.rows["joe"]) == [unique for unique, _ in many]
    assert len({row["fingerprint"] for row in done.rows["joe"]}) == 300
    assert server.commands().count("TOP") == 300
    assert server.waiting > 10, "PIPELINING"
    patient = old(many, capabilities=["TOP", "UIDL", "USER"])
    harvest.output.unlink()
    assert harvest(patient).rows == done.rows
    assert patient.waiting == 1


def test_many_users_and_their_logins_here(old, harvest):
    server = old(passwords={f"user{n}": f"{SECRET}{n}" for n in range(20)})
    users = [(f"user{n}", f"{SECRET}{n}", f"user{n}@new.example") for n in range(20)]
    done = harvest(server, "--jobs", 7, users=users)
    assert done.returncode == 0, done.stderr
    assert set(done.rows) == {f"user{n}@new.example" for n in range(20)}
    assert all(ids(rows) == ["old.1", "old.2", "old.3"] for rows in done.rows.values())


def test_one_wrong_password_holds_up_nobody(old, harvest):
    server = old(passwords={"anna": PASSWORD, "bob": "another", "carl": PASSWORD})
    done = harvest(server, "--jobs", 1, users=["anna", "bob", "carl"])
    assert done.returncode == 1
    assert set(done.rows) == {"anna", "carl"}
    assert "bob: PASS: [AUTH] no" in done.stderr
    assert "2 users harvested, 1 left" in done.stdout
    server.passwords["bob"] = PASSWORD
    again = harvest(server, users=["anna", "bob", "carl"])
    assert again.returncode == 0
    assert set(again.rows) == {"anna", "bob", "carl"}
    assert "1 users harvested, 2 before, 0 left" in again.stdout


def test_a_server_without_top(old, harvest):
    server = old(capabilities=["UIDL", "USER"])
    done = harvest(server)
    assert done.returncode == 0
    assert ids(done.rows["joe"]) == ["old.1", "old.2", "old.3"]
    assert not any(row["fingerprint"] for row in done.rows["joe"])
    assert "no TOP" in done.stderr
    assert "TOP" not in server.commands()


def test_a_server_without_capa(old, harvest):
    server = old(capabilities=None)
    assert harvest(server).rows["joe"][0]["fingerprint"]
    harvest.output.unlink()
    server.on["TOP"] = server.unknown
    done = harvest(server)
    assert done.returncode == 0 and ids(done.rows["joe"]) == ["old.1", "old.2", "old.3"]


def test_one_message_that_top_refuses(old, harvest):
    server = old()
    plain = server.do_top
    server.on["TOP"] = lambda peer, arguments: (
        peer.send("-ERR damaged\r\n") if arguments == "2 0" else plain(peer, arguments))
    rows = harvest(server).rows["joe"]
    assert ids(rows) == ["old.1", "old.2", "old.3"]
    assert [bool(row["fingerprint"]) for row in rows] == [True, False, True]


def test_a_server_without_uidl(old, harvest):
    server = old(capabilities=["TOP", "USER"])
    server.on["UIDL"] = server.unknown
    done = harvest(server, users=["anna", "bob"])
    assert done.returncode == 1
    assert "no UIDL" in done.stderr
    assert done.rows == {}


def test_a_whole_message_where_headers_were_asked_for(old, harvest):
    server = old()
    large = corpus.message("large", b"x" * 70 + b"\r\n" + b"0123456789\r\n" * 1_000_000)
    server.messages[1] = ("old.2", large)
    server.on["TOP"] = lambda peer, arguments: peer.send(
        b"+OK\r\n" + corpus.stuffed(server.messages[int(arguments.split()[0]) - 1][1]) + b".\r\n")
    rows = harvest(server).rows["joe"]
    assert ids(rows) == ["old.1", "old.2", "old.3"] and rows[1]["fingerprint"]


@pytest.mark.parametrize("answer, complaint", [
    ("+OK\r\n1 10\r\n4000000000 10\r\n.\r\n", "message 4000000000 in a list where 2 is due"),
    ("+OK\r\n1 10\r\n3 10\r\n.\r\n", "message 3 in a list where 2 is due"),
    ("+OK\r\n1 10\r\n1 10\r\n.\r\n", "message 1 in a list where 2 is due"),
    ("+OK\r\n0 10\r\n.\r\n", "message 0 in a list where 1 is due"),
    ("+OK\r\nnonsense\r\n.\r\n", "a list without numbers"),
    ("+OK\r\n1 x\r\n.\r\n", "a list without sizes"),
    ("-ERR later\r\n", "LIST: later"),
    ("+OK\r\n1 " + "9" * 2_000_000, "a line without an end"),
], ids=["huge", "hole", "twice", "zero", "words", "no size", "refused", "endless"])
def test_lists_that_lie(old, harvest, answer, complaint):
    server = old()
    server.on["LIST"] = lambda peer, _: (peer.send(answer), peer.vanish())
    done = harvest(server)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert done.rows == {}


def test_ids_that_lie(old, harvest):
    """More than LIST has, or others, or none for one."""
    server = old()
    server.on["UIDL"] = lambda peer, _: peer.lines(["1 a", "2 b", "3 c", "4 d"])
    assert ids(harvest(server).rows["joe"]) == ["a", "b", "c"]
    harvest.output.unlink()
    server.on["UIDL"] = lambda peer, _: peer.lines(["1 a", "3 b"])
    assert "message 3 in a list where 2 is due" in harvest(server).stderr
    harvest.output.unlink()
    server.on["UIDL"] = lambda peer, _: peer.lines(["1 a b\t", "2 ~"])
    done = harvest(server)
    assert ids(done.rows["joe"]) == ["a b\\t", "~"]
    assert "2 messages, 1 more without an id" in done.stdout


def test_sizes_beyond_32_bits(old, harvest):
    server = old([("big", corpus.message("big"))])
    server.on["LIST"] = lambda peer, _: peer.lines(["1 5000000000"])
    assert harvest(server).rows["joe"][0]["size"] == "5000000000"


@pytest.mark.parametrize("command", ["CAPA", "USER", "PASS", "LIST", "UIDL", "TOP"])
def test_dies_half_way_and_goes_on_later(old, harvest, command):
    server = old()
    if command != "CAPA":
        seen = []

        def second(peer, arguments):
            """The second user's connection ends there."""
            if peer.login == "bob":
                seen.append(arguments)
                peer.vanish()
            getattr(server, f"do_{command.lower()}")(peer, arguments)

        if command == "USER":
            server.on["USER"] = lambda peer, arguments: (
                setattr(peer, "login", arguments), second(peer, arguments))
        else:
            server.on[command] = second
        done = harvest(server, "--jobs", 1, users=["anna", "bob", "carl"])
        assert seen
    else:
        server.on["CAPA"] = lambda peer, _: peer.vanish()
        done = harvest(server, "--jobs", 1, users=["anna", "bob", "carl"])
    assert done.returncode == 1
    assert set(done.rows) == (set() if command == "CAPA" else {"anna", "carl"})
    server.on.clear()
    done = harvest(server, users=["anna", "bob", "carl"])
    assert done.returncode == 0
    assert set(done.rows) == {"anna", "bob", "carl"}


def test_stops_when_the_server_is_gone(old, harvest):
    server = old()
    server.on["PASS"] = lambda peer, _: peer.vanish()
    done = harvest(server, "--jobs", 1, users=[f"user{n}" for n in range(50)])
    assert done.returncode == 1
    assert "stopped: " in done.stderr
    assert server.commands().count("PASS") == 10


@pytest.mark.parametrize("cut", [1, 30, 150, -1, -2, -25])
def test_a_file_that_was_cut_off(old, harvest, cut):
    """A crash in the middle of a write."""
    server = old()
    assert harvest(server, "--jobs", 1, users=["anna", "bob"]).returncode == 0
    whole = harvest.output.read_bytes()
    harvest.output.write_bytes(whole[:cut])
    done = harvest(server, "--jobs", 1, users=["anna", "bob"])
    assert done.returncode == 0, done.stderr
    assert sorted(harvest.output.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_output_that_is_no_harvest(old, harvest):
    for text in "login\told_id\njoe\t1\n", "nonsense\n":
        harvest.output.write_text(text)
        done = harvest(old())
        assert done.returncode == 2
        assert harvest.output.read_text() == text


def test_users_files(old, harvest):
    server = old()
    harvest.output.write_text("")
    assert harvest(server).returncode == 0
    harvest.users_file.chmod(0o640)
    command = ["uidl", "harvest", "-S", f"localhost:{server.port}", "-t", "none", "-u",
               harvest.users_file, "-O", harvest.output]  # fmt: skip
    done = run(*command)
    assert done.returncode == 2 and "chmod 600" in done.stderr
    harvest.users_file.chmod(0o600)
    for text, complaint in [("joe\n", ":1: expected login"), ("\njoe\t\n", ":2: the login or"),
                            ("joe\tx\t\n", ":1: the login here"),
                            ("joe\tx\ta\nbob\ty\ta\n", "two users have the login a here")]:
        harvest.users_file.write_text(text)
        done = run(*command)
        assert done.returncode == 2 and complaint in done.stderr, done.stderr


def test_usage():
    for arguments in ([], ["--server", "x"], ["--server", "x", "--output", "y"],
                      ["--server", "x", "--output", "y", "--users", "z", "joe"],
                      ["--server", "x:0", "--output", "y", "joe"],
                      ["--server", "[::1", "--output", "y", "joe"],
                      ["--server", "x", "--output", "y", "--jobs", "0", "joe"],
                      ["--server", "x", "--output", "y", "--tls", "maybe", "joe"]):
        done = run("uidl", "harvest", *arguments)
        assert done.returncode == 2, arguments
        assert "Try 'popgate uidl harvest --help'" in done.stderr
    assert run("uidl", "harvest", "--help").returncode == 0


# Ways in


def test_apop_rather_than_a_password_in_clear(old, harvest):
    server = old(passwords={"joe": PASSWORD})
    server.greeting = "+OK ready <1896.697170952@old.example>\r\n"
    assert harvest(server).returncode == 0
    assert "PASS" not in server.commands()


def test_plain_where_there_is_no_user(old, harvest):
    server = old(capabilities=["TOP", "UIDL", "SASL LOGIN PLAIN"], passwords={"joe": PASSWORD})
    done = harvest(server)
    assert done.returncode == 0, done.stderr
    assert ids(done.rows["joe"]) == ["old.1", "old.2", "old.3"]
    server.passwords["joe"] = "another"
    harvest.output.unlink()
    assert "AUTH PLAIN: -ERR [AUTH] no" in harvest(server).stderr


def test_no_way_in(old, harvest):
    done = harvest(old(capabilities=["TOP", "UIDL", "SASL CRAM-MD5"]))
    assert done.returncode == 1
    assert "no way to log in by password" in done.stderr


# A real server


POP3 = """
protocols = imap pop3
service pop3-login {{
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""


@pytest.fixture
def dovecot_pop3(own_dovecot):
    port, tls_port = free_port(), free_port()
    server = own_dovecot(extra=POP3.format(port=port, tls_port=tls_port))
    server.pop3_port, server.pop3s_port = port, tls_port
    return server


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_dovecot(dovecot_pop3, harvest, directory, ca, tls):
    users = [dovecot_pop3.new_user() for _ in range(3)]
    for user in users:
        user.deliver(*corpus.thousand()[:50], *corpus.ODD.values())

    class Old:
        port = dovecot_pop3.pop3s_port if tls == "implicit" else dovecot_pop3.pop3_port

    def shown(user):
        with Pop3(dovecot_pop3.pop3_port) as client:
            client.login(user.login, user.password)
            found = client.rows("UIDL"), client.rows("LIST")
            client.ok("QUIT")
            return found

    before = [shown(user) for user in users]
    flags = [user.flags() for user in users]
    done = harvest(Old, "--ca-file", ca.certificate, tls=tls,
                   users=[(user.login, user.password) for user in users])
    assert done.returncode == 0, done.stderr
    for user, (uidl, sizes), state in zip(users, before, flags):
        rows = done.rows[user.login]
        assert [f"{n} {row['old_id']}" for n, row in enumerate(rows, 1)] == uidl
        assert [f"{n} {row['size']}" for n, row in enumerate(rows, 1)] == sizes
        assert shown(user) == (uidl, sizes) and user.flags() == state


def test_a_certificate_that_is_not_trusted(dovecot_pop3, harvest):
    class Old:
        port = dovecot_pop3.pop3s_port

    user = dovecot_pop3.new_user()
    done = harvest(Old, users=[(user.login, user.password)], tls="implicit")
    assert done.returncode == 1
    assert "certificate" in done.stderr and "PASS" not in dovecot_pop3.log()
