"""The PROXY protocol is believed from trusted networks, and only there."""

import socket
import struct
import time

import pytest

from conftest import LOGIN
from support.gateway import PASSWORD
from support.pop3 import Closed

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(source: str, *, command: int = 1, tail: bytes = b"") -> bytes:
    if ":" in source:
        family = 0x21
        body = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "::1")
    else:
        family = 0x11
        body = socket.inet_aton(source) + socket.inet_aton("127.0.0.1")
    body += struct.pack("!HH", 4711, 110) + tail
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(body)) + body


HEADERS = {
    "v1": (b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 110\r\n", "192.0.2.7"),
    "v1 IPv6": (b"PROXY TCP6 2001:db8::7 ::1 4711 110\r\n", "2001:db8::7"),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v2": (version_2("192.0.2.7"), "192.0.2.7"),
    "v2 IPv6": (version_2("2001:db8::7"), "2001:db8::7"),
    "v2 with TLVs": (version_2("192.0.2.7", tail=b"\x04\x00\x05hello" * 20), "192.0.2.7"),
    "v2 local": (SIGNATURE + b"\x20\x00\0\0", "127.0.0.1"),
}

MALFORMED = {
    "no header": b"",
    "a command": b"USER joe@local.example\r\n",
    "v1 without addresses": b"PROXY TCP4\r\n",
    "v1 with a name": b"PROXY TCP4 localhost 127.0.0.1 1 2\r\n",
    "v1 of another family": b"PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
    "v1 port too large": b"PROXY TCP4 192.0.2.7 127.0.0.1 70000 110\r\n",
    "v1 without end": b"PROXY TCP4 " + b"1" * 200,
    "v2 wrong version": SIGNATURE + b"\x11\x11\x00\x0c" + b"\0" * 12,
    "v2 too short": SIGNATURE + b"\x21\x11\x00\x04" + b"\0" * 4,
    "v2 unknown command": SIGNATURE + b"\x2f\x11\x00\x0c" + b"\0" * 12,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 300,
}


@pytest.fixture
def behind(local, gateway_config):
    """A gateway whose listeners await PROXY headers from 127.0.0.1, and from nowhere else."""
    listeners = gateway_config()["listeners"]
    for listener in listeners:
        listener["proxy_protocol_from"] = ["127.0.0.1/32", "::1"]
    return local(listeners=listeners, timeouts={"login": "2s", "tls": "2s"})


@pytest.mark.parametrize("kind", HEADERS)
def test_the_clients_address_is_taken_from_the_header(behind, kind):
    header, address = HEADERS[kind]
    with behind.session(before=header) as client:
        client.quit()
    behind.gateway.wait("login", address=address)
    assert behind.gateway.wait("session closed")["address"] == address


def test_the_header_stands_before_the_tls_handshake(behind):
    with behind.secure(before=HEADERS["v2"][0]) as client:
        client.quit()
    behind.gateway.wait("login", address="192.0.2.7")


def test_a_header_in_pieces(behind):
    header, address = HEADERS["v1"]
    with behind.connect(greet=False) as client:
        for octet in header:
            client.send(bytes([octet]))
            time.sleep(0.001)
        client.reply()
        client.login(LOGIN, PASSWORD).quit()
    behind.gateway.wait("login", address=address)


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_missing_or_malformed_header_closes_the_connection(behind, kind):
    with behind.connect(greet=False) as client:
        client.send(MALFORMED[kind])
        assert b"+OK" not in client.rest()
    with behind.session(before=HEADERS["v1"][0]) as client:
        client.quit()


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_from_elsewhere_is_not_believed(behind, kind):
    """Other networks need none, and theirs is taken for a bad command at best."""
    header, address = HEADERS[kind]
    with behind.connect(source="127.0.0.9", greet=False) as client:
        client.send(header + b"QUIT\r\n")
        try:
            client.rest()
        except Closed:
            pass
    assert behind.gateway.wait("session closed")["address"] == "127.0.0.9"
    with behind.session(source="127.0.0.9") as client:
        client.quit()
    assert not address.startswith("192.") or address not in behind.gateway.text()


def test_no_header_is_believed_where_nothing_is_configured(local):
    served = local()
    with served.connect(greet=False) as client:
        client.send(HEADERS["v1"][0])
        assert client.reply().startswith("+OK")
        assert client.reply().startswith("-ERR")
        client.login(LOGIN, PASSWORD).quit()
    served.gateway.wait("login", address="127.0.0.1")
