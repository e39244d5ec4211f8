"""Certificates: to clients, chosen by name and reloaded; of servers, verified."""

import os
import shutil
import ssl

import pytest

from support import corpus
from support.certificates import Authority
from support.gateway import free_port, run
from support.pop3 import Pop3
from support.scripted_imap import ScriptedImap


def careless() -> ssl.SSLContext:
    """A client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def names(client: Pop3) -> set[str]:
    return {value for _, value in client.socket.getpeercert()["subjectAltName"]}


def test_the_certificate_follows_the_server_name(local, certificate, other_certificate, tls):
    served = local(certificates=[certificate.as_config(), other_certificate.as_config()])
    with served.connect("pop3s", tls=tls, server_name="pop.other.example") as client:
        assert names(client) == {"pop.other.example"}
    with served.connect("pop3s", tls=tls, server_name="pop.acme.example") as client:
        assert "pop.acme.example" in names(client)
    with served.connect() as client:
        client.ok("STLS")
        client.start_tls(tls, "pop.other.example")
        assert names(client) == {"pop.other.example"}


def test_an_unknown_or_missing_server_name_gets_the_first_certificate(
        local, certificate, other_certificate):
    served = local(certificates=[certificate.as_config(), other_certificate.as_config()])
    for name in ("unknown.example", None):
        with served.connect("pop3s", tls=careless(), server_name=name) as client:
            pem = ssl.DER_cert_to_PEM_cert(client.socket.getpeercert(binary_form=True))
            assert pem.strip() == certificate.certificate.read_text().strip()


def test_a_wildcard_certificate(local, certificate, ca, tls):
    wildcard = ca.issue("*.many.example")
    served = local(certificates=[certificate.as_config(), wildcard.as_config()])
    with served.connect("pop3s", tls=tls, server_name="any.many.example") as client:
        assert names(client) == {"*.many.example"}


POLICY = """
openssl_conf = here
[here]
ssl_conf = modules
[modules]
system_default = default
[default]
Ciphersuites = TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
"""


def test_the_fastest_cipher_that_the_system_allows(local, directory, tls):
    with local().connect("pop3s", tls=tls) as client:
        assert client.socket.cipher()[0] == "TLS_AES_128_GCM_SHA256"
    policy = directory / "openssl.cnf"
    policy.write_text(POLICY)
    served = local(options={"env": {**os.environ, "OPENSSL_CONF": str(policy)}})
    with served.connect("pop3s", tls=tls) as client:
        assert client.socket.cipher()[0] == "TLS_AES_256_GCM_SHA384"


def test_a_client_resumes_its_session_with_any_worker(local, tls):
    served = local(workers=3)
    with served.connect("pop3s", tls=tls) as client:
        client.quit()
        known = client.socket.session
    assert known.has_ticket
    for _ in range(12):
        with served.connect("pop3s", tls=tls, session=known) as client:
            assert client.socket.session_reused
            client.quit()


def test_sighup_reloads_certificates_and_running_sessions_go_on(local, ca, tls, directory):
    first = ca.issue("localhost", file="first")
    second = ca.issue("localhost", "second.example", file="second")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    shutil.copy(first.certificate, certificate)
    shutil.copy(first.key, key)
    served = local([corpus.message("one")],
                   certificates=[{"certificate": str(certificate), "key": str(key)}])
    with served.secure() as client:
        assert names(client) == {"localhost"}
        shutil.copy(second.certificate, certificate)
        shutil.copy(second.key, key)
        served.gateway.reload()
        served.gateway.wait("reload done")
        with served.secure() as other:
            assert names(other) == {"localhost", "second.example"}
            other.quit()
        assert client.retr(1) == corpus.message("one"), "the old session goes on"
        client.ok("DELE 1")
        client.quit()
    assert served.maildir.files() == []


# To IMAP servers


@pytest.mark.parametrize("over", ["none", "starttls", "implicit"])
def test_the_server_is_reached(imap, over):
    message = corpus.large(1_000_000)
    served = imap([message], over=over)
    with served.session() as client:
        assert client.retr(1) == message
        client.ok("DELE 1")
        client.quit()
    assert served.user.uids() == []
    gateways = [row for row in served.user.dovecot.log().splitlines()
                if f"Login: user=<{served.login}>" in row][0]
    assert ("TLS" in gateways) == (over != "none")


def test_the_server_is_reached_by_name(imap):
    served = imap([corpus.message("one")], over="implicit",
                  tenant={"imap": {"servers": ["localhost"]}})
    with served.session() as client:
        assert client.stat()[0] == 1


def refused(served) -> None:
    with served.connect() as client:
        client.ok(f"USER {served.login}")
        assert client.err(f"PASS {served.password}").startswith("[SYS/")
    assert f"Login: user=<{served.login}>" not in served.user.dovecot.log()


@pytest.mark.parametrize("over", ["starttls", "implicit"])
def test_an_untrusted_server_gets_no_password(imap, directory, over):
    stranger = Authority(directory / "stranger", "Strange CA")
    served = imap(over=over, tenant={"imap": {"ca_file": str(stranger.certificate)}})
    refused(served)
    served.gateway.wait_text("certificate")


@pytest.mark.parametrize("server", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("over", ["starttls", "implicit"])
def test_a_server_of_another_name_gets_no_password(imap, own_dovecot, ca, over, server):
    stranger = own_dovecot(certificate=ca.issue("wrong.example", "127.0.0.9"))
    refused(imap(server=stranger, over=over, tenant={"imap": {"servers": [server]}}))


def test_verification_can_be_turned_off(imap, directory):
    stranger = Authority(directory / "stranger", "Strange CA")
    served = imap([corpus.message("one")], over="implicit", tenant={
        "imap": {"ca_file": str(stranger.certificate), "verify": False}})
    with served.session() as client:
        assert client.stat()[0] == 1


def test_a_server_without_starttls_gets_no_password(gateway):
    """No falling back to clear text when STARTTLS is missing or refused."""
    server = ScriptedImap([])
    running = gateway(tenants=[{"name": "t", "imap": {**server.as_config(), "tls": "starttls"}}])
    with Pop3(running.port()) as client:
        client.ok("USER joe@x.example")
        assert client.err("PASS sEcReT of joe").startswith("[SYS/")
    assert server.commands("LOGIN") == server.commands("AUTHENTICATE") == []
    server.close()


def test_what_a_server_says_before_its_tls_handshake_is_dropped(gateway, ca, certificate):
    """Response injection: octets behind the answer to STARTTLS, in clear, count for nothing."""
    server = ScriptedImap([corpus.message("true")], capabilities="IMAP4rev1 STARTTLS UIDPLUS")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)

    def start_tls(peer, _):
        peer.send(f"{peer.tag} OK begin\r\n* 99 EXISTS\r\nA2 OK injected\r\n* BYE injected\r\n")
        peer.socket = context.wrap_socket(peer.socket, server_side=True)
        peer.stream = peer.socket.makefile("rb")

    server.on["STARTTLS"] = start_tls
    running = gateway(tenants=[{"name": "t", "imap": {
        **server.as_config(), "tls": "starttls", "ca_file": str(ca.certificate)}}])
    with Pop3(running.port()) as client:
        client.ok("USER joe@x.example")
        # Either the injection is dropped, or the connection is refused; it is never believed.
        if client.command("PASS sEcReT of joe").startswith("+OK"):
            assert client.retr(1) == corpus.message("true")
            client.quit()
    server.close()


def test_servers_are_tried_in_order(imap, own_dovecot):
    """The first is down; then it is up and the second down."""
    port = free_port()
    first = own_dovecot(host="127.0.0.2", port=port)
    second = own_dovecot(host="127.0.0.3", port=port)
    served = imap([corpus.message("first")], server=first,
                  tenant={"imap": {"servers": ["127.0.0.2", "127.0.0.3"]}})
    twin = second.user(served.login)
    twin.deliver(corpus.message("second"))
    with served.session() as client:
        assert client.retr(1) == corpus.message("first")
        client.quit()
    first.kill()
    with served.session() as client:
        assert client.retr(1) == corpus.message("second")
        client.quit()
    second.kill()
    with served.connect() as client:
        client.ok(f"USER {served.login}")
        assert client.err(f"PASS {served.password}").startswith("[SYS/TEMP]")


# The wrong protocol on a port


def test_tls_on_the_plain_port_is_told_and_closed(local):
    served = local()
    with pytest.raises((ssl.SSLError, OSError)):
        served.connect("pop3", tls=careless())
    with served.session() as client:
        client.quit()


def test_plain_text_on_the_tls_port_is_closed(local):
    served = local()
    with served.connect("pop3s", greet=False) as client:
        client.send(b"USER joe@local.example\r\n")
        client.rest()
    served.gateway.wait("tls handshake failed")
    with served.secure() as client:
        client.quit()


def test_a_client_that_leaves_in_the_handshake(local):
    served = local()
    for octets in (b"\x16", b"\x16\x03\x01\x00\xff", b""):
        with served.connect("pop3s", greet=False) as client:
            client.send(octets)
    with served.secure() as client:
        client.quit()


def test_no_certificate_means_no_stls(local, gateway_config):
    """Listeners with TLS and no certificate are a mistake of the configuration."""
    served = local()
    served.gateway.write({**served.gateway.config, "certificates": []})
    done = run("check", "-c", served.gateway.file)
    assert done.returncode == 2
    assert "certificate" in done.stdout + done.stderr


def test_closed_is_told(local):
    """close_notify comes after QUIT, so that a client can tell a cut from an end."""
    served = local()
    with served.secure() as client:
        client.ok("QUIT")
        client.socket.suppress_ragged_eofs = False
        try:
            assert client.socket.recv(100) == b""
        except ssl.SSLEOFError as cut:
            raise AssertionError("cut without close_notify") from cut
