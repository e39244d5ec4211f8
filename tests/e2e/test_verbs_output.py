"""What verbs print for scripts (--json), and for terminals."""

import json
import os
import pty
import subprocess

import pytest
from support.gateway import BINARY, PASSWORD, password, run
from support.pop3 import TIMEOUT


def as_json(*arguments, status: int = 0, **options):
    """What stands on standard output, one line; standard error has nothing to say."""
    done = run(*arguments, "--json", **options)
    # A build with sanitizers says that it knows contexts only half.
    said = [row for row in done.stderr.splitlines() if "doesn't fully support" not in row]
    assert (done.returncode, said) == (status, [])
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


@pytest.fixture
def file(gateway, maildir_tenant):
    """A configuration with a Maildir and an IMAP tenant."""
    tenants = [maildir_tenant(), {
        "name": "acme", "match": {"domains": ["acme.example"]},
        "maildrop": {"also": ["Junk"]},
        "imap": {"servers": ["imap1.acme.example", "::1"], "port": 143, "tls": "starttls",
                 "login": "acme\\%{user}"}}]  # fmt: skip
    return gateway(start=False, tenants=tenants).file


# --json


def test_route(file, directory):
    told = as_json("route", "-c", file, "ann@acme.example")
    assert told.pop("line") > 1
    assert told == {
        "served": True, "login": "ann@acme.example", "tenant": "acme", "file": str(file),
        "not": [{"tenant": "local", "reason": told["not"][0]["reason"]}],
        "store": "imap", "servers": ["imap1.acme.example", "::1"], "port": 143, "tls": "starttls",
        "user": "acme\\ann", "folders": ["INBOX", "Junk"], "password": "imap"}  # fmt: skip
    told = as_json("route", "-c", file, "joe@local.example")
    assert (told["store"], told["password"], told["not"]) == ("maildir", "users_file", [])
    assert told["path"] == f"{directory}/mail/local.example/joe/Maildir"
    told = as_json("route", "-c", file, 'no"body\udcff@\u2028x', status=1)
    assert not told["served"]
    assert told["not"][-1]["tenant"] is None


def test_route_of_a_delegate(gateway, maildir_tenant):
    instance = gateway(start=False, tenants=[maildir_tenant()], login_name={"delegate": True})
    told = as_json("route", "-c", instance.file, "local.example/ann/joe")
    assert (told["delegate"], told["login"]) == ("ann@local.example", "joe@local.example")


# Something that `check` has a note on.
NOTED = {"name": "noted", "match": {"domains": ["noted.example"]}, "imap": {
    "servers": ["imap.test"], "oauth2": {"token_url": "https://token.test", "client_id": "a"}}}


def test_check(gateway, maildir_tenant):
    instance = gateway(start=False, tenants=[maildir_tenant(), NOTED])
    told = as_json("check", "-c", instance.file)
    assert (told["good"], told["file"]) == (True, str(instance.file))
    assert [report["severity"] for report in told["reports"]] == ["note"]
    instance.write(instance.config | {"limits": {"sesions": 3}, "workers": 0})
    told = as_json("check", "-c", instance.file, status=2)
    assert not told["good"]
    mistakes = [report["text"] for report in told["reports"] if report["severity"] == "mistake"]
    assert len(mistakes) == 2 and "limits.sesions: " in "".join(mistakes)


def test_probe(either):
    served = either([b"Subject: a\r\n\r\nb\r\n", b"Subject: b\r\n\r\nb\r\n"])
    told = as_json("probe", "-c", served.gateway.file, served.login, stdin=served.password)
    ids = served.session().ids()
    assert told["messages"] == [
        {"number": n, "octets": 17, "unique_id": ids[n]} for n in (1, 2)]
    assert (told["login"], told["octets"], told["quota"]) == (served.login, 34, None)
    assert told["login_ms"] > 0 and told["list_ms"] > 0 and "failed" not in told


def test_probe_that_fails(imap):
    served = imap()
    told = as_json("probe", "-c", served.gateway.file, served.login, status=1,
                   stdin=password("wrong"))
    assert (told["tenant"], told["failed"]["step"], told["failed"]["error"]) == (
        "acme", "log in", "auth")
    assert told["failed"]["client"].startswith("[AUTH] ")
    assert "messages" not in told
    told = as_json("probe", "-c", served.gateway.file, "joe@nowhere.example", status=1, stdin="x")
    assert told["tenant"] is None


def test_users_list(directory, sha512):
    file = directory / "users"
    file.write_text(f'a"b@x:{sha512}\n')
    assert as_json("users", "list", "-f", file) == [{"login": 'a"b@x', "kind": "sha512"}]
    assert run("users", "remove", "--json", "-f", file, "joe").returncode == 2


# Terminals


def on_terminal(*arguments, stdin: bytes = b"", **environment) -> str:
    """A verb's output where both of its streams are a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen([BINARY, *map(str, arguments)], stdin=subprocess.PIPE, stdout=slave,
                               stderr=slave, env={**os.environ, "TERM": "xterm", **environment})
    os.close(slave)
    process.stdin.write(stdin)
    process.stdin.close()
    parts = []
    while True:
        try:
            parts.append(os.read(master, 65536))
        except OSError:  # the last writer is gone
            break
        if not parts[-1]:
            break
    process.wait(TIMEOUT)
    os.close(master)
    return b"".join(parts).decode()


def test_colors_are_for_terminals_alone(gateway, maildir_tenant):
    instance = gateway(start=False, tenants=[maildir_tenant(), NOTED])
    cases = [["check", "-q", "-c", instance.file], ["route", "-c", instance.file, "nobody@x"],
             ["probe", "-c", instance.file, "joe@local.example"]]  # fmt: skip
    for arguments in cases:
        assert "\033[" in on_terminal(*arguments, stdin=PASSWORD.encode()), arguments
        done = run(*arguments, stdin=PASSWORD)
        assert done.stdout + done.stderr and "\033" not in done.stdout + done.stderr, arguments
        for no in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
            assert "\033" not in on_terminal(*arguments, stdin=PASSWORD.encode(), **no), no
        assert "\033[" in on_terminal(*arguments, stdin=PASSWORD.encode(), NO_COLOR=""), "unset"


def test_json_has_no_colors(file):
    assert "\033" not in on_terminal("route", "-c", file, "--json", "nobody@x")
