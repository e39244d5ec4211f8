"""Clients that nobody here wrote: each fetches everything and has it octet for octet."""

import os
import poplib
import subprocess

import pytest

from support import corpus
from support.gateway import TIMEOUT
from support.maildir import Maildir

# A NUL within a line is beyond fetchmail and mpop, a line of 1 MB beyond poplib and fetchmail;
# they are covered by our own client.
MESSAGES = [
    octets for name, octets in corpus.ODD.items()
    if name not in ("NUL", "a line of 1 MB", "long line", "a long line of dots", "bare CR",
                    "CR at a line's end", "one octet", "no headers", "first line a dot",
                    "headers only", "headers only, unterminated")
]  # fmt: skip


@pytest.fixture
def served(either):
    return either(MESSAGES)


def expected(served) -> list[bytes]:
    if hasattr(served, "user"):
        return [corpus.wire(octets) for _, octets in served.user.held()]
    return [corpus.wire(octets) for octets in MESSAGES]


def program(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, arguments)), capture_output=True, timeout=TIMEOUT,
                          **options)


# poplib


def drain(client: poplib.POP3) -> list[bytes]:
    count, octets = client.stat()
    got = [b"\r\n".join(client.retr(n)[1]) + b"\r\n" for n in range(1, count + 1)]
    assert octets >= sum(map(len, got)) - 10 * count
    assert len(client.list()[1]) == len(client.uidl()[1]) == count
    assert len({row.split()[1] for row in client.uidl()[1]}) == count
    return got


def test_poplib_over_stls(served):
    client = poplib.POP3("localhost", served.gateway.port(), timeout=TIMEOUT)
    client.stls(served.tls)
    client.user(served.login)
    client.pass_(served.password)
    assert drain(client) == expected(served)
    client.dele(1)
    client.dele(3)
    client.rset()
    client.dele(2)
    client.quit()
    assert len(expected(served)) == len(MESSAGES) - (1 if hasattr(served, "user") else 0)


def test_poplib_over_tls(served):
    client = poplib.POP3_SSL("localhost", served.gateway.port("pop3s"), timeout=TIMEOUT,
                             context=served.tls)
    client.user(served.login)
    client.pass_(served.password)
    assert drain(client) == expected(served)
    assert "STLS" not in client.capa()
    client.quit()


# curl


@pytest.mark.parametrize("scheme, method", [
    ("pop3", ""), ("pop3s", ""), ("pop3", "AUTH=PLAIN"), ("pop3", "AUTH=LOGIN")])
def test_curl(served, scheme, method, ca, directory):
    port = served.gateway.port(scheme)
    output = directory / "curl"
    output.mkdir()
    numbers = range(1, len(MESSAGES) + 1)
    arguments = ["curl", "--silent", "--show-error", "--fail-early", "--ssl-reqd",
                 "--cacert", ca.certificate, "--user", f"{served.login}:{served.password}",
                 *(["--login-options", method] if method else [])]
    done = program(*arguments, f"{scheme}://localhost:{port}/[1-{len(MESSAGES)}]",
                   "-o", f"{output}/#1")
    assert done.returncode == 0, done.stderr
    assert [(output / str(n)).read_bytes() for n in numbers] == expected(served)
    done = program(*arguments, f"{scheme}://localhost:{port}/")
    assert len(done.stdout.splitlines()) == len(MESSAGES)
    done = program(*arguments, "-X", "UIDL", f"{scheme}://localhost:{port}/")
    assert len(done.stdout.splitlines()) == len(MESSAGES)


def test_curl_deletes(local, ca):
    served = local(MESSAGES[:3])
    done = program("curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", ca.certificate,
                   "--user", f"{served.login}:{served.password}", "--list-only", "-X", "DELE",
                   f"pop3://localhost:{served.gateway.port()}/2")
    assert done.returncode == 0, done.stderr
    assert served.maildir.messages() == [MESSAGES[0], MESSAGES[2]]


def test_curl_with_a_wrong_password(local, ca):
    served = local()
    done = program("curl", "--silent", "--ssl-reqd", "--cacert", ca.certificate,
                   "--user", f"{served.login}:sEcReT wrong",
                   f"pop3s://localhost:{served.gateway.port('pop3s')}/")
    assert done.returncode == 67, "login denied"


# fetchmail and mpop deliver to a program or a Maildir, with line ends of the system


def local_form(octets: bytes) -> bytes:
    return octets.replace(b"\r\n", b"\n")


def delivered(folder: Maildir) -> list[bytes]:
    return sorted(local_form(octets) for octets in folder.messages())


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("secure", ["starttls", "implicit", "none"])
def test_mpop(local, ca, directory, secure, keep):
    served = local(MESSAGES)
    home = directory / "mpop"
    inbox = Maildir(home / "inbox")
    config = home / "mpoprc"
    config.write_text(f"""
defaults
host localhost
port {served.gateway.port("pop3s" if secure == "implicit" else "pop3")}
tls {"off" if secure == "none" else "on"}
tls_starttls {"on" if secure == "starttls" else "off"}
tls_trust_file {ca.certificate}
auth {"user" if secure == "none" else "plain"}
user {served.login}
password "{served.password}"
keep {"on" if keep else "off"}
uidls_file {home}/uidls
received_header off
account default
delivery maildir {inbox.path}
""")
    config.chmod(0o600)
    for _ in range(2):  # the second run finds nothing new
        done = program("mpop", f"--file={config}", env={**os.environ, "HOME": str(home)})
        assert done.returncode == 0, done.stderr
        assert delivered(inbox) == sorted(local_form(corpus.wire(m)) for m in MESSAGES)
    assert len(served.maildir.files()) == (len(MESSAGES) if keep else 0)


@pytest.mark.parametrize("options", ["ssl", "sslproto 'TLS1.2+'", "sslproto ''"])
def test_fetchmail(local, ca, directory, options):
    served = local(MESSAGES)
    home = directory / "fetchmail"
    inbox = home / "inbox"
    inbox.mkdir(parents=True)
    deliver = home / "deliver"
    deliver.write_text(f"#!/bin/sh\nexec cat >{inbox}/$$\n")
    deliver.chmod(0o755)
    config = home / "fetchmailrc"
    port = served.gateway.port("pop3s" if options == "ssl" else "pop3")
    config.write_text(f"""
poll localhost protocol pop3 port {port} uidl
  username "{served.login}" password "{served.password}"
  {options} sslcertck sslcertfile "{ca.certificate}"
  mda "{deliver}" keep no rewrite no mimedecode
""")
    config.chmod(0o600)

    def fetch():
        return program("fetchmail", "--fetchmailrc", config, "--idfile", home / "ids",
                       "--pidfile", home / "pid", "--nosyslog", "--invisible",
                       env={**os.environ, "HOME": str(home), "FETCHMAILHOME": str(home)})

    done = fetch()
    assert done.returncode == 0, (done.stdout, done.stderr)
    got = sorted(path.read_bytes() for path in inbox.iterdir())
    assert len(got) == len(MESSAGES)
    for octets, wanted in zip(got, sorted(local_form(corpus.wire(m)) for m in MESSAGES)):
        assert body(octets) == body(wanted)
    assert fetch().returncode == 1, "nothing new"
    assert len(list(inbox.iterdir())) == len(MESSAGES)


def body(octets: bytes) -> bytes:
    """fetchmail adds header lines of its own."""
    return octets.partition(b"\n\n")[2]


def test_fetchmail_deletes(imap, ca, directory):
    served = imap(MESSAGES)
    home = directory / "fetchmail"
    home.mkdir()
    config = home / "fetchmailrc"
    config.write_text(f"""
poll localhost protocol pop3 port {served.gateway.port()}
  username "{served.login}" password "{served.password}"
  sslproto 'TLS1.2+' sslcertck sslcertfile "{ca.certificate}"
  mda "cat >/dev/null" fetchall no keep
""")
    config.chmod(0o600)
    done = program("fetchmail", "--fetchmailrc", config, "--idfile", home / "ids",
                   "--pidfile", home / "pid", "--nosyslog",
                   env={**os.environ, "HOME": str(home), "FETCHMAILHOME": str(home)})
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert served.user.uids() == []
