"""The protocol where a transcript does not reach: capabilities, STLS, timers, long exchanges."""

import base64
import socket
import ssl

import pytest

from conftest import LOGIN
from support import corpus
from support.gateway import PASSWORD, free_port
from support.pop3 import Closed, Refused

BOTH_STATES = {
    "TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER",
    "USER", "SASL PLAIN LOGIN", "IMPLEMENTATION popgate",
}  # fmt: skip


def without_version(capabilities):
    return {c if not c.startswith("IMPLEMENTATION") else "IMPLEMENTATION popgate"
            for c in capabilities}


def test_capabilities_are_the_same_before_and_after_login(local):
    served = local()
    with served.connect() as client:
        before = client.capabilities()
        client.login(served.login, served.password)
        after = client.capabilities()
    assert without_version(before) - {"STLS"} == BOTH_STATES
    assert without_version(after) - {"STLS"} == BOTH_STATES
    assert "STLS" in before
    assert len(before) == len(set(before)), "no capability twice"


def test_capabilities_follow_what_the_connection_allows(local, gateway_config):
    listeners = gateway_config()["listeners"]
    listeners[0]["plaintext_login"] = False
    served = local(listeners=listeners)
    with served.connect() as client:
        before = client.capabilities()
        assert "STLS" in before
        assert not [c for c in before if c.startswith(("USER", "SASL"))]
        client.ok("STLS")
        client.start_tls(served.tls)
        after = client.capabilities()
        assert "STLS" not in after
        assert {"USER", "SASL PLAIN LOGIN"} <= set(after)


def test_mechanisms_are_configurable(local):
    served = local(auth={"mechanisms": ["plain"]})
    with served.connect() as client:
        capabilities = client.capabilities()
        assert "SASL PLAIN" in capabilities
        assert "USER" not in capabilities
        client.err(f"USER {served.login}")
        client.err("AUTH LOGIN")
        initial = base64.b64encode(f"\0{served.login}\0{served.password}".encode()).decode()
        client.ok(f"AUTH PLAIN {initial}")


def test_input_before_the_tls_handshake_is_dropped(local):
    """CVE-2011-0411: what was slipped in behind STLS in clear is not obeyed under TLS."""
    served = local()
    with served.connect() as client:
        client.send(f"STLS\r\nUSER {LOGIN}\r\nPASS {PASSWORD}\r\nNOOP\r\n".encode())
        assert client.reply().startswith("+OK")
        client.start_tls(served.tls)
        client.err("STAT")  # neither logged in nor an answer too many
        client.login(served.login, served.password)
        assert client.stat() == (0, 0)


def test_user_before_stls_is_forgotten(local):
    served = local()
    with served.connect() as client:
        client.ok(f"USER {served.login}")
        client.ok("STLS")
        client.start_tls(served.tls)
        client.err(f"PASS {served.password}")


@pytest.mark.parametrize("octets", [600, 3_000, 30_000])
def test_sasl_lines_have_a_limit_of_their_own(local, octets):
    """A long response is judged by the mechanism, not by the limit of a command line."""
    served = local()
    long = base64.b64encode(b"\0" + LOGIN.encode() + b"\0" + b"x" * octets).decode()
    with served.connect() as client:
        assert client.command("AUTH PLAIN") == "+ "
        assert client.command(long).startswith("-ERR")
        client.login(served.login, served.password)


def test_a_sasl_line_without_end_does_not_fill_memory(local):
    served = local()
    with served.connect() as client:
        assert client.command("AUTH PLAIN") == "+ "
        client.send(b"QUJD" * 100_000 + b"\r\n")
        assert client.reply().startswith("-ERR")


def test_silence_before_login_ends_the_session_with_a_word(local):
    served = local(timeouts={"login": "1s"})
    with served.connect() as client:
        assert client.reply().startswith("-ERR ")
        client.closed()


def test_silence_after_login_ends_the_session_and_deletes_nothing(local):
    served = local([corpus.message("one")], timeouts={"idle": "1s"})
    with served.session() as client:
        client.ok("DELE 1")
        assert client.reply().startswith("-ERR ")
        client.closed()
    closed = served.gateway.wait("session closed", login=LOGIN)
    assert closed["reason"] == "timeout"
    assert len(served.maildir.files()) == 1


def test_a_client_that_takes_nothing_is_closed(local):
    served = local([corpus.large(20_000_000)], timeouts={"write": "1s"})
    with served.session() as client:
        client.send(b"DELE 1\r\nRSET\r\nRETR 1\r\n")
        served.gateway.wait("session closed", login=LOGIN)
        raw = client.rest()
    assert not raw.endswith(b"\r\n.\r\n"), "a message that was cut must not look complete"
    assert len(served.maildir.files()) == 1


def test_a_tls_client_that_takes_nothing_is_closed(local):
    served = local([corpus.large(20_000_000)], timeouts={"write": "1s"})
    with served.secure() as client:
        client.send(b"RETR 1\r\n")
        served.gateway.wait("session closed", login=LOGIN)


def test_a_tls_handshake_that_does_not_come_is_given_up(local):
    served = local(timeouts={"tls": "1s"})
    with served.connect("pop3s", greet=False) as client:
        client.closed()
    served.gateway.wait("tls handshake failed")


def test_a_half_closed_client_still_gets_its_answers(local):
    served = local([corpus.message("one")])
    with served.session() as client:
        client.send(b"RETR 1\r\nSTAT\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        rest = client.rest()
    octets = corpus.wire(corpus.message("one"))
    assert corpus.stuffed(octets) + b".\r\n" in rest
    assert rest.rstrip().endswith(b"+OK 1 %d" % len(octets))


def test_hundreds_of_pipelined_commands_are_answered_in_order(local):
    messages = [corpus.message(f"number {n}", b"x" * 3000 + b"\r\n") for n in range(1, 51)]
    served = local(messages)
    with served.session() as client:
        client.send(b"".join(b"RETR %d\r\nNOOP\r\nTOP %d 0\r\n" % (n, n) for n in range(1, 51)))
        for message in messages:
            assert client.reply().startswith("+OK")
            assert client.unstuff(client.multiline_raw()) == message
            assert client.reply().startswith("+OK")
            assert client.reply().startswith("+OK")
            assert client.unstuff(client.multiline_raw()) == corpus.top(message, 0)
        client.quit()


def test_stls_is_refused_where_there_is_no_tls(local):
    listeners = [{"name": "pop3", "listen": [f"127.0.0.1:{free_port()}"], "tls": "none",
                  "plaintext_login": True}]
    served = local(listeners=listeners)
    with served.connect() as client:
        assert "STLS" not in client.capabilities()
        client.err("STLS")
        client.login(served.login, served.password)


def test_every_reply_ends_in_crlf_and_fits_512_octets(local):
    """Checked by the client at every line; here for long banners and host names."""
    served = local(hostname="h" * 200 + ".example")
    with served.connect() as client:
        assert len(client.greeting) <= 510


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused_by_default(local):
    served = local()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, Closed, OSError)):
        served.connect("pop3s", tls=old)
    with served.secure() as client:
        client.quit()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_works_where_the_listener_allows_it(local, gateway_config):
    listeners = gateway_config()["listeners"]
    listeners[1]["minimum_tls"] = "1.0"
    served = local(listeners=listeners)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1
    with served.session("pop3s", tls=old) as client:
        assert client.socket.version() == "TLSv1"
        client.quit()


def test_a_refused_command_changes_nothing(local):
    served = local([corpus.message("one")])
    with served.session() as client:
        with pytest.raises(Refused):
            client.ok("DELE 2")
        assert client.stat()[0] == 1
        client.quit()
    assert len(served.maildir.files()) == 1
