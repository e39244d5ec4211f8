"""The verbs of the command line: what they say and how they end."""

import os
import re

import pytest
import yaml

from support import corpus
from support.gateway import PASSWORD, SECRET, TOP, password, run
from support.hashes import crypt_of

VERBS = ["serve", "check", "route", "probe", "uidl", "users", "state"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    done = run(verb, "--help")
    assert done.returncode == 0
    assert verb in done.stdout


def test_usage_errors():
    assert run().returncode == 2
    assert run("--help").returncode == 0
    assert run("--version").returncode == 0
    for arguments in (["nonsense"], ["check", "--nonsense"], ["route"], ["users"],
                      ["users", "nonsense"], ["serve", "surplus"], ["probe"], ["state"],
                      ["state", "nonsense"], ["state", "check", "surplus"]):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert done.stderr, arguments


# check


@pytest.fixture
def check(directory, gateway_config, maildir_tenant):
    """check(text or changes): runs it over such a file."""
    file = directory / "popgate.yaml"

    def call(text: str = "", **changes):
        file.write_text(text or yaml.safe_dump(
            gateway_config(**{"tenants": [maildir_tenant()], **changes}), sort_keys=False))
        done = run("check", "-c", file)
        done.output = done.stdout + done.stderr
        return done

    call.file = file
    return call


def test_a_good_file(check):
    done = check()
    assert done.returncode == 0, done.output
    assert "local" in done.stdout and "Maildir" in done.stdout, "the effective configuration"
    assert "order: oldest_first" in done.stdout, "defaults are shown, too"


def test_the_example_file_is_known_to_check(check, directory):
    """Every key of the example is accepted; only the files that it names are missing here."""
    example = (TOP / "config/popgate.example.yaml").read_text()
    done = check(example)
    errors = [row for row in done.output.splitlines() if re.search(r"yaml:\d+:\d+", row)]
    assert not [row for row in errors if "unknown" in row.lower()], done.output


MISTAKES = {
    "unknown key": ("limits: {sesions: 5}", "limits.sesions", "sessions"),
    "unknown key at the top": ("listners: []", "listners", "listeners"),
    "wrong type": ("workers: many", "workers", ""),
    "a mapping for a number": ("limits: {sessions: {a: b}}", "limits.sessions", ""),
    "a list for a mapping": ("limits: [1]", "limits", ""),
    "out of range": ("protocol: {max_command_octets: 39}", "protocol.max_command_octets", "40"),
    "above the range": ("protocol: {max_command_octets: 1025}",
                        "protocol.max_command_octets", "1024"),
    "bad duration": ("timeouts: {idle: soon}", "timeouts.idle", ""),
    "negative": ("timeouts: {idle: -5s}", "timeouts.idle", ""),
    "not a choice": ("log: {format: xml}", "log.format", "logfmt"),
    "bad network": ("listeners: [{name: a, listen: ['127.0.0.1:1'], tls: none, "
                    "proxy_protocol_from: [300.1.1.1]}]", "proxy_protocol_from", ""),
    "bad port": ("listeners: [{name: a, listen: ['127.0.0.1:99999'], tls: none}]", "listen", ""),
    "missing certificate": ("certificates: [{certificate: /nonexistent/c.pem, "
                            "key: /nonexistent/k.pem}]", "certificate", "/nonexistent/c.pem"),
    "unknown template name": ("tenants: [{name: t, maildir: {path: '/x/%{nobody}'}}]",
                              "path", "nobody"),
    "no store": ("tenants: [{name: t}]", "tenants", ""),
    "two stores": ("tenants: [{name: t, maildir: {path: /x}, imap: {servers: [a]}}]",
                   "tenants", ""),
    "no name": ("tenants: [{maildir: {path: /x}}]", "name", ""),
    "master user without password": ("tenants: [{name: t, imap: {servers: [a], "
                                     "master_user: m}}]", "master", ""),
    "unreadable secret": ("tenants: [{name: t, imap: {servers: [a], master_user: m, "
                          "master_password_file: /nonexistent/p}}]",
                          "master_password_file", "/nonexistent/p"),
    "unknown listener": ("tenants: [{name: t, maildir: {path: /x}, "
                         "match: {listeners: [nowhere]}}]", "listeners", "nowhere"),
    "a key twice": ("workers: 1\nworkers: 2", "workers", ""),
    "not YAML": ("limits: {sessions: 5", "", ""),
    "not a mapping": ("- 1\n- 2", "", ""),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_shown_with_its_place(check, kind):
    text, key, expected = MISTAKES[kind]
    done = check(text + "\n")
    assert done.returncode == 2, done.output
    rows = [row for row in done.output.splitlines() if key in row and expected in row]
    assert rows, done.output
    assert any(re.search(rf"{re.escape(str(check.file))}:\d+:\d+: |popgate\.yaml:\d+:\d+: ", row)
               for row in rows), done.output


def test_all_mistakes_at_once_with_line_and_column(check):
    done = check("hostname: x\nlimits:\n  sesions: 5\n  login_failures: none\nworker: 3\n"
                 "timeouts:\n  idle: 5q\n")
    places = re.findall(r"popgate\.yaml:(\d+):(\d+): ([\w.]+)", done.output)
    found = {key: (int(line), int(column)) for line, column, key in places}
    assert found["limits.sesions"] == (3, 3)
    assert found["worker"] == (5, 1)
    assert found["limits.login_failures"][0] == 4
    assert found["timeouts.idle"][0] == 7
    assert done.returncode == 2


def test_two_tenants_that_no_login_can_tell_apart(check, maildir_tenant):
    done = check(tenants=[maildir_tenant(), maildir_tenant(name="again")])
    assert done.returncode == 2, done.output
    assert "again" in done.output and "local" in done.output


def test_two_tenants_of_one_name(check, maildir_tenant):
    done = check(tenants=[maildir_tenant(), maildir_tenant(match={"domains": ["b.example"]})])
    assert done.returncode == 2, done.output


def test_a_missing_file(directory):
    done = run("check", "-c", directory / "missing.yaml")
    assert done.returncode == 2
    assert "missing.yaml" in done.stderr + done.stdout
    assert "there is no file" in done.stderr + done.stdout


def test_keys_whose_feature_comes_later_are_told(check):
    done = check(tenants=[{"name": "acme", "imap": {
        "servers": ["imap.test"],
        "oauth2": {"token_url": "https://token.test", "client_id": "a"}}}])
    assert done.returncode == 0, done.output
    assert re.search(r"imap\.oauth2.*not in effect", done.output), done.output


def test_a_small_command_limit_is_warned_of(check):
    done = check(protocol={"max_command_octets": 100})
    assert done.returncode == 0, done.output
    assert re.search(r"max_command_octets.*255", done.output), done.output


def test_secrets_are_masked(check, directory, maildir_tenant):
    secret = directory / "secret"
    secret.write_text(password("master"))
    done = check(tenants=[{"name": "t", "imap": {
        "servers": ["127.0.0.1"], "master_user": "m", "master_password_file": str(secret)},
        "auth": {"users_file": str(maildir_tenant.users)}}])
    assert done.returncode == 0, done.output
    assert SECRET not in done.output


def test_the_effective_configuration_is_a_configuration(check, directory):
    done = check()
    printed = yaml.safe_load(done.stdout)
    assert [tenant["name"] for tenant in printed["tenants"]] == ["local"]
    assert printed["tenants"][0]["maildrop"]["folder"] == "INBOX"


def test_yaml_bombs_and_odd_files(check):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9))
    assert check(bomb).returncode == 2
    assert check("[" * 10_000).returncode == 2
    assert check("\ufeffhostname: x\nunknown: y\n").returncode == 2
    assert check("hostname: 'a\\0b'\nx: \"\\0\"\n").returncode == 2


# probe


def test_probe_shows_the_steps(imap):
    served = imap([corpus.message("one"), corpus.message("two")])
    done = run("probe", "-c", served.gateway.file, served.login, stdin=served.password + "\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "acme" in done.stdout, "the tenant"
    assert re.search(r"\b2 messages", done.stdout)
    assert re.search(r"\d+(\.\d+)? ms", done.stdout), "each step with its time"
    assert SECRET not in done.stdout + done.stderr


def test_probe_of_a_maildir(local):
    served = local([corpus.message("one")])
    done = run("probe", "-c", served.gateway.file, served.login, stdin=served.password + "\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b1 message", done.stdout)


def test_probe_of_a_wrong_password(imap):
    served = imap()
    done = run("probe", "-c", served.gateway.file, served.login, stdin=password("wrong") + "\n")
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr


def test_probe_of_an_unknown_login_and_a_dead_server(imap, own_dovecot):
    server = own_dovecot()
    served = imap(server=server)
    done = run("probe", "-c", served.gateway.file, "joe@nowhere.example", stdin="sEcReT\n")
    assert done.returncode == 1
    server.kill()
    done = run("probe", "-c", served.gateway.file, served.login, stdin="sEcReT\n")
    assert done.returncode == 1
    assert "127.0.0.1" in done.stdout + done.stderr, "which server"


# users


def test_users_set_remove_list(directory):
    file = directory / "users"
    assert run("users", "set", "--file", file, "joe@a.example", stdin=PASSWORD).returncode == 0
    done = run("users", "set", "--file", file, "ann@a.example", stdin=PASSWORD + "\n")
    assert done.returncode == 0
    assert oct(file.stat().st_mode & 0o777) in ("0o600", "0o640")
    done = run("users", "list", "--file", file)
    assert done.returncode == 0
    assert done.stdout.split() == ["joe@a.example", "ann@a.example"] or sorted(
        row.split()[0] for row in done.stdout.splitlines()) == ["ann@a.example", "joe@a.example"]
    first = file.read_text()
    hashes = dict(row.split(":", 1) for row in first.splitlines())
    for hashed in hashes.values():
        assert hashed.startswith("$y$")
        assert crypt_of(hashed, PASSWORD) == hashed, "libcrypt agrees"
    assert run("users", "set", "--file", file, "joe@a.example", stdin=password("b")).returncode == 0
    changed = dict(row.split(":", 1) for row in file.read_text().splitlines())
    assert set(changed) == set(hashes)
    assert changed["ann@a.example"] == hashes["ann@a.example"]
    assert crypt_of(changed["joe@a.example"], password("b")) == changed["joe@a.example"]
    assert run("users", "remove", "--file", file, "joe@a.example").returncode == 0
    assert [row.split(":")[0] for row in file.read_text().splitlines()] == ["ann@a.example"]
    assert run("users", "remove", "--file", file, "joe@a.example").returncode == 1


def test_users_errors(directory):
    file = directory / "users"
    assert run("users", "list", "--file", directory / "missing").returncode == 2
    assert run("users", "set", "--file", file, "joe@a.example", stdin="").returncode != 0
    assert run("users", "set", "--file", file, "a:b", stdin=PASSWORD).returncode == 2
    assert run("users", "set", "--file", file, "a\nb", stdin=PASSWORD).returncode == 2
    assert run("users", "set", "joe@a.example", stdin=PASSWORD).returncode == 2
    done = run("users", "set", "--file", directory / "no" / "folder", "joe", stdin=PASSWORD)
    assert done.returncode == 2
    assert "No such file" in done.stderr


def test_users_keeps_what_it_does_not_touch(directory):
    file = directory / "users"
    file.write_text("# our users\n\njoe:$6$x$y\n")
    os.chmod(file, 0o640)
    assert run("users", "set", "--file", file, "ann", stdin=PASSWORD).returncode == 0
    text = file.read_text()
    assert text.startswith("# our users\n\njoe:$6$x$y\n")
    assert oct(file.stat().st_mode & 0o777) == "0o640"
