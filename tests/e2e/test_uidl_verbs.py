"""uidl list, export and import: what is remembered, shown and moved from one registry to another."""

import csv
import io
import json

import pytest
import yaml

from support import corpus
from support.gateway import PASSWORD, run
from support.pop3 import Pop3

LOGIN = "joe@local.example"
MESSAGES = [corpus.message(f"number {n}") for n in range(5)]


def tsv(text):
    return list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def uidl(local):
    """uidl(word, …): runs it with a gateway's configuration."""

    def call(word, *arguments, of, stdin=""):
        return run("uidl", word, "-c", of.file, *arguments, stdin=stdin)

    return call


@pytest.fixture
def filled(local):
    """A gateway that has met a Maildir."""
    served = local(MESSAGES)
    with served.session() as client:
        served.ids = client.ids()
        client.ok("QUIT")
    return served


def elsewhere(directory, gateway, name, state=""):
    """The same configuration with another registry."""

    class Other:
        file = directory / f"{name}.yaml"

    config = {**gateway.config, "state": state or f"sqlite:{directory}/{name}.db"}
    Other.file.write_text(yaml.safe_dump(config, sort_keys=False))
    return Other


def shown(client_of):
    with client_of.session() as client:
        ids = client.ids()
        client.ok("QUIT")
    return ids


def test_list(filled, uidl):
    done = uidl("list", LOGIN, of=filled.gateway)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == list(filled.ids.values())
    assert [int(row[1]) for row in rows] == [len(octets) for octets in MESSAGES]
    assert all(row[4:6] == ["-", "INBOX"] for row in rows)
    done = uidl("list", "--json", LOGIN.upper(), of=filled.gateway)
    assert [row["shown_id"] for row in lines(done.stdout)] == list(filled.ids.values())


def test_list_all(filled, uidl, maildir_tenant):
    maildir_tenant.add_user("ann@local.example")
    maildir_tenant.maildir("ann").deliver_all(MESSAGES[:2])
    with Pop3(filled.gateway.port("pop3")) as client:
        client.login("ann@local.example", PASSWORD)
        client.ok("QUIT")
    filled.maildir.files()[0].unlink()
    shown(filled)
    done = uidl("list", "--all", of=filled.gateway)
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("2", "0", "ann@local.example"), ("4", "1", LOGIN)]  # fmt: skip
    found = lines(uidl("list", "--all", "--json", of=filled.gateway).stdout)
    assert [(row["login"], row["messages"], row["missing"]) for row in found] == [
        ("ann@local.example", 2, 0), (LOGIN, 4, 1)]  # fmt: skip


def test_nothing_is_remembered(local, uidl):
    served = local(MESSAGES)
    for word in "list", "export":
        done = uidl(word, LOGIN, of=served.gateway)
        assert done.returncode == 1
        assert f"nothing is remembered of {LOGIN}" in done.stderr
        done = uidl(word, "joe@nowhere.example", of=served.gateway)
        assert done.returncode == 1
        assert "nobody serves joe@nowhere.example" in done.stderr
        assert uidl(word, "--all", of=served.gateway).returncode == 0


def test_no_database_is_made_by_looking(filled, uidl, directory):
    other = elsewhere(directory, filled.gateway, "other")
    done = uidl("list", "--all", of=other)
    assert done.returncode == 1 and "there is no such database" in done.stderr
    assert not (directory / "other.db").exists()


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_what_goes_out_comes_in(filled, uidl, directory, form):
    options = ["--json"] if form == "json" else []
    with filled.session() as client:
        client.ok("DELE 2")
        client.ok("QUIT")
    out = uidl("export", "--all", *options, of=filled.gateway)
    assert out.returncode == 0, out.stderr
    rows = (lines if options else tsv)(out.stdout)
    assert [row["kind"] for row in rows][:2] == ["maildrop", "message"]
    assert rows[-1]["kind"] == "end"
    other = elsewhere(directory, filled.gateway, "other")
    done = uidl("import", "-", of=other, stdin=out.stdout)
    assert done.returncode == 0, done.stderr
    assert f"1 maildrops with {len(rows) - 2} unique-ids imported, 0 left out" in done.stdout
    assert uidl("export", "--all", *options, of=other).stdout == out.stdout
    again = uidl("import", "-", of=other, stdin=out.stdout)
    assert again.returncode == 1 and "has unique-ids already" in again.stderr
    assert uidl("import", "--replace", "-", of=other, stdin=out.stdout).returncode == 0


def test_from_sqlite_to_postgresql_and_back(filled, uidl, directory, postgresql, ca):
    first = uidl("export", "--all", of=filled.gateway).stdout
    other = elsewhere(
        directory, filled.gateway, "postgresql", postgresql.new_database().uri(ca.certificate))
    done = uidl("import", "-", of=other, stdin=first)
    assert done.returncode == 0, done.stderr
    second = uidl("export", "--all", of=other).stdout
    assert second == first
    back = elsewhere(directory, filled.gateway, "back")
    assert uidl("import", "-", of=back, stdin=second).returncode == 0
    assert uidl("export", "--all", of=back).stdout == first


def test_ids_stay_in_another_registry(filled, uidl, directory, gateway):
    """The next gateway, on what the last one's registry held."""
    out = uidl("export", LOGIN, of=filled.gateway)
    filled.gateway.stop()
    file = directory / "ids.tsv"
    file.write_text(out.stdout)
    config = {**filled.gateway.config, "state": f"sqlite:{directory}/other.db"}
    second = gateway(**config, start=False)
    assert run("uidl", "import", "-c", second.file, file).returncode == 0
    second.start()
    with Pop3(second.port("pop3")) as client:
        client.login(LOGIN, PASSWORD)
        assert client.ids() == filled.ids
        client.ok("QUIT")


def test_old_ids_are_shown_from_the_first_login_on(local, uidl, directory):
    """Of a file made by hand: messages are told apart by their octets."""
    served = local([corpus.message(f"number {n}", b"x" * n + b"\r\n") for n in range(4)])
    file = directory / "old.tsv"
    file.write_text("login\told_id\tsize\n" + "".join(
        f"{LOGIN}\t{unique}\t{len(octets)}\n"
        for unique, octets in zip(["a", "b b", "c"], served.maildir.messages())))
    dry = uidl("import", "--dry-run", file, of=served.gateway)
    assert dry.returncode == 0 and dry.stdout.startswith("would be: 1 maildrops with 3 unique-ids")
    assert uidl("list", LOGIN, of=served.gateway).returncode == 1
    assert uidl("import", file, of=served.gateway).returncode == 0
    assert uidl("list", LOGIN, of=served.gateway).stdout.count(" adopted ") == 3
    ids = shown(served)
    assert list(ids.values())[:3] == ["a", "~.b~20b", "c"]
    assert ids[4].isdigit()
    assert shown(served) == ids
    assert " adopted " not in uidl("list", LOGIN, of=served.gateway).stdout


def test_import_of_what_is_wrong(local, uidl, directory):
    served = local(MESSAGES)
    file = directory / "old.tsv"

    def attempt(text):
        file.write_text(text)
        return uidl("import", file, of=served.gateway)

    head = "kind\tlogin\told_id\tmessages\n"
    done = attempt(f"{head}message\t{LOGIN}\ta\t\nend\t{LOGIN}\t\t1\nnonsense\tx\n")
    assert done.returncode == 2 and "line 4: kind: not valid" in done.stderr
    assert uidl("list", LOGIN, of=served.gateway).returncode == 1, "nothing is imported"
    done = attempt(f"{head}message\t{LOGIN}\ta\t\nend\t{LOGIN}\t\t2\n"
                   "message\tjoe@nowhere.example\ta\t\nend\tjoe@nowhere.example\t\t1\n")
    assert done.returncode == 1
    assert f"{LOGIN} (line 2): is not complete in the file" in done.stderr
    assert "joe@nowhere.example (line 4): nobody serves this login" in done.stderr
    assert "0 maildrops with 0 unique-ids imported, 2 left out" in done.stdout
    done = attempt("login\told_id\n" + f"{LOGIN}\ta\n" * 3)
    assert done.returncode == 0 and "2 messages had the id of another" in done.stdout
    assert uidl("import", directory / "nothing", of=served.gateway).returncode == 2


def test_usage(local):
    for arguments in ([], ["nonsense"], ["list"], ["list", "a", "b"], ["list", "--all", "a"],
                      ["list", "--replace", "a"], ["export"], ["import"], ["import", "a", "b"],
                      ["import", "--json", "a"]):
        done = run("uidl", *arguments)
        assert done.returncode == 2, arguments
        assert "--help'" in done.stderr, arguments
    for arguments in (["--help"], ["list", "--help"], ["export", "-h"], ["import", "--help"]):
        assert run("uidl", *arguments).returncode == 0


def test_state_none(local, uidl):
    served = local(MESSAGES, state="none")
    done = uidl("list", "--all", of=served.gateway)
    assert done.returncode == 2 and "state: none" in done.stderr
